"""Processes that behave as a test asks: `python stand_ins.py worker|control MANNER ... --channel FD`.

A worker's manner is in the digest of what it is given: `bad-*` it can't load, `slow-*` it loads only when the next
order has come, at `mute-*` it falls silent for good, of `deadly-*` it dies; everything else it loads, and worker 1 has
news of `telling-*`. A worker that hears news says them as the reason why it is not ready. With the manner `once-slow`
worker 1, once it has died, loads what it is given when the next order has come. Control publishes the digests of its
manner, one after the other, `late-*` only when it hears that a worker drains, and says what came of each in a line on
standard output.
"""

import json
import os
import socket
import sys

NEWS = {"of": "rest", "target": "a/m", "seconds": 9.0, "reason": "rate_limited"}


def main() -> None:
    kind, manner = sys.argv[1:3]
    channel = socket.socket(fileno=int(sys.argv[sys.argv.index("--channel") + 1]))
    with channel, channel.makefile("rwb", buffering=0) as file:
        (worker if kind == "worker" else control)(file, manner)


def say(file, **message: object) -> None:
    file.write(json.dumps(message).encode() + b"\n")


def worker(file, manner: str) -> None:
    if manner == "stillborn":
        raise SystemExit(3)
    slow = None
    first = sys.argv[sys.argv.index("--index") + 1] == "0"
    late = manner == "once-slow" and not first and "--without-log" in sys.argv  # which a first life is not told
    for line in file:
        order = json.loads(line)
        if slow is not None:
            say(file, event="loaded", digest=slow)
            slow = None
        if order["do"] == "drain":
            say(file, event="drained")
            return
        if order["do"] == "hear":
            say(file, event="not_ready", reason=f"{order['digest']} {json.dumps(order['news'])}")
            continue
        digest = order["digest"]
        if digest.startswith("deadly"):
            raise SystemExit(4)
        if digest.startswith("bad"):
            say(file, event="load_failed", digest=digest, reason="it is bad")
        elif digest.startswith("slow") or late:
            slow, late = digest, False
        elif digest.startswith("mute"):
            file.read()
        else:
            say(file, event="loaded", digest=digest)
            say(file, event="ready")
            if digest.startswith("telling") and not first:
                say(file, event="heard", digest=digest, news=NEWS)


def control(file, manner: str) -> None:
    logging = {"form": "json", "level": "info"}
    data_dir, *digests = manner.split(",")
    resumed = "--resume" in sys.argv
    if not resumed:
        say(
            file,
            do="begin",
            data_dir=data_dir,
            listen="127.0.0.1:0",
            node="n",
            workers=2,
            console=None,
            logging=logging,
        )
        wait_for(file, "begun")
    for digest in [] if resumed else digests:
        if digest.startswith("late"):
            tell("waiting")
            wait_for(file, "worker_changed", containing="draining")
        secrets = {"providers": {"openai": {"api_keys": [digest]}}} if digest == digests[0] else None
        say(file, do="publish", snapshot=f"/{digest}", digest=digest, secrets=secrets, drain=1.0, logging=logging)
        tell(json.dumps(wait_for(file, "published", "publish_failed")))
    tell("resumed" if resumed else "done")
    wait_for(file, "stop_requested")


def tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # whole, for the supervisor writes to the same pipe


def wait_for(file, *events: str, containing: str = "") -> dict:
    for line in file:
        message = json.loads(line)
        if message["event"] in events and containing.encode() in line:
            return message
        if message["event"] == "stop_requested":
            break
    raise SystemExit(5)


if __name__ == "__main__":
    main()
