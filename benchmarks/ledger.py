"""The ledger's figures: how fast records become rows, how fast questions are answered, what a call takes on the disk.

python benchmarks/ledger.py write DIRECTORY --calls 600000     real records, by the real writer; again adds more
python benchmarks/ledger.py index DIRECTORY                    what is new in the logs into the index
python benchmarks/ledger.py grow DIRECTORY --calls 10000000    both, in slices; logs that are indexed are removed
python benchmarks/ledger.py ask DIRECTORY                      the questions of the commands, with their times
"""

import argparse
import os
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from trunkline import __version__
from trunkline.audit.files.data_dir import DataDir, open_data_dir
from trunkline.audit.files.segments import segments_of
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.files.writer import LogSettings, LogWriter
from trunkline.ledger.answers import CallsQuestion, Period, SessionsQuestion, SqlQuestion
from trunkline.ledger.follow import Counting, Follower
from trunkline.ledger.index import Index
from trunkline.ledger.ledger import Ledger
from trunkline.model.delta import Usage
from trunkline.model.ids import prefix_of, uuid7
from trunkline.model.records import Attempt, CallClosed, CallOpened, Cost, CostLine, ErrorSummary, Estimate, Timings

SLICE = 500_000
KEPT_SEGMENTS = 3
SPAN_DAYS = 90  # the time over which the calls of one `grow` are spread
MODELS = (("openai", "gpt-4o-mini", "0.15", "0.6"), ("anthropic", "claude-haiku-4-5", "1", "5"))
OUTCOMES = ("answered",) * 80 + ("tool_call",) * 12 + ("failed",) * 3 + ("cancelled_after",) * 4 + ("refused",)
SNAPSHOT = "e4743330ba0edaaabad1d15f827415c801f345366fa7df73180b62ee20a9a9b0"
PRINTS = [random.Random(n).randbytes(32).hex() for n in range(50)]
_encode = msgspec.json.Encoder().encode


class Clock:
    """Time that passes as fast as calls are written."""

    def __init__(self, now_ns: int, step_ns: int) -> None:
        self.now, self._step = now_ns, step_ns

    def __call__(self) -> int:
        self.now += self._step
        return self.now


