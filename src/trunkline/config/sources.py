"""What a configuration may ask of the machine; the caller reads it, so that this package stays pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from trunkline.config.directory import Roll, read_directory


class Unreadable(ValueError):
    """A file that is there and has no text to give; the message says what it is, to follow "the file X"."""


@dataclass(frozen=True)
class Sources:
    """The machine as the configuration sees it.

    `read_file` takes the path as written and raises `OSError`, `Unreadable`, or `ValueError` for what is no path; `now`
    is the Unix second at which the configuration is read and decides which of a provider's dated prices are in force.
    `cores` is how many of the machine's the gateway may use, None where nobody knows.
    `read_directory` makes a directory of a file's text and name; whoever reads the same text often may remember it.
    """

    environment: Mapping[str, str] = field(repr=False)
    read_file: Callable[[str], str]
    host_name: str
    now: float
    read_directory: Callable[[str, str], Roll] = read_directory
    cores: int | None = None
