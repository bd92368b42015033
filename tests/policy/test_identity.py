import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.errors import InvalidRequest, UserRequired
from trunkline.model.chat import ChatRequest
from trunkline.model.snapshot import Key, Tenant
from trunkline.policy.identity import assert_identity, trace_context

KEY = Key(id="voice-agent", tenant="harbor", digests=("00",), team="wealth-desk")
TENANT = Tenant(name="harbor")


def identity(headers=None, tenant=TENANT, **body):
    return assert_identity(KEY, tenant, headers or {}, ChatRequest(model="m", messages=[], **body))


def test_tenant_team_and_key_come_from_the_key():
    found = identity()
    assert (found.tenant, found.team, found.key_id) == ("harbor", "wealth-desk", "voice-agent")
    assert (found.user, found.user_source, found.subject, found.session) == (None, None, None, None)
    assert found.purpose == "production"
    assert found.tags == {}


def test_the_header_names_the_user_before_the_body_does():
    found = identity({b"x-trunkline-user": b"advisor-1"}, safety_identifier="advisor-2", user="advisor-3")
    assert (found.user, found.user_source) == ("advisor-1", "header")
    found = identity(safety_identifier="advisor-2", user="advisor-3")
    assert (found.user, found.user_source) == ("advisor-2", "safety_identifier")
    found = identity(user="advisor-3")
    assert (found.user, found.user_source) == ("advisor-3", "body")


def test_a_subject_defaults_to_the_user():
    assert identity(user="a").subject == "a"
    assert identity(user="a", metadata={"subject": "henderson"}).subject == "henderson"
    assert identity({b"x-trunkline-subject": b"smith"}, metadata={"subject": "henderson"}).subject == "smith"


def test_a_session_comes_from_header_or_metadata():
    assert identity(metadata={"session": "s1"}).session == "s1"
    assert identity({b"x-trunkline-session": b"s2"}, metadata={"session": "s1"}).session == "s2"


def test_a_tenant_can_require_a_user():
    with pytest.raises(UserRequired):
        identity(tenant=Tenant(name="harbor", require=("user",)))


def test_tags_come_from_metadata_and_the_header_and_the_header_wins():
    found = identity({b"x-trunkline-tags": b"env=prod, channel=phone,"}, metadata={"env": "dev", "session": "s"})
    assert found.tags == {"env": "prod", "channel": "phone"}


STEERS = "\x7f\x85\x9f\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\U000e0000\U000e007f"


@pytest.mark.parametrize(
    "headers",
    [
        {b"x-trunkline-tags": b"novalue"},
        {b"x-trunkline-tags": b"=v"},
        {b"x-trunkline-tags": b"k=" + b"v" * 513},
        {b"x-trunkline-tags": b"k" * 65 + b"=v"},
        {b"x-trunkline-tags": ",".join(f"k{i}=v" for i in range(17)).encode()},
        {b"x-trunkline-tags": b"\xff=v"},
        {b"x-trunkline-user": b"\xff"},
        {b"x-trunkline-user": b"u" * 513},
        {b"x-trunkline-session": b"a\x01b"},
        *({b"x-trunkline-user": f"a{sign}b".encode()} for sign in STEERS),
        {b"x-trunkline-subject": "\u202egnp.exe".encode()},
        {b"x-trunkline-tags": "k=\u2067v".encode()},
        {b"x-trunkline-tags": "k\x9b=v".encode()},
        {b"x-trunkline-tags": "k=\U000e0041v".encode()},
        {b"x-trunkline-session": "call\U000e007f".encode()},
        {b"x-trunkline-purpose": b"fun"},
    ],
)
def test_malformed_names_and_tags_are_refused(headers):
    with pytest.raises(InvalidRequest):
        identity(headers)


def test_a_purpose_is_one_of_the_known():
    assert identity({b"x-trunkline-purpose": b"eval"}).purpose == "eval"


PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_well_formed_trace_context_is_kept():
    assert trace_context({b"traceparent": PARENT, b"tracestate": b"a=1"}) == (PARENT.decode(), "a=1")
    assert trace_context({b"traceparent": PARENT}) == (PARENT.decode(), None)


@pytest.mark.parametrize("bad", [b"", b"00-0-0-0", PARENT + b"x", b"00-" + b"0" * 32 + PARENT[35:]])
def test_a_malformed_trace_context_is_ignored_whole(bad):
    assert trace_context({b"traceparent": bad, b"tracestate": b"a=1"}) == (None, None)
    assert trace_context({}) == (None, None)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([b"x-trunkline-user", b"x-trunkline-tags", b"x-trunkline-subject"]), st.binary(max_size=80)
    )
)
def test_any_bytes_give_an_identity_or_a_clear_refusal(headers):
    try:
        found = identity(headers)
    except InvalidRequest as error:
        assert error.param
    else:
        assert len(found.tags) <= 16
