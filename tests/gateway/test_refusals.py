"""Refused calls become few records whose counts add up, whatever comes."""

import os
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.errors import Draining, InvalidApiKey, InvalidRequest, ModelNotFound, RouteNotAllowed
from trunkline.gateway.refusals import LARGEST_BATCH, Refusals, refused_record
from trunkline.model.records import CallRefused
from trunkline.operations import OperationalLog

ERRORS = (InvalidApiKey("?"), RouteNotAllowed("?"), ModelNotFound("?"), Draining("?"), InvalidRequest("?", rule="r"))

OPERATIONS = OperationalLog(os.open(os.devnull, os.O_WRONLY), "text", "info", "test")


def record(error, key: str | None, number: int = 0) -> CallRefused:
    known = {} if key is None else {"tenant": "harbor", "key_id": key, "first_call": f"c{number}", "message": "m"}
    return CallRefused(
        outcome=error.outcome,
        status=error.status,
        code=error.code,
        source=error.source,
        rule=error.rule,
        count=1,
        snapshot="s",
        **known,
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ERRORS), st.sampled_from([None, "a", "b"])), max_size=60))
def test_counts_add_up_with_one_record_for_each_key_and_rule(came) -> None:
    appended: list[CallRefused] = []
    refusals = Refusals(appended.append, OPERATIONS)
    for error, key in came:
        refusals.add(error, record(error, key))
    refusals.flush()
    expected = Counter((key, error.code, error.rule) for error, key in came)
    assert {(one.key_id, one.code, one.rule): one.count for one in appended} == expected
    assert len(appended) == len(expected)
    refusals.flush()
    assert len(appended) == len(expected)


def test_the_first_of_a_kind_lends_its_details() -> None:
    appended: list[CallRefused] = []
    refusals = Refusals(appended.append, OPERATIONS)
    for number in range(5):
        refusals.add(ERRORS[1], record(ERRORS[1], "a", number))
    refusals.flush()
    (one,) = appended
    assert (one.first_call, one.count) == ("c0", 5)


def test_more_kinds_than_a_batch_holds_share_a_record_that_names_nobody() -> None:
    appended: list[CallRefused] = []
    refusals = Refusals(appended.append, OPERATIONS)
    many = LARGEST_BATCH + 500
    for number in range(many):
        refusals.add(ERRORS[1], record(ERRORS[1], f"key-{number}", number))
    refusals.flush()
    assert sum(one.count for one in appended) == many
    assert len(appended) == LARGEST_BATCH + 1
    shared = appended[-1]
    assert (shared.count, shared.key_id, shared.tenant, shared.message) == (500, None, None, None)
    assert shared.first_call is None


def test_of_somebody_unknown_only_what_was_wrong_is_kept() -> None:
    kept = refused_record(InvalidApiKey("the key tl-secret is unknown", param="x"), "s")
    assert (kept.outcome, kept.status, kept.code, kept.count) == ("denied", 401, "invalid_api_key", 1)
    assert (kept.message, kept.key_id, kept.tenant, kept.first_call, kept.user) == (None,) * 5
