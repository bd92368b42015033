"""A request that meets a connection which the provider had closed is asked once more, and no other is."""

import pytest
from providing import OK, answered, asking, pooling, providing, several
from serving import run

from trunkline.wire.client import ConnectionBroken


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_request_that_meets_a_stale_connection_is_asked_once_more_on_a_new_one(how: str) -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            older, newer = await several(pool, provider, 2)
            task = asking(pool, b"the same")
            assert (await newer.request()).body == b"the same"
            getattr(newer, how)()
            fresh = await provider.peer()
            assert (await fresh.request()).body == b"the same"
            fresh.send(OK)
            assert await (await task).read() == b"ok"
            await answered(pool, provider, OK, fresh)
            assert len(provider.peers) == 3
            assert older in provider.peers

    run(main())


def test_a_warm_connection_may_be_stale_as_well() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(keep_warm=1)) as pool:
            await pool.warm()
            warm = await provider.peer()
            task = asking(pool)
            await warm.request()
            warm.close()
            fresh = await provider.peer()
            await fresh.request()
            fresh.send(OK)
            assert (await task).status == 200

    run(main())


def test_the_second_try_is_the_last() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            peer, _ = await answered(pool, provider)
            task = asking(pool)
            await peer.request()
            peer.close()
            fresh = await provider.peer()
            await fresh.request()
            fresh.close()
            with pytest.raises(ConnectionBroken):
                await task
            assert len(provider.peers) == 2
            assert pool.connections == 0

    run(main())


def test_a_fresh_connection_is_never_tried_again() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.close()
            with pytest.raises(ConnectionBroken) as caught:
                await task
            assert caught.value.reason == "connection_broken: closed by the provider before the answer"
            assert len(provider.peers) == 1

    run(main())


@pytest.mark.parametrize("byte", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_single_byte_of_an_answer_rules_out_a_second_try(byte: bytes) -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            peer, _ = await answered(pool, provider)
            task = asking(pool)
            await peer.request()
            peer.send(byte)
            await peer.sent()
            peer.close()
            with pytest.raises(ConnectionBroken):
                await task
            assert len(provider.peers) == 1

    run(main())


def test_a_connection_that_dies_late_was_not_stale() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(stale_within=0.0)) as pool:
            peer, _ = await answered(pool, provider)
            task = asking(pool)
            await peer.request()
            peer.close()
            with pytest.raises(ConnectionBroken):
                await task
            assert len(provider.peers) == 1

    run(main())


def test_a_stale_connection_in_a_full_pool_gets_a_new_one_in_its_place() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(max_connections=2)) as pool:
            peers = await several(pool, provider, 2)
            task = asking(pool)
            await peers[1].request()
            peers[1].close()
            fresh = await provider.peer()
            await fresh.request()
            assert pool.connections == 2
            fresh.send(OK)
            await (await task).read()

    run(main())


def test_a_half_written_request_harms_nobody_else() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            peer, _ = await answered(pool, provider)
            big = asking(pool, bytes(16_000_000))
            await peer.raw()
            peer.reset()
            fresh = await provider.peer()
            other = asking(pool, b"small")
            third = await provider.peer()
            assert (await third.request()).body == b"small"
            third.send(OK)
            assert await (await other).read() == b"ok"
            assert len((await fresh.request()).body) == 16_000_000
            fresh.send(OK)
            assert await (await big).read() == b"ok"

    run(main())
