"""Where in the document something is, and the one list that every check reports to."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from trunkline.config.document import Mapping, Node, Scalar
from trunkline.config.problems import Problem

SHOWN_NAMES = 12
# Nobody reads more, and a file of nothing but mistakes must not take minutes.
MOST_PROBLEMS = 500


@dataclass(frozen=True, slots=True)
class Place:
    """A node and the path to it."""

    path: str
    node: Node

    def below(self, name: str) -> "Place":
        """Return the place of a key's value; this place where the key is absent."""
        node = self.node.get(name) if isinstance(self.node, Mapping) else None
        return self if node is None else Place(self.join(name), node)

    def join(self, name: str) -> str:
        """Return the path of a key below this place."""
        return f"{self.path}.{name}" if self.path else name

    @property
    def written(self) -> str:
        """The value as the file has it, which never shows what a reference stands for."""
        return self.node.written if isinstance(self.node, Scalar) else ""


class TooManyProblems(Exception):
    """There are so many mistakes that looking for more is no help."""


class Problems:
    """Collects what is wrong with one file; raises `TooManyProblems` at the limit."""

    def __init__(self, file: str, found: Iterable[Problem] = ()) -> None:
        self.file = file
        self.found = list(found)

    def has(self, path: str) -> bool:
        """Whether a value was reported already; what follows from it would only distract."""
        return any(problem.path == path for problem in self.found)

    def add(self, place: Place, message: str, fix: str) -> None:
        """Report a mistake at a value."""
        self.take(Problem(self.file, place.node.line, place.node.column, place.path, message, fix))

    def take(self, problem: Problem) -> None:
        """Add a mistake that was found elsewhere."""
        self.found.append(problem)
        if len(self.found) >= MOST_PROBLEMS:
            raise TooManyProblems


def nearest(word: str, known: Iterable[str], later: Iterable[str] = ()) -> str:
    """Return a fix for a name that is not known: the nearest one, `later` ones too, else what there is."""
    names = sorted(set(known))
    close = get_close_matches(word, [*names, *later], n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    if not names:
        return "there are none"
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return f"there are: {', '.join(names[:SHOWN_NAMES])}{more}"
