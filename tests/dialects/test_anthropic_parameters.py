import pytest
from chat_examples import request

from trunkline.dialects.anthropic_parameters import apply_params
from trunkline.dialects.provider import CannotTake
from trunkline.model.snapshot import Params


def test_a_default_fills_only_what_the_client_left_out():
    asked = request(temperature=0.5)
    changed, own, taken = apply_params(asked, Params(default={"temperature": 0.1, "top_p": 0.9, "top_k": 5}))
    assert (changed.temperature, changed.top_p) == (0.5, 0.9)
    assert (own, taken) == ({"top_k": 5}, [])


def test_what_is_set_replaces_what_the_client_said():
    changed, _, _ = apply_params(request(temperature=0.5), Params(set={"temperature": 0.1}))
    assert changed.temperature == 0.1


def test_what_is_dropped_is_named_only_if_it_was_there():
    changed, _, taken = apply_params(request(seed=1), Params(drop=("seed", "top_p", "unheard_of", "messages")))
    assert changed.seed is None
    assert taken == ["seed"]
    assert changed.messages


def test_nothing_to_do_gives_the_same_request():
    asked = request()
    assert apply_params(asked, Params(default={"top_k": 5}))[0] is asked


@pytest.mark.parametrize("name", ["model", "messages", "stream", "raw"])
def test_what_is_the_gateway_s_cannot_be_set(name):
    with pytest.raises(CannotTake) as caught:
        apply_params(request(), Params(set={name: True}))
    assert caught.value.param == name


def test_a_value_that_the_field_cannot_have_is_refused():
    with pytest.raises(CannotTake) as caught:
        apply_params(request(), Params(default={"temperature": "hot"}))
    assert caught.value.param == "temperature"


def test_dropping_comes_last():
    params = Params(default={"seed": 1, "top_k": 5}, set={"top_p": 0.9}, drop=("seed", "top_p", "top_k"))
    changed, own, taken = apply_params(request(top_p=0.5), params)
    assert changed.seed is changed.top_p is None
    assert (own, taken) == ({}, ["top_p"])


def test_the_two_names_of_the_limit_are_one_parameter():
    asked = request(max_completion_tokens=500)
    assert apply_params(asked, Params(default={"max_tokens": 100}))[0].answer_limit == 500
    assert apply_params(asked, Params(set={"max_tokens": 100}))[0].answer_limit == 100
    assert apply_params(request(), Params(default={"max_tokens": 100}))[0].answer_limit == 100
