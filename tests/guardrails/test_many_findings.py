"""What a hostile text makes much of is still done in one pass: with work that grows as a square these would not end."""

import json

from toy_checks import AskingWords, WholeWords, Words

from trunkline.guardrails.arguments import ArgumentsText
from trunkline.guardrails.hold_back import HoldBack, spans_of
from trunkline.guardrails.inspection import Inspection
from trunkline.guardrails.memory import Cleared
from trunkline.guardrails.policies import ANSWER, Policies, Policy
from trunkline.guardrails.watched import MOST_QUESTIONS, Watched
from trunkline.model.chat import ChatRequest, Message, TextPart
from trunkline.model.delta import Delta, ToolDelta

MANY = 100_000


def test_a_text_of_nothing_but_findings_that_another_policy_holds_to_its_end():
    policies = [Policy("a", "1", UnitlessWords("bad"), action="redact"), Policy("b", "1", WholeWords("never"))]
    watched = Watched(policies, "sentence", ANSWER, "here")
    text = "bad " * MANY
    for start in range(0, len(text), 400):
        watched.feed(text[start : start + 400], False)
        assert watched.give_out() == ""
    watched.feed("", True)
    assert watched.give_out() == "[BAD] " * MANY
    assert len(watched.fired) == MANY


class UnitlessWords(Words):
    """Finds the word in each piece: the pieces here are cut between words."""

    def scanner(self, hold):
        return PieceScanner(self.word)


class PieceScanner:
    def __init__(self, word):
        self.word, self.open_at = word, 0

    def feed(self, text, last):
        from_policy = Words(self.word).all_in(text, "sentence")
        found = [one.moved(self.open_at) for one in from_policy]
        self.open_at += len(text)
        return found


def test_arguments_of_very_many_strings():
    written = json.dumps(["x@y"] * MANY)
    text = ArgumentsText(written)
    spans = [(place * 4, place * 4 + 3, "#") for place in range(MANY)]
    assert json.loads(text.redacted(spans)) == ["#"] * MANY


def test_a_message_of_very_many_parts():
    chat = ChatRequest(model="m", messages=[Message(role="user", content=[TextPart("a bad b")] * 20_000)])
    inspection = Inspection(Policies([Policy("p", "1", UnitlessWords("bad"), action="redact")]), chat, Cleared())
    for _ in inspection.take():
        pass
    (message,) = inspection.result().messages
    assert sum(part.text == "a [BAD] b" for part in message.content) > 19_900  # those that no slice cuts
    assert spans_of(inspection.fired)


def test_a_call_of_a_tool_in_very_many_pieces():
    back = HoldBack(Policies([Policy("p", "1", UnitlessWords("bad"))]), 1)
    for _ in back.take([Delta(tool=ToolDelta(0, "id", "f"))] + [Delta(tool=ToolDelta(0, arguments="1"))] * 15_000):
        pass
    for _ in back.take([Delta(finish="tool_calls")]):
        pass
    assert back.give()[0].tool.arguments == "1" * 15_000


def test_more_questions_than_anybody_waits_for_are_not_asked():
    for on_error, said in (("block", ""), ("allow", "Yes. " * (MOST_QUESTIONS + 1))):
        policy = Policy("p", "1", AskingWords("bad"), on_error=on_error)
        watched = Watched([policy], "sentence", ANSWER, "here")
        watched.feed("Yes. " * (MOST_QUESTIONS + 1), True)
        assert len(watched.asks) == MOST_QUESTIONS
        assert watched.give_out() == said
        assert watched.fired[0].found.why == "too_long"
