"""A call as a reviewer reads it: what was said and what was withheld, and where something was found in it. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from trunkline.ledger.conversation import ANSWER, QUESTION, Json, came_of, compared, first_new, spans_of
from trunkline.ledger.markup import Span
from trunkline.ledger.review_answers import Found, Passage
from trunkline.ledger.speech import SYSTEM, Said, answers_of, messages_of


def passages_of(ended: Json, judged: Json | None, bodies: Mapping[str, bytes]) -> list[Passage]:
    """Return what was said in a call. What the provider had answered is there where something else was released."""
    findings = ended.get("findings", ())
    released, came = answers_of(bodies.get("response", b"")), came_of(ended, bodies)
    withheld = bool(came) and compared(came) != compared(released)
    found = spans_of(findings, ANSWER)
    # What is found after an answer has left is found in what was released, all else in what the provider gave.
    later = spans_of(judged.get("findings", ()) if judged is not None else (), ANSWER)
    marks = later if withheld else {n: [*found.get(n, ()), *later.get(n, ())] for n in (found.keys() | later.keys())}
    return [
        *_asked(messages_of(bodies.get("request", b"")), spans_of(findings, QUESTION)),
        *(_passage("answered", said, marks.get(n, ()), _numbered("assistant", n)) for n, said in released.items()),
        *(
            _passage("withheld", said, found.get(n, ()), _numbered("provider", n))
            for n, said in (came.items() if withheld else ())
        ),
    ]


def findings_of(ended: Json, judged: Json | None) -> list[Found]:
    """Return all that was found in a call, also after its answer had left."""
    records = [ended] if judged is None else [ended, judged]
    names = Found.__struct_fields__
    return [
        Found(**{name: finding[name] for name in names if name in finding})
        for record in records
        for finding in record.get("findings", ())
    ]


def _asked(messages: Sequence[Said], spans: Mapping[int, Sequence[Span]]) -> Iterator[Passage]:
    names = {tool.id: tool.name for said in messages for tool in said.tools}
    new = first_new(messages)
    for number, said in enumerate(messages):
        answers = f" of {names.get(said.answers, said.answers)}" if said.answers is not None else ""
        before = number < new and said.role not in SYSTEM
        yield _passage("before" if before else "asked", said, spans.get(number, ()), said.role + answers)


def _passage(section: str, said: Said, marks: Sequence[Span], role: str) -> Passage:
    tools = tuple((tool.name, tool.arguments) for tool in said.tools)
    return Passage(section, role, said.text, tuple(sorted(marks)), tools)  # type: ignore[arg-type]


def _numbered(role: str, index: int) -> str:
    return role if index == 0 else f"{role}, choice {index + 1}"
