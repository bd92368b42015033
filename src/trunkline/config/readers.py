"""Readers: small functions that turn a node into a typed value or report why it cannot be one.

A reader never shows the value that it refuses: it may be a secret in the wrong place. `BAD` stands for a value that
was reported; whoever combines readers goes on without it, so that every mistake of a file is found in one pass.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Generic, TypeVar

from trunkline.config.document import Mapping, Scalar, Sequence
from trunkline.config.places import Place, Problems, nearest
from trunkline.config.scalars import Plain, meaning, number

T = TypeVar("T")
N = TypeVar("N", int, float, Decimal)
# Beyond it a JSON number is not the same everywhere (RFC 8785, RFC 7493).
LARGEST = 2**53


class Bad(Enum):
    """The type of `BAD`."""

    VALUE = "bad"


BAD: Final = Bad.VALUE
Reader = Callable[[Place, Problems], T | Bad]


class Mistake(Exception):
    """Raised by a parser of text: what is wrong, and what to do."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


def _scalar(place: Place, problems: Problems, wanted: str, fix: str) -> Plain | Bad:
    node = place.node
    if isinstance(node, Scalar):
        return meaning(node) if node.usable else BAD
    problems.add(place, f"must be {wanted}, not a {'list' if isinstance(node, Sequence) else 'map'}", fix)
    return BAD


def parsed(parse: Callable[[str], T], wanted: str, fix: str) -> Reader[T]:
    """Return a reader of text that `parse` understands; `parse` raises `Mistake`."""

    def read(place: Place, problems: Problems) -> T | Bad:
        value = _scalar(place, problems, wanted, fix)
        if value is BAD:
            return BAD
        if value is None or isinstance(value, bool) or value == "":
            problems.add(place, f"must be {wanted}, not {'empty' if value in {None, ''} else 'true or false'}", fix)
            return BAD
        assert isinstance(place.node, Scalar)  # noqa: S101  _scalar has seen to it
        try:
            return parse(place.node.text)
        except Mistake as mistake:
            problems.add(place, mistake.message, mistake.fix)
            return BAD

    return read


def text(wanted: str = "text", pattern: str = r"[^\n\t]{1,4096}", fix: str = "quote it if it is text") -> Reader[str]:
    """Return a reader of text that matches a pattern."""
    compiled = re.compile(pattern)

    def parse(value: str) -> str:
        if not compiled.fullmatch(value):
            raise Mistake(f"must be {wanted}", fix)
        return value

    return parsed(parse, wanted, fix)


def choice(*names: str, later: tuple[str, ...] = ()) -> Reader[Any]:
    """Return a reader of one of these words; those of `later` are known and not supported yet."""
    wanted = " or ".join(names) if len(names) < 3 else f"one of {', '.join(names)}"
    fix = f"write {wanted}"

    def parse(value: str) -> str:
        if value in later:
            raise Mistake(f"`{value}` is not supported yet", fix)
        if value not in names:
            raise Mistake(f"must be {wanted}", nearest(value, names))
        return names[names.index(value)]  # a default is left out of a snapshot where it is this very object

    return parsed(parse, wanted, fix)


def whole(least: int, most: int) -> Reader[int]:
    """Return a reader of a whole number within bounds."""
    fix = f"write one from {least:,} to {most:,}" if least < most else f"write {least}"

    def parse(value: str) -> int:
        found = number(value)
        if not isinstance(found, int):
            raise Mistake("is no whole number", fix)
        if least == most != found:
            raise Mistake("has one value only", fix)
        return bounded(found, least, most, fix)

    return parsed(parse, "a whole number", fix)


def bounded(value: N, least: N, most: N, fix: str) -> N:
    """Return the value if it is within bounds; raises `Mistake`."""
    if not least <= value <= most:
        raise Mistake(f"is too {'small' if value < least else 'large'}", fix)
    return value


def decimal(most: int) -> Reader[Decimal]:
    """Return a reader of an exact decimal from 0 to `most`, without an exponent in its canonical form."""
    wanted = f"a number from 0 to {most:,}, with at most 12 decimals"
    fix = "write it like 0.15"

    def parse(value: str) -> Decimal:
        found = number(value)
        if isinstance(found, str) or not 0 <= found <= most:
            raise Mistake(f"must be {wanted}", fix)
        shortest = Decimal(found).normalize()
        if shortest.as_tuple().exponent < -12:  # type: ignore[operator]  # a number from text is finite
            raise Mistake(f"must be {wanted}", fix)
        return Decimal(format(shortest, "f"))

    return parsed(parse, wanted, fix)


