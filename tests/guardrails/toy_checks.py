"""Checks so simple that what they must lead to can be worked out by hand, and a reference that does."""

import re

from trunkline.guardrails.check import Found, Question
from trunkline.guardrails.policies import STRICTNESS
from trunkline.guardrails.scanners import UnitScanner, WholeScanner
from trunkline.guardrails.units import UnitCutter


class WordScanner:
    """Finds a word wherever it stands, holding back no more than its beginning."""

    def __init__(self, word):
        self.word, self.text, self.open_at = word, "", 0

    def feed(self, text, last):
        self.text += text
        found = []
        while (start := self.text.find(self.word, self.open_at)) >= 0:
            found.append(Found(self.word, start, start + len(self.word)))
            self.open_at = start + len(self.word)
        length = len(self.text)
        if last:
            self.open_at = max(length, self.open_at)
        else:
            for start in range(max(self.open_at, length - len(self.word) + 1), length + 1):
                if self.word.startswith(self.text[start:]):
                    self.open_at = start
                    break
        return found


class Words:
    version = "1"

    def __init__(self, word):
        self.word = word

    def scanner(self, hold):
        return WordScanner(self.word)

    def all_in(self, text, hold):
        found, at = [], 0
        while (start := text.find(self.word, at)) >= 0:
            at = start + len(self.word)
            found.append(Found(self.word, start, at))
        return found


def _in_unit(word):
    return lambda unit, before="": [Found(word, one.start(), one.end()) for one in re.finditer(re.escape(word), unit)]


class UnitWords(Words):
    """The same, sentence by sentence or clause by clause."""

    def scanner(self, hold):
        if hold == "whole":
            return WholeScanner(_in_unit(self.word))
        return UnitScanner(_in_unit(self.word), clauses=hold == "clause")

    def all_in(self, text, hold):
        if hold == "whole":
            return _in_unit(self.word)(text)
        cutter = UnitCutter(clauses=hold == "clause")
        return [one.moved(unit.start) for unit in cutter.feed(text, True) for one in _in_unit(self.word)(unit.text)]


class WholeWords(Words):
    def scanner(self, hold):
        return WholeScanner(_in_unit(self.word))

    def all_in(self, text, hold):
        return _in_unit(self.word)(text)


class AskingWords:
    """Asks somebody about each sentence, or about all of the text; a test answers with `read`."""

    version = "1"

    def __init__(self, word, hold="sentence"):
        self.word, self.hold = word, hold

    def question(self, text, stage, context):
        return Question(text.encode(), url="http://127.0.0.1/")

    def read(self, status, body, text):
        return _in_unit(self.word)(text)

    def all_in(self, text, hold):
        if self.hold == "whole":
            return _in_unit(self.word)(text)
        cutter = UnitCutter(clauses=self.hold == "clause")
        return [one.moved(unit.start) for unit in cutter.feed(text, True) for one in _in_unit(self.word)(unit.text)]


class Throws:
    version = "1"

    def scanner(self, hold):
        raise ValueError("settings that make no scanner")


class ThrowingScanner:
    open_at = 0

    def feed(self, text, last):
        raise RuntimeError("out of order")


class ThrowsLater(Throws):
    def scanner(self, hold):
        return ThrowingScanner()


class Tools:
    """Finds fault with calls of one tool."""

    version = "1"

    def __init__(self, name):
        self.name = name

    def examine(self, name, arguments):
        if name == self.name:
            return [Found("forbidden_tool", 0, 1)]
        if arguments == {"amount": 5}:
            return [Found("forbidden_argument", 0, 1)]
        return []


def expected(policies, text, hold):
    """Return what comes out of a text, and which findings have effect: worked out over the whole of it at once."""
    every = [(policy, found) for policy, check in policies for found in check.all_in(text, hold)]

    def turn(pair):
        policy, found = pair
        quiet = policy.action == "flag"
        order = -STRICTNESS[policy.action]
        return found.start, not quiet, order, -found.end, policy.name, found.rule

    out, at, fired = [], 0, []
    for policy, found in sorted(every, key=turn):
        fired.append((policy.name, found.rule, found.start, found.end))
        if policy.action == "flag":
            continue
        out.append(text[at : max(found.start, at)])
        if policy.action in {"block", "replace"}:
            return "".join(out), fired, policy
        if found.start >= at:
            out.append(f"[{found.rule.upper()}]")
        at = max(at, found.end)
    out.append(text[at:])
    return "".join(out), fired, None
