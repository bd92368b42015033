"""Requests for the tests of dialects: short ways to write them, and Hypothesis strategies for any of them."""

import msgspec
from hypothesis import strategies as st

from trunkline.model.chat import (
    ChatRequest,
    Function,
    FunctionCall,
    ImagePart,
    ImageUrl,
    Message,
    RefusalPart,
    TextPart,
    Tool,
    ToolCall,
)
from trunkline.model.snapshot import Target


def user(text="Hello"):
    return Message(role="user", content=text)


def assistant(text="Hi"):
    return Message(role="assistant", content=text)


def calls(*ids, text=None, arguments="{}"):
    return Message(
        role="assistant", content=text, tool_calls=[ToolCall(one, FunctionCall("look_up", arguments)) for one in ids]
    )


def result(call_id, content="done"):
    return Message(role="tool", tool_call_id=call_id, content=content)


def tool(name="look_up", parameters=None, strict=None):
    return Tool(Function(name, "Looks things up.", parameters, strict))


def request(*messages, **fields):
    return ChatRequest(model="advisor-voice", messages=list(messages) or [user()], **fields)


def target(model="claude-haiku-4-5", **fields):
    return Target("anthropic", model, **fields)


def sent(encoded):
    return msgspec.json.decode(encoded.body)


def names_of(repairs):
    return [name.partition(":")[0] for name in repairs]


texts = st.sampled_from(["", " ", "\n", "Hello", "How are the Hendersons?", "  spaced  ", "ü\u2028"]) | st.text(
    max_size=5
)
ids = st.sampled_from(["a", "b", "c", "call_0", "x.y", "x y", "", "i" * 50])
parts = st.lists(
    st.builds(TextPart, texts)
    | st.builds(RefusalPart, texts)
    | st.just(ImagePart(ImageUrl("data:image/png;base64,AAAA")))
    | st.just(ImagePart(ImageUrl("https://example.com/chart.png", "low"))),
    max_size=3,
)
arguments = st.sampled_from(["", "{}", '{"a": 1}', '{"a": ', "[1]", "null", "nonsense", '{"a": {"b": [1, 2.5, "x"]}}'])
tool_calls = st.lists(
    st.builds(
        ToolCall, ids, st.builds(FunctionCall, st.sampled_from(["look_up", "bad name", "x" * 200, ""]), arguments)
    ),
    max_size=3,
)
messages = st.lists(
    st.builds(Message, role=st.sampled_from(["user", "system", "developer"]), content=texts | parts)
    | st.builds(
        Message, role=st.just("assistant"), content=st.none() | texts | parts, tool_calls=st.none() | tool_calls
    )
    | st.builds(Message, role=st.just("tool"), content=texts | parts, tool_call_id=ids),
    max_size=12,
)
