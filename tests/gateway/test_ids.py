"""Ids are version 7 UUIDs, all different, with the time in front."""

import time
import uuid

from trunkline.gateway.ids import DIGITS, IdSource
from trunkline.model.ids import RANDOM_DIGITS


def test_ids_are_different_uuids_of_version_7_across_many_pools() -> None:
    new_id = IdSource()
    made = [new_id() for _ in range(3 * DIGITS // RANDOM_DIGITS)]
    assert len(set(made)) == len(made)
    for text in made:
        parsed = uuid.UUID(text)
        assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, text)


def test_an_id_begins_with_its_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(IdSource()())
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_two_sources_share_nothing() -> None:
    first, second = IdSource(), IdSource()
    assert not {first() for _ in range(500)} & {second() for _ in range(500)}
