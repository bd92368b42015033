"""What is made for a call is gone when the call is: none of it waits for a collection of cycles."""

import gc
from contextlib import contextmanager

import pytest

from gateway.running import play
from gateway.test_judging import TEXT, policy, told, verdict
from trunkline.gateway.call import Call
from trunkline.gateway.judging import AskingCall, Verdict
from trunkline.guardrails.hold_back import HoldBack
from trunkline.guardrails.watched import Watched
from trunkline.simulator import Script

MORE = """
guardrails:
  words: {check: patterns, action: redact, rules: [{name: rival, words: [Acme]}]}
  promises: {check: promissory, on: [output], action: replace, with: "No."}
"""
OPTIONS = {"tenant": "guardrails: [words, promises, builtin/secrets]", "more": MORE}
OF_A_CALL = (Call, HoldBack, Watched, AskingCall, Verdict)
CALLS = 5


@contextmanager
def nothing_in_cycles():
    """Fail if what runs meanwhile leaves objects of a call that only the collector frees."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield
        gc.collect()
        left = [type(one).__name__ for one in gc.garbage if isinstance(one, OF_A_CALL)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("text", ["We sell funds. Acme sells them too.", "It is guaranteed to return ten percent."])
def test_a_call_under_guardrails_leaves_nothing_to_collect(tmp_path, stream, text):
    async def story(gateway, simulator):
        await gateway.ask("only-first", stream=False)
        with nothing_in_cycles():
            for _ in range(CALLS):
                answer = await gateway.ask("only-first", stream=stream)
                if stream:
                    async for _ in answer:
                        pass
                del answer

    play(tmp_path, story, Script(text=text), Script(text=text), **OPTIONS)


def passes(call):
    return verdict(told(call)[1], found=False)


@pytest.mark.parametrize("judge", [passes, Script(text="Fine."), Script(text="Late.", first_token=3600.0)])
def test_a_call_that_is_judged_and_its_judge_s_leave_nothing_to_collect(tmp_path, judge):
    async def story(gateway, simulator):
        await gateway.ask("only-first")
        with nothing_in_cycles():
            for _ in range(CALLS):
                await gateway.ask("only-first")

    play(tmp_path, story, Script(text=TEXT), judge, **policy(timeout="30ms"))
