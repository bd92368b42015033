"""Scripts are plain data: they survive JSON, and mistakes in them are named."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.simulator import faults
from trunkline.simulator.script import Prompter, RateLimit, Script, ScriptFile, TokenCount, ToolCall, load_scripts

after = st.none() | st.integers(0, 50)
some_faults = st.one_of(
    st.builds(
        faults.ErrorAnswer,
        status=st.sampled_from([400, 429, 500]),
        message=st.none() | st.text(max_size=5),
        retry_after=st.none() | st.floats(0, 100) | st.text(max_size=5),
    ),
    st.builds(faults.Stall, after_tokens=after),
    st.builds(faults.Cut, after_tokens=after),
    st.builds(faults.CleanEnd, after_tokens=after, how=st.sampled_from(["terminated", "closed"])),
    st.builds(faults.MalformedChunk, after_tokens=st.integers(0, 5), of=st.sampled_from(["json", "framing"])),
    st.just(faults.EmptyStream()),
    st.just(faults.EmptyAnswer()),
    st.just(faults.WrongContentType()),
    st.builds(faults.Oversized, size=st.integers(0, 100)),
    st.builds(faults.SlowHead, gap=st.floats(0, 1)),
    st.builds(faults.InBandError, after_tokens=st.integers(0, 5)),
    st.builds(faults.Redirect, location=st.text(max_size=5)),
    st.builds(faults.Garbage, after_tokens=after),
)
scripts = st.builds(
    Script,
    text=st.none() | st.text(max_size=9),
    tool_calls=st.lists(st.builds(ToolCall, st.text(max_size=5), st.just({"a": 1}) | st.text(max_size=4))).map(tuple),
    usage=st.none() | st.builds(TokenCount, input=st.integers(0, 9), output=st.integers(0, 9)),
    first_token=st.floats(0, 1),
    rate_limit=st.none() | st.builds(RateLimit, calls=st.integers(1, 9)),
    fault=st.none() | some_faults,
)


@given(scripts, st.lists(scripts, min_size=1, max_size=3))
def test_a_file_of_scripts_says_what_the_scripts_say(one, several):
    written = msgspec.json.encode(ScriptFile(openai=one, anthropic=several))
    assert load_scripts(written) == ScriptFile(openai=one, anthropic=several)


def test_a_fault_in_json_is_named_by_its_kind():
    loaded = load_scripts(b'{"openai": {"text": "Hi", "fault": {"kind": "cut", "after_tokens": 3}}}')
    assert loaded.openai == Script(text="Hi", fault=faults.Cut(after_tokens=3))
    assert loaded.anthropic is None


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (b'{"openai": {"txt": "Hi"}}', "txt"),
        (b'{"openai": {"fault": {"kind": "explode"}}}', "explode"),
        (b'{"gemini": {}}', "gemini"),
        (b'{"openai": {"fault": {"kind": "cut", "after": 3}}}', "after"),
    ],
)
def test_a_mistake_in_a_file_is_named(written, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        load_scripts(written)


def test_a_script_is_frozen():
    with pytest.raises(AttributeError):
        Script().text = "other"


def test_scripts_come_in_order_and_the_last_one_stays():
    prompter = Prompter([Script(text="a"), Script(text="b")])
    assert [prompter.script_for(None).text for _ in range(3)] == ["a", "b", "b"]


def test_a_function_gets_the_call():
    assert Prompter(lambda call: Script(text=str(call))).script_for(7).text == "7"


def test_an_empty_sequence_is_a_mistake():
    with pytest.raises(ValueError, match="at least one script"):
        Prompter([])
