"""Every fault as a client sees it that reads bytes, on both providers, for JSON answers and streams."""

import asyncio
import json

import pytest
import uvloop

from simulator.raw_client import anthropic_text, call, close, frames, openai_text, request, unchunked
from trunkline.simulator import (
    CleanEnd,
    Cut,
    EmptyAnswer,
    EmptyStream,
    ErrorAnswer,
    Garbage,
    InBandError,
    MalformedChunk,
    Oversized,
    Redirect,
    Script,
    Simulator,
    SlowHead,
    Stall,
    WrongContentType,
)

TEXT = "one two three four five six"
both = pytest.mark.parametrize("name", ["openai", "anthropic"])
ways = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def seen(request):
    """What a client sees of one call to a provider with this fault, on either event loop."""

    def see(name, fault, *, stream=False):
        async def main():
            behaviour = Script(text=TEXT, fault=fault)
            async with Simulator(behaviour, behaviour) as simulator:
                answer = await call(getattr(simulator, name), stream=stream)
                assert simulator.openai.faults == simulator.anthropic.faults == []
                return answer

        return request.param(main())

    return see


def text_of(name, body):
    return openai_text(body) if name == "openai" else anthropic_text(body)


def mark_of(name):
    return b"data: [DONE]" if name == "openai" else b"event: message_stop"


@both
def test_without_a_fault_a_stream_is_whole(seen, name):
    answer = seen(name, None, stream=True)
    body, ended = unchunked(answer.rest)
    assert ended
    assert text_of(name, body) == TEXT
    assert mark_of(name) in body


@both
@ways
def test_a_cut_before_the_first_byte_is_a_reset_without_one(seen, name, stream):
    answer = seen(name, Cut(), stream=stream)
    assert answer.data == b""
    assert answer.end == "reset"


@both
def test_a_cut_after_tokens_is_a_reset_behind_exactly_these(seen, name):
    answer = seen(name, Cut(after_tokens=3), stream=True)
    body, ended = unchunked(answer.rest)
    assert not ended
    assert answer.end == "reset"
    assert text_of(name, body) == "one two three"


@both
def test_a_cut_json_answer_has_half_a_body(seen, name):
    answer = seen(name, Cut(after_tokens=1))
    body, ended = unchunked(answer.rest)
    assert answer.status == 200
    assert not ended
    assert body.startswith(b"{")
    assert not body.endswith(b"}")


@both
@ways
@pytest.mark.parametrize("after", [None, 2], ids=["before", "after"])
def test_a_stall_says_nothing_more_until_the_client_leaves(name, stream, after):
    async def main():
        behaviour = Script(text=TEXT, fault=Stall(after_tokens=after))
        async with Simulator(behaviour, behaviour) as simulator, asyncio.timeout(20):
            provider = getattr(simulator, name)
            reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)
            writer.write(request(provider, stream=stream))
            await provider.wait_for_calls(1)
            data = b""
            if after is not None:
                data = await reader.readuntil(b"two" if stream else b'{"')
            assert (data == b"") == (after is None)
            await close(writer)
            (left,) = await provider.wait_until_left()
            assert left.client_left
            assert left.ended_at is not None

    asyncio.run(main())


@both
def test_a_clean_end_leaves_out_the_end_mark_only(seen, name):
    answer = seen(name, CleanEnd(), stream=True)
    body, ended = unchunked(answer.rest)
    assert ended
    assert text_of(name, body) == TEXT
    assert mark_of(name) not in body
    assert (b'"finish_reason":"stop"' in body) or (b'"stop_reason":"end_turn"' in body)


@both
@ways
def test_a_clean_end_after_tokens_is_a_whole_http_message(seen, name, stream):
    answer = seen(name, CleanEnd(after_tokens=2), stream=stream)
    body, ended = unchunked(answer.rest)
    assert ended
    assert answer.end == "eof"
    if stream:
        assert text_of(name, body) == "one two"
    else:
        with pytest.raises(json.JSONDecodeError):
            json.loads(body)


@both
@ways
def test_a_connection_closed_in_the_middle_has_no_last_chunk(seen, name, stream):
    answer = seen(name, CleanEnd(after_tokens=2, how="closed"), stream=stream)
    body, ended = unchunked(answer.rest)
    assert not ended
    assert body
    assert answer.end == "eof"


@both
def test_a_malformed_frame_stands_in_a_stream_that_goes_on(seen, name):
    answer = seen(name, MalformedChunk(after_tokens=2), stream=True)
    body, ended = unchunked(answer.rest)
    assert ended
    broken = [frame for frame in frames(body) if frame != "[DONE]" and not is_json(frame)]
    assert len(broken) == 1
    assert body.index(broken[0].encode()) < body.index(b"three")


