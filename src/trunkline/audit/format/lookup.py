"""Finding a body frame in a segment by its digest, without reading the frames before it one by one."""

from trunkline.audit.format.bodies import StoredBody, decode_body
from trunkline.audit.format.codecs import BadBody
from trunkline.audit.format.frames import BODY, HEAD, OVERHEAD, BadFrame, Frame, decode_frame
from trunkline.audit.format.scan import CHUNK, Read


def read_frame(read: Read, offset: int) -> Frame:
    """Return the frame that begins at this offset of a segment; raises BadFrame."""
    head = read(offset, HEAD.size)
    if len(head) < HEAD.size:
        raise BadFrame(offset, "a frame is cut short")
    return decode_frame(read(offset, OVERHEAD + HEAD.unpack(head)[0]), 0, offset)


def find_body(read: Read, key: bytes) -> StoredBody | None:
    """Return the body whose frame begins with this digest of 32 bytes, None if the segment has none."""
    offset = 0
    while chunk := read(offset, CHUNK):
        place = chunk.find(key)
        while place >= 0:
            found = _body_at(read, offset + place - HEAD.size, key)
            if found is not None:
                return found
            place = chunk.find(key, place + 1)
        if len(chunk) <= len(key):
            return None
        offset += len(chunk) - len(key)
    return None


def _body_at(read: Read, offset: int, key: bytes) -> StoredBody | None:
    """Return the body of the frame at this offset; the digest may also stand in the middle of something else."""
    try:
        frame = read_frame(read, offset)
        body = decode_body(frame) if frame.kind == BODY else None
    except (BadFrame, BadBody):
        return None
    return body if body is not None and body.digest == key else None
