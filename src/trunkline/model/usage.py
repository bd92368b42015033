"""Tokens as they are counted and charged."""

import msgspec


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens in disjoint classes: each token counts in exactly one, so that a cost is a plain sum of products.

    OpenAI's `prompt_tokens` contain the cached and audio ones and its `completion_tokens` the reasoning and audio
    ones; Anthropic's `input_tokens` contain neither cache reads nor cache writes. The dialects take them apart.
    """

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    audio_input: int = 0
    cached_audio_input: int = 0
    output: int = 0
    reasoning: int = 0
    audio_output: int = 0

    @property
    def prompt_tokens(self) -> int:
        """All tokens that the provider read."""
        return (
            self.input
            + self.cached_input
            + self.cache_write
            + self.cache_write_1h
            + self.audio_input
            + self.cached_audio_input
        )

    @property
    def completion_tokens(self) -> int:
        """All tokens that the provider wrote."""
        return self.output + self.reasoning + self.audio_output