def write(data_dir: DataDir, calls: int, clock: Clock, seed: int) -> float:
    """Write so many calls, each opened and closed, in the manner of a worker; return the seconds that took."""
    draw = random.Random(seed)
    settings = LogSettings(
        segment_bytes=64 << 20, min_free_bytes=0, queue_bytes=256 << 20, heartbeat_every=1e9, segment_age=1e12
    )
    log, _ = LogWriter.open(
        data_dir.log_directory("bench", "worker-0"),
        data_dir.origin("bench", "worker-0"),
        settings,
        clock=clock,
        on_event=lambda _name, /, **_facts: None,
    )
    began = time.perf_counter()
    for n in range(calls):
        prefix = prefix_of(clock.now // 1_000_000)
        call = uuid7(prefix, draw.randbytes(10).hex())
        log.append("call.opened", call, _encode(opened(call, draw)))
        log.append(
            "call.closed",
            uuid7(prefix_of(clock.now // 1_000_000), draw.randbytes(10).hex()),
            _encode(closed(call, draw)),
        )
        if n % 1024 == 0:
            log.flush()
    log.close_sync()
    return time.perf_counter() - began


def opened(call: str, draw: random.Random) -> CallOpened:
    """Return an opening as a voice agent's calls have it."""
    user = min(int(draw.expovariate(1 / 60)), 499)
    return CallOpened(
        call=call,
        tenant="harbor-wealth" if user % 5 else "lakeside",
        key_id="voice-agent",
        team=f"desk-{user % 12}",
        user=f"advisor-{user}",
        user_source="header",
        subject=f"client-{user * 40 + draw.randrange(40)}",
        session=f"call-{draw.randrange(10**7)}",
        purpose="production",
        tags={"channel": "phone", "env": "prod"} if user % 2 else {},
        endpoint="/v1/chat/completions",
        route="advisor-voice" if user % 7 else "back-office",
        model_asked="advisor-voice",
        stream=True,
        prompt_fingerprint=PRINTS[draw.randrange(50)],
        tools=("get_holdings", "get_quote"),
        estimate=Estimate(800, 256, "0.00027", "genai-prices 0.2.1", "genai-prices"),
        snapshot=SNAPSHOT,
        build=__version__,
    )


def closed(call: str, draw: random.Random) -> CallClosed:
    """Return an end that fits."""
    outcome = OUTCOMES[draw.randrange(len(OUTCOMES))]
    provider, model, price_in, price_out = MODELS[draw.random() < 0.1]
    prompt, answer = draw.randrange(400, 3000), draw.randrange(5, 200)
    first = round(150 + draw.expovariate(1 / 200), 3)
    total = round(first + answer * 11.5, 3)
    lines = tuple(
        CostLine(name, tokens, price, f"{int(tokens * float(price) * 1000):d}e-9".replace("e-9", "").rjust(10, "0"))
        for name, tokens, price in (("input", prompt, price_in), ("output", answer, price_out))
    )
    lines = tuple(CostLine(one.token_class, one.tokens, one.unit_price, f"0.{one.amount}") for one in lines)
    amount = f"0.{sum(int(one.amount[2:]) for one in lines):010d}"
    attempt = Attempt(
        provider=provider,
        model=model,
        dialect=provider,
        outcome="failed" if outcome == "failed" else "answered",
        reason="502" if outcome == "failed" else None,
        started_ms=0.61,
        first_token_ms=first,
        total_ms=total,
        status=200,
        provider_request_id=f"req_{draw.randbytes(12).hex()}",
        provider_id=f"chatcmpl-{draw.randbytes(12).hex()}",
        provider_model=model,
        stop_reason="stop",
    )
    return CallClosed(
        call=call,
        outcome=outcome,
        status=499 if outcome == "cancelled_after" else 502 if outcome == "failed" else 200,
        finish_reason="tool_calls" if outcome == "tool_call" else "stop",
        error=ErrorSummary("providers_failed", "provider", "openai: 502") if outcome == "failed" else None,
        attempts=(attempt,),
        provider=provider,
        model=model,
        usage=Usage(input=prompt, output=answer),
        cost=Cost(amount, outcome == "cancelled_after", "genai-prices 0.2.1", "genai-prices", lines),
        timings=Timings(
            total_ms=total, overhead_ms=round(0.8 + draw.random(), 3), first_token_ms=first, first_byte_ms=first
        ),
        received_chars=answer * 4,
        released_chars=answer * 4,
        tool_calls=("get_holdings",) if outcome == "tool_call" else (),
    )


def index(data_dir: DataDir) -> None:
    """Read what is new into the index, and say how fast."""
    ledger = Index(data_dir.path)
    ledger.open()
    follower = Follower(ledger, data_dir.path, _stop, Counting({}))
    began, cpu, records = time.perf_counter(), time.process_time(), 0
    while done := follower.step():
        records += done
    took, used = time.perf_counter() - began, time.process_time() - cpu
    follower.close()
    ((calls,),) = ledger.ask("SELECT count(*) FROM calls")
    ledger.close()
    if records:
        print(
            f"indexed {records} records in {took:.1f} s ({used:.1f} s of CPU: {used / records * 2e6:.1f} us a call);"
            f" {calls} calls in the index, {ledger.path.stat().st_size / max(1, calls):.0f} bytes each;"
            f" peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB"
        )


def remove_old_segments(data_dir: DataDir) -> None:
    """Remove what is in the index, all but the newest: ten million calls have 22 GB of log."""
    for path in segments_of(data_dir.log_directory("bench", "worker-0"))[:-KEPT_SEGMENTS]:
        path.unlink()


def ask(data_dir: DataDir) -> None:
    """Ask what the commands ask, each several times, and say how long the median and the slowest took."""
    ledger = Ledger(data_dir.path, _stop)
    ledger.open()
    ledger.catch_up()
    month = Period(time.time() - 30 * 86_400)
    latest = [row[1] for row in ledger.calls(CallsQuestion(limit=2000)).rows]
    draw = random.Random(1)
    some = iter(draw.sample(latest, 200))
    _, _, tenant, _, _, _, session, *_ = ledger.calls(CallsQuestion(limit=1)).rows[0]
    by_user = (
        "SELECT user_id, count(*), sum(cost) FROM calls WHERE at > now() - INTERVAL 30 DAY GROUP BY 1 ORDER BY 3 DESC"
    )
    questions: dict[str, Callable[[], object]] = {
        "calls list": lambda: ledger.calls(CallsQuestion()),
        "calls list --user --outcome": lambda: ledger.calls(CallsQuestion(user="advisor-77", outcome="failed")),
        "calls list --user --since 30d": lambda: ledger.calls(CallsQuestion(user="advisor-301", period=month)),
        "calls list --subject --tool": lambda: ledger.calls(CallsQuestion(subject="client-9001", tool="get_holdings")),
        "calls list --session": lambda: ledger.calls(CallsQuestion(session=session)),
        "calls show": lambda: ledger.call(next(some), bodies=False),
        "calls show --bodies": lambda: ledger.call(next(some), bodies=True),
        "sessions list --since 1d": lambda: ledger.sessions(SessionsQuestion(period=Period(time.time() - 86_400))),
        "sessions show": lambda: ledger.session(session, tenant),
        "cost by user, a month (sql)": lambda: ledger.sql(SqlQuestion(by_user)),
    }
    for name, question in questions.items():
        times = []
        for _ in range(7):
            began = time.perf_counter()
            question()
            times.append(time.perf_counter() - began)
        print(f"{name:32} {sorted(times)[3] * 1000:8.1f} ms, slowest {max(times) * 1000:8.1f} ms", flush=True)
    ledger.close()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


def _stop(error: CorruptLog) -> None:
    raise error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("write", "index", "grow", "ask"))
    parser.add_argument("directory", type=Path)
    parser.add_argument("--calls", type=int, default=100_000)
    asked = parser.parse_args()
    data_dir = open_data_dir(asked.directory.resolve())
    step = SPAN_DAYS * 86_400 * 10**9 // (2 * asked.calls)
    clock = Clock(time.time_ns() - SPAN_DAYS * 86_400 * 10**9, step)
    match asked.what:
        case "write":
            took = write(data_dir, asked.calls, clock, seed=os.getpid())
            print(f"wrote {asked.calls} calls in {took:.1f} s")
        case "index":
            index(data_dir)
        case "grow":
            for done in range(0, asked.calls, SLICE):
                took = write(data_dir, min(SLICE, asked.calls - done), clock, seed=done)
                print(f"wrote a slice in {took:.1f} s", flush=True)
                index(data_dir)
                remove_old_segments(data_dir)
        case "ask":
            ask(data_dir)


if __name__ == "__main__":
    main()
