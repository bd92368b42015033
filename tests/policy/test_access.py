import hashlib

import pytest

from trunkline.errors import InvalidApiKey, ModelNotFound, RouteNotAllowed
from trunkline.model.snapshot import Audit, Key, Log, Provider, Route, Server, Snapshot, Target, Tenant
from trunkline.policy.access import KeyRing, direct_target, resolve_route, usable_models

VOICE = Route(name="voice", targets=(Target(provider="openai", model="gpt-4o-mini"),))
CHAT = Route(name="chat", targets=(Target(provider="openai", model="gpt-4o"),))


def snapshot(**changes):
    values = dict(
        version=1,
        node="n",
        listen="127.0.0.1:0",
        workers=1,
        providers={
            "openai": Provider(name="openai", dialect="openai", base_url="http://127.0.0.1/v1", models=("gpt-4o",))
        },
        routes={"voice": VOICE, "chat": CHAT},
        tenants={"harbor": Tenant(name="harbor")},
        keys={},
        prices={},
        server=Server(),
        tls=None,
        log=Log(),
        audit=Audit(),
    )
    return Snapshot(**(values | changes))


def key(**changes):
    return Key(**({"id": "k1", "tenant": "harbor", "digests": (digest("s"),)} | changes))


def digest(secret):
    return hashlib.sha256(secret.encode()).hexdigest()


def test_a_key_is_found_by_each_of_its_secrets():
    rotating = key(digests=(digest("old"), digest("new")))
    ring = KeyRing([rotating])
    assert ring.find(digest("old"), 0) is rotating
    assert ring.find(digest("new"), 0) is rotating


def test_an_unknown_digest_is_refused():
    with pytest.raises(InvalidApiKey):
        KeyRing([key()]).find(digest("other"), 0)


def test_a_key_is_refused_from_the_second_it_expires():
    ring = KeyRing([key(expires=100)])
    assert ring.find(digest("s"), 99.9).id == "k1"
    with pytest.raises(InvalidApiKey):
        ring.find(digest("s"), 100)


def test_a_key_without_routes_may_use_every_route_and_no_provider_directly():
    assert usable_models(snapshot(), key()) == ("voice", "chat")
    assert resolve_route(snapshot(), key(), "chat") is CHAT
    with pytest.raises(RouteNotAllowed):
        resolve_route(snapshot(), key(), "openai/gpt-4o")


def test_a_key_with_routes_may_use_only_those():
    narrow = key(routes=("voice",))
    assert usable_models(snapshot(), narrow) == ("voice",)
    assert resolve_route(snapshot(), narrow, "voice") is VOICE
    with pytest.raises(RouteNotAllowed):
        resolve_route(snapshot(), narrow, "chat")


def test_a_provider_model_that_the_key_names_becomes_a_route_of_one_target():
    direct = key(routes=("openai/gpt-4o",))
    route = resolve_route(snapshot(), direct, "openai/gpt-4o")
    assert [target.name for target in route.targets] == ["openai/gpt-4o"]
    assert usable_models(snapshot(), direct) == ("openai/gpt-4o",)


def test_a_model_that_the_provider_does_not_list_is_no_target():
    assert direct_target(snapshot(), "openai/gpt-9") is None
    assert direct_target(snapshot(), "nobody/gpt-4o") is None
    assert usable_models(snapshot(), key(routes=("openai/gpt-9",))) == ()


def test_an_unknown_model_is_answered_with_what_the_key_may_use():
    with pytest.raises(ModelNotFound) as caught:
        resolve_route(snapshot(), key(routes=("voice",)), "gpt-5")
    assert "`voice`" in caught.value.message
    assert "`chat`" not in caught.value.message
    assert caught.value.param == "model"


def test_a_long_list_of_models_is_cut_and_counted():
    many = {f"r{i}": Route(name=f"r{i}", targets=VOICE.targets) for i in range(25)}
    with pytest.raises(ModelNotFound, match="and 5 more"):
        resolve_route(snapshot(routes=many), key(), "x" * 500)
