# ruff: noqa: E501, ISC004 - expressions are read best whole
"""The check `promissory`: words that promise what nobody can.

Sentence by sentence, since a promise that is denied ("past performance does not guarantee future results") is the
opposite of one. A finding is the whole sentence: what is said in its place is to follow no half of it. Source: FINRA
Rule 2210(d)(1)(B) and (F): no promissory or misleading claims, no projections of performance.
"""

from collections.abc import Sequence
from typing import Any, Final, final

import msgspec
import re2

from trunkline.guardrails.check import NOTHING, CheckKind, Found, Hold, Scanner
from trunkline.guardrails.folding import fold
from trunkline.guardrails.scanners import scanner_of

_MEMORY: Final = 16 << 20  # bytes that RE2 may use for a form
_NUMBER: Final = (
    r"(?:\d[\d,.]{0,9}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty"
    r"|double[- ]digit)"
)
_PERCENT: Final = rf"{_NUMBER}(?: (?:to|or|and a half|point) ?(?:{_NUMBER})?)? ?(?:%|percent|per cent)"
_GAIN: Final = r"(?:returns?|profits?|gains?|income|growth|yields?|interest|performance|money back|principal|results?)"
# What the value of an investment does, or somebody with it, where it is said that it will.
_WILL: Final = r"\b(?:will|'ll|going to|gonna|bound to|certain to|sure to|destined to|set to)\b"
_EARN: Final = "(?:return|earn|make|gain|grow|deliver|generate|give|go up|bring|pay|yield|get|throw off|rise|climb|appreciate|jump)"
_MORE: Final = (
    r"(?:mak(?:e|es|ing) (?:you |a |some |more )*(?:money|profits?)|go(?:es|ing)? up|ris(?:e|es|ing)|grow(?:s|ing)?|climb\w*"
    r"|profits?|gains?|returns?|earn\w*|recover\w*|double[sd]?|perform\w*|come back|pay(?:s|ing)? off|percent|%|beat\w*"
    r"|outperform\w*|higher|make money|do well|balance)"
)
_NEVER: Final = (
    r"\b(?:can't|cannot|can not|won't|will not|never|impossible to|(?:nobody|no one) (?:can|will|could)"
    r"|no way (?:to|(?:that )?(?:you|we|anyone|it)(?: can| could| will)?))"
)
_CERTAIN: Final = r"(?:certain|assured|secured?|locked[- ]in|a certainty|built in|in the bag)"
_ANYTHING: Final = r"(?s:.*)"
_ANY_MARKET: Final = (
    r"(?:without (?:fail|exception)|come rain or shine|no matter what|whatever happens|whatever the markets? (?:do|does)"
    r"|(?:any|every) markets?|(?:in )?good (?:markets |times )?(?:and|or) bad|every single (?:time|year|month)|every time)"
)
_BETWEEN: Final = r"[^.;!?]{0,40}?"
_FAR: Final = r"[^.;!?]{0,60}?"
_MARKET: Final = r"(?:it|they|markets?|stocks?|shares|fund|prices?|portfolio|index|this one|everything)"
_SUM: Final = r"(?:[$\w,.-]+ ){0,5}?(?:million|thousand|millionaires?)"
# rule, what it is, and the words.
_RULES: Final = (
    (
        "guaranteed",
        "a guaranteed return",
        (
            rf"\bguarantee(?:s|d|ing)?\b{_BETWEEN}\b{_GAIN}\b",
            rf"\b{_GAIN}\b{_BETWEEN}\b(?:is|are|be|comes?|it's|they're) (?:\w+ )?guaranteed\b",
            rf"\bguaranteed (?:[\w-]+ )?{_PERCENT}",
            r"\b(?:i|we) (?:can |do )?(?:guarantee|promise) (?:you|that|it|this|your)\b",
            rf"\b(?:i|we)(?:'ll| can| will| do| personally)* (?:guarantee|promise|assure)\b{_FAR}\b{_MORE}",
            rf"\b(?:my|our) (?:word|guarantee|promise)\b{_FAR}\b{_MORE}",
            rf"\brest assured\b{_FAR}\b{_MORE}",
            rf"\b(?:assured|certain|sure) {_GAIN}\b",
            rf"\b(?:gains?|profits?|returns?)\b[^.;!?]{{0,20}}?\b(?:is|are) (?:\w+ )?{_CERTAIN}\b",
            rf"\b(?:locks? in|locked[- ]in)\b{_BETWEEN}\b(?:gains?|profits?|returns?|percent)\b",
            r"\b(?:for )?(?:certain|sure) (?:that |to )?(?:you(?:'ll| will)? )?(?:make|earn|profit|come out ahead)\b",
            r"\balways (?:makes?|goes? up|rises?|delivers?|pays? off|wins?|grows?|comes? (?:out ahead|back)|earns?|recovers?|beats?)\b",
            r"\bnever (?:has|had|have|sees?) a (?:losing|down|bad|negative) (?:year|quarter|month|week|day)\b",
            rf"\b{_ANY_MARKET}\b{_FAR}\b{_MORE}",
            rf"\b(?:pays?|earns?|grows?|makes?|delivers?|returns?|works|positive)\b{_FAR}\b{_ANY_MARKET}\b",
            rf"\b(?:count|bank|rely|depend)(?:ing)? on\b{_BETWEEN}\b(?:{_MORE}|{_GAIN})",
            r"\b(?:fool[- ]?proof|fail[- ]?safe|sure[- ]?fire)\b[^.;!?]{0,40}?\b"
            r"(?:plan|way|system|strategy|investment|savings|money|profits?|formula|method)\b",
            rf"\bproven (?:system|formula|method|strategy)\b{_BETWEEN}\b(?:money|{_GAIN})\b",
            r"\b(?:has|have) never failed\b|\b(?:will not|won't|can't|cannot|never) fail you\b",
            r"\b(?:make you whole|(?:cover|refund|reimburse|absorb|make up|pay you back)\b[^.;!?]{0,20}?\b(?:loss|losses))\b",
            rf"\bmoney in the bank\b{_BETWEEN}\b(?:you|your)\b",
        ),
    ),
    (
        "no_risk",
        "a claim that nothing can be lost",
        (
            r"\brisk[- ]?free\b",
            r"\b(?:no|zero|without(?: any| the| taking| all| taking any)?|free of(?: any)?) (?:\w+ ){0,1}(?:risk|downside)s?\b",
            r"(?:\bnot|n't|\bwithout) risking (?:a|any|anything|your|one)\b",
            r"\b(?:no|zero) (?:\w+ )?(?:chance|probability|possibility|danger) (?:of|that|you|to)\b[^.;!?]{0,20}?\blos(?:s|ses|ing|e)\b",
            r"\b(?:risk|downside|(?:chance|probability) of (?:a )?loss) is (?:\w+ )?(?:zero|nil|none|nonexistent)\b",
            r"\b(?:all|only(?: got| has)?|nothing but) upside\b",
            rf"{_NEVER} (?:possibly |ever |really |see a |have a )?"
            r"(?:lose|loss|go wrong|fail|miss|shrink|drop|fall|go down|decline)\b",
            r"\bcan't[- ]miss\b",
            r"\bnothing (?:bad |that )?(?:can|will|could) (?:happen|go wrong)\b|\blos(?:e|ing) nothing\b",
            r"\b(?:sure|safe) (?:thing|bet|winner)s?\b|\bslam dunk\b|\bis a lock\b",
            r"\b(?:completely|totally|perfectly|absolutely|fully|entirely|hundred percent|100 ?%|100 percent) (?:safe|protected)\b",
            r"\bsafest (?:\w+ )?(?:investment|stock|fund|bet|choice|place|thing)\b",
            r"\bas safe as (?:cash|money|a bank|the bank|gold|houses)\b",
            r"\b(?:protect|shield)\w*\b[^.;!?]{0,20}?\b(?:from|against) (?:all|any|every)\b[^.;!?]{0,12}?\blosse?s?\b",
            r"\b(?:bullet|crash|recession)[- ]?proof\b|\bimmune (?:to|from) (?:\w+ )?(?:loss|losses|crashes|downturns)\b",
            r"\bnothing to lose\b",
        ),
    ),
    (
        "projection",
        "a projection of performance",
        (
            rf"{_WILL}{_BETWEEN}\b{_EARN}\b{_BETWEEN}{_PERCENT}",
            rf"{_WILL}{_BETWEEN}\b(?:double|triple|quadruple|outperform|pay off)\b",
            rf"{_WILL}{_BETWEEN}\b(?:beat|crush|outpace)\b[^.;!?]{{0,12}}?\b(?:market|index|benchmark|inflation|s&p)\b",
            rf"{_WILL}{_BETWEEN}\b(?:make (?:you |them )?(?:very |really )?(?:rich|money|wealthy|a (?:fortune|millionaire|profit))"
            r"|be a millionaire|retire (?:rich|wealthy|a millionaire)|set you up for life|earn (?:you )?more)\b",
            rf"{_WILL}{_BETWEEN}\b(?:be worth|turn into|become|grow (?:in)?to|have)\b {_SUM}\b",
            rf"{_WILL}{_BETWEEN}\b(?:hit|reach|be at|climb to|go to) (?:\$|about |over )*{_NUMBER}(?:[ -]\w+){{0,3}} ?(?:dollars|by)\b",
            rf"{_WILL}{_BETWEEN}\b(?:pay|get|give|make|earn|bring)\b{_BETWEEN}\b(?:a|every|per|each) (?:month|year) (?:from|for life)\b",
            rf"\b{_MARKET}(?:'s| is| are|'re)?(?: \w+)? ?(?:will|'ll|going to|gonna|bound to|sure to|certain to|destined to)"
            r"(?: \w+){0,2}? (?:go up|rise|climb|come back|bounce (?:right )?back|be back|rebound|recover|soar|rally)\b",
            rf"\b{_MARKET}(?:'s| is| are|'re) (?:\w+ )?going up\b",
            r"\byou(?:'ll| will) (?:recover|get) (?:everything|all your money|your money) ?(?:back)?\b",
            r"\blosses? (?:will|'ll) be (?:made up|recovered|won back)\b",
            rf"\b(?:expect|looking at)\b{_BETWEEN}{_PERCENT}",
            rf"\b(?:project|forecast|predict)(?:s|ed|ing|ions?)?\b{_BETWEEN}{_PERCENT}",
            r"\b(?:double|triple) (?:your|their|my|the) (?:money|investment|savings)\b",
        ),
    ),
)  # fmt: skip
# What stands before a promise, in it or behind it and makes it none.
_DENIED: Final = re2.compile(
    r"\b(?:no|not|never|cannot|nobody|nothing|none|neither|nor|without|can't|don't|doesn't|didn't|won't|isn't|aren't|wasn't"
    r"|wouldn't|couldn't|shouldn't|unable|avoid|beware|careful|so-called|illegal|prohibited|too good|whether|if|would"
    r"|could|might|may|words|ads?|scams?|frauds?|claims?|claimed|claiming|says?|said|told|asked|mentioned|hopes?|analysts?"
    r"|prohibits?|forbids?|assuming|suppose)\b[^.;!?]{0,60}$"
)
_NO_DENIAL: Final = re2.compile(  # what holds a word that denies, and does not
    r"\b(?:no[- ]brainer|no question|no doubt|no matter|without (?:a )?doubt|without fail|never fails?"
    r"|(?:don't|won't|not) (?:have to |need to )?worry(?: about it)?)\b"
)
_BEHIND: Final = re2.compile(  # what says of a promise that there is none
    r"^[^.;!?]{0,60}\b(?:must not|may not|not be used|red flag|hang up|is (?:a )?(?:fraud|scam)|nothing i could|no one can know"
    r"|(?:it|that)(?:'s| is) not|or not|may not)\b"
)
_QUESTION: Final = re2.compile(
    r"^\W*(?:(?:so|and|but|well|okay|uh|um) ,?)*"
    r"(?:(?:is|are|will|can|do|does|did|would|could) (?:it|this|that|they|the|you|there|i|we|your|my|an?|any)\b"
    r"|(?:is|are|will|can|could|do|does|did|what|how|when|who|which|why|has|have)\b.*\?\s*$)"
)
_SPEAKER: Final = re2.compile(r"\b(?:i|we)\s*$")  # what I will do is no return of an investment
_NOTHING: Final = re2.compile(
    r"\b(?:guarantee\w* (?:nothing|no)|no guarantee|(?:is|are|be|been|was|were) (?:not|never|neither)\b"
    r"|(?:promise|assure|guarantee)(?: you)?(?: that)? (?:i|we|to|a reply)\b)|n't (?:\w+ )?guaranteed"
)
_OF_RISK: Final = re2.compile(
    r"^-|^ ?(?:assessment|tolerance|profile|questionnaire|management|disclosure|score|review|factor|rates?\b)"
)
# What is promised every day, and what tells that it is an investment.
_EVERYDAY: Final = re2.compile(
    r"\b(?:appointments?|meetings?|calls?|called|phone|reply|answers?|e-?mails?|letters?|forms?|documents?|seats?|seminar"
    r"|parking|park|passwords?|delivery|queue|access|site|office|link|app|log ?in|data|receipts?|accountant|reschedul\w+"
    r"|cancel\w*|request|message|asking|friday|fees?|settle|arrive|reach you|send)\b"
)
_INVESTED: Final = re2.compile(
    r"\b(?:returns?|profits?|gains?|money|invest\w*|funds?|stocks?|shares?|portfolio|bonds?|markets?|percent|loss|losses"
    r"|principal|capital|strategy|notes?|etfs?|annuity|savings|retire\w*|ira)\b|%"
)
_NO_RETURN: Final = re2.compile(  # what rises, and is no return
    r"\b(?:fees?|tax(?:es)?|premiums?|rents?|payments?|limits?|rates?|social security|costs?|bills?|deductible|withholding"
    r"|contributions?|distributions?|minimum|mortgage|loan|pension|salary)\b"
)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """There are none."""


