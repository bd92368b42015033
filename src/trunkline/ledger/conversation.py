"""What was said in a call, and where something was found in it: for pages and reviewers. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from trunkline.ledger.markup import Span
from trunkline.ledger.provider_speech import provider_answers_of
from trunkline.ledger.speech import Said

Json = Mapping[str, Any]

# The fields of a finding whose text is one of the conversation.
QUESTION: Final = re.compile(r"messages\[(\d+)\]\.(?:content|refusal)")
ANSWER: Final = re.compile(r"choices\[(\d+)\]\.message\.(?:content|refusal)")


def first_new(messages: Sequence[Said]) -> int:
    """Return where what is new begins: behind the last thing that the assistant has said."""
    for number in range(len(messages) - 1, -1, -1):
        if messages[number].role == "assistant" and not messages[number].tools:
            return number + 1
    return 0


def came_of(ended: Json, bodies: Mapping[str, bytes]) -> dict[int, Said]:
    """Return what the target that was asked last had said."""
    asked = [attempt for attempt in ended.get("attempts", ()) if attempt["outcome"] != "skipped"]
    if not asked:
        return {}
    return provider_answers_of(bodies.get(f"{len(asked)}.provider_response", b""), asked[-1]["dialect"])


def compared(answers: Mapping[int, Said]) -> dict[int, object]:
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


def spans_of(findings: Sequence[Json], where: re.Pattern[str]) -> dict[int, list[Span]]:
    """Return the spans of what was found, by the number of the message or choice whose text it is of."""
    spans: dict[int, list[Span]] = {}
    for finding in findings:
        found = where.fullmatch(finding["where"])
        if found is not None:
            spans.setdefault(int(found[1]), []).append((finding["start"], finding["end"]))
    return spans
