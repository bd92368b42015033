"""What a person reads of the demo: calls with their headers, and the records that they left."""

from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

SHOWN_HEADERS = (
    "x-trunkline-call",
    "x-trunkline-provider",
    "x-trunkline-model",
    "x-trunkline-attempts",
    "x-trunkline-overhead-ms",
    "x-trunkline-dropped",
)


class Narrator:
    """Tells the demo to a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def open(self, title: str, text: str) -> None:
        """Begin the demo."""
        self._console.print(Panel(text, title=f"[bold]{title}[/bold]", border_style="cyan", padding=(1, 2)))

    def scene(self, number: int, title: str, text: str) -> None:
        """Begin a scene and say what is going to happen."""
        self._console.print()
        self._console.rule(f"[bold cyan]{number}. {title}", align="left")
        self._console.print(text)

    def says(self, who: str, text: str) -> None:
        """Show what somebody says."""
        self._console.print(Text.assemble((f"  {who:>9}  ", "bold"), text))

    def piece(self, text: str) -> None:
        """Show a piece of a stream as it comes."""
        self._console.print(text, end="", markup=False, highlight=False, soft_wrap=True)

    def headers(self, headers: Any) -> None:
        """Show what the gateway says of the call in its headers."""
        for name in SHOWN_HEADERS:
            if name in headers:
                self._console.print(Text.assemble((f"  {name}: ", "dim"), str(headers[name])))

    def ending(self, usage: Any, trunkline: dict[str, Any]) -> None:
        """Show what the body says of cost and outcome."""
        cost = getattr(usage, "cost", None)
        tokens = f"{usage.prompt_tokens} + {usage.completion_tokens} tokens" if usage else "no usage"
        price = f", {cost:.7f} USD" if cost is not None else ""
        self._console.print(
            f"  [green]{trunkline['outcome']}[/green]: {tokens}{price}, {trunkline['attempts']} attempt(s), "
            f"{trunkline['overhead_ms']} ms in the gateway"
        )

    def records(self, pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
        """Show the calls of the log, each from its opened and its closed record, as a table."""
        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in ("call", "user", "asked", "outcome", "tokens", "USD", "stored as"):
            table.add_column(column, overflow="fold")
        for opened, closed in pairs:
            table.add_row(*_cells(opened, closed))
        self._console.print(table)

    def close(self, text: str) -> None:
        """End the demo."""
        self._console.print()
        self._console.print(Panel(text, border_style="green", padding=(1, 2)))


def _cells(opened: dict[str, Any], closed: dict[str, Any]) -> tuple[str, ...]:
    asked = "\n".join(
        attempt["provider"] + (f": {attempt['reason']}" if "reason" in attempt else "")
        for attempt in closed["attempts"]
    )
    usage, cost = closed.get("usage"), closed.get("cost")
    digests = [reference["digest"] for record in (opened, closed) for reference in record["bodies"]]
    return (
        f"..{closed['call'][-6:]}",
        opened.get("user", ""),
        asked,
        closed["outcome"],
        f"{usage['input']} + {usage['output']}" if usage else "",
        cost["amount"] if cost else "",
        " ".join(digest.removeprefix("sha256:")[:8] for digest in digests),
    )
