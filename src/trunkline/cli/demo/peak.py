"""The failover at peak: calls are being answered when the first provider begins to say 429."""

from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue

from trunkline.cli.demo.advisors import ADVISORS, CLEO, Advisor
from trunkline.cli.demo.caller import Caller, Ended
from trunkline.cli.demo.narration import Narrator
from trunkline.cli.demo.promises import DemoFailed, expect
from trunkline.cli.demo.stage import VOICE_PACE
from trunkline.simulator import ErrorAnswer, Script, ThreadedSimulator

OCCASION = "peak"
QUESTION = "What did the Henderson household pay in fees last year?"
LATE = (*ADVISORS, *ADVISORS)
BEGIN_SECONDS = 20.0
# Slow enough to be still speaking while a few other calls are made: two and a half seconds for the answer.
UNHURRIED = Script(first_token=0.25, tokens_per_second=10.0)
RETRY_AFTER = 7
REFUSING = Script(fault=ErrorAnswer(status=429, retry_after=RETRY_AFTER))
COLUMNS = ("user", "began", "answered by", "attempts", "outcome")


class Peak:
    """Ten calls around the moment at which a provider has enough."""

    def __init__(self, caller: Caller, simulator: ThreadedSimulator, narrator: Narrator) -> None:
        self._caller, self._simulator, self._narrator = caller, simulator, narrator

    def play(self) -> str:
        """Play the scene; returns the id of the call that met the refusal."""
        with ThreadPoolExecutor(len(ADVISORS) + len(LATE)) as pool:
            try:
                return self._play(pool)
            finally:
                self._simulator.openai.play(VOICE_PACE)

    def _play(self, pool: ThreadPoolExecutor) -> str:
        narrator = self._narrator
        early = self._begin(pool)
        self._simulator.openai.play(REFUSING)
        narrator.tells(f"Three answers are on their way. Now OpenAI says 429, Retry-After: {RETRY_AFTER}.\n")
        narrator.says(CLEO.first_name, QUESTION)
        refused = self._caller.ask(CLEO, OCCASION, [{"role": "user", "content": QUESTION}])
        narrator.says("assistant", refused.message.content or "")
        narrator.headers(refused.headers)
        narrator.ending(refused.usage, refused.trunkline)
        expect(refused.trunkline.get("attempts") == 2, "the second provider answers")
        narrator.tells("\nSix more at once. The gateway knows by now and asks Anthropic straight away.\n")
        late = list(pool.map(self._ask, LATE))
        self._show([future.result() for future in early], refused, late)
        return refused.call

    def _begin(self, pool: ThreadPoolExecutor) -> list[Future[Ended]]:
        """Begin a stream of each advisor's; returns when all of them are speaking."""
        self._simulator.openai.play(UNHURRIED)
        speaking: SimpleQueue[Advisor] = SimpleQueue()
        streams = [pool.submit(self._ask, advisor, speaking) for advisor in ADVISORS]
        begun: set[Advisor] = set()
        try:
            while len(begun) < len(ADVISORS):
                begun.add(speaking.get(timeout=BEGIN_SECONDS))
        except Empty:
            raise DemoFailed("This did not happen: three streams begin.") from None
        return streams

    def _ask(self, advisor: Advisor, speaking: SimpleQueue[Advisor] | None = None) -> Ended:
        def hears(_: str) -> None:
            if speaking is not None:
                speaking.put(advisor)

        return self._caller.stream(advisor, OCCASION, QUESTION, hears)

    def _show(self, early: list[Ended], refused: Ended, late: list[Ended]) -> None:
        whens = [("before", early), ("at the 429", [refused]), ("after", late)]
        self._narrator.table(COLUMNS, [_cells(when, ended) for when, calls in whens for ended in calls])
        everyone = [*early, refused, *late]
        expect(all(ended.trunkline["outcome"] == "answered" for ended in everyone), "every caller gets an answer")
        expect({ended.provider for ended in early} == {"openai"}, "what OpenAI had begun it ends")
        expect({ended.provider for ended in late} == {"anthropic"}, "later calls go to Anthropic")
        self._narrator.tells(f"\n{len(everyone)} calls, no error, no silence. What OpenAI had begun it ended.")


def _cells(when: str, ended: Ended) -> tuple[str, ...]:
    about = ended.trunkline
    return ended.advisor.user, when, ended.provider, str(about["attempts"]), about["outcome"]
