"""The table of commands, and the way from words to one of them."""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from trunkline import __version__
from trunkline.cli.failure import Failed
from trunkline.operations import neutral

MISUSE = 64
INTERRUPTED = 130
FAULT = 70
# What the library gives to a command line that it does not understand.
LIBRARY_MISUSE = 2


@dataclass(frozen=True)
class Entry:
    """A command: the module that has it, as a function `command` or, for a group, as a Typer app `commands`."""

    module: str
    about: str


COMMANDS = {
    "init": Entry("trunkline.cli.init", "Write a configuration to begin with, and fresh keys."),
    "serve": Entry("trunkline.cli.serve", "Run the gateway."),
    "check": Entry("trunkline.cli.check", "Say everything that is wrong with a configuration."),
    "apply": Entry("trunkline.cli.apply", "Put a changed configuration in force, and say what changes."),
    "keys": Entry("trunkline.cli.keys", "Make, list and revoke virtual keys."),
    "users": Entry("trunkline.cli.users", "Import and list the users of a tenant."),
    "calls": Entry("trunkline.cli.calls", "List past calls, and show the story of one."),
    "sessions": Entry("trunkline.cli.sessions", "List conversations, and show one as a transcript."),
    "replay": Entry("trunkline.cli.replay", "Give a call's answer again, byte for byte as it was released."),
    "audit": Entry("trunkline.cli.audit", "Check what was signed of the logs, prove calls, export what is on record."),
    "review": Entry("trunkline.cli.review", "Choose calls for review, read and decide them, report what was reviewed."),
    "costs": Entry("trunkline.cli.costs", "Say what calls have cost, by whom and what; compare with a bill."),
    "limits": Entry("trunkline.cli.limits", "Say how limits and budgets are used, and what they would have done."),
    "guardrails": Entry("trunkline.cli.guardrails", "Try checks on labelled cases, policies on texts and past calls."),
    "sql": Entry("trunkline.cli.sql", "Ask the ledger in SQL, read-only."),
    "index": Entry("trunkline.cli.index", "Make the ledger's index again, or take old calls out of it."),
    "demo": Entry("trunkline.cli.demo.command", "Watch a gateway at work between simulated providers."),
    "bench": Entry("trunkline.cli.bench.command", "Measure the gateway against a direct baseline."),
}


def run(words: Sequence[str]) -> int:
    """Run the command that these words name; returns the exit code and lets no traceback out."""
    if any(not _is_text(word) for word in words):
        return _say("a word of the command line is not text in UTF-8. See `trunkline --help`.", MISUSE)
    try:
        result = _parser(words)(list(words), prog_name="trunkline", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except Failed as failed:
        for problem in getattr(failed, "problems", ()):
            sys.stderr.write(f"{neutral(problem)}\n")
        return _say(str(failed), failed.status)
    except typer.TyperException as error:
        misuse = getattr(error, "exit_code", LIBRARY_MISUSE) == LIBRARY_MISUSE
        return _say(f"{error.format_message()} See `{_asked(error)} --help`.", MISUSE if misuse else 1)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has had enough; the interpreter would complain when it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - the edge: what nobody foresaw is one line too
        return _say(f"a fault of trunkline's own: {type(error).__name__}: {error}", FAULT)


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:  # bytes that are no text, as the interpreter hands them on
        return False
    return True


def _say(message: str, status: int) -> int:
    one_line = neutral(" ".join(message.split()))
    sys.stderr.write(f"trunkline: {one_line}\n")
    return status


def _asked(error: typer.TyperException) -> str:
    """Return the command that was not understood, as far as it was."""
    context = getattr(error, "ctx", None)
    return str(context.command_path) if context is not None else "trunkline"


def _parser(words: Sequence[str]) -> Callable[..., Any]:
    """Return the parser; only the command that is asked for is imported, of the others it has the names."""
    asked = next((word for word in words if not word.startswith("-")), None)
    app = typer.Typer(
        name="trunkline",
        help="Every model call of your agents in one place: who spent what, when, doing what, with what outcome.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for name, entry in COMMANDS.items():
        if name == asked:
            _add(app, name, entry)
        else:
            app.command(name, help=entry.about)(_not_imported)
    return typer.main.get_command(app)


def _add(app: typer.Typer, name: str, entry: Entry) -> None:
    module = importlib.import_module(entry.module)
    group = getattr(module, "commands", None)
    if isinstance(group, typer.Typer):
        app.add_typer(group, name=name, help=entry.about)
    else:
        # Its docstring is what `--help` says of it.
        app.command(name, short_help=entry.about)(module.command)


def _not_imported() -> None:
    raise AssertionError("this command was not asked for")


def _print_version(asked: bool) -> None:  # noqa: FBT001 - what the library calls
    if asked:
        sys.stdout.write(f"trunkline {__version__}\n")
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass
