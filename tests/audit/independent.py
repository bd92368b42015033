"""A verifier of proofs written from the texts alone, without a line of the gateway's: what an outsider may have.

RFC 6962 and RFC 9162 for the tree, C2SP's signed-note, tlog-checkpoint, tlog-tiles and tlog-proof for the texts, and
RFC 8032, section 6, for Ed25519, in plain Python.
"""

import base64
import hashlib

# Ed25519

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def _add(one, other):
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _times(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _equal(one, other):
    return (one[0] * other[2] - other[0] * one[2]) % P == 0 and (one[1] * other[2] - other[1] * one[2]) % P == 0


def _point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed_by(public, message, signature):
    """Section 5.1.7."""
    if len(signature) != 64:
        return False
    a, r = _point(public), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= Q:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % Q
    return _equal(_times(s, BASE), _add(r, _times(h, a)))


# Notes and checkpoints


def key_of(vkey):
    """Name and bytes of `<name>+<id>+<base64>`."""
    name, key_id, encoded = vkey.split("+", 2)
    data = base64.b64decode(encoded)
    assert data[0] == 1
    assert hashlib.sha256(name.encode() + b"\n" + data).digest()[:4].hex() == key_id
    return name, data[1:]


def checkpoint_of(note, public):
    """Origin, size and root of a checkpoint that is signed under its origin's name."""
    text, _, below = note.rpartition("\n\n")
    text += "\n"
    origin, size, root, end = text.split("\n")
    assert end == ""
    (line,) = [one for one in below.splitlines() if one.split(" ")[1] == origin]
    data = base64.b64decode(line.split(" ")[2])
    assert data[:4] == hashlib.sha256(origin.encode() + b"\n\x01" + public).digest()[:4]
    assert signed_by(public, text.encode(), data[4:])
    return origin, int(size), base64.b64decode(root)


# The tree, as section 2.1 of RFC 6962 defines it


def tree_hash(leaves):
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:k]) + tree_hash(leaves[k:])).digest()


def leaf_of(record):
    return hashlib.sha256(b"\x00" + record).digest()


def root_from(leaf, index, size, path):
    """The root that an audit path leads to, from the definition in section 2.1.1."""
    if size == 1:
        assert not path
        return leaf
    k = 1
    while k * 2 < size:
        k *= 2
    *rest, last = path
    if index < k:
        return hashlib.sha256(b"\x01" + root_from(leaf, index, k, rest) + last).digest()
    return hashlib.sha256(b"\x01" + last + root_from(leaf, index - k, size - k, rest)).digest()


def proven(text, record, public):
    """What a tlog-proof proves of these bytes: the origin of the log, its size, and the record's index."""
    head, _, note = text.partition("\n\n")
    lines = head.split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("index ")
    index = int(lines[1].removeprefix("index "))
    origin, size, root = checkpoint_of(note, public)
    assert root_from(leaf_of(record), index, size, [base64.b64decode(line) for line in lines[2:]]) == root
    return origin, size, index


# Tiles


def tile_path(level, index, width):
    digits = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        digits.insert(0, f"x{index % 1000:03d}")
    return f"tile/{level}/" + "/".join(digits) + (f".p/{width}" if width < 256 else "")


def tiles_of(leaves):
    """Every tile of a tree of these leaves: path to bytes."""
    tiles = {}
    level, hashes = 0, list(leaves)
    while hashes:
        above = []
        for start in range(0, len(hashes), 256):
            tile = hashes[start : start + 256]
            tiles[tile_path(level, start // 256, len(tile))] = b"".join(tile)
            if len(tile) == 256:
                above.append(tree_hash(tile))
        level, hashes = level + 1, above
    return tiles
