"""A chat request as the body of Anthropic's `POST /v1/messages`.

What Anthropic has no word for is dropped by name where it only colours an answer (penalties, a seed, a hint), and
refused where the answer would be another thing (several choices, log probabilities, audio, a bias on tokens).
"""

from typing import Any

import msgspec

from trunkline.dialects.anthropic_messages import Notes, encode_messages
from trunkline.dialects.anthropic_models import Model, model_of
from trunkline.dialects.anthropic_parameters import apply_params
from trunkline.dialects.anthropic_schemas import Closed, Inexpressible, close
from trunkline.dialects.anthropic_tools import encode_tools
from trunkline.dialects.histories import shorten
from trunkline.dialects.provider import CannotTake, Encoded
from trunkline.model.chat import ChatRequest, PassThrough
from trunkline.model.snapshot import Params, Target

DEFAULT_MAX_TOKENS = 4096  # Anthropic requires one
ONLY_JSON = "Answer with one JSON object and nothing else: no prose before or after it, no code fence."

# Nothing here changes what an answer says; `store` and `service_tier` are OpenAI's own.
_COLOURS = (
    "audio", "frequency_penalty", "logit_bias", "logprobs", "prediction", "presence_penalty", "prompt_cache_key",
    "prompt_cache_retention", "seed", "service_tier", "store", "top_logprobs", "verbosity",
)  # fmt: skip
# A client's field of this name would be a second system prompt, past everything that looks at messages.
_NEVER_PASSED = frozenset({"system", "metadata", "workspace_id", "user_profile_id"})

_NO_PARAMS = Params()
_encode = msgspec.json.Encoder().encode


def encode(request: ChatRequest, target: Target, pass_through: PassThrough) -> Encoded:
    """Return the request for this target; raises CannotTake."""
    notes = Notes()
    own: dict[str, Any] = {}
    if target.params != _NO_PARAMS:
        request, own, taken = apply_params(request, target.params)
        notes.dropped += taken
    _refuse_impossible(request)
    model = model_of(target.model)
    body: dict[str, Any] = {"model": target.model, "max_tokens": _max_tokens(request, target, notes)}
    conversation = encode_messages(request.messages, notes)
    tools = encode_tools(request, model, conversation.called, notes)
    instruction = _set_format(request, model, body, notes)
    system = "\n\n".join(filter(None, (conversation.system, instruction)))
    if system:
        body["system"] = system
    body["messages"] = conversation.messages
    body.update(tools)
    _set_sampling(request, model, body, notes)
    _set_effort(request, model, body, notes)
    _set_stops(request, body)
    _drop_colours(request, notes)
    if request.stream:
        body["stream"] = True
    _pass(request, pass_through, body, notes)
    _overlay(own, body)
    try:
        encoded = _encode(body)
    except RecursionError:
        raise CannotTake("the request is nested too deep", param="messages") from None
    return Encoded(encoded, tuple(notes.dropped), shorten(notes.repairs))


def _refuse_impossible(request: ChatRequest) -> None:
    if request.n is not None and request.n != 1:
        raise CannotTake("anthropic answers with one choice", param="n")
    if request.logprobs or request.top_logprobs:
        raise CannotTake("anthropic has no log probabilities", param="logprobs")
    if request.logit_bias:
        raise CannotTake("anthropic has no bias on tokens", param="logit_bias")
    if request.modalities is not None and set(request.modalities) != {"text"}:
        raise CannotTake("anthropic answers in text only", param="modalities")
    if request.web_search_options is not None:
        raise CannotTake("a search of the web is not carried to anthropic", param="web_search_options")
    if request.functions is not None or request.function_call is not None:
        raise CannotTake("anthropic has tools, not functions", param="functions")


def _max_tokens(request: ChatRequest, target: Target, notes: Notes) -> int:
    limit = request.answer_limit
    if limit is None:
        limit = target.max_output_tokens or DEFAULT_MAX_TOKENS
        notes.mend(f"max_tokens:{limit}")
    return limit


