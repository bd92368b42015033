import pytest

from trunkline.audit.format.bodies import encode_body
from trunkline.audit.format.codecs import zstd_codec
from trunkline.audit.format.frames import RECORD, BadFrame, decode_frame, encode_frame
from trunkline.audit.format.lookup import find_body, read_frame
from trunkline.audit.format.scan import CHUNK

FRAME, _ = encode_body("c1", {"request": b"what is asked"}, zstd_codec())
KEY = decode_frame(FRAME, 0, 0).payload[:32]


def reader(data):
    return lambda offset, length: data[offset : offset + length] if offset >= 0 else b""


@pytest.mark.parametrize("before", [0, 5, CHUNK - 41, CHUNK - 40, CHUNK - 20, CHUNK - 8, CHUNK, 3 * CHUNK + 1])
def test_a_body_is_found_wherever_it_lies(before):
    body = find_body(reader(bytes(before) + FRAME + bytes(50)), KEY)
    assert body is not None
    assert body.stored == b"what is asked"


def test_the_same_bytes_elsewhere_are_not_the_body():
    decoys = KEY + bytes(30) + encode_frame(RECORD, 0, KEY + b"more") + bytes(9) + KEY
    assert find_body(reader(decoys), KEY) is None
    assert find_body(reader(decoys + FRAME), KEY) is not None
    assert find_body(reader(b""), KEY) is None


def test_a_frame_is_read_at_its_offset_or_not_at_all():
    data = bytes(7) + FRAME
    assert read_frame(reader(data), 7).payload[:32] == KEY
    for offset in (0, 6, 8, len(data) - 3, len(data)):
        with pytest.raises(BadFrame):
            read_frame(reader(data), offset)