@both
def test_a_malformed_json_answer_is_complete_and_no_json(seen, name):
    answer = seen(name, MalformedChunk())
    length = int(answer.head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert len(answer.rest) == length
    assert not is_json(answer.rest)


@both
@ways
def test_broken_framing_is_a_chunk_whose_size_is_no_number(seen, name, stream):
    answer = seen(name, MalformedChunk(after_tokens=1, of="framing"), stream=stream)
    assert b"transfer-encoding: chunked" in answer.head.lower()
    with pytest.raises(ValueError, match="invalid literal"):
        unchunked(answer.rest)


@both
@ways
def test_an_empty_stream_has_the_right_head_and_no_byte_of_body(seen, name, stream):
    answer = seen(name, EmptyStream(), stream=stream)
    assert answer.status == 200
    assert (b"text/event-stream" in answer.head) == stream
    assert answer.rest in (b"", b"0\r\n\r\n")


@both
@ways
def test_an_empty_answer_is_well_formed_and_says_nothing(seen, name, stream):
    answer = seen(name, EmptyAnswer(), stream=stream)
    if stream:
        body, ended = unchunked(answer.rest)
        assert ended
        assert text_of(name, body) == ""
        assert mark_of(name) in body
    else:
        answer = json.loads(answer.rest)
        assert not (answer["choices"][0]["message"]["content"] if name == "openai" else answer["content"])


@both
@ways
def test_the_wrong_content_type_is_a_page_of_html(seen, name, stream):
    answer = seen(name, WrongContentType(), stream=stream)
    assert answer.status == 200
    assert b"content-type: text/html" in answer.head
    assert answer.rest.startswith(b"<!DOCTYPE html>")


@both
@ways
def test_an_oversized_answer_is_one_token_of_that_size(seen, name, stream):
    answer = seen(name, Oversized(size=300_000), stream=stream)
    assert len(answer.rest) > 300_000
    if stream:
        assert max(len(frame) for frame in frames(unchunked(answer.rest)[0])) > 300_000


@both
@ways
def test_a_slow_head_comes_byte_by_byte_and_is_right(seen, name, stream):
    answer = seen(name, SlowHead(gap=1e-6), stream=stream)
    assert answer.status == 200
    length = int(answer.head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert len(answer.rest) == length
    if stream:
        assert text_of(name, answer.rest) == TEXT


@both
def test_a_slow_head_is_not_there_at_once(name):
    async def main():
        behaviour = Script(fault=SlowHead(gap=30.0))
        async with Simulator(behaviour, behaviour) as simulator, asyncio.timeout(20):
            provider = getattr(simulator, name)
            reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)
            writer.write(request(provider))
            assert await reader.read(100) == b"H"
            await close(writer)
            await provider.wait_until_left()

    asyncio.run(main())


@both
def test_an_error_in_band_comes_instead_of_the_end(seen, name):
    answer = seen(name, InBandError(after_tokens=2, message="it broke"), stream=True)
    body, ended = unchunked(answer.rest)
    assert ended
    assert text_of(name, body) == "one two"
    assert mark_of(name) not in body
    assert json.loads(frames(body)[-1])["error"]["message"] == "it broke"
    assert (b"event: error" in body) == (name == "anthropic")


@both
def test_an_error_in_band_is_a_json_body_with_status_200(seen, name):
    answer = seen(name, InBandError(message="it broke"))
    assert answer.status == 200
    assert json.loads(answer.rest)["error"]["message"] == "it broke"


@both
@ways
def test_a_redirect_names_its_place(seen, name, stream):
    answer = seen(name, Redirect(location="http://127.0.0.1:9/elsewhere"), stream=stream)
    assert answer.status == 307
    assert b"location: http://127.0.0.1:9/elsewhere" in answer.head


@both
@ways
def test_garbage_before_the_first_byte_is_no_http(seen, name, stream):
    answer = seen(name, Garbage(), stream=stream)
    assert answer.data
    assert not answer.data.startswith(b"HTTP/")


@both
@ways
def test_garbage_in_the_body_is_no_text(seen, name, stream):
    answer = seen(name, Garbage(after_tokens=2), stream=stream)
    body, ended = unchunked(answer.rest)
    assert ended
    with pytest.raises(UnicodeDecodeError):
        body.decode()


@both
@ways
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503, 529])
def test_an_error_has_its_status_and_the_providers_envelope(seen, name, stream, status):
    answer = seen(name, ErrorAnswer(status=status, retry_after=1.5), stream=stream)
    assert answer.status == status
    assert b"content-type: application/json" in answer.head
    assert b"\r\nretry-after: 2" in answer.head
    assert b"\r\nretry-after-ms: 1500" in answer.head
    body = json.loads(answer.rest)
    assert body["error"]["message"]
    if name == "openai":
        assert set(body["error"]) == {"message", "type", "param", "code"}
    else:
        assert body["type"] == "error"
        assert body["request_id"].encode() in answer.head


@both
def test_a_retry_after_can_be_a_date(seen, name):
    answer = seen(name, ErrorAnswer(status=503, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"))
    assert b"retry-after: Wed, 21 Oct 2026 07:28:00 GMT" in answer.head


@both
def test_a_provider_that_does_not_listen_refuses_and_then_serves_again(name):
    async def main():
        async with Simulator() as simulator, asyncio.timeout(20):
            provider = getattr(simulator, name)
            port = provider.port
            await provider.stop_listening()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            await provider.listen()
            assert provider.port == port
            assert (await call(provider)).status == 200

    asyncio.run(main())


@both
def test_a_provider_that_stops_cuts_the_calls_in_flight(name):
    async def main():
        behaviour = Script(fault=Stall())
        async with Simulator(behaviour, behaviour) as simulator, asyncio.timeout(20):
            provider = getattr(simulator, name)
            waiting = asyncio.create_task(call(provider))
            await provider.wait_for_calls(1)
            await provider.stop_listening()
            assert (await waiting).data == b""

    asyncio.run(main())


def is_json(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
