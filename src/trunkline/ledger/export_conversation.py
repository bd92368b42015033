"""What was asked, answered and withheld in a call, as HTML. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from trunkline.ledger.conversation import ANSWER, QUESTION, Json, came_of, compared, first_new, spans_of
from trunkline.ledger.markup import Span, marked, text
from trunkline.ledger.speech import SYSTEM, Said, answers_of, messages_of


def conversation(ended: Json, bodies: Mapping[str, bytes]) -> Iterator[str]:
    """Yield what was asked, what went to the client, and what the provider had said where that is something else."""
    findings = ended.get("findings", ())
    yield from _asked(messages_of(bodies.get("request", b"")), spans_of(findings, QUESTION), bodies)
    released = answers_of(bodies.get("response", b""))
    yield from _answered(released, ended, bodies)
    came = came_of(ended, bodies)
    if came and compared(came) != compared(released):
        yield from _withheld(came, ended, spans_of(findings, ANSWER))


def _asked(messages: Sequence[Said], spans: Mapping[int, list[Span]], bodies: Mapping[str, bytes]) -> Iterator[str]:
    yield "<h3>Asked</h3>\n"
    if not messages:
        missing = "it has no messages that can be read" if bodies.get("request") else "the record has no request"
        yield f'<p class="nothing">Nothing to show: {missing}.</p>\n'
    names = {tool.id: tool.name for said in messages for tool in said.tools}
    new = first_new(messages)
    for number, said in enumerate(messages):
        before = number < new or said.role in SYSTEM
        yield _said(said, spans.get(number, ()), "before" if before else "", names)


def _answered(released: Mapping[int, Said], ended: Json, bodies: Mapping[str, bytes]) -> Iterator[str]:
    yield "<h3>Answered</h3>\n"
    outcome = ended.get("outcome")
    if outcome == "cancelled_before" or (outcome == "abandoned" and not ended.get("released_bytes")):
        yield '<p class="nothing">Nothing that is on record went to the client.</p>\n'
        return
    if not released:
        told = bodies.get("response", b"").decode("utf-8", "replace")
        yield f'<pre class="text">{text(told)}</pre>\n' if told else '<p class="nothing">Nothing is on record.</p>\n'
    for index, said in released.items():
        yield _said(said._replace(role=_choice("assistant", index)), (), "answer", {})
    if ended.get("client_left_ms") is not None:
        yield f"<p>The client left after {ended['client_left_ms']:g} ms: it may not have got all of this.</p>\n"


def _withheld(came: Mapping[int, Said], ended: Json, spans: Mapping[int, list[Span]]) -> Iterator[str]:
    why = f" Policy: {text(ended['guardrail'])}." if ended.get("guardrail") else ""
    left = " The client left before all of it had come." if ended.get("client_left_ms") is not None else ""
    received, released = ended.get("received_chars", 0), ended.get("released_chars", 0)
    yield (
        "<h3>What the provider had answered</h3>\n<p>It is not what went to the client: "
        f"{received:,} characters came, {released:,} were released.{why}{left}</p>\n"
    )
    for index, said in came.items():
        yield _said(said._replace(role=_choice("provider", index)), spans.get(index, ()), "withheld", {})


def _choice(role: str, index: int) -> str:
    return role if index == 0 else f"{role}, choice {index + 1}"


def _said(said: Said, spans: Sequence[Span], kind: str, names: Mapping[str, str]) -> str:
    answers = f" of {names.get(said.answers, said.answers)}" if said.answers is not None else ""
    body = f'<div class="text" dir="auto">{marked(said.text, spans)}</div>' if said.text else ""
    tools = "".join(
        f'<div class="tool">calls <b>{text(tool.name)}</b><pre class="text">{text(tool.arguments)}</pre></div>'
        for tool in said.tools
    )
    return f'<div class="said {kind}"><div class="role">{text(said.role + answers)}</div>{body}{tools}</div>\n'
