import hashlib
import re

import pytest

from trunkline.config.units import LATEST_EXPIRY
from trunkline.control.answers import NewKey, Refused
from trunkline.control.keys import make, views
from trunkline.control.state import KeyCreated, KeyRevoked, State, fold
from trunkline.model.snapshot import Audit, Key, Log, Provider, Route, Server, Snapshot, Target, Tenant

NOW = 1_800_000_000.0
SNAPSHOT = Snapshot(
    version=1,
    node="gw-1",
    listen="127.0.0.1:0",
    workers=1,
    providers={"openai": Provider("openai", "openai", "https://api.openai.com/v1", models=("gpt-4o",))},
    routes={"fast": Route("fast", (Target("openai", "gpt-4o"),))},
    tenants={"acme": Tenant("acme")},
    keys={"app": Key("app", "acme", ("00",))},
    prices={},
    server=Server(),
    tls=None,
    log=Log(),
    audit=Audit(),
)


def test_a_key_is_known_by_the_digest_of_a_secret_of_32_random_bytes():
    created, secret = make(NewKey("acme"), State(), SNAPSHOT, NOW, "me")
    assert re.fullmatch(r"tl-[A-Za-z0-9_-]{43}", secret)
    assert created.digest == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in repr(created)
    assert make(NewKey("acme"), State(), SNAPSHOT, NOW, "me")[1] != secret


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (NewKey("acmee"), "did you mean `acme`?"),
        (NewKey("acme", id="app"), "there is or was a key `app`"),
        (NewKey("acme", id="old"), "there is or was a key `old`"),
        (NewKey("acme", id="a b"), "a key's id is made of"),
        (NewKey("acme", id="a\n"), "a key's id is made of"),
        (NewKey("acme", team="../x"), "a key's team is made of"),
        (NewKey("acme", routes=("fst",)), "did you mean `fast`?"),
        (NewKey("acme", routes=("openai/gpt-5",)), "no route or listed model"),
        (NewKey("acme", routes=()), "name one to"),
        (NewKey("acme", expires=int(NOW)), "expired already"),
        (NewKey("acme", expires=LATEST_EXPIRY + 1), "the end of the year 9999"),
        (NewKey("acme", expires=10**20), "the end of the year 9999"),
    ],
)
def test_a_key_that_could_not_be_used_is_refused_with_what_to_do(asked, said):
    state = fold(State(), [("0", KeyCreated("old", "acme", "11", "me")), ("1", KeyRevoked("old", "me"))])
    with pytest.raises(Refused, match=re.escape(said)):
        make(asked, state, SNAPSHOT, NOW, "me")


def test_a_key_may_name_routes_and_listed_models():
    asked = NewKey("acme", routes=("fast", "openai/gpt-4o"), expires=int(NOW) + 1)
    assert make(asked, State(), SNAPSHOT, NOW, "me")[0].routes == ("fast", "openai/gpt-4o")


def test_a_list_has_the_keys_of_the_file_and_of_the_log_with_what_became_of_them():
    state = fold(
        State(),
        [
            ("2026-11-23T20:00:00.123456789Z", KeyCreated("one", "acme", "11", "ann", expires=int(NOW))),
            ("2026-11-23T20:00:01Z", KeyCreated("two", "acme", "12", "ann")),
            ("2026-11-23T20:00:02Z", KeyRevoked("two", "bob")),
        ],
    )
    app, one, two = views(state, SNAPSHOT, NOW)
    assert (app.id, app.source, app.status, app.created_by) == ("app", "file", "valid", None)
    assert (one.status, one.created_at, one.created_by) == ("expired", "2026-11-23T20:00:00Z", "ann")
    assert (two.status, two.revoked_at, two.revoked_by) == ("revoked", "2026-11-23T20:00:02Z", "bob")


def test_a_key_of_an_old_log_that_outlives_the_calendar_ends_with_it():
    state = fold(State(), [("2026-11-23T20:00:00Z", KeyCreated("one", "acme", "11", "ann", expires=10**20))])
    assert [key.expires for key in state.valid_keys()] == [LATEST_EXPIRY]
    assert views(state, SNAPSHOT, NOW)[1].expires == LATEST_EXPIRY
