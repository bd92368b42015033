"""What a client asks: the chat request in the terms of OpenAI's chat completions, the field's common tongue.

Every dialect encodes from these types, so that what a type does not have cannot reach a provider by accident. They
refuse fields that they do not have, so that one decoding shows that a body has none; a body that has some is decoded
without them. Those are named in `ChatRequest.unknown`, and the decoded body stays in `raw` for routes that pass them
on.
Source: OpenAI API reference, "Create chat completion".
"""

from typing import Any, Literal

import msgspec

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]
PassThrough = Literal["allow", "drop", "refuse"]


class TextPart(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, tag_field="type", tag="text"):
    """Plain text."""

    text: str


class ImageUrl(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """An https or `data:` URL of an image."""

    url: str
    detail: str | None = None


class ImagePart(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, tag_field="type", tag="image_url"):
    """An image that the user shows."""

    image_url: ImageUrl


class AudioPart(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, tag_field="type", tag="input_audio"):
    """Audio that the user says: base64 data and its format."""

    input_audio: dict[str, Any]


class FilePart(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, tag_field="type", tag="file"):
    """A file by id or as a base64 data URL."""

    file: dict[str, Any]


class RefusalPart(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, tag_field="type", tag="refusal"):
    """What an assistant said when it declined."""

    refusal: str


Part = TextPart | ImagePart | AudioPart | FilePart | RefusalPart


class FunctionCall(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A function's name and its arguments as the JSON text that the model wrote (it may be invalid JSON)."""

    name: str
    arguments: str


class ToolCall(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A call that the assistant made earlier in the conversation."""

    id: str
    function: FunctionCall
    type: Literal["function"] = "function"


class Message(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """One message of the conversation; which fields apply depends on the role."""

    role: Role
    content: str | list[Part] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    audio: dict[str, Any] | None = None
    function_call: FunctionCall | None = None


class Function(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """A function that the model may call; `parameters` is its JSON schema."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A tool on offer. Only functions are understood; a custom tool is refused by name."""

    function: Function
    type: Literal["function"] = "function"


class StreamOptions(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """What the client wants of the stream; `include_obfuscation` is taken and has no effect."""

    include_usage: bool = False
    include_obfuscation: bool | None = None


class ChatRequest(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A whole request. Field names and meanings are OpenAI's; `None` means that the client did not say.

    `unknown` has the paths in the body that these types do not have, for example `messages[2].cache_control`. `raw` is
    the decoded body; where nothing is unknown it lacks `messages` and `tools`, which are whole in the types.
    """

    model: str
    messages: list[Message]
    audio: dict[str, Any] | None = None
    frequency_penalty: float | None = None
    function_call: Any = None
    functions: list[Function] | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    metadata: dict[str, str] | None = None
    modalities: list[str] | None = None
    n: int | None = None
    parallel_tool_calls: bool | None = None
    prediction: dict[str, Any] | None = None
    presence_penalty: float | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    reasoning_effort: str | None = None
    response_format: dict[str, Any] | None = None
    safety_identifier: str | None = None
    seed: int | None = None
    service_tier: str | None = None
    stop: str | list[str] | None = None
    store: bool | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    tool_choice: str | dict[str, Any] | None = None
    tools: list[Tool] | None = None
    top_logprobs: int | None = None
    top_p: float | None = None
    user: str | None = None
    verbosity: str | None = None
    web_search_options: dict[str, Any] | None = None
    unknown: tuple[str, ...] = ()
    raw: dict[str, Any] = {}

    @property
    def wants_usage(self) -> bool:
        """Whether a streaming client asked for the usage chunk."""
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def answer_limit(self) -> int | None:
        """The longest answer that the client allows, in tokens."""
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens
