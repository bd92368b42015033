"""An account's keys: those that a provider refused rest, and none is lost for good."""

from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.gateway.upstreams import Upstream
from trunkline.model.snapshot import Provider, ProviderSecrets
from trunkline.policy.health import UNAUTHORIZED_REST

PROVIDER = Provider(name="p", dialect="openai", base_url="http://127.0.0.1:9/v1")
KEYS = ("sk-one", "sk-two", "sk-three")


def upstream(*keys: str) -> Upstream:
    return Upstream(PROVIDER, ProviderSecrets(api_keys=keys))


def used(account: Upstream, model: str, now: float) -> set[str]:
    return {account.next_key(model, now) for _ in range(6)}


def test_a_refused_key_rests_for_every_model_and_is_then_used_again() -> None:
    account = upstream(*KEYS)
    assert account.refuse_key("sk-one", "m", 100.0, everywhere=True)
    for now, usable in ((100.0, {"sk-two", "sk-three"}), (100.0 + UNAUTHORIZED_REST, set(KEYS))):
        assert used(account, "m", now) == used(account, "other", now) == usable


def test_a_key_without_permission_for_a_model_is_used_for_the_others() -> None:
    account = upstream(*KEYS)
    assert account.refuse_key("sk-one", "m", 100.0, everywhere=False)
    assert used(account, "m", 100.0) == {"sk-two", "sk-three"}
    assert used(account, "other", 100.0) == set(KEYS)


def test_a_reload_restores_every_key() -> None:
    account = upstream(*KEYS)
    account.refuse_key("sk-one", "m", 100.0, everywhere=True)
    account.restore_keys()
    assert used(account, "m", 100.0) == set(KEYS)


def test_an_account_whose_only_key_rests_asks_with_it_nevertheless() -> None:
    account = upstream("sk-one")
    assert not account.refuse_key("sk-one", "m", 100.0, everywhere=True)
    assert account.next_key("m", 100.0) == "sk-one"


REFUSALS = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from("mn"), st.floats(0, 200), st.booleans()), max_size=12
)


@settings(max_examples=100, deadline=None)
@given(REFUSALS, st.floats(0, 400))
def test_there_is_always_a_key_and_after_the_rest_all_of_them(refusals, later) -> None:
    account = upstream(*KEYS)
    for key, model, now, everywhere in sorted(refusals, key=lambda one: one[2]):
        account.refuse_key(key, model, now, everywhere=everywhere)
    assert account.next_key("m", later) in KEYS
    assert used(account, "m", 200 + UNAUTHORIZED_REST) == set(KEYS)
