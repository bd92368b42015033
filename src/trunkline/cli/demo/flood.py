"""The limited advisor: a script of one of them asks far too much at once, and the others notice nothing."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai

from trunkline.cli.demo.advisors import ANN, BO, CLEO, Advisor
from trunkline.cli.demo.caller import CHAT, Caller
from trunkline.cli.demo.commands import output_of, written
from trunkline.cli.demo.narration import Narrator
from trunkline.cli.demo.promises import expect
from trunkline.cli.demo.stage import LIMITED, USER_LIMIT, Stage

OCCASION = "flood"
QUESTION = "Summarise the household's last statement in one sentence."
FLOOD = 2 * USER_LIMIT
COLUMNS = ("user", "calls", "answered", "limited")
SHOWN_HEADERS = ("retry-after", "x-should-retry", "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests")


class Flood:
    """Many calls of one advisor at once, one of each of the others, and what each is told."""

    def __init__(self, stage: Stage, narrator: Narrator) -> None:
        self._stage, self._narrator = stage, narrator

    def play(self) -> None:
        """Play the scene. Raises DemoFailed and StageFailed."""
        narrator = self._narrator
        narrator.scene(
            "A limited advisor",
            f"A script of Ann's asks {FLOOD} questions at once. A user may make {USER_LIMIT} calls a minute.",
        )
        with Caller(self._stage.url, self._stage.key) as caller, ThreadPoolExecutor(FLOOD + 2) as pool:
            asked = [ANN] * FLOOD + [BO, CLEO]
            refusals = list(pool.map(lambda who: _refusal(caller, who), asked))
            self._show(asked, refusals)
            self._on_the_phone(caller)
        words = ("limits", "show", "--rule", "user_limits")
        told = output_of(self._stage, words)
        narrator.tells("\nEvery limit and budget, its use and its owner, live:\n")
        narrator.command(written(words), told)
        expect("100.0" in told and ANN.user in told, "the limit that is used up is shown with its owner")

    def _show(self, asked: list[Advisor], refusals: list[openai.RateLimitError | None]) -> None:
        rows = []
        for who in (ANN, BO, CLEO):
            theirs = [refused for caller, refused in zip(asked, refusals, strict=True) if caller is who]
            limited = sum(refused is not None for refused in theirs)
            rows.append((who.user, str(len(theirs)), str(len(theirs) - limited), str(limited)))
        self._narrator.table(COLUMNS, rows)
        of_ann = [refused for refused in refusals if refused is not None]
        expect(0 < FLOOD - len(of_ann) <= USER_LIMIT, "Ann is let in up to her limit")
        expect(all(row[3] == "0" for row in rows[1:]), "the others are answered")
        self._tell_why(of_ann[0])

    def _tell_why(self, refused: openai.RateLimitError) -> None:
        body: Any = refused.body
        headers = refused.response.headers
        self._narrator.tells(
            "\nThe others are served. Ann's script is told whose limit it is, and when to come back:\n"
        )
        self._narrator.says(str(refused.status_code), body["message"])
        self._narrator.facts({name: headers[name] for name in SHOWN_HEADERS if name in headers})
        expect(body["trunkline"]["rule"] == "user_limits.requests_per_minute", "the rule is named")
        expect(int(headers["retry-after"]) > 0, "it is said when to come back")

    def _on_the_phone(self, caller: Caller) -> None:
        self._narrator.tells("\nOn the phone an error would be silence. There the route has a sentence for it:\n")
        self._narrator.says(ANN.first_name, QUESTION)
        ended = caller.ask(ANN, OCCASION, [{"role": "user", "content": QUESTION}])
        self._narrator.says("assistant", ended.message.content or "")
        self._narrator.ending(ended.usage, ended.trunkline)
        expect(ended.message.content == LIMITED, "she hears the sentence")
        expect(ended.trunkline["outcome"] == "limited", "the record says what happened")


def _refusal(caller: Caller, who: Advisor) -> openai.RateLimitError | None:
    """Make a call; return why it was refused, None if it was answered."""
    try:
        caller.ask(who, OCCASION, [{"role": "user", "content": QUESTION}], route=CHAT)
    except openai.RateLimitError as refused:
        return refused
    return None
