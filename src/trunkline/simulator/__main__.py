"""The simulator as a process: `python -m trunkline.simulator`.

Prints one line of JSON with ports and base URLs as soon as it listens, and ends on SIGTERM or SIGINT.
"""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

import msgspec
import uvloop

from trunkline.simulator.script import ScriptFile, load_scripts
from trunkline.simulator.simulator import Settings, Simulator

MISUSE = 64


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop; returns the exit code."""
    given = _parser().parse_args(arguments)
    try:
        scripts = load_scripts(given.script.read_bytes()) if given.script else ScriptFile()
    except (OSError, msgspec.DecodeError) as error:
        sys.stderr.write(f"{given.script}: {error}\n")
        return MISUSE
    settings = Settings(openai_port=given.openai_port, anthropic_port=given.anthropic_port)
    try:
        uvloop.run(_serve(scripts, settings))
    except OSError as error:
        sys.stderr.write(f"cannot listen: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trunkline.simulator", description="A fake OpenAI and a fake Anthropic."
    )
    parser.add_argument("--openai-port", type=int, default=0, help="0: a free one")
    parser.add_argument("--anthropic-port", type=int, default=0, help="0: a free one")
    parser.add_argument("--script", type=Path, help="a JSON file of scripts, see docs/simulator.md")
    return parser


async def _serve(scripts: ScriptFile, settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Simulator(scripts.openai, scripts.anthropic, settings) as simulator:
        ports = {
            provider.name: {"port": provider.port, "url": provider.url}
            for provider in (simulator.openai, simulator.anthropic)
        }
        sys.stdout.buffer.write(msgspec.json.encode(ports) + b"\n")
        sys.stdout.buffer.flush()
        await stop.wait()


if __name__ == "__main__":
    sys.exit(main())
