"""Of a name's addresses the first that answers is taken; a dead one costs a quarter of a second and no call."""

import asyncio
import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from providing import answered, pooling, providing
from serving import run

from trunkline.wire import dialling
from trunkline.wire.client import ConnectFailed, Endpoint
from trunkline.wire.dialling import interleaved, race

LIVE, DEAD = "127.0.0.1", "127.0.0.2"


def info(host: str, port: int) -> dialling.AddressInfo:
    return (socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, port))


@contextmanager
def black_hole(port: int = 0) -> Iterator[int]:
    """An address that answers nobody: its queue of one is full, so that the kernel drops whoever comes."""
    with socket.create_server((DEAD, port), backlog=0) as hole:
        port = hole.getsockname()[1]
        with socket.create_connection((DEAD, port)):
            yield port


@contextmanager
def refusing() -> Iterator[int]:
    """A port that nobody listens on, and nobody takes meanwhile."""
    with socket.socket() as taken:
        taken.bind((LIVE, 0))
        yield taken.getsockname()[1]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class Resolving(uvloop.Loop):
    """An event loop whose resolver knows one name: `twofold.test`, first a dead address, then a live one."""

    async def getaddrinfo(self, host, port, **options):
        if host == "twofold.test":
            return [info(DEAD, port), info(LIVE, port)]
        return await super().getaddrinfo(host, port, **options)


def test_a_provider_with_a_dead_address_is_reached_by_the_other_within_the_time_to_connect() -> None:
    async def main() -> None:
        async with asyncio.timeout(20), providing() as provider:
            with black_hole(provider.port):
                endpoint = Endpoint(base_url=f"http://twofold.test:{provider.port}/v1", connect_timeout=10.0)
                async with pooling(endpoint) as pool:
                    assert (await answered(pool, provider))[1] == b"ok"
                    assert len(provider.peers) == 1

    with asyncio.Runner(loop_factory=Resolving) as runner:
        runner.run(main())


def test_dead_addresses_alone_are_given_up_when_the_time_to_connect_is_over() -> None:
    async def main() -> None:
        with black_hole() as port:
            before = descriptors()
            endpoint = Endpoint(base_url=f"http://{DEAD}:{port}", connect_timeout=0.3)
            async with pooling(endpoint) as pool:
                with pytest.raises(ConnectFailed, match="not in time"):
                    await pool.ask(b"/chat", b"", b"{}")
                assert descriptors() == before

    run(main())


def test_the_next_address_does_not_wait_where_the_first_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialling, "ATTEMPT_DELAY", 1000.0)

    async def main() -> None:
        with refusing() as refused, socket.create_server((LIVE, 0)) as live:
            sock = await race([info(LIVE, refused), info(LIVE, live.getsockname()[1])])
            with sock:
                assert sock.getpeername() == live.getsockname()

    run(main())


@pytest.mark.parametrize("delay", [0.0, 0.05])
def test_the_losers_of_a_race_are_closed(monkeypatch: pytest.MonkeyPatch, delay: float) -> None:
    monkeypatch.setattr(dialling, "ATTEMPT_DELAY", delay)

    async def main() -> None:
        with black_hole() as dead, socket.create_server((LIVE, 0)) as live:
            before = descriptors()
            port = live.getsockname()[1]
            with await race([info(DEAD, dead), info(LIVE, port), info(LIVE, port), info(DEAD, dead)]):
                await asyncio.sleep(0)
                assert descriptors() == before + 1

    run(main())


def test_a_race_that_is_cancelled_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialling, "ATTEMPT_DELAY", 0.0)

    async def main() -> None:
        with black_hole() as dead:
            before = descriptors()
            racing = asyncio.create_task(race([info(DEAD, dead)] * 3))
            while descriptors() < before + 3:  # noqa: ASYNC110
                await asyncio.sleep(0)
            racing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await racing
            assert descriptors() == before

    run(main())


def test_what_all_addresses_say_is_what_is_said() -> None:
    async def main() -> None:
        with refusing() as refused:
            with pytest.raises(ConnectionRefusedError):
                await race([info(LIVE, refused)] * 2)
            broadcast = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("255.255.255.255", 9))
            with pytest.raises(OSError, match="no address could be reached") as caught:
                await race([info(LIVE, refused), broadcast])
            assert caught.value.errno is None

    run(main())


@given(st.lists(st.tuples(st.sampled_from([socket.AF_INET, socket.AF_INET6]), st.integers(0, 99)), unique=True))
def test_families_take_turns_and_each_keeps_its_order(addresses: list[tuple[int, int]]) -> None:
    found = [(family, socket.SOCK_STREAM, 0, "", number) for family, number in addresses]
    turns = interleaved(found)
    assert sorted(turns, key=str) == sorted(found, key=str)
    assert turns[:1] == found[:1]
    for family in (socket.AF_INET, socket.AF_INET6):
        assert [one for one in turns if one[0] == family] == [one for one in found if one[0] == family]
    both = 2 * min(sum(one[0] == family for one in found) for family in (socket.AF_INET, socket.AF_INET6))
    assert all(one[0] != other[0] for one, other in itertools.pairwise(turns[:both]))
