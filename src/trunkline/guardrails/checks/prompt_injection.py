# ruff: noqa: E501, ISC004 - expressions are read best whole
"""The check `prompt_injection`: words that want to take over a model, in what is sent to it.

For what people write and, above all, for what tools return: pages, mails and documents that others have written. Rules
know forms; nobody can list all of them, and a check like this one is a net, not a wall. Payloads that are encoded (base
64, hexadecimal, characters that are not seen) are decoded and looked at by the same rules.
"""

import base64
import binascii
import hashlib
import re
import string
from collections.abc import Iterator, Sequence
from typing import Final, final

import msgspec

from trunkline.guardrails.check import CheckKind, Found, Hold, Scanner
from trunkline.guardrails.expressions import expression
from trunkline.guardrails.folding import fold
from trunkline.guardrails.patterns import PatternScanner, Rule, Rules

_GAP: Final = r"[^.!?\n]{0,40}?"
_S: Final = r"[\n.-]"  # what stands between words, where they are to be hidden from a reader of lines
_DROP: Final = (
    "(?:ignore|disregard|forget|override|overrule|bypass|abandon|discard|do not follow|don't follow|do not obey"
    "|don't obey|stop following|stop obeying|pay no attention to|no longer follow|cancel)"
)
_WHOSE: Final = (
    "(?:(?:all|any|every|of|the|your|these|those|previous|prior|earlier|above|preceding|existing|original|initial|system"
    "|developer|safety|current|own|other|and|or|hidden|given|default|content) ){1,7}"
)
_ORDERS: Final = (
    "(?:instructions?|prompts?|directives?|guidelines|rules|guardrails?|programming|constraints|restrictions|safeguards"
    "|commands|filters?|safety polic(?:y|ies)|system messages?)"
)
_TOLD: Final = r"(?:you were|you have been|you've been|i|we|they) (?:told|instructed|said|given)\b"
_NEW_TASK: Final = r"(?:instructions?|task|directives?|orders|goal|objective) (?:is|are|follows?|begins?)\b"
_TO_WHOM: Final = "(?: for (?:the )?(?:ai|assistant|model))?"
_SHOW: Final = (
    "(?:reveal|print|show|repeat|output|display|disclose|leak|dump|recite|write out|tell me|give me|copy|expose)"
)
_SECRET: Final = (
    "(?:system prompt|initial prompt|hidden prompt|developer message|system message|system instructions"
    "|initial instructions|hidden instructions|original instructions|your instructions|instructions above"
    "|instructions you were given|prompt above|text above this)"
)
_PLAY: Final = (
    r"\b(?:act|behave|respond|answer|pretend|roleplay|role-play) "
    r"(?:as|like|to be|that you are|as if you (?:are|were))"
)
_FREE: Final = (
    "(?:dan|an? unrestricted|an? unfiltered|an? uncensored|an? jailbroken|an? evil|no longer bound|free (?:of|from) all"
    "|not bound by)"
)
_LIMITS: Final = "(?:restrictions?|rules|limits|limitations|filters?|guidelines|ethics|censorship|policies)"
_MODE: Final = "(?:developer|debug|god|dan|jailbreak|unrestricted|admin|root) mode"
_SEND: Final = "(?:send|post|forward|upload|e-?mail|transmit|exfiltrate|append|include)"
_ALL_OF: Final = "(?:all|the|this|our|entire|whole|full|any|every|user's|customer's|complete|contents of)"
_CONTENTS: Final = (
    "(?:conversation|chat history|chat log|message history|context|system prompt|api keys?|credentials|passwords?"
    "|account numbers?|customer data|client data)"
)
_THERE: Final = r"(?:to|at|in|into) (?:https?:|www|the (?:url|address|link|webhook|following)|\w+@)"
_ROT13: Final = "(?:vtaber|qvfertneq|sbetrg|bireevqr|olcnff)"
_ROT13_ORDERS: Final = "(?:vafgehpgvbaf|cebzcg|ehyrf|thvqryvarf|erfgevpgvbaf)"
# rule, what it is, expressions.
_RULES: Final = (
    (
        "instruction_override",
        "an order to drop what the model was told",
        (
            rf"\b{_DROP} {_WHOSE}{_ORDERS}\b",
            rf"\b{_DROP} (?:everything|anything|all|whatever) (?:that )?{_TOLD}",
            rf"\b(?:ignore|disregard|forget){_S}all{_S}(?:of{_S}the{_S})?(?:previous|prior|earlier|above){_S}(?:instructions|rules)\b",
            rf"\b(?:ignore|disregard|forget) (?:any |all |the |every )?{_ORDERS} (?:above|before this|you (?:were|received))\b",
            r"\b(?:ignore|disregard|forget) (?:any |all |the )?(?:policies|guidance|directions|rules?) (?:above|that came before|you were given)\b",
            r"\b(?:ignore|disregard|forget) what (?:they|your (?:developers|creators|makers)) (?:told|said)\b",
            r"\b(?:ignore|disregard) the (?:user|above)\b(?: and |'s (?:question|request))",
            r"\bforget (?:all|every) (?:earlier|previous|prior) messages?\b",
            r"\b(?:set aside|put|leave|drop) your (?:instructions|guidelines|rules)\b",
            r"\b(?:override|bypass|skip|suspend|disable|turn off|switch off|lift) (?:your|all|these) (?:\w+ )?"
            r"(?:rules|guardrails|filters|restrictions|policies)\b",
            r"\bfollow (?:these|my) new (?:rules|instructions)\b|\bno longer follow (?:its|your) system prompt\b",
            rf"\b{_DROP} (?:everything|anything|all text|all) (?:above|before this|that came before|prior to this)\b",
            rf"\b(?:your|the) (?:new|real|actual|updated|true) {_NEW_TASK}",
            rf"\b(?:new|updated|revised) (?:system )?(?:instructions?|directives?|prompt){_TO_WHOM} ?:",
            rf"\b(?:instead of|rather than) (?:following|obeying) (?:your|the|any) (?:\w+ )?{_ORDERS}\b",
        ),
    ),
    (
        "role_smuggling",
        "marks that make text look like another speaker's",
        (
            r"<\|(?:im_start|im_end|im_sep|system|user|assistant|endoftext|start_header_id|end_header_id|eot_id)\|>",
            r"\[/?inst\]|<</?sys>>|<(?:start|end)_of_turn>",
            r"\n(?:[ -]{0,8}\n)?(?:system(?: message)?|developer|ai|human|assistant) ?: ",
            r"['\"](?:role|type)['\"] ?: ?['\"](?:system|developer)['\"]|\brole: (?:system|developer)\n",
            r"</?(?:system|system_prompt|assistant|developer_message)>",
            r"#{2,4} ?(?:system|assistant|instruction|new instructions?) ?:?(?: (?:prompt|message))? ?\n",
            r"\n\n(?:human|assistant|system) ?: ",
            r"\b(?:begin|start|end)(?:ning)?(?: of)? (?:the )?(?:system|developer) (?:prompt|message|instructions)\b",
            r"\"role\" ?: ?\"(?:system|developer|assistant)\"",
        ),
    ),
    (
        "persona",
        "a part to play in which no rule holds",
        (
            rf"\byou are (?:now )?{_FREE}\b",
            rf"{_PLAY} {_GAP}\b(?:no|without(?: any)?|free of|not have|unbound by) (?:\w+ )?{_LIMITS}\b",
            rf"\b(?:enable|enter|activate|switch to|turn on) (?:\w+ )?{_MODE}\b",
            r"\bdo anything now\b",
            r"\b(?:act|behave|speak|respond|answer|pretend|imagine|play|be|assume)\b[^.!?\n]{0,60}?\b(?:with(?:out)?(?: no| any)|has no|that never"
            r"|ignores|isn't bound by(?: any)?|uncensored|unfiltered) (?:\w+ ){0,1}(?:restrictions|rules|filters|scruples|censorship|department"
            r"|refuses|compliance|regulations?|model|ai)\b",
            r"\byou(?:'re| are) (?:now )?(?:in unrestricted mode|no longer an? (?:assistant|ai))\b",
            r"\byou don't have any (?:rules|restrictions|limits) (?:any ?more|now)\b",
            r"\byour (?:\w+ )?(?:filters|rules|restrictions|usual policies) no longer apply\b|\bbound by your (?:usual )?(?:policies|rules)\b",
            r"\bjailbr(?:eak|oken)\b",
            r"\byou (?:have|now have|will have) no (?:\w+ )?(?:restrictions|rules|limits|filters|guidelines)\b",
        ),
    ),
    (
        "prompt_extraction",
        "an order to give away what the model was told",
        (
            rf"\b{_SHOW} {_GAP}\b{_SECRET}\b",
            rf"\bwhat (?:is|are|was|were|does) (?:in )?(?:your|the) (?:exact |full |complete )?{_SECRET}\b",
            r"\b(?:translate|summari[sz]e|write|encode|spell|put|share|print|quote|tell me|list) (?:me )?(?:your|the) (?:\w+ )?"
            r"(?:instructions|system prompt|prompt|hidden rules|initial prompt)\b(?: (?:into|in|as|backwards|that)|,)",
            r"\b(?:what|which) (?:instructions|rules) were you given\b|\bwhat were you told to do before\b",
            r"\b(?:first (?:sentence|line|word)s? of your (?:instructions|prompt)|how does your (?:system )?prompt (?:begin|start))\b",
            r"\brepeat (?:everything|all|the words|the text|all text) (?:above|before this|verbatim)\b",
        ),
    ),
    (
        "exfiltration",
        "an order to send away what only the model sees",
        (
            rf"\b{_SEND} {_GAP}\b{_ALL_OF} (?:\w+ )?{_CONTENTS}\b[^.!?\n]{{0,60}}\b{_THERE}",
            rf"\b(?:{_SEND}|share|copy|leak|put|add|upload)\b{_GAP}\b(?:conversation|client's|user's|their|her|his|customer's|everything|system prompt"
            rf"|passwords|holdings|balance|chat)\b[^.!?\n]{{0,60}}\b(?:https?:|\w+@|this (?:e-?mail )?address|server at|query string|in the link)",
            r"\b(?:do not|don't|without) (?:tell|telling|inform|informing) the (?:user|client)\b[^.!?\n]{0,60}\b(?:send|share|forward|post)\b",
            r"\b(?:encode|put) the (?:chat|conversation)\b[^.!?\n]{0,60}\bhttps?:",
            r"\]\(https?://[a-z0-9./_-]{1,60}\?[\w-]{1,20}=(?:\{|\[|<|%7b|\$)",
        ),
    ),
    (
        "encoded_orders",
        "such words in rot13",
        (rf"\b{_ROT13} {_GAP}\b{_ROT13_ORDERS}\b",),
    ),
)  # fmt: skip
LONGEST_PAYLOAD: Final = 8192  # characters; what is longer is looked at piece by piece
SHORTEST_PAYLOAD: Final = 20
LONGEST_PADDING: Final = 2
_PAYLOAD: Final = re.compile(rf"[A-Za-z0-9+/_-]{{{SHORTEST_PAYLOAD},{LONGEST_PAYLOAD}}}={{0,{LONGEST_PADDING}}}")
_PAYLOAD_LETTERS: Final = string.ascii_letters + string.digits + "+/_-"
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
# Letters that are not seen: the tags of Unicode, which spell no flag (a black flag begins one).
_TAGS: Final = re.compile(f"\U0001f3f4?[\U000e0020-\U000e007e]{{1,{LONGEST_PAYLOAD}}}")
_TAG_LETTERS: Final = "".join([chr(code) for code in range(0xE0020, 0xE007F)])
_FLAG: Final = "\U0001f3f4"
_TAG: Final = 0xE0000
_HIDDEN: Final = 4  # letters that make words


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """There are none."""


