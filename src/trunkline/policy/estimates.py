"""How many tokens a call will probably need, where nobody has counted them.

There is no tokenizer that every provider shares; English text has about four characters to a token. An estimate is
always marked as one.
"""

from typing import Final

from trunkline.model.chat import ChatRequest, RefusalPart, TextPart
from trunkline.model.delta import Usage

CHARACTERS_PER_TOKEN: Final = 4
TOKENS_PER_MESSAGE: Final = 4  # role and separators
TOKENS_PER_ATTACHMENT: Final = 800  # an image of usual size; audio and files vary more
ANSWER_TOKENS: Final = 256  # a voice answer is shorter, a written one longer


def prompt_tokens(request: ChatRequest) -> int:
    """Return the estimated tokens of everything that the provider has to read."""
    characters, tokens = 0, 0
    for message in request.messages:
        tokens += TOKENS_PER_MESSAGE
        content = message.content
        if type(content) is str:
            characters += len(content)
        elif content:
            for part in content:
                if isinstance(part, TextPart):
                    characters += len(part.text)
                elif isinstance(part, RefusalPart):
                    characters += len(part.refusal)
                else:
                    tokens += TOKENS_PER_ATTACHMENT
        if message.tool_calls:
            for call in message.tool_calls:
                characters += len(call.function.name) + len(call.function.arguments)
    if request.tools:
        for tool in request.tools:
            function = tool.function
            characters += len(function.name) + len(function.description or "") + len(str(function.parameters or ""))
    return tokens + -(-characters // CHARACTERS_PER_TOKEN)


def answer_tokens(request: ChatRequest, target_limit: int | None, expected: int = ANSWER_TOKENS) -> int:
    """Return the estimated tokens of the answer, or of all `n` of them, where one is expected to have so many."""
    tokens = expected
    if request.answer_limit is not None and request.answer_limit < tokens:
        tokens = request.answer_limit
    if target_limit is not None and target_limit < tokens:
        tokens = target_limit
    return tokens * (request.n or 1)


def usage_of_cut(reported: Usage | None, estimated_prompt: int, received_characters: int) -> Usage:
    """Return the probable usage of an answer that broke off, or whose provider left counts out.

    What was reported stands; a prompt or an answer of which nothing was, or less than what came, is estimated.
    """
    written = -(-received_characters // CHARACTERS_PER_TOKEN)
    if reported is None:
        return Usage(input=estimated_prompt, output=written)
    return Usage(
        input=reported.input if reported.prompt_tokens else estimated_prompt,
        cached_input=reported.cached_input,
        cache_write=reported.cache_write,
        cache_write_1h=reported.cache_write_1h,
        audio_input=reported.audio_input,
        cached_audio_input=reported.cached_audio_input,
        output=max(reported.output, written - reported.reasoning),
        reasoning=reported.reasoning,
        audio_output=reported.audio_output,
    )
