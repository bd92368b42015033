"""What is known of a call before anybody is asked: its key, what it will need, and its prompt's fingerprint."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.dialects.openai_client import decode_request
from trunkline.errors import InvalidApiKey, InvalidRequest
from trunkline.gateway.opening import KEY_HEADERS, prompt_fingerprint, secret_of


def chat(**fields):
    request = {"model": "voice", "messages": [{"role": "user", "content": "Hello"}]} | fields
    return decode_request(json.dumps(request).encode())


def fingerprint(**fields) -> str:
    request = chat(**fields)
    return prompt_fingerprint(request, {name: request.raw[name] for name in ("temperature",) if name in request.raw})


@pytest.mark.parametrize(
    ("headers", "secret"),
    [
        ({b"authorization": b"Bearer tl-a"}, b"tl-a"),
        ({b"authorization": b"bEaReR   tl-a  "}, b"tl-a"),
        ({b"x-api-key": b"tl-a"}, b"tl-a"),
        ({b"api-key": b" tl-a "}, b"tl-a"),
        ({b"authorization": b"Bearer tl-a", b"x-api-key": b"tl-a", b"api-key": b"tl-a"}, b"tl-a"),
        ({b"authorization": b"Basic dGw=", b"api-key": b"tl-a"}, b"tl-a"),
        ({b"authorization": b"Bearer ", b"x-api-key": b"tl-a"}, b"tl-a"),
    ],
)
def test_a_key_is_found_in_any_of_its_headers(headers, secret) -> None:
    assert secret_of(headers) == secret


@pytest.mark.parametrize(
    "headers",
    [{}, {b"authorization": b"Bearer"}, {b"authorization": b"tl-a"}, {b"x-api-key": b""}, {b"api-key": b"  "}],
)
def test_no_key_is_no_guess(headers) -> None:
    with pytest.raises(InvalidApiKey):
        secret_of(headers)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(KEY_HEADERS), st.sampled_from([b"tl-a", b"tl-b"]), min_size=1))
def test_keys_that_differ_are_refused_and_equal_ones_are_one(given_keys) -> None:
    headers = {name: b"Bearer " + key if name == b"authorization" else key for name, key in given_keys.items()}
    if len(set(given_keys.values())) > 1:
        with pytest.raises(InvalidRequest) as caught:
            secret_of(headers)
        assert b"tl-a".decode() not in caught.value.message
    else:
        assert secret_of(headers) in (b"tl-a", b"tl-b")


SYSTEM = [{"role": "system", "content": "Be brief."}]
TOOL = {"type": "function", "function": {"name": "allocation", "parameters": {"type": "object"}}}


def test_the_fingerprint_is_the_prompt_s_and_not_the_conversation_s() -> None:
    one = fingerprint(messages=[*SYSTEM, {"role": "user", "content": "Hello"}])
    other = fingerprint(messages=[*SYSTEM, {"role": "user", "content": "Something else"}])
    assert one == other
    assert len(one) == 64


def test_the_fingerprint_changes_with_what_a_prompt_version_changes() -> None:
    user = [{"role": "user", "content": "Hello"}]
    seen = {
        fingerprint(),
        fingerprint(messages=SYSTEM + user),
        fingerprint(messages=[{"role": "developer", "content": "Be long."}, *user]),
        fingerprint(tools=[TOOL]),
        fingerprint(tools=[TOOL | {"function": TOOL["function"] | {"description": "Looks it up"}}]),
        fingerprint(temperature=0.1),
        fingerprint(temperature=0.2),
    }
    assert len(seen) == 7


def test_system_text_in_parts_has_the_fingerprint_of_the_same_text() -> None:
    parts = [{"role": "system", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]}]
    assert fingerprint(messages=[*parts, {"role": "user", "content": "x"}]) == fingerprint(
        messages=[*SYSTEM, {"role": "user", "content": "x"}]
    )
