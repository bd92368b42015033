"""What is known of a call before anybody is asked: its key, and the record that opens it."""

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec

from trunkline import __version__
from trunkline.errors import InvalidApiKey, InvalidRequest
from trunkline.gateway.call import Call
from trunkline.gateway.persons import Persons
from trunkline.model.chat import ChatRequest, RefusalPart, TextPart
from trunkline.model.records import CallOpened, Estimate, Reserved
from trunkline.policy import estimates
from trunkline.policy.identity import trace_context
from trunkline.policy.limits.learning import Learning
from trunkline.policy.pricing import expected_cost

KEY_HEADERS: Final = (b"x-api-key", b"api-key")  # beside Authorization: Bearer
# Who a call is for and what it says stand elsewhere in the record; these are how it is to be answered.
NOT_PARAMETERS: Final = frozenset(
    {"model", "messages", "tools", "functions", "metadata", "user", "safety_identifier", "stream"}
)
# What a record has of the others: a prediction is a text, and what nobody knows may be one. The body has all of them.
RECORDED: Final = frozenset(ChatRequest.__struct_fields__) - {"prediction", "web_search_options"}
MOST_GUARDRAILS: Final = 20  # that a request may ask for
REFERENCE_LIMIT: Final = 256  # characters kept of a client's own request id
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


def secret_of(headers: Mapping[bytes, bytes]) -> bytes:
    """Return the API key that a request carries.

    Raises InvalidApiKey if it has none and InvalidRequest if it has two that differ.
    """
    found = set()
    bearer = headers.get(b"authorization")
    if bearer is not None and bearer[:7].lower() == b"bearer ":
        found.add(bearer[7:].strip())
    for name in KEY_HEADERS:
        if name in headers:
            found.add(headers[name].strip())
    found.discard(b"")
    if len(found) > 1:
        raise InvalidRequest("The request carries two API keys that differ; send one.", param="authorization")
    if not found:
        raise InvalidApiKey("No API key: send it as `Authorization: Bearer KEY`.")
    return found.pop()


def guardrails_asked_for(headers: Mapping[bytes, bytes]) -> tuple[str, ...]:
    """Return the guardrails that a request asks for beside those that are in force. Raises InvalidRequest."""
    value = headers.get(b"x-trunkline-guardrails")
    if value is None:
        return ()
    names = tuple(dict.fromkeys(name.strip() for name in value.decode("latin-1").split(",") if name.strip()))
    if len(names) > MOST_GUARDRAILS:
        raise InvalidRequest(f"At most {MOST_GUARDRAILS} guardrails may be asked for.", param="x-trunkline-guardrails")
    return names


def estimate(call: Call, chat: ChatRequest, learning: Learning) -> Estimate:
    """Return what the call will probably need, at the price of the first target that it may use."""
    plan = call.plan
    if plan is None:
        raise ValueError("a call is routed before it is estimated")
    planned = plan.planned
    call.guessed_tokens = estimates.prompt_tokens(chat)
    prompt = learning.ratio(planned.target.name).expect(call.guessed_tokens)
    expected = learning.lengths(plan.tenant.name, plan.route.name).expect(estimates.ANSWER_TOKENS)
    answer = estimates.answer_tokens(chat, planned.target.max_output_tokens, expected)
    tariff = planned.tariff
    return Estimate(prompt, answer, expected_cost(prompt, answer, tariff), tariff.version, tariff.source)


def prompt_fingerprint(chat: ChatRequest, parameters: Mapping[str, object]) -> str:
    """Return the SHA-256 of system text, tool schemas and parameters: what a prompt version changes."""
    system = [_text(message.content) for message in chat.messages if message.role in ("system", "developer")]
    return hashlib.sha256(_encode((system, chat.tools, parameters))).hexdigest()


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(
            part.text if isinstance(part, TextPart) else part.refusal if isinstance(part, RefusalPart) else ""
            for part in content
        )
    return ""


def opened_record(call: Call, chat: ChatRequest, known: Estimate, persons: Persons) -> CallOpened:
    """Return the record that opens the call; `persons` are its user and subject as they are written."""
    identity, plan, headers = call.identity, call.plan, call.request.headers
    if identity is None or plan is None:
        raise ValueError("a call is opened after it has been identified and routed")
    parameters = {name: value for name, value in chat.raw.items() if name not in NOT_PARAMETERS}
    traceparent, tracestate = trace_context(headers) if b"traceparent" in headers else (None, None)
    return CallOpened(
        call=call.id,
        tenant=identity.tenant,
        key_id=identity.key_id,
        team=identity.team,
        cost_center=identity.cost_center,
        user=persons.user,
        user_source=identity.user_source,
        subject=persons.subject,
        session=identity.session,
        purpose=identity.purpose,
        tags=identity.tags,
        endpoint=call.request.path,
        route=plan.route.name,
        model_asked=chat.model,
        stream=chat.stream,
        prompt_fingerprint=prompt_fingerprint(chat, parameters),
        parameters={name: value for name, value in parameters.items() if name in RECORDED},
        tools=tuple(tool.function.name for tool in chat.tools) if chat.tools else (),
        traceparent=traceparent,
        tracestate=tracestate,
        client_request_id=_reference(headers, b"x-client-request-id") or _reference(headers, b"x-request-id"),
        idempotency_key=_reference(headers, b"idempotency-key"),
        estimate=known,
        reserved=_reserved(call),
        over_limits=_over_limits(call),
        guardrails=call.guard.policies.names if call.guard is not None else (),
        guardrails_asked=guardrails_asked_for(headers) if call.guard is not None else (),
        judged_call=call.judging.asking.id if call.judging is not None else None,
        snapshot=call.in_force.digest,
        build=__version__,
    )


def _reserved(call: Call) -> Reserved | None:
    if call.reservation is None:
        return None
    return Reserved(call.reservation.needs.tokens, call.reservation.needs.money)


def _over_limits(call: Call) -> tuple[str, ...]:
    reservation = call.reservation
    if reservation is None or not reservation.over:
        return ()
    return tuple(dict.fromkeys(claim.rule.name for claim in reservation.over))


def _reference(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return value.decode("latin-1")[:REFERENCE_LIMIT] if value else None
