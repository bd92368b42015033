"""The answer that is stopped: what the provider sends, what of it is heard, and what the record says of that."""

from trunkline.cli.demo import advice
from trunkline.cli.demo.advisors import BO
from trunkline.cli.demo.caller import Caller, Ended
from trunkline.cli.demo.commands import output_of, written
from trunkline.cli.demo.narration import Narrator
from trunkline.cli.demo.promises import DemoFailed, expect
from trunkline.cli.demo.stage import VOICE_PACE, Stage
from trunkline.simulator import Script

OCCASION = "advice"
SAYING_IT = Script(
    text=advice.ANSWER, first_token=VOICE_PACE.first_token, tokens_per_second=VOICE_PACE.tokens_per_second
)


class Guarded:
    """A stream under a policy, whose provider says what the policy does not let pass."""

    def __init__(self, stage: Stage, narrator: Narrator) -> None:
        self._stage, self._narrator = stage, narrator

    def play(self) -> None:
        """Play the scene. Raises DemoFailed and StageFailed."""
        narrator = self._narrator
        narrator.scene(advice.TITLE, advice.TELLS)
        narrator.says(BO.first_name, advice.QUESTION)
        narrator.says("provider", advice.ANSWER)
        ended = self._stream()
        self._account(ended)
        self._show_record(ended)

    def _stream(self) -> Ended:
        """Have the question answered by providers that say it; show what comes through."""
        narrator, simulator = self._narrator, self._stage.simulator
        if simulator is None:
            raise DemoFailed("a recommendation is only staged with simulated providers")
        providers = (simulator.openai, simulator.anthropic)
        heard: list[str] = []

        def hears(piece: str) -> None:
            heard.append(piece)
            narrator.piece(piece)

        narrator.tells("\nAnd this is what the caller is sent:\n")
        narrator.begins_to_say("assistant")
        for provider in providers:
            provider.play(SAYING_IT)
        try:
            with Caller(self._stage.url, self._stage.key) as caller:
                ended = caller.stream(BO, OCCASION, advice.QUESTION, hears, route=advice.ROUTE)
        finally:
            for provider in providers:
                provider.play(VOICE_PACE)
        narrator.ends_to_say()
        expect("".join(heard) == advice.CLEAR + advice.APPROVED, "the approved sentence is heard behind what was clear")
        return ended

    def _account(self, ended: Ended) -> None:
        narrator, about = self._narrator, ended.trunkline
        narrator.headers(ended.headers)
        narrator.ending(ended.usage, about)
        told = {"trunkline.guardrail": about["guardrail"], "trunkline.hold_ms": about["hold_ms"]}
        narrator.facts({"finish_reason": ended.finish} | told)
        expect(ended.finish == "stop", "to the caller's framework it is an answer like any other")
        expect((about["outcome"], about["guardrail"]) == ("replaced", advice.POLICY), "the stream's end says why")

    def _show_record(self, ended: Ended) -> None:
        words = ("calls", "show", ended.call)
        told = output_of(self._stage, words)
        self._narrator.tells("\nThe record: which policy, which rule, where, and how long text was held for it.\n")
        self._narrator.command(written(words), told)
        expect(f"{advice.POLICY} found {advice.RULE}" in told, "policy and rule are on record")
        expect(f"characters {len(advice.CLEAR)} to " in told, "it is on record where")
        expect(f"{ended.trunkline['hold_ms']:g} ms of the time was holding" in told, "it is on record how long")
