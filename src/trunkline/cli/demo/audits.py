"""What an auditor does with the logs: check them, prove a call to somebody else, and find what was changed."""

import shutil
from pathlib import Path

from trunkline.cli.demo.commands import output_of, written
from trunkline.cli.demo.narration import Narrator
from trunkline.cli.demo.promises import DemoFailed, expect
from trunkline.cli.demo.stage import Stage

PROOF = "call.json"
PUBLIC_KEY = "data/audit.pub"
TAMPERED = "tampered"
WAS, IS = b'"outcome":"answered"', b'"outcome":"answereD"'
VERIFY = ("audit", "verify")


def show_audit(stage: Stage, narrator: Narrator, call: str) -> None:
    """Check the logs of a gateway that has ended, prove a call, and change a letter. Raises DemoFailed, StageFailed."""
    narrator.scene("Can it be shown?", "The gateway has ended. Is each log what was signed while it ran?")
    _command(stage, narrator, VERIFY, "intact: ")
    narrator.tells("\nProof of one call, for somebody who has the public key and nothing else:\n")
    _command(stage, narrator, ("audit", "prove", call, "--output", PROOF), "")
    _command(stage, narrator, ("audit", "check-proof", PROOF, "--public-key", PUBLIC_KEY), "proven: call.closed")
    narrator.tells("\nAnd a copy of all of it, in which somebody has changed one letter of one record:\n")
    changed = _changed(stage.directory)
    _command(stage, narrator, (*VERIFY, "--data-dir", TAMPERED), f"damaged: {changed} at offset", ends_with=1)


def _command(stage: Stage, narrator: Narrator, words: tuple[str, ...], says: str, *, ends_with: int = 0) -> None:
    output = output_of(stage, words, ends_with)
    narrator.command(written(words), output)
    expect(says in output, f"`{written(words)}` says {says!r}")


def _changed(directory: Path) -> str:
    """Copy the data directory, change a letter in a record of a call, and return the file that has it."""
    copy = directory / TAMPERED
    shutil.copytree(directory / "data", copy, ignore=shutil.ignore_patterns("index", "*.sock"))
    for path in sorted(copy.glob("log/*/worker-*/*.seg")):
        data = path.read_bytes()
        if WAS in data:
            path.chmod(0o600)
            path.write_bytes(data.replace(WAS, IS, 1))
            return str(path.relative_to(directory))
    raise DemoFailed("This did not happen: a call was answered and is on record.")
