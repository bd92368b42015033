"""What a person reads of the demo: what is said, the calls with their headers, commands, and records."""

import os
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from trunkline.cli.demo.folding import folded, hanging
from trunkline.model.money import plain

WORD = re.compile(r"\s*\S+|\s+")
WIDTH = 100  # no line is longer, however wide the terminal is
INDENT = "  "
SHOWN_HEADERS = (
    "x-trunkline-call",
    "x-trunkline-provider",
    "x-trunkline-model",
    "x-trunkline-attempts",
    "x-trunkline-overhead-ms",
    "x-trunkline-dropped",
)


def page() -> Console:
    """Return standard output as a page: as wide as the terminal, and as a wide one where there is none."""
    console = Console(highlight=False)
    if console.is_terminal or "COLUMNS" in os.environ:
        console.width = min(console.width, WIDTH)
    else:
        console.width = WIDTH
    return console


class Narrator:
    """Tells the demo to a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._column = 0
        self._scenes = 0

    def open(self, title: str, text: str) -> None:
        """Begin the demo."""
        self._console.print(Panel(text, title=f"[bold]{title}[/bold]", border_style="cyan", padding=(1, 2)))

    def scene(self, title: str, text: str) -> None:
        """Begin a scene, numbered as they come, and say what is going to happen."""
        self._scenes += 1
        self._console.print()
        self._console.rule(f"[bold cyan]{self._scenes}. {title}", align="left")
        self.tells(text)
        self._console.print()

    def tells(self, text: str) -> None:
        """Say in a sentence or two what is seen."""
        self._console.print(Text(text))

    def says(self, who: str, text: str) -> None:
        """Show what somebody says."""
        first, *others = hanging(_speaker(who), text, self._console.width)
        cut = len(_speaker(who))
        self._line(Text.assemble((first[:cut], "bold"), first[cut:]))
        for line in others:
            self._line(Text(line))

    def begins_to_say(self, who: str) -> None:
        """Show who says what now comes in pieces."""
        self._column = len(_speaker(who))
        self._console.print(Text(_speaker(who), "bold"), end="")

    def piece(self, text: str) -> None:
        """Show a piece of a stream as it comes, with a new line before a word that does not fit."""
        for word in WORD.findall(text):
            shown = word
            if self._column + len(word.rstrip()) > self._console.width:
                shown = word.lstrip()
                self._console.print("\n" + _speaker(""), end="", soft_wrap=True)
                self._column = len(_speaker(""))
            self._column += len(shown)
            self._console.print(shown, end="", markup=False, highlight=False, soft_wrap=True)

    def ends_to_say(self) -> None:
        """End what came in pieces."""
        self._console.print()

    def headers(self, headers: Any) -> None:
        """Show what the gateway says of the call in its headers."""
        self.facts({name: headers[name] for name in SHOWN_HEADERS if name in headers})

    def facts(self, facts: Mapping[str, Any]) -> None:
        """Show facts by name."""
        for name, value in facts.items():
            self._line(Text.assemble((f"{INDENT}{name}: ", "dim"), str(value)))

    def ending(self, usage: Any, trunkline: dict[str, Any]) -> None:
        """Show what the body says of cost and outcome."""
        cost = getattr(usage, "cost", None)
        tokens = f"{usage.prompt_tokens} + {usage.completion_tokens} tokens" if usage else "no usage"
        price = f", {plain(Decimal(str(cost)))} USD" if cost is not None else ""
        said = f": {tokens}{price}, {_attempts(trunkline['attempts'])}"
        self._line(Text.assemble(INDENT, (str(trunkline["outcome"]), "green"), said))

    def command(self, line: str, output: str) -> None:
        """Show a command line and what it printed, folded to the page."""
        room = self._console.width - len(INDENT)
        prompts = ("$ ", *[INDENT] * line.count("\n"))
        for prompt, typed in zip(prompts, line.split("\n"), strict=True):
            for piece in hanging(prompt, typed, room):
                self._line(Text(f"{INDENT}{piece}", "bold"))
        for shown in folded(output, room).splitlines():
            self._line(Text(f"{INDENT}{shown}".rstrip()))

    def file(self, name: str, text: str) -> None:
        """Show a file."""
        self.command(f"cat {name}", text)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], folds: Sequence[str] = ()) -> None:
        """Show a table; these columns fold where it is too wide."""
        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=column not in folds)
        for row in rows:
            table.add_row(*map(Text, row))
        self._console.print(Padding(table, (0, 0, 0, len(INDENT)), expand=False))

    def close(self, text: str) -> None:
        """End the demo."""
        self._console.print()
        self._console.print(Panel(text, border_style="green", padding=(1, 2)))

    def _line(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)


def _speaker(who: str) -> str:
    return f"{INDENT}{who:>9}{INDENT}"


def _attempts(count: int) -> str:
    return f"{count} attempt{'' if count == 1 else 's'}"
