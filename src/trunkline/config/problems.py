"""What is wrong with a configuration: where, what, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake. `line` and `column` count from 1; a mistake of the whole file is at 1:1.

    `path` is the way to the value, for example `routes.advisor-voice.targets[0].provider`. No field ever holds the
    value of a secret or of a reference.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    fix: str

    def __str__(self) -> str:
        where = f" {self.path}" if self.path else ""
        fix = f"; {self.fix}" if self.fix else ""
        return f"{self.file}:{self.line}:{self.column}{where}: {self.message}{fix}"


class ConfigInvalid(Exception):
    """A configuration that must not be used; `problems` has all of its mistakes, in the order of their lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__(render(self.problems))


def render(problems: Iterable[Problem]) -> str:
    """Return the problems as text for a terminal, one line each."""
    return "\n".join(str(problem) for problem in problems)
