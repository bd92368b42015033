import pytest
from chat_examples import assistant, calls, messages, names_of, request, result, sent, target, tool, user
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_rules import AnthropicRules

from trunkline.dialects.anthropic import ANTHROPIC
from trunkline.dialects.anthropic_messages import BEGIN, CONTINUE, SILENCE
from trunkline.dialects.histories import INTERRUPTED
from trunkline.dialects.provider import CannotTake
from trunkline.model.chat import (
    AudioPart,
    FilePart,
    ImagePart,
    ImageUrl,
    Message,
    RefusalPart,
    TextPart,
)

PNG = "data:image/png;base64,iVBORw0KGgo="


def encode(*history, **fields):
    return ANTHROPIC.encode(request(*history, **fields), target(), "drop")


def turns(*history, **fields):
    return sent(encode(*history, **fields))["messages"]


def parts(*content):
    return turns(Message(role="user", content=list(content)))[0]["content"]


def system(text, role="system"):
    return Message(role=role, content=text)


def test_leading_instructions_become_the_system_prompt():
    body = sent(encode(system("Be brief."), system("The caller is Dana.", "developer"), system(" "), user()))
    assert body["system"] == "Be brief.\n\nThe caller is Dana."
    assert body["messages"] == [{"role": "user", "content": "Hello"}]


def test_without_instructions_there_is_no_system_prompt():
    assert "system" not in sent(encode(user()))


def test_an_instruction_within_the_conversation_keeps_its_place_marked():
    encoded = encode(user(), assistant(), system("Ask whether she is still there."), system(""))
    assert sent(encoded)["messages"][-1] == {
        "role": "user",
        "content": [{"type": "text", "text": "<system>\nAsk whether she is still there.\n</system>"}],
    }
    assert "system_message_in_user_turn" in encoded.repairs


def test_a_conversation_of_instructions_alone_begins_with_a_placeholder():
    encoded = encode(system("Greet the caller."))
    assert sent(encoded)["messages"] == [{"role": "user", "content": BEGIN}]
    assert "user_turn_added_first" in encoded.repairs


def test_the_user_speaks_first_and_last():
    encoded = encode(assistant("Good morning."), user(), assistant("It is up "))
    assert [turn["content"] for turn in sent(encoded)["messages"]] == [
        BEGIN,
        "Good morning.",
        "Hello",
        "It is up ",
        CONTINUE,
    ]
    assert encoded.repairs[1:] == ("user_turn_added_first", "user_turn_added_last")


def test_consecutive_messages_of_one_role_are_one_turn():
    encoded = encode(
        user("The"), user("Hendersons"), assistant("One moment."), assistant("Up 6 percent."), user("Thanks")
    )
    assert [len(turn["content"]) for turn in sent(encoded)["messages"][:2]] == [2, 2]
    assert encoded.repairs[1:] == ("merged_consecutive_roles",)


def test_silence_is_said_to_be_silence():
    encoded = encode(user(), assistant(), user("  "))
    assert sent(encoded)["messages"][-1]["content"] == [{"type": "text", "text": SILENCE}]
    assert encoded.repairs[1:] == ("empty_user_message_marked",)


def test_empty_parts_are_left_out():
    encoded = encode(Message(role="user", content=[TextPart(""), TextPart("Hello")]))
    assert sent(encoded)["messages"][0]["content"] == [{"type": "text", "text": "Hello"}]
    assert "empty_text_removed" in encoded.repairs


def test_calls_and_their_results_are_blocks_of_neighbouring_turns():
    history = [
        user(),
        calls("a", "b", text="One moment.", arguments='{"n": 1}'),
        result("b", "2"),
        result("a", "1"),
        user("And?"),
    ]
    encoded = encode(*history, tools=[tool()])
    assert sent(encoded)["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "One moment."},
                {"type": "tool_use", "id": "a", "name": "look_up", "input": {"n": 1}},
                {"type": "tool_use", "id": "b", "name": "look_up", "input": {"n": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "b", "content": "2"},
                {"type": "tool_result", "tool_use_id": "a", "content": "1"},
                {"type": "text", "text": "And?"},
            ],
        },
    ]
    assert encoded.repairs == ("max_tokens:4096",)


def test_an_interrupted_call_is_answered_as_interrupted():
    encoded = encode(user(), calls("a"), user("Wait"), tools=[tool()])
    assert sent(encoded)["messages"][2]["content"][0]["content"] == INTERRUPTED
    assert "orphan_tool_call_answered:a" in encoded.repairs


