"""Fake providers that speak the wire formats of OpenAI and Anthropic, with scripts and faults.

It owns transcripts of both APIs written from the providers' documentation (answers, streams, errors, headers, and what
they refuse), a small deterministic agent that answers conversations, and the faults of `faults`. It never shares code
with Trunkline's dialects: the two are checks on each other. It reaches no network; its ports are loopback ports.

A call goes: `provider` asks the `script` and the face (`openai`, `anthropic`) for an answer, makes a `plan` of it, lets
the fault change the plan, and the `player` plays it. `calls` remembers what was seen.

Called by Trunkline's demo, drills and tests, and by users' own tests:

    async with Simulator(openai=Script(fault=ErrorAnswer(status=429, retry_after=2))) as simulator:
        client = AsyncOpenAI(base_url=simulator.openai.url, api_key="sk-any")
"""

from trunkline.simulator.calls import Call
from trunkline.simulator.faults import (
    CleanEnd,
    Cut,
    EmptyAnswer,
    EmptyStream,
    ErrorAnswer,
    Fault,
    Garbage,
    InBandError,
    MalformedChunk,
    Oversized,
    Redirect,
    SlowHead,
    Stall,
    WrongContentType,
)
from trunkline.simulator.provider import Provider
from trunkline.simulator.script import RateLimit, Script, ScriptFile, TokenCount, ToolCall, load_scripts
from trunkline.simulator.simulator import Settings, Simulator, ThreadedProvider, ThreadedSimulator

__all__ = [
    "Call",
    "CleanEnd",
    "Cut",
    "EmptyAnswer",
    "EmptyStream",
    "ErrorAnswer",
    "Fault",
    "Garbage",
    "InBandError",
    "MalformedChunk",
    "Oversized",
    "Provider",
    "RateLimit",
    "Redirect",
    "Script",
    "ScriptFile",
    "Settings",
    "Simulator",
    "SlowHead",
    "Stall",
    "ThreadedProvider",
    "ThreadedSimulator",
    "TokenCount",
    "ToolCall",
    "WrongContentType",
    "load_scripts",
]
