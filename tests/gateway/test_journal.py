"""Bodies go into the log in frames of a bounded size; a call is closed in it even where they cannot be written."""

import asyncio

import msgspec
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.raw_client import hear
from gateway.running import PATIENCE, SMALL_LOG, play, running, until
from trunkline.audit.format.codecs import Codec
from trunkline.gateway.journal import in_frames
from trunkline.simulator import Script, Simulator

LARGEST = 20
SMALL, ANY = st.binary(max_size=3), st.binary(max_size=70)
GOOD = Script(text="All is well.")
COMPRESSED = msgspec.structs.replace(SMALL_LOG, compress_from=1)


def joined(part):
    return part if isinstance(part, bytes) else b"".join(part)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from("abcd"), ANY | st.lists(SMALL, max_size=5)))
def test_frames_hold_every_byte_in_order_and_no_more_than_their_size(bodies):
    frames = in_frames(bodies, LARGEST)
    assert all(sum(len(joined(part)) for part in frame.values()) <= LARGEST for frame in frames)
    assert all(frames) or frames == [{}]
    together = {}
    for frame in frames:
        for name, part in frame.items():
            together[name] = together.get(name, b"") + joined(part)
    assert {name: part for name, part in together.items() if part} == {
        name: joined(part) for name, part in bodies.items() if joined(part)
    }


def test_a_part_s_timing_stays_in_its_frame():
    bodies = {"a": b"x" * 45, "b": [b"y"] * 8, "b_timing": b"12345678", "c": b"z" * 15}
    assert in_frames(bodies, LARGEST) == [
        {"a": b"x" * 20},
        {"a": b"x" * 20},
        {"a": b"x" * 5, "b": [b"y"] * 8, "b_timing": b"12345678"},
        {"c": b"z" * 15},
    ]


def break_bodies(gateway, at):
    """Give the log a codec that has no memory left for whatever has these bytes in it."""
    composer = gateway.log._composer
    codec = composer._codec
    pack = codec.pack

    def pack_others(data):
        if at in data:
            raise MemoryError
        return pack(data)

    composer._codec = Codec(codec.number, codec.label, codec.least, pack_others)


def test_a_call_whose_bodies_cannot_be_written_is_closed_without_them(tmp_path):
    async def story(gateway, simulator):
        break_bodies(gateway, b"chat.completion")
        for stream in (False, True):
            heard = await hear(gateway, {"model": "only-first", "stream": stream})
            assert (heard.status, heard.text, heard.whole) == (200, GOOD.text, True)
        closed = gateway.records("call.closed")
        assert [record["outcome"] for record in closed] == ["answered", "answered"]
        assert not any("bodies" in record for record in closed)
        assert gateway.operations().count("bodies_unrecorded") == 2

    play(tmp_path, story, GOOD, settings=COMPRESSED)


def test_a_running_stream_that_cannot_be_logged_is_cut_and_closed(tmp_path):
    async def story(gateway, simulator):
        break_bodies(gateway, b"chat.completion")
        heard = await hear(gateway, {"model": "only-first", "stream": True})
        assert (heard.status, heard.whole) == (200, False)
        await until(lambda: gateway.worker._server.in_flight == 0)
        closed = gateway.record("call.closed")
        assert (closed["outcome"], closed["error"]["code"]) == ("failed", "audit_unavailable")
        assert "bodies_unrecorded" in gateway.operations()

    play(tmp_path, story, Script(text="word " * 100, tokens_per_second=30), settings=COMPRESSED)


def test_a_fault_of_ours_before_a_call_is_open_is_a_500_and_said_without_what_it_was_about(tmp_path):
    async def main():
        async with (
            asyncio.timeout(PATIENCE),
            Simulator(GOOD) as simulator,
            running(simulator, tmp_path, settings=COMPRESSED) as gateway,
        ):
            break_bodies(gateway, b"Henderson")
            heard = await hear(gateway, {"model": "only-first"})
            assert (heard.status, heard.error["code"]) == (500, "internal_error")
            assert simulator.openai.call_count == 0
            assert gateway.records("call.") == []
            (said,) = [line for line in gateway.operations().splitlines() if " fault " in line]
            assert "MemoryError" in said
            assert "Henderson" not in said

    uvloop.run(main())
