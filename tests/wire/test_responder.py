"""What each use of a responder puts on the wire, write by write."""

from trunkline.wire.http import AnswerHeads
from trunkline.wire.request import Request
from trunkline.wire.responder import Responder

DATE = b"date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"


class Transcript:
    """An outlet that keeps every write."""

    def __init__(self, draining=False):
        self.heads = AnswerHeads(0)
        self.draining = draining
        self.congested = False
        self.writes = []
        self.was_reset = False

    def write(self, data):
        self.writes.append(data)

    def reset(self):
        self.was_reset = True

    async def drained(self):
        pass


def responder(outlet, method=b"GET", **of_request):
    return Responder(outlet, Request(method, b"/", "/", {}, b"", 0, "", **of_request))


def test_a_whole_answer_is_one_write():
    out = Transcript()
    responder(out).send(200, b"x-a: b\r\n", b"body")
    assert out.writes == [b"HTTP/1.1 200 OK\r\n" + DATE + b"x-a: b\r\ncontent-length: 4\r\n\r\nbody"]


def test_each_piece_of_a_stream_is_one_write_and_so_is_its_end():
    out = Transcript()
    answer = responder(out)
    answer.start(200, b"")
    answer.write(b"0123456789abcdef")
    answer.finish(b"end")
    assert out.writes[1:] == [b"10\r\n0123456789abcdef\r\n", b"3\r\nend\r\n0\r\n\r\n"]


def test_a_stream_without_a_last_piece_ends_with_the_last_chunk():
    out = Transcript()
    answer = responder(out)
    answer.start(200, b"")
    answer.finish()
    assert out.writes[1:] == [b"0\r\n\r\n"]


def test_a_draining_server_says_close():
    out = Transcript(draining=True)
    answer = responder(out)
    answer.send(599, b"", b"")
    assert out.writes == [b"HTTP/1.1 599 \r\n" + DATE + b"connection: close\r\ncontent-length: 0\r\n\r\n"]
    assert answer.close_after


def test_an_abort_resets_whether_or_not_the_answer_has_begun():
    for begin in (False, True):
        out = Transcript()
        answer = responder(out)
        if begin:
            answer.start(200, b"")
        answer.abort()
        assert out.was_reset
        assert answer.finished


def test_a_handler_that_leaves_the_framing_writes_plain_bytes_and_closes():
    out = Transcript()
    answer = responder(out)
    answer.unframe()
    answer.write(b"any")
    answer.finish(b"thing")
    assert out.writes == [b"any", b"thing"]
    assert answer.close_after


def test_the_date_moves_on():
    heads = AnswerHeads(0)
    assert DATE in heads.of(200)
    heads.refresh(1_000_000_000)
    assert b"date: Sun, 09 Sep 2001 01:46:40 GMT\r\n" in heads.of(200)