@final
class PromptInjection:
    """Finds what wants to take over a model."""

    __slots__ = ("_rules", "version")

    def __init__(self, settings: Settings) -> None:  # noqa: ARG002 - there are none
        self._rules = Rules([Rule(name, expression(form), why) for name, why, forms in _RULES for form in forms])
        said = "\n".join([rule.expression.matches for rule in self._rules.every])
        self.version = hashlib.sha256(said.encode()).hexdigest()[:12]

    def scanner(self, hold: Hold) -> Scanner:  # noqa: ARG002 - a rule holds back what its match needs
        """Return a scanner for one text."""
        return _Scanner(self._rules)


@final
class _Scanner:
    """Follows the rules through a text, and what is encoded in it."""

    __slots__ = ("_payloads", "_plain")

    def __init__(self, rules: Rules) -> None:
        self._plain, self._payloads = PatternScanner(rules), _PayloadScanner(rules)

    @property
    def open_at(self) -> int:
        return min(self._plain.open_at, self._payloads.open_at)

    def feed(self, text: str, last: bool) -> Sequence[Found]:
        return [*self._plain.feed(text, last), *self._payloads.feed(text, last)]


@final
class _PayloadScanner:
    """Decodes what could be encoded words, once each has ended; what could still be one is kept."""

    __slots__ = ("_rules", "_tail", "open_at")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._tail = ""  # from `open_at` on
        self.open_at = 0

    def feed(self, text: str, last: bool) -> Sequence[Found]:
        tail = self._tail + text
        keep = len(tail) if last else _unfinished(tail)
        done, begin = tail[:keep], self.open_at
        found = [one.moved(begin) for one in self._look(done)]
        self._tail, self.open_at = tail[keep:], begin + keep
        return found

    def _look(self, text: str) -> Iterator[Found]:
        for match in _PAYLOAD.finditer(text):
            if any(self._orders(said) for said in _decoded(match[0])):
                yield Found("encoded_orders", match.start(), match.end(), 1.0, "such words, encoded")
        if text.isascii():
            return
        for match in _TAGS.finditer(text):
            if not match[0].startswith(_FLAG) and len(match[0]) >= _HIDDEN:
                yield Found("hidden_text", match.start(), match.end(), 1.0, "letters that are not seen")

    def _orders(self, said: str) -> bool:
        return self._rules.any_match.search(fold(said).text) is not None


