import httptools
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from trunkline.cli.bench.transcript import text, transcript

COUNTS = st.integers(min_value=1, max_value=150)


class Body:
    def __init__(self, response: bytes) -> None:
        self.body, self.ended = b"", False
        httptools.HttpResponseParser(self).feed_data(response)

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ended = True


def chunks(response: bytes) -> list[ChatCompletionChunk]:
    whole = Body(response)
    assert whole.ended
    *events, done, nothing = whole.body.split(b"\n\n")
    assert (done, nothing) == (b"data: [DONE]", b"")
    return [ChatCompletionChunk.model_validate_json(event.removeprefix(b"data: "), strict=True) for event in events]


@given(COUNTS)
def test_an_answer_is_a_completion_of_openai_s_with_the_text_that_is_expected(count):
    whole = Body(transcript(count).answer)
    assert whole.ended
    completion = ChatCompletion.model_validate_json(whole.body, strict=True)
    assert completion.choices[0].message.content == text(count).decode()
    assert completion.usage.completion_tokens == count
    # Looked for in the bytes as it is, so nothing in it may need an escape.
    assert text(count) in whole.body


@given(COUNTS)
def test_a_stream_says_one_delta_a_frame_and_ends_as_openai_s_do(count):
    said = transcript(count)
    without = chunks(said.opening + b"".join(said.later) + said.closing)
    first, *pieces, last = without
    assert first.choices[0].delta.role == "assistant"
    assert len(pieces) == count
    assert "".join(piece.choices[0].delta.content for piece in pieces) == text(count).decode()
    assert last.choices[0].finish_reason == "stop"
    *same, usage = chunks(said.opening + b"".join(said.later) + said.closing_with_usage)
    assert same == without
    assert usage.choices == []
    assert usage.usage.completion_tokens == count
