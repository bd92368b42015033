"""Signed notes against the vectors that golang.org/x/mod/sumdb/note publishes with its tests."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import independent
from trunkline.audit.format.notes import BadKey, BadNote, PublicKey, SigningKey, open_note

VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
OF_ENOCH = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
NOTE = f"{TEXT}\n{SIGNATURE}"


def mangled(key):
    """What the published tests do to a key: every part of it, and every byte one higher."""
    for start in range(len(key) + 1):
        for end in range(start + 1, len(key) + 1):
            if (start, end) != (0, len(key)):
                yield key[start:end]
    for place, char in enumerate(key):
        yield key[:place] + chr(ord(char) + 1) + key[place + 1 :]


def test_the_published_keys_are_read_and_written():
    assert PublicKey.parse(VKEY).text == VKEY
    assert SigningKey.parse(SKEY).text == SKEY
    assert SigningKey.parse(SKEY).public.text == VKEY
    assert PublicKey.parse(ENOCH).key_id.hex() == "af0cfe78"


def test_no_mangled_key_is_taken():
    for bad in mangled(VKEY):
        with pytest.raises(BadKey):
            PublicKey.parse(bad)
    for bad in mangled(SKEY):
        with pytest.raises(BadKey):
            SigningKey.parse(bad)
    for bad in (
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ):
        with pytest.raises(BadKey):
            PublicKey.parse(bad)


def test_a_note_is_signed_as_the_published_one():
    assert SigningKey.parse(SKEY).sign(TEXT, "PeterNeumann") == NOTE


def test_the_published_notes_open_whoever_else_has_signed():
    assert open_note(NOTE, PublicKey.parse(VKEY)) == TEXT
    assert open_note(NOTE + OF_ENOCH, PublicKey.parse(VKEY)) == TEXT
    assert open_note(NOTE + OF_ENOCH, PublicKey.parse(ENOCH)) == TEXT
    assert open_note(f"{TEXT}\n" + SIGNATURE * 100, PublicKey.parse(VKEY)) == TEXT


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        (TEXT, "no signed note"),
        (f"{TEXT}\n", "no signed note"),
        (NOTE[:-1], "no signed note"),
        (f"\x01{NOTE}", "no signed note"),
        (f"\ud800{NOTE}", "no signed note"),
        (NOTE.replace("PeterNeumann", "Bad Name"), "base64|no signature"),
        (f"{NOTE}Unexpected line.\n", "no signature"),
        (f"{TEXT}\n" + SIGNATURE * 101, "too many signatures"),
        (f"{TEXT}\n— PeterNeumann x08g\n", "too short"),
        (NOTE[:-4] + "!!!\n", "no base64"),
        ("x" * 70_000 + NOTE, "too long"),
        (f"{TEXT}\n{OF_ENOCH}", re.escape("not signed by PeterNeumann+c74f20a3")),
        (NOTE.replace("cryptography", "cryptographY"), "the signature of PeterNeumann is wrong"),
        (f"{TEXT}\n{SIGNATURE[:60]}ABCD{SIGNATURE[60:]}", "the signature of PeterNeumann is wrong"),
    ],
)
def test_what_is_no_good_note_does_not_open(note, reason):
    with pytest.raises(BadNote, match=reason):
        open_note(note, PublicKey.parse(VKEY))


@pytest.mark.parametrize("text", ["", "no line feed", "a\tb\n", "\ud800\n"])
def test_what_cannot_be_a_note_is_not_signed(text):
    with pytest.raises(ValueError, match="the text of a note"):
        SigningKey.parse(SKEY).sign(text, "PeterNeumann")


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\x01"])
def test_a_key_has_a_name_that_a_line_can_carry(name):
    with pytest.raises(BadKey):
        PublicKey(name, bytes(32))
    with pytest.raises(BadKey):
        SigningKey.parse(SKEY).sign(TEXT, name)


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32), st.lists(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]))))
def test_what_we_sign_others_can_check(seed, lines):
    key = SigningKey("example.com/log", seed)
    text = "".join(f"{line}\n" for line in ["first", *lines])
    note = key.sign(text, "example.com/log")
    assert open_note(note, PublicKey.parse(key.public.text)) == text
    name, public = independent.key_of(key.public.text)
    assert (name, public) == (key.public.name, key.public.key)


def test_the_verifier_of_the_tests_knows_a_good_signature_from_a_bad_one():
    _, public = independent.key_of(VKEY)
    note = SigningKey.parse(SKEY).sign("log\n1\nAAAA\n", "log")
    assert independent.checkpoint_of(note, public) == ("log", 1, b"\0\0\0")
    with pytest.raises(AssertionError):
        independent.checkpoint_of(note.replace("\n1\n", "\n2\n"), public)
