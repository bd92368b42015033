"""Token counts are disjoint, add up to what the provider said, and go out in OpenAI's shape."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import CompletionUsage

from trunkline.dialects.openai_usage import read_usage, write_usage
from trunkline.dialects.openai_wire import CompletionDetails, PromptDetails, WireUsage
from trunkline.model.delta import Usage
from trunkline.model.money import plain


@pytest.mark.parametrize(
    ("wire", "usage"),
    [
        (WireUsage(19, 10, 29), Usage(input=19, output=10)),
        (
            WireUsage(2006, 300, 2306, PromptDetails(1920), CompletionDetails(192)),
            Usage(input=86, cached_input=1920, output=108, reasoning=192),
        ),
        (  # a cold cache of a model that charges for writing
            WireUsage(3438, 5, 3443, PromptDetails(0, 0, 3435)),
            Usage(input=3, cache_write=3435, output=5),
        ),
        (
            WireUsage(3438, 5, 3443, PromptDetails(3423, None, 12)),
            Usage(input=3, cached_input=3423, cache_write=12, output=5),
        ),
        (
            WireUsage(100, 50, 150, PromptDetails(0, 60), CompletionDetails(0, 40)),
            Usage(input=40, audio_input=60, output=10, audio_output=40),
        ),
        (  # reasoning beside the completion: only so does the total add up
            WireUsage(100, 9, 349, None, CompletionDetails(240)),
            Usage(input=100, output=9, reasoning=240),
        ),
        (WireUsage(10, 5, 15, PromptDetails(99, 99, 99), CompletionDetails(99, 3)), Usage(0, 10, 0, 0, 0, 0, 0, 2, 3)),
        (WireUsage(None, 5), Usage(output=5)),
        (WireUsage(5, None, None, PromptDetails(), CompletionDetails()), Usage(input=5)),
    ],
)
def test_classes_are_disjoint(wire: WireUsage, usage: Usage) -> None:
    assert read_usage(wire) == usage


COUNTS = st.none() | st.integers(0, 50)


@settings(max_examples=150, deadline=None)
@given(
    st.builds(
        WireUsage,
        COUNTS,
        COUNTS,
        COUNTS,
        st.none() | st.builds(PromptDetails, COUNTS, COUNTS, COUNTS),
        st.none() | st.builds(CompletionDetails, COUNTS, COUNTS),
    )
)
def test_no_count_is_negative_and_none_is_lost(wire: WireUsage) -> None:
    usage = read_usage(wire)
    assert all(count >= 0 for count in msgspec.structs.astuple(usage))
    assert usage.prompt_tokens == (wire.prompt_tokens or 0)
    assert usage.completion_tokens >= (wire.completion_tokens or 0)


USAGES = st.builds(Usage, *[st.integers(0, 10**6)] * 9)


@settings(max_examples=100, deadline=None)
@given(USAGES, st.none() | st.decimals(0, 100, places=10).map(plain))
def test_clients_get_openais_shape(usage: Usage, cost: str | None) -> None:
    body = msgspec.json.encode(write_usage(usage, cost))
    wire = CompletionUsage.model_validate_json(body)
    assert wire.prompt_tokens == usage.prompt_tokens
    assert wire.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert msgspec.json.decode(body, type=dict[str, Decimal | dict[str, int]]).get("cost") == (
        None if cost is None else Decimal(cost)
    )


def test_usage_without_audio_or_writes_survives_the_way_out_and_in() -> None:
    usage = Usage(input=3, cached_input=4, cache_write=2, audio_input=5, output=6, reasoning=7, audio_output=8)
    wire = msgspec.json.decode(msgspec.json.encode(write_usage(usage, None)), type=WireUsage)
    assert read_usage(wire) == usage


def test_costs_have_exactly_their_digits() -> None:
    body = msgspec.json.encode(write_usage(Usage(1), "0.00000012300"))
    assert b'"cost":0.00000012300}' in body
