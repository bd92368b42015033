"""What was asked, answered and withheld in a call, as HTML. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from trunkline.ledger.markup import Span, marked, text
from trunkline.ledger.provider_speech import provider_answers_of
from trunkline.ledger.speech import SYSTEM, Said, answers_of, messages_of

Json = Mapping[str, Any]

_QUESTION: Final = re.compile(r"messages\[(\d+)\]\.(?:content|refusal)")
_ANSWER: Final = re.compile(r"choices\[(\d+)\]\.message\.(?:content|refusal)")


def conversation(ended: Json, bodies: Mapping[str, bytes]) -> Iterator[str]:
    """Yield what was asked, what went to the client, and what the provider had said where that is something else."""
    findings = ended.get("findings", ())
    yield from _asked(messages_of(bodies.get("request", b"")), _spans(findings, _QUESTION), bodies)
    released = answers_of(bodies.get("response", b""))
    yield from _answered(released, ended, bodies)
    came = _came(ended, bodies)
    if came and _compared(came) != _compared(released):
        yield from _withheld(came, ended, _spans(findings, _ANSWER))


def _asked(messages: Sequence[Said], spans: Mapping[int, list[Span]], bodies: Mapping[str, bytes]) -> Iterator[str]:
    yield "<h3>Asked</h3>\n"
    if not messages:
        missing = "it has no messages that can be read" if bodies.get("request") else "the record has no request"
        yield f'<p class="nothing">Nothing to show: {missing}.</p>\n'
    names = {tool.id: tool.name for said in messages for tool in said.tools}
    new = _first_new(messages)
    for number, said in enumerate(messages):
        before = number < new or said.role in SYSTEM
        yield _said(said, spans.get(number, ()), "before" if before else "", names)


def _first_new(messages: Sequence[Said]) -> int:
    """Return where what is new begins: behind the last thing that the assistant has said."""
    for number in range(len(messages) - 1, -1, -1):
        if messages[number].role == "assistant" and not messages[number].tools:
            return number + 1
    return 0


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


def _came(ended: Json, bodies: Mapping[str, bytes]) -> dict[int, Said]:
    """Return what the target that was asked last had said."""
    asked = [attempt for attempt in ended.get("attempts", ()) if attempt["outcome"] != "skipped"]
    if not asked:
        return {}
    return provider_answers_of(bodies.get(f"{len(asked)}.provider_response", b""), asked[-1]["dialect"])


def _compared(answers: Mapping[int, Said]) -> dict[int, object]:
    """Return what was said without what may be written in two ways: ids, and the spaces within arguments."""
    return {
        index: (said.text, [(tool.name, _arguments(tool.arguments)) for tool in said.tools])
        for index, said in answers.items()
    }


def _arguments(written: str) -> Any:
    try:
        return msgspec.json.decode(written)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return written


def _said(said: Said, spans: Sequence[Span], kind: str, names: Mapping[str, str]) -> str:
    answers = f" of {names.get(said.answers, said.answers)}" if said.answers is not None else ""
    body = f'<div class="text" dir="auto">{marked(said.text, spans)}</div>' if said.text else ""
    tools = "".join(
        f'<div class="tool">calls <b>{text(tool.name)}</b><pre class="text">{text(tool.arguments)}</pre></div>'
        for tool in said.tools
    )
    return f'<div class="said {kind}"><div class="role">{text(said.role + answers)}</div>{body}{tools}</div>\n'


def _spans(findings: Sequence[Json], where: re.Pattern[str]) -> dict[int, list[Span]]:
    """Return the spans of what was found, by the number of the message or choice whose text it is of."""
    spans: dict[int, list[Span]] = {}
    for finding in findings:
        found = where.fullmatch(finding["where"])
        if found is not None:
            spans.setdefault(int(found[1]), []).append((finding["start"], finding["end"]))
    return spans
