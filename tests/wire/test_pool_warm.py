"""Connections that nobody uses: how long they are kept, and those that are opened ahead of need."""

import asyncio

from providing import OK, asking, pooling, providing, several
from serving import run, until

from trunkline.wire.client import Endpoint


def test_connections_that_are_idle_too_long_are_closed() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(idle_timeout=0.02)) as pool:
            peers = await several(pool, provider, 2)
            for peer in peers:
                await peer.gone()
            await until(lambda: pool.connections == 0)

    run(main())


def test_warm_connections_are_open_before_the_first_request_and_carry_it() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(keep_warm=2)) as pool:
            await pool.warm()
            assert (pool.idle, pool.busy) == (2, 0)
            first, second = await provider.peer(), await provider.peer()
            task = asking(pool)
            done, _ = await asyncio.wait(
                [asyncio.create_task(first.request()), asyncio.create_task(second.request())],
                return_when=asyncio.FIRST_COMPLETED,
            )
            assert len(done) == 1
            for peer in (first, second):
                peer.send(OK)
            assert (await task).status == 200

    run(main())


def test_a_warm_connection_that_is_lost_is_replaced_without_any_traffic() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(keep_warm=1, idle_timeout=0.4)) as pool:
            await pool.warm()
            (await provider.peer()).close()
            await provider.peer()
            await until(lambda: pool.idle == 1)

    run(main())


def test_warm_connections_are_renewed_before_the_old_ones_are_closed_for_their_age() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(keep_warm=1, idle_timeout=0.4)) as pool:
            await pool.warm()
            first = await provider.peer()
            await provider.peer()
            await until(lambda: pool.idle >= 1)
            await first.gone()
            assert pool.idle >= 1

    run(main())


def test_warming_a_provider_that_is_down_returns_and_goes_on_trying_ever_more_slowly() -> None:
    async def main() -> None:
        async with providing() as provider:
            endpoint = provider.endpoint(keep_warm=3, idle_timeout=0.2)
        async with pooling(endpoint) as pool:
            await pool.warm()
            assert pool.connections == 0
            async with providing(port=provider.port) as again:
                await again.peer()
                await until(lambda: pool.idle == 3)
                # Connections that the pool closes for their age are no sign of trouble: new ones follow at once.
                await until(lambda: len(again.peers) == 9)
                await pool.close()

    run(main())


def test_a_provider_that_accepts_and_closes_is_not_connected_to_without_pause() -> None:
    async def main() -> None:
        attempts = 0

        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal attempts
            attempts += 1
            writer.transport.abort()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        endpoint = Endpoint(base_url=f"http://127.0.0.1:{port}", keep_warm=1, idle_timeout=0.04)
        async with pooling(endpoint) as pool:
            await pool.warm()
            await until(lambda: attempts == 1 and pool.connections == 0)
            assert pool._warmth.shortage(asyncio.get_running_loop().time(), 0) == 0
            await until(lambda: attempts == 2)
        server.close()

    run(main())


def test_warm_connections_stay_within_the_limit_and_give_way_to_callers() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(keep_warm=5, max_connections=2)) as pool:
            await pool.warm()
            assert pool.connections == 2
            peers = [await provider.peer(), await provider.peer()]
            tasks = [asking(pool), asking(pool)]
            for peer in peers:
                await peer.request()
                peer.send(OK)
            for task in tasks:
                await task

    run(main())
