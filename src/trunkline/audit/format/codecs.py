"""How the bytes of a body are stored: as they are, or compressed; and either of them encrypted.

A codec has a number, which stands in the frame, and a name, which stands in the record. A writer is given the one
to use; a reader knows all of them. Encrypting is its own affair (`sealing`): here are only the names that it has.
"""

from collections.abc import Callable
from typing import Final, final

import zstandard

PLAIN: Final = 0
ZSTD: Final = 1
ENCRYPTED: Final = 2  # added to either
AES256GCM: Final = "+aes256gcm"

# Below this, compressing costs more time than the bytes are worth: a voice turn's few hundred bytes would take a fifth
# of all that the gateway may spend on a call, and a conversation that has grown longer is above it.
ZSTD_LEAST: Final = 4096
# Level 1 with a small hash table: clearing the default one costs as much as compressing a call's few kilobytes.
_LEVEL, _HASH_LOG, _MIN_MATCH = 1, 11, 5


class BadBody(ValueError):
    """A stored body that is not what its digest or its table of parts says."""


@final
class Codec:
    """One way to store a body; `label` is its name. Bodies of fewer than `least` bytes are stored plain.

    Encrypted beside that, a body has `encrypted_number` and `encrypted_label`.
    """

    __slots__ = ("encrypted_label", "encrypted_number", "label", "least", "number", "pack")

    def __init__(self, number: int, label: str, least: int, pack: Callable[[bytes], bytes]) -> None:
        self.number, self.label, self.least, self.pack = number, label, least, pack
        self.encrypted_number, self.encrypted_label = number + ENCRYPTED, label + AES256GCM


def zstd_codec(least: int = ZSTD_LEAST) -> Codec:
    """Return Zstandard (RFC 8878), each body a frame of its own with its content size; for one thread."""
    params = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL, hash_log=_HASH_LOG, min_match=_MIN_MATCH, write_content_size=True
    )
    return Codec(ZSTD, "zstd", least, zstandard.ZstdCompressor(compression_params=params).compress)


PLAIN_CODEC: Final = Codec(PLAIN, "none", 0, bytes)


def unpack(codec: int, stored: bytes, size: int) -> bytes:
    """Return the `size` bytes that were stored; raises BadBody if it is not exactly these, or the codec unknown."""
    if codec == PLAIN:
        data = stored
    elif codec == ZSTD:
        data = _unzip(stored, size)
    else:
        raise BadBody(f"a body is stored with codec {codec}, which this build does not know")
    if len(data) != size:
        raise BadBody(f"a body has {len(data)} bytes where its parts need {size}")
    return data


def _unzip(stored: bytes, size: int) -> bytes:
    try:
        # Asked before anything is allocated: a damaged frame may claim any size.
        if zstandard.frame_content_size(stored) != size:
            raise BadBody("a body's compressed frame is of another size than its parts")
        return zstandard.ZstdDecompressor().decompress(stored, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise BadBody(f"a body cannot be decompressed: {error}") from None