def test_an_empty_result_has_no_content_and_one_in_parts_has_blocks():
    history = [
        calls("a", "b", "c"),
        result("a", " "),
        result("b", [TextPart("x"), ImagePart(ImageUrl(PNG))]),
        result("c", []),
    ]
    blocks = turns(user(), *history, tools=[tool()])[2]["content"]
    assert "content" not in blocks[0]
    assert [block["type"] for block in blocks[1]["content"]] == ["text", "image"]
    assert "content" not in blocks[2]


@pytest.mark.parametrize("written", ['{"a": ', "[1]", "null", "nonsense", '{"a":' * 5000])
def test_arguments_that_are_no_object_are_quoted(written):
    encoded = encode(calls("a", arguments=written), result("a"), tools=[tool()])
    assert sent(encoded)["messages"][1]["content"][0]["input"] == {"unparsed_arguments": written}
    assert "tool_arguments_quoted:a" in encoded.repairs


def test_arguments_that_were_never_written_are_empty():
    assert turns(calls("a", arguments=" "), result("a"), tools=[tool()])[1]["content"][0]["input"] == {}


@pytest.mark.parametrize(
    ("name", "becomes"), [("get.holdings", "get_holdings"), ("", "unnamed"), ("x" * 200, "x" * 128)]
)
def test_a_called_name_that_anthropic_refuses_is_rewritten(name, becomes):
    history = calls("a")
    history.tool_calls[0] = type(history.tool_calls[0])("a", type(history.tool_calls[0].function)(name, "{}"))
    encoded = encode(history, result("a"))
    assert sent(encoded)["messages"][1]["content"][0]["name"] == becomes
    assert "tool_name_repaired" in names_of(encoded.repairs)


def test_images_come_as_data_or_by_https():
    assert parts(ImagePart(ImageUrl(PNG)), ImagePart(ImageUrl("https://example.com/a.png", "auto"))) == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    ]


def test_an_unofficial_media_type_of_jpeg_is_understood():
    block = parts(ImagePart(ImageUrl("data:image/JPG;name=a.jpg;base64,AAAA")))[0]
    assert block["source"] == {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"}


def test_the_detail_of_an_image_is_dropped_by_name():
    encoded = encode(Message(role="user", content=[ImagePart(ImageUrl(PNG, "low")), ImagePart(ImageUrl(PNG, "high"))]))
    assert encoded.dropped == ("messages.content.image_url.detail",)


def test_a_pdf_is_a_document():
    pdf = {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "statement.pdf"}
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    assert parts(FilePart(pdf)) == [{"type": "document", "source": source, "title": "statement.pdf"}]
    assert parts(FilePart({"file_data": pdf["file_data"]})) == [{"type": "document", "source": source}]


@pytest.mark.parametrize(
    "part",
    [
        AudioPart({"data": "", "format": "wav"}),
        ImagePart(ImageUrl("http://example.com/a.png")),
        ImagePart(ImageUrl("data:image/tiff;base64,AAAA")),
        ImagePart(ImageUrl("data:image/png;base64,")),
        ImagePart(ImageUrl("data:image/png,AAAA")),
        FilePart({"file_id": "file-abc"}),
        FilePart({"file_data": "data:text/csv;base64,AAAA"}),
    ],
)
def test_content_that_anthropic_has_no_form_for_is_refused(part):
    with pytest.raises(CannotTake) as caught:
        parts(part)
    assert caught.value.param == "messages.content"


def test_what_an_assistant_declined_is_text():
    history = [user(), Message(role="assistant", content=[RefusalPart("No.")], refusal="I can't."), user()]
    assert [block["text"] for block in turns(*history)[1]["content"]] == ["No.", "I can't."]


def test_audio_that_an_assistant_said_is_refused():
    with pytest.raises(CannotTake, match="audio"):
        encode(user(), Message(role="assistant", audio={"id": "audio_1"}), user())


def test_the_old_role_of_a_function_is_refused():
    with pytest.raises(CannotTake, match="function"):
        encode(user(), Message(role="function", content="1", name="f"))


def test_a_speaker_s_name_is_dropped_by_name():
    encoded = encode(Message(role="user", content="Hello", name="Dana"))
    assert encoded.dropped == ("messages.name",)
    assert sent(encoded)["messages"][0] == {"role": "user", "content": [{"type": "text", "text": "Hello"}]}


@given(messages, st.sampled_from(["claude-haiku-4-5", "claude-opus-4-7", "claude-opus-5-5"]), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_conversation_becomes_one_that_anthropic_takes(history, model, with_tools):
    tools = [tool()] if with_tools else None
    encoded = ANTHROPIC.encode(request(*history, tools=tools), target(model), "drop")
    AnthropicRules().check(sent(encoded))
