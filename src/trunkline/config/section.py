"""Sections: frozen dataclasses that say how each of their keys is read, and the reader made from that.

Dataclasses and small readers rather than a validation library: each message has its own fix, a fraction never becomes
a binary float on its way, and what is wrong in one place does not hide what is wrong in another.
"""

from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields
from enum import Enum
from typing import Any, ClassVar, Final, Generic, TypeVar

from trunkline.config.document import Mapping, Scalar
from trunkline.config.places import Place, Problems, nearest
from trunkline.config.readers import BAD, Bad, Reader, is_null, json_value

READER = "reader"
DEFAULT = "default"
STAND_IN = "stand_in"
NAME = "name"
SAYS = "says"
OFF = "off"


class Absent(Enum):
    """The types of the two defaults that are no values."""

    REQUIRED = "required"
    EMPTY = "empty"


REQUIRED: Final = Absent.REQUIRED
# A section with nothing in it: each of its keys has its default.
EMPTY: Final = Absent.EMPTY


@dataclass(frozen=True, kw_only=True)
class Section:
    """A map with known keys. `place` is where it stands; `LATER` are keys that a later version will know.

    `OPEN` is the field that takes what other keys say, as JSON has it, where a section has keys that it does not know.

    Instances come from `SectionReader` alone, which fills in the defaults.
    """

    LATER: ClassVar[tuple[str, ...]] = ()
    OPEN: ClassVar[str | None] = None
    place: Place = field(repr=False, compare=False)


S = TypeVar("S", bound=Section)


def option(
    reader: Reader[Any], default: Any = REQUIRED, *, stand_in: Any = None, name: str | None = None, says: str = ""
) -> Any:
    """Declare a key of a section; without a default it must be there.

    `stand_in` is what the section has where such a key is missing or bad, so that the rest of it is checked too. It
    is never compiled, because a problem was reported. `name` is what the file calls it where Python has another use for
    that word; `says` is what the reference says of it.
    """
    return field(metadata={READER: reader, DEFAULT: default, STAND_IN: stand_in, NAME: name, SAYS: says})


def settings(kind: type[Section]) -> Iterator[Field[Any]]:
    """Yield the keys that a section knows, in the order of their declaration."""
    return (item for item in fields(kind) if READER in item.metadata)


def name_of(item: Field[Any]) -> str:
    """Return what the file calls a key."""
    return item.metadata[NAME] or item.name


class SectionReader(Generic[S]):
    """Reads a section. It is `BAD` only where it is no map: a bad value is replaced by its default or stand-in."""

    def __init__(self, kind: type[S]) -> None:
        self.kind = kind

    def __call__(self, place: Place, problems: Problems) -> S | Bad:
        """Read the section."""
        if not isinstance(place.node, Mapping):
            if not isinstance(place.node, Scalar) or place.node.usable:
                problems.add(place, "must be a map", f"its keys are: {', '.join(self.known)}")
            return BAD
        values = {item.name: self._value(item, place, problems) for item in settings(self.kind)}
        if self.kind.OPEN is not None:
            values[self.kind.OPEN] = self._others(place, place.node, problems)
        else:
            self._refuse_unknown(place, place.node, problems)
        return self.kind(place=place, **values)

    def _others(self, place: Place, node: Mapping, problems: Problems) -> dict[str, Any]:
        others = [(key.text, Place(place.join(key.text), below)) for key, below in node.entries]
        read = [(name, json_value(below, problems)) for name, below in others if name not in self.known]
        return {name: value for name, value in read if value is not BAD}

    @property
    def known(self) -> list[str]:
        """The keys that may be written."""
        return [name_of(item) for item in settings(self.kind)]

    def _value(self, item: Field[Any], place: Place, problems: Problems) -> Any:
        read, default = item.metadata[READER], item.metadata[DEFAULT]
        name = name_of(item)
        below = place.below(name)
        if below is place and default is REQUIRED:
            problems.add(place, f"`{name}` is missing", f"add `{name}:`")
        elif below is not place and not (is_null(below) and (default is None or default is EMPTY)):
            value = read(below, problems)
            if value is not BAD:
                return value
        if default is EMPTY:
            nothing = Mapping(place.node.line, place.node.column, ())
            return read(Place(place.join(name), nothing), problems)
        return item.metadata[STAND_IN] if default is REQUIRED else default

    def _refuse_unknown(self, place: Place, node: Mapping, problems: Problems) -> None:
        for key, _ in node.entries:
            if key.text in self.known:
                continue
            here = Place(place.join(key.text), key)
            if key.text in self.kind.LATER:
                problems.add(here, f"`{key.text}` is not supported yet", "remove it until the version that brings it")
            else:
                problems.add(here, "no such key", nearest(key.text, self.known, self.kind.LATER))


class Switchable(SectionReader[S]):
    """Reads a section in whose place `off` may stand: then it is None."""

    def __call__(self, place: Place, problems: Problems) -> S | Bad | None:  # type: ignore[override]
        """Read the section."""
        if isinstance(place.node, Scalar) and place.node.text == OFF:
            return None
        return super().__call__(place, problems)


class Some(SectionReader[S]):
    """Reads a section of which every key is optional, and at least one has to be there; `what` is what they are."""

    def __init__(self, kind: type[S], what: str) -> None:
        super().__init__(kind)
        self.what = what

    def __call__(self, place: Place, problems: Problems) -> S | Bad:
        """Read the section."""
        before = len(problems.found)
        section = super().__call__(place, problems)
        nothing = section is BAD or all(getattr(section, item.name) is None for item in settings(self.kind))
        if nothing and len(problems.found) == before:
            problems.add(place, f"has no {self.what} in it", f"name one: {', '.join(self.known)}")
        return section
