"""Both providers together: in an event loop, or in a thread of their own for callers that have none."""

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from trunkline.simulator.anthropic import Anthropic
from trunkline.simulator.calls import Call
from trunkline.simulator.ids import Ids
from trunkline.simulator.openai import OpenAI
from trunkline.simulator.provider import Provider
from trunkline.simulator.script import Behaviour, Script

T = TypeVar("T")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Ports (0: a free one) and keys (None: any key is good) of the two providers."""

    openai_port: int = 0
    anthropic_port: int = 0
    openai_key: str | None = None
    anthropic_key: str | None = None

    def __repr__(self) -> str:
        return f"Settings(openai_port={self.openai_port}, anthropic_port={self.anthropic_port})"


class Simulator:
    """A fake OpenAI and a fake Anthropic on loopback ports.

    `async with Simulator(openai=Script(text="Hello")) as s:` then point an SDK at `s.openai.url` and
    `s.anthropic.url`. Each takes a script, a sequence of scripts consumed call by call (the last one repeats), or a
    function from the call to its script. `clock` gives Unix seconds and drives rate limits and time stamps.
    """

    def __init__(
        self,
        openai: Behaviour | None = None,
        anthropic: Behaviour | None = None,
        settings: Settings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        settings = settings or Settings()
        plain = Script()
        faces = (OpenAI(settings.openai_key, Ids("openai")), Anthropic(settings.anthropic_key, Ids("anthropic")))
        self.openai = Provider(faces[0], plain if openai is None else openai, settings.openai_port, clock)
        self.anthropic = Provider(faces[1], plain if anthropic is None else anthropic, settings.anthropic_port, clock)

    async def start(self) -> None:
        """Listen on both ports."""
        await self.openai.listen()
        await self.anthropic.listen()

    async def stop(self) -> None:
        """Cut what is open and give both ports back."""
        await self.openai.close()
        await self.anthropic.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @staticmethod
    def in_thread(
        openai: Behaviour | None = None, anthropic: Behaviour | None = None, settings: Settings | None = None
    ) -> "ThreadedSimulator":
        """Return a simulator for `with`, which runs in a thread of its own."""
        return ThreadedSimulator(openai, anthropic, settings)


class ThreadedProvider:
    """A provider that runs in another thread; the waits block, for at most `timeout` seconds (TimeoutError)."""

    def __init__(self, provider: Provider, run: Callable[[Coroutine[Any, Any, Any], float], Any]) -> None:
        self._provider = provider
        self._run = run

    @property
    def url(self) -> str:
        """The base URL, as the provider's SDK wants it."""
        return self._provider.url

    @property
    def port(self) -> int:
        """The port."""
        return self._provider.port

    @property
    def calls(self) -> list[Call]:
        """The calls seen, the oldest first (at most the last 10,000)."""
        return self._provider.calls

    def play(self, behaviour: Behaviour) -> None:
        """Follow another script, or sequence of scripts, or function from now on."""

        async def switch() -> None:
            self._provider.play(behaviour)

        self._run(switch(), 10.0)

    def wait_for_calls(self, count: int, timeout: float = 10.0) -> list[Call]:
        """Wait until `count` calls have been seen since the start, and return the calls."""
        calls: list[Call] = self._run(self._provider.wait_for_calls(count), timeout)
        return calls

    def wait_until_left(self, count: int = 1, timeout: float = 10.0) -> list[Call]:
        """Wait until the clients of `count` calls have left too early; return those calls."""
        calls: list[Call] = self._run(self._provider.wait_until_left(count), timeout)
        return calls

    def stop_listening(self, timeout: float = 10.0) -> None:
        """Cut every connection and refuse new ones."""
        self._run(self._provider.stop_listening(), timeout)

    def listen(self, timeout: float = 10.0) -> None:
        """Accept connections again."""
        self._run(self._provider.listen(), timeout)


class ThreadedSimulator:
    """`Simulator` for callers without an event loop; made by `Simulator.in_thread`."""

    openai: ThreadedProvider
    anthropic: ThreadedProvider

    def __init__(self, openai: Behaviour | None, anthropic: Behaviour | None, settings: Settings | None) -> None:
        self._arguments = (openai, anthropic, settings)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready: concurrent.futures.Future[Simulator] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._serve, name="trunkline-simulator", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        simulator = self._ready.result(timeout=10.0)
        self.openai = ThreadedProvider(simulator.openai, self._run)
        self.anthropic = ThreadedProvider(simulator.anthropic, self._run)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=10.0)

    def _serve(self) -> None:
        try:
            asyncio.run(self._main())
        except OSError as error:
            self._ready.set_exception(error)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with Simulator(*self._arguments) as simulator:
            self._ready.set_result(simulator)
            await self._stop.wait()

    def _run(self, work: Coroutine[Any, Any, T], timeout: float) -> T:
        if self._loop is None:
            work.close()
            raise RuntimeError("the simulator has not been started")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except TimeoutError:
            future.cancel()
            raise
