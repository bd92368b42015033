import base64
import hashlib

import pytest
from config_samples import ENVIRONMENT, GOOD, OTHER, STRONG, machine, the_problem
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.config.readers import Mistake
from trunkline.config.strength import digest, secret


@pytest.mark.parametrize(
    "text",
    [
        "changeme",
        "password" * 6,
        "changeme-changeme-changeme-changeme",
        "replace-this-with-a-long-random-secret",
        "Correct-Horse-Battery-Staple",
        "x" * 50,
        "0123456789" * 5,
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "qwertyuiopasdfghjklzxcvbnm1234567890",
        "deadbeef" * 4,
        "00000000-0000-0000-0000-000000000001",
        "sk-test-1234567890",
        "3141592653589793238462643383279502884",
    ],
)
def test_what_people_type_is_refused(text):
    with pytest.raises(Mistake, match="secret"):
        secret(text)


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 2**32), st.integers(16, 64))
def test_what_generators_make_is_taken(seed, size):
    made = hashlib.shake_256(str(seed).encode()).digest(size)
    assert secret(made.hex())
    if size >= 18:
        assert secret(base64.urlsafe_b64encode(made).rstrip(b"=").decode())


def test_127_bits_are_too_few():
    assert secret(STRONG[:32])
    with pytest.raises(Mistake, match="128 bits"):
        secret(STRONG[:31])


def test_a_weak_secret_says_how_to_make_a_good_one_and_not_what_it_was():
    problem = the_problem(GOOD, machine(ENVIRONMENT | {"HARBOR_VOICE_KEY": "hunter2"}))
    assert problem.path == "tenants.harbor.keys.agent.secret"
    assert "openssl rand -hex 32" in problem.fix
    assert "hunter2" not in str(problem)


def test_the_admin_token_is_held_to_the_same_rule():
    problem = the_problem(GOOD + 'console: {admin_token: "admin"}\n')
    assert problem.path == "console.admin_token"


def test_a_secret_fits_into_a_header():
    for text in (STRONG + " ", STRONG + "é", STRONG + "\n"):
        with pytest.raises(Mistake, match="visible ASCII"):
            secret(text)


def test_only_the_digest_is_kept():
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest(STRONG) != digest(OTHER)
