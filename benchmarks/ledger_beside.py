"""What following the logs costs a gateway on the same core, and how soon control has caught up.

    python benchmarks/ledger_beside.py [--windows 6] [--seconds 10] [--callers 64] [--backlog DIRECTORY]

The real gateway on one core, provider and load on the other. Windows with control stopped (SIGSTOP) and with control
following take turns, so that whatever else the machine does falls on both. Then the load ends, and the time is taken
until the index has all. With a backlog (a data directory of `ledger.py write`) its logs are put beside the gateway's
own first, so that control has more to do than it can the whole time.
"""

import argparse
import shutil
import signal
import statistics
import time
from os import kill
from pathlib import Path

from trunkline.cli.bench.gateway import ROUTE, running
from trunkline.cli.bench.loading import generate
from trunkline.cli.bench.places import here
from trunkline.cli.bench.plan import LoadPlan
from trunkline.cli.bench.processes import family, parse_stat, use_of
from trunkline.cli.bench.upstream import provider
from trunkline.cli.control_client import Live

DELTAS = 24


def control_of(root: int) -> int:
    return next(
        pid for pid in family(root) if b"trunkline.control" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    )


def cpu_of(process: int) -> float:
    return parse_stat(Path(f"/proc/{process}/stat").read_text()).cpu


def caught_up(live: Live) -> tuple[float, int]:
    began = time.monotonic()
    while not (status := live.ledger.status()).caught_up:
        time.sleep(0.25)
    return time.monotonic() - began, status.records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--backlog", type=Path)
    asked = parser.parse_args()
    places = here()
    with (
        provider(places.load, DELTAS, 50.0) as upstream,
        running(places.gateway, upstream, None) as gateway,
    ):
        data = gateway.log.parent / "data"
        live = Live(data, str(gateway.log.parent / "trunkline.yaml"))
        control = control_of(gateway.process.pid)
        plan = LoadPlan(
            host="127.0.0.1", port=gateway.port, key=gateway.key, model=ROUTE, callers=asked.callers, deltas=DELTAS,
            seconds=asked.seconds,
        )  # fmt: skip
        generate(plan, places.load)  # warm
        caught_up(live)
        if asked.backlog is not None:
            shutil.copytree(asked.backlog / "log", data / "log", dirs_exist_ok=True)
        rates: dict[str, list[float]] = {"stopped": [], "following": []}
        calls = 0
        for window in range(asked.windows):
            how = ("stopped", "following")[window % 2]
            kill(control, signal.SIGSTOP if how == "stopped" else signal.SIGCONT)
            before = cpu_of(control)
            result = generate(plan, places.load)
            used = cpu_of(control) - before
            rates[how].append(result.per_second)
            calls += result.answered
            print(
                f"{how:10} {result.per_second:8.0f} calls/s, {result.amiss} failed; control used {used:.2f} s of CPU",
                flush=True,
            )
        kill(control, signal.SIGCONT)
        took, records = caught_up(live)
        without, beside = (statistics.median(rates[how]) for how in ("stopped", "following"))
        print(
            f"median {without:.0f} calls/s without, {beside:.0f} beside it: {100 * (1 - beside / without):.1f} % less;"
            f" {calls} calls carried, {records} records in the index {took:.1f} s after the last call;"
            f" all processes {use_of(gateway.process.pid).all_bytes / 1e6:.0f} MB"
        )


if __name__ == "__main__":
    main()