def _compiled() -> tuple[Any, list[tuple[str, str, list[Any]]]]:
    """Return an expression that all promises match, and others, and the forms of each rule."""
    options = re2.Options()
    options.max_mem = _MEMORY
    # With bounds, the forms together have more states than memory is good for; without them, hardly any.
    wide = [form.replace(_BETWEEN, _ANYTHING).replace(_FAR, _ANYTHING) for _, _, forms in _RULES for form in forms]
    rules = [(name, why, [re2.compile(form, options) for form in forms]) for name, why, forms in _RULES]
    return re2.compile("|".join([f"(?:{form})" for form in wide]), options), rules


@final
class Promissory:
    """Finds promises in sentences."""

    __slots__ = ("_any", "_rules", "version")

    def __init__(self, settings: Settings) -> None:  # noqa: ARG002 - there are none
        self._any, self._rules = _compiled()
        self.version = "2"

    def scanner(self, hold: Hold) -> Scanner:
        """Return a scanner for one text."""
        return scanner_of(hold, self._look)

    def _look(self, unit: str, before: str) -> Sequence[Found]:  # noqa: ARG002 - a promise is made in one sentence
        text = fold(unit).text
        if self._any.search(text) is None:
            return NOTHING
        if _QUESTION.search(text) or (_EVERYDAY.search(text) and not _INVESTED.search(text)):
            return NOTHING
        found: list[Found] = []
        for name, why, forms in self._rules:
            if _promises(name, forms, text):
                found.append(Found(name, 0, len(unit), 1.0, why))
        return found or NOTHING


def _promises(rule: str, forms: Sequence[Any], text: str) -> bool:
    """Whether one of the forms makes a promise that is not denied."""
    for form in forms:
        match = form.search(text)
        while match is not None:
            if not _is_denied(rule, text, match.start(), match.end()):
                return True
            match = form.search(text, match.start() + 1)
    return False


def _is_denied(rule: str, text: str, start: int, end: int) -> bool:
    """Whether a promise is none for the words around it."""
    before, said, after = text[:start], text[start:end], text[end:]
    return any((
        _DENIED.search(_NO_DENIAL.sub("", before)),
        _NOTHING.search(said),
        _BEHIND.search(after),
        _SPEAKER.search(before) and not said.startswith(("guarantee", "i ", "we ")),
        _OF_RISK.search(after),
        rule == "projection" and _NO_RETURN.search(text[:end]),
    ))  # fmt: skip


KIND: Final = CheckKind(Settings, Promissory, stages=("output",))
