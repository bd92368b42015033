"""What limits cost: `python benchmarks/limits.py [--windows 6] [--seconds 5] [--callers 64]`.

The real gateway on one core, provider and load on the other. Windows with and without limits take turns, by reloads of
the same gateway, so that whatever else the machine does falls on both. All kinds of limits and budgets are on, at every
scope, and far beyond what the load uses; the provider's capacity is configured as well.
"""

import argparse
import io
import statistics
from contextlib import redirect_stdout
from pathlib import Path

from trunkline.cli.bench.gateway import ROUTE, running
from trunkline.cli.bench.loading import generate
from trunkline.cli.bench.places import here
from trunkline.cli.bench.plan import LoadPlan
from trunkline.cli.bench.processes import use_of
from trunkline.cli.bench.upstream import provider
from trunkline.cli.command_line import run

DELTAS = 24
MANY = 1_000_000_000
EACH = (
    f"{{requests_per_minute: {MANY}, requests_per_hour: {MANY}, requests_per_day: {MANY}, tokens_per_minute: {MANY}, "
    f"tokens_per_hour: {MANY}, tokens_per_day: {MANY}, concurrent_requests: {MANY}}}"
)
USUAL = f"""\
    limits: {{requests_per_minute: {MANY}, tokens_per_minute: {MANY}, concurrent_requests: {MANY}}}
    user_limits: {{requests_per_minute: {MANY}}}
    team_limits: {{requests_per_minute: {MANY}}}
    route_limits: {{{ROUTE}: {{requests_per_minute: {MANY}}}}}
    budget: {{amount: 1000000, per: month}}
    user_budget: {{amount: 1000000, per: day}}
"""
EVERY = f"""\
    limits: {EACH}
    user_limits: {EACH}
    team_limits: {EACH}
    route_limits: {{{ROUTE}: {EACH}}}
    budget: {{amount: 1000000, per: month}}
    user_budget: {{amount: 1000000, per: day}}
    team_budget: {{amount: 1000000, per: week}}
"""
KINDS = {"off": "", "usual": USUAL, "every": EVERY}


def configure(path: Path, plain: str, kind: str) -> None:
    """Put limits of a kind in force."""
    text = plain.replace("    keys:\n", KINDS[kind] + "    keys:\n")
    if kind != "off":
        capacity = f"capacity: {{requests_per_minute: {MANY}, tokens_per_minute: {MANY}}}, keep_warm: 2"
        text = text.replace("keep_warm: 2", capacity, 1)
    path.write_text(text)
    with redirect_stdout(io.StringIO()):
        failed = run(["apply", "--config", str(path)])
    if failed:
        raise SystemExit("the configuration was not applied")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=6, help="of each kind")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--callers", type=int, default=64)
    asked = parser.parse_args()
    places = here()
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    with (
        provider(places.load, DELTAS, 50.0) as upstream,
        running(places.gateway, upstream, None) as gateway,
    ):
        path = gateway.log.parent / "trunkline.yaml"
        plain = path.read_text()
        plan = LoadPlan(
            host="127.0.0.1", port=gateway.port, key=gateway.key, model=ROUTE, callers=asked.callers, deltas=DELTAS,
            seconds=asked.seconds,
        )  # fmt: skip
        for window in range(asked.windows + 1):
            for kind in KINDS:
                configure(path, plain, kind)
                before = use_of(gateway.process.pid).all_cpu
                result = generate(plan, places.load)
                cpu = use_of(gateway.process.pid).all_cpu - before
                if result.amiss:
                    raise SystemExit(f"{result.amiss} calls failed")
                if window:  # the first is to warm up
                    found[kind].append((result.per_second, cpu / result.answered * 1e6))
    base = statistics.median(rate for rate, _ in found["off"])
    for kind, windows in found.items():
        rate, cpu = (statistics.median(column) for column in zip(*windows, strict=True))
        print(
            f"limits {kind:6} {rate:8,.0f} calls/s, {rate / base:6.1%} of off, {cpu:6.1f} us of processor time a call"
        )


if __name__ == "__main__":
    main()
