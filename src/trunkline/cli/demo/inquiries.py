"""What people ask of the calls afterwards: the real commands, beside the running gateway."""

from trunkline.cli.demo.advisors import ADVISORS, ANN, BO, directory_file
from trunkline.cli.demo.commands import output_of, written
from trunkline.cli.demo.narration import Narrator
from trunkline.cli.demo.promises import expect
from trunkline.cli.demo.scenes import REVIEW, TOOL
from trunkline.cli.demo.stage import DIRECTORY_FILE, Stage

BY_TARGET = "SELECT provider, outcome, reason, count(*) AS n\n  FROM attempts GROUP BY ALL ORDER BY ALL"


class Inquiries:
    """Questions, each as a scene: the command line and what it answers."""

    def __init__(self, stage: Stage, narrator: Narrator) -> None:
        self._stage, self._narrator = stage, narrator

    def directory(self) -> None:
        """Who may be asked for: the users that the tenant's directory has, with their teams."""
        self._narrator.scene(
            "Three advisors of two teams",
            "The firm's own list says who is in which team. A call's cost goes to the team of that day.",
        )
        self._narrator.file(DIRECTORY_FILE, (self._stage.directory / DIRECTORY_FILE).read_text())
        expect(all(who.user in directory_file() for who in ADVISORS), "the directory has the advisors")

    def costs(self) -> None:
        """What each advisor has cost."""
        self._narrator.scene(
            "Who spent what?", "By team and advisor; and how much of it is estimated, was cancelled or has failed."
        )
        told = self._run("costs", "--by", "team,user")
        callers = ADVISORS if self._stage.simulator is not None else (ANN, BO)  # Cleo calls at peak only
        expect(all(who.user in told and who.team in told for who in callers), "each advisor's cost is told")

    def story(self, call: str) -> None:
        """What happened to one call."""
        self._narrator.scene("What happened to that call?", "Its whole story, in milliseconds from its beginning.")
        told = self._run("calls", "show", call)
        expect(call in told and "settled" in told, "a call's story is told to its end")

    def transcript(self) -> None:
        """What was said in one conversation."""
        self._narrator.scene(
            "What was said?", "A session, as one conversation: tools, their results, and what the advisor heard."
        )
        told = self._run("sessions", "show", BO.session(REVIEW))
        expect(f"tool result {TOOL['function']['name']}" in told, "the tool's result is in the conversation")
        expect("heard: " in told, "what was heard of the answer is told")

    def query(self) -> None:
        """Anything else."""
        self._narrator.scene("Anything else?", "SQL over all calls, attempts and costs. It can read nothing else.")
        expect("anthropic" in self._run("sql", BY_TARGET) or self._stage.simulator is None, "each attempt is counted")

    def _run(self, *words: str) -> str:
        told = output_of(self._stage, words)
        self._narrator.command(written(words), told)
        return told