def amount(most: int, places: int) -> Reader[str]:
    """Return a reader of an exact decimal above 0 and at most `most`, as text without an exponent or idle zeros."""
    wanted = f"an amount above 0, at most {most:,}, with at most {places} decimals"
    fix = "write it like 500 or 0.25"

    def parse(value: str) -> str:
        found = number(value)
        if isinstance(found, str) or not 0 < found <= most:
            raise Mistake(f"must be {wanted}", fix)
        shortest = Decimal(found).normalize()
        if shortest.as_tuple().exponent < -places:  # type: ignore[operator]  # a number from text is finite
            raise Mistake(f"must be {wanted}", fix)
        return format(shortest, "f")

    return parsed(parse, wanted, fix)


def flag(place: Place, problems: Problems) -> bool | Bad:
    """Read true or false."""
    value = _scalar(place, problems, "true or false", "write true or false")
    if isinstance(value, bool) or value is BAD:
        return value
    if value in {"true", "false"} and isinstance(place.node, Scalar) and "${" in place.node.written:
        return value == "true"
    problems.add(place, "must be true or false", "write true or false, unquoted")
    return BAD


def optional(reader: Reader[T]) -> Reader[T | None]:
    """Return a reader that takes null for None."""

    def read(place: Place, problems: Problems) -> T | Bad | None:
        return None if is_null(place) else reader(place, problems)

    return read


def is_null(place: Place) -> bool:
    """Whether the value is null: nothing at all, `null` or `~`."""
    return isinstance(place.node, Scalar) and place.node.usable and meaning(place.node) is None


def listing(item: Reader[T], what: str, *, least: int = 0, most: int = 1_000) -> Reader[tuple[T, ...]]:
    """Return a reader of a list; `what` names its items in the plural."""

    def read(place: Place, problems: Problems) -> tuple[T, ...] | Bad:
        node = place.node
        if isinstance(node, Scalar) and not node.usable:
            return BAD
        if not isinstance(node, Sequence):
            problems.add(place, f"must be a list of {what}", "write it in brackets: [a, b]")
            return BAD
        if not least <= len(node.items) <= most:
            few = len(node.items) < least
            fix = f"name at least {least}" if few else f"name at most {most:,}"
            problems.add(place, f"has too {'few' if few else 'many'} {what}", fix)
            return BAD
        found = [item(Place(f"{place.path}[{index}]", below), problems) for index, below in enumerate(node.items)]
        return tuple(value for value in found if value is not BAD)

    return read


def one_or_many(item: Reader[T], what: str, most: int) -> Reader[tuple[T, ...]]:
    """Return a reader of one value or a list of them."""
    many = listing(item, what, least=1, most=most)

    def read(place: Place, problems: Problems) -> tuple[T, ...] | Bad:
        if isinstance(place.node, Sequence):
            return many(place, problems)
        value = item(place, problems)
        return BAD if value is BAD else (value,)

    return read


class Named(Generic[T]):
    """A reader of a map from names to values of one kind; a bad value is left out of the result."""

    def __init__(self, name: Reader[str], value: Reader[T], what: str, *, most: int = 10_000) -> None:
        self.name, self.value, self.what, self.most = name, value, what, most

    def __call__(self, place: Place, problems: Problems) -> dict[str, T] | Bad:
        """Read the map."""
        if is_null(place):
            return {}
        if not isinstance(place.node, Mapping):
            if not isinstance(place.node, Scalar) or place.node.usable:
                problems.add(place, f"must be a map of {self.what} by name", "write `name: {...}`")
            return BAD
        if len(place.node.entries) > self.most:
            problems.add(place, f"must have at most {self.most:,} {self.what}", "remove what is unused")
            return BAD
        found: dict[str, T] = {}
        for key, below in place.node.entries:
            name = self.name(Place(place.join(key.text), key), problems)
            value = self.value(Place(place.join(key.text), below), problems)
            if name is not BAD and value is not BAD:
                found[name] = value
        return found


def json_value(place: Place, problems: Problems) -> Any:
    """Read anything that JSON can say; a fraction becomes the nearest binary float, as it will on the wire."""
    node = place.node
    if isinstance(node, Mapping):
        pairs = [(key.text, json_value(Place(place.join(key.text), below), problems)) for key, below in node.entries]
        return {name: value for name, value in pairs if value is not BAD}
    if isinstance(node, Sequence):
        values = [json_value(Place(f"{place.path}[{i}]", below), problems) for i, below in enumerate(node.items)]
        return [value for value in values if value is not BAD]
    if not node.usable:
        return BAD
    value = meaning(node)
    if isinstance(value, int | Decimal) and not -LARGEST < value < LARGEST:
        problems.add(place, "a number that JSON cannot carry exactly", "quote it if it is text")
        return BAD
    return float(value) if isinstance(value, Decimal) else value