def _unfinished(text: str) -> int:
    """Return where what more text could change begins at the end of a text.

    Of a long run all pieces but the last are whole.
    """
    bare = text.rstrip("=")
    if len(text) - len(bare) > LONGEST_PADDING:
        bare = text  # what is padded so far has ended
    begin = len(bare.rstrip(_PAYLOAD_LETTERS))
    keep = begin + max(len(bare) - begin - 1, 0) // LONGEST_PAYLOAD * LONGEST_PAYLOAD
    begin = len(text.rstrip(_TAG_LETTERS))
    whole = max(len(text) - begin - 1, 0) // LONGEST_PAYLOAD * LONGEST_PAYLOAD
    if not whole and text[:begin].endswith(_FLAG):
        begin -= 1
    return min(keep, begin + whole)


def _decoded(payload: str) -> Iterator[str]:
    """Yield what text is encoded in letters and digits, in each way that gives text."""
    digits = payload.removeprefix("0x")
    if _HEX.fullmatch(digits):
        yield from _as_text(bytes.fromhex(digits))
    bare = payload.rstrip("=").replace("-", "+").replace("_", "/")
    if len(bare) % 4 != 1:
        try:
            yield from _as_text(base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True))
        except binascii.Error:
            return


def _as_text(data: bytes) -> Iterator[str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    yield text


KIND: Final = CheckKind(Settings, PromptInjection, stages=("input", "tool_results"))
