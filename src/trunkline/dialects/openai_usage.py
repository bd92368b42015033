"""OpenAI's token counts, where classes overlap, to our disjoint ones and back, and what an answer's end says."""

from typing import Final

from msgspec import UNSET, Raw

from trunkline.dialects.openai_envelope import Closing
from trunkline.dialects.openai_wire import (
    ClientUsage,
    CompletionDetails,
    PromptDetails,
    Trunkline,
    UnreadableUsage,
    WireUsage,
)
from trunkline.dialects.provider import MOST_TOKENS
from trunkline.model.delta import Delta, Usage

_NOTHING_USED: Final = Usage()


def usage_delta(wire: WireUsage) -> Delta | None:
    """Return what this `usage` says, and whether something is missing; None for one that counts nothing yet."""
    if type(wire) is UnreadableUsage:
        return Delta(uncounted=True)
    prompt, completion = wire.prompt_tokens, wire.completion_tokens
    if prompt is None and completion is None:
        return None
    if max(prompt or 0, completion or 0) > MOST_TOKENS:
        return Delta(uncounted=True)
    return Delta(usage=read_usage(wire), uncounted=prompt is None or completion is None)


def read_usage(wire: WireUsage) -> Usage:
    """Return disjoint counts whose sums are what the provider says that it read and wrote.

    Parts that contradict the whole are cut to it, except reasoning that a server (xAI's, for one) counts beside
    `completion_tokens`: known by a `total_tokens` that only adds up with it.
    """
    prompt, completion = min(wire.prompt_tokens or 0, MOST_TOKENS), wire.completion_tokens or 0
    read, wrote = wire.prompt_tokens_details, wire.completion_tokens_details
    cached = audio_in = written = reasoning = audio_out = 0
    if read is not None:
        cached, written, audio_in = read.cached_tokens or 0, read.cache_write_tokens or 0, read.audio_tokens or 0
        if cached + written + audio_in > prompt:
            cached = min(cached, prompt)
            written = min(written, prompt - cached)
            audio_in = min(audio_in, prompt - cached - written)
    if wrote is not None:
        reasoning, audio_out = wrote.reasoning_tokens or 0, wrote.audio_tokens or 0
        if wire.total_tokens == prompt + completion + reasoning:
            completion += reasoning
        completion = min(completion, MOST_TOKENS)
        if reasoning + audio_out > completion:
            audio_out = min(audio_out, completion)
            reasoning = min(reasoning, completion - audio_out)
    return Usage(
        input=prompt - cached - written - audio_in,
        cached_input=cached,
        cache_write=written,
        audio_input=audio_in,
        output=min(completion, MOST_TOKENS) - reasoning - audio_out,
        reasoning=reasoning,
        audio_output=audio_out,
    )


def write_usage(usage: Usage, cost: str | None) -> ClientUsage:
    """Return `usage` for a client: OpenAI's shape, with `cost` in USD as a number of exactly these plain digits."""
    cached = usage.cached_input + usage.cached_audio_input
    written = usage.cache_write + usage.cache_write_1h
    prompt = usage.input + cached + written + usage.audio_input
    completion = usage.output + usage.reasoning + usage.audio_output
    return ClientUsage(
        prompt,
        completion,
        prompt + completion,
        PromptDetails(cached, usage.audio_input + usage.cached_audio_input, written),
        CompletionDetails(usage.reasoning, usage.audio_output),
        UNSET if cost is None else Raw(cost.encode()),
    )


def usage_at_end(closing: Closing) -> ClientUsage | None:
    """Return `usage` as the answer's end has it; None where nothing is known."""
    usage, cost = closing.usage, closing.cost
    if usage is None:
        return None if cost is None else write_usage(_NOTHING_USED, cost)
    return write_usage(usage, cost)


def trunkline_at_end(closing: Closing) -> Trunkline:
    """Return the object that goes out under `trunkline`."""
    return Trunkline(
        closing.outcome, closing.guardrail, closing.attempts, closing.hold_ms, closing.overhead_ms, closing.estimated
    )
