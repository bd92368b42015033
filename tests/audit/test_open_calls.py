import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.audit.format.open_calls import OpenCalls
from trunkline.audit.format.references import BodyRef

steps = st.lists(
    st.tuples(st.sampled_from(["call.opened", "call.closed", "call.abandoned", "body", "score"]), st.integers(0, 5))
)


def reference(parts, digit="a"):
    return BodyRef("sha256:" + digit * 64, "none", 9, parts, 0)


def follow(story):
    calls = OpenCalls()
    for kind, number in story:
        call = f"c{number}"
        if kind == "body":
            calls.body(call, reference({"response": (0, 3)}))
        else:
            calls.record(kind, call, json.dumps({"id": call}).encode(), 3)
    return calls


@given(steps)
@settings(deadline=None, max_examples=100)
def test_a_call_is_open_from_its_opening_to_its_end(story):
    expected = {}
    for kind, number in story:
        if kind == "call.opened":
            expected[f"c{number}"] = 0
        elif kind in ("call.closed", "call.abandoned"):
            expected.pop(f"c{number}", None)
        elif kind == "body" and f"c{number}" in expected:
            expected[f"c{number}"] += 3
    assert {call.call: call.bytes_of("response") for call in follow(story).calls()} == expected


@given(steps)
@settings(deadline=None, max_examples=50)
def test_a_seal_carries_all_of_it(story):
    calls = follow(story)
    again = OpenCalls.from_payload(calls.payload())
    assert again.calls() == calls.calls()
    assert len(again) == len(calls)


def test_parts_of_several_attempts_and_frames_add_up():
    calls = OpenCalls()
    calls.record("call.opened", "c", b"{}", 0)
    calls.body("c", reference({"1.provider_response": (0, 5), "1.provider_response_timing": (5, 90)}))
    calls.body("c", reference({"2.provider_response": (0, 7), "response": (7, 1)}, "b"))
    (call,) = calls.calls()
    assert (call.bytes_of("provider_response"), call.bytes_of("response"), call.bytes_of("request")) == (12, 1, 0)


@pytest.mark.parametrize("payload", [b"", b"{}", b'{"open":[{"call":1}]}', b"\xff"])
def test_a_seal_s_record_that_is_none_is_refused(payload):
    with pytest.raises(ValueError, match="cannot be read"):
        OpenCalls.from_payload(payload)