def _set_format(request: ChatRequest, model: Model, body: dict[str, Any], notes: Notes) -> str:
    """Set the answer's form, or return what to tell the model where the API cannot hold it to that form."""
    wanted = request.response_format or {}
    kind, named = wanted.get("type", "text"), wanted.get("json_schema")
    if kind == "text":
        return ""
    if kind == "json_object":
        notes.mend("json_object_by_instruction")
        return ONLY_JSON
    if kind != "json_schema" or not isinstance(named, dict) or not isinstance(named.get("schema", {}), dict):
        raise CannotTake("anthropic has no such response format", param="response_format")
    schema = named.get("schema", {})
    try:
        closed = _held(schema, model)
    except Inexpressible as error:
        if named.get("strict"):
            raise CannotTake(f"response_format: {error}"[:300], param="response_format") from None
        notes.mend("json_schema_by_instruction")
        return f"{ONLY_JSON} It must match this JSON schema:\n{_encode(schema).decode()}"
    if closed.described:
        notes.mend("constraints_described:response_format")
    body["output_config"] = {"format": {"type": "json_schema", "schema": closed.schema}}
    return ""


def _held(schema: dict[str, Any], model: Model) -> Closed:
    if not model.structured:
        raise Inexpressible("this model cannot be held to a schema")
    return close(schema)


def _set_sampling(request: ChatRequest, model: Model, body: dict[str, Any], notes: Notes) -> None:
    """Set temperature or top_p: models since 4.5 take one of them, models since 4.7 none."""
    temperature, top_p = request.temperature, request.top_p
    if temperature is not None and model.sampling:
        if temperature > 1:
            notes.mend("temperature_clamped")
        body["temperature"] = min(temperature, 1)
    elif temperature is not None:
        notes.drop("temperature")
    if top_p is None:
        return
    if model.sampling and temperature is None:
        body["top_p"] = top_p
    else:
        notes.drop("top_p")


def _set_effort(request: ChatRequest, model: Model, body: dict[str, Any], notes: Notes) -> None:
    """Set how much the model thinks, in the words that this model has for it."""
    wanted = request.reasoning_effort
    if wanted is None:
        return
    if wanted == "none":
        _set_no_thinking(model, body, notes)
        return
    if not model.efforts:
        # A budget would need the thinking blocks of earlier turns back, which OpenAI's format cannot carry.
        notes.drop("reasoning_effort")
        return
    effort = _nearest(wanted, model.efforts)
    if effort != wanted:
        notes.mend(f"reasoning_effort:{effort}")
    body.setdefault("output_config", {})["effort"] = effort
    if model.thinking != "off" or wanted == "minimal":
        return
    forced = body.get("tool_choice", {}).get("type") in {"any", "tool"}
    if forced or "temperature" in body or "top_p" in body:
        notes.mend("effort_without_thinking")  # thinking goes with neither
    else:
        body["thinking"] = {"type": "adaptive"}


def _set_no_thinking(model: Model, body: dict[str, Any], notes: Notes) -> None:
    if model.thinking == "on":
        body["thinking"] = {"type": "disabled"}
    elif model.thinking == "between_tools":
        body["thinking"] = {"type": "between_tools"}
    elif model.thinking == "always":
        notes.mend("reasoning_effort:low")
        body.setdefault("output_config", {})["effort"] = "low"


def _nearest(wanted: str, efforts: tuple[str, ...]) -> str:
    """Return the model's highest level that is not above the one wanted, else its lowest."""
    order = ("minimal", "low", "medium", "high", "xhigh", "max")
    if wanted not in order:
        raise CannotTake("anthropic has no such reasoning effort", param="reasoning_effort")
    below = order[: order.index(wanted) + 1]
    return next((level for level in reversed(efforts) if level in below), efforts[0])


def _set_stops(request: ChatRequest, body: dict[str, Any]) -> None:
    stop = request.stop
    stops = [stop] if isinstance(stop, str) else stop
    if not stops:
        return
    if not all(map(str.strip, stops)):
        raise CannotTake("anthropic takes no stop sequence of white space alone", param="stop")
    body["stop_sequences"] = stops


def _drop_colours(request: ChatRequest, notes: Notes) -> None:
    for name in _COLOURS:
        if getattr(request, name) is not None:
            notes.drop(name)


def _pass(request: ChatRequest, pass_through: PassThrough, body: dict[str, Any], notes: Notes) -> None:
    """Carry unknown fields where the route allows it: those of the request itself, not those within it."""
    for path in request.unknown:
        if pass_through == "refuse":
            raise CannotTake(f"the field `{path}` is not known here, and the route refuses such", param=path)
        if pass_through == "allow" and path in request.raw and path not in body and path not in _NEVER_PASSED:
            body[path] = request.raw[path]
        else:
            notes.drop(path)


def _overlay(own: dict[str, Any], body: dict[str, Any]) -> None:
    for name, value in own.items():
        ours = body.get(name)
        body[name] = {**ours, **value} if isinstance(ours, dict) and isinstance(value, dict) else value
