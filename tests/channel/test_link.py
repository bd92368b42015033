import asyncio
import socket
from collections import deque
from contextlib import asynccontextmanager

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.channel.link import MAX_MESSAGE, MAX_WAITING, Link, LinkBroken
from trunkline.channel.messages import Drain, Load, LoadFailed, Ready, ToWorker
from trunkline.model.snapshot import ProviderSecrets, Secrets

consume = deque[None](maxlen=0).extend


@asynccontextmanager
async def ends(incoming):
    """A link and the other end's bare socket."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    link = await Link.open(ours, incoming)
    with theirs:
        yield link, theirs
        await link.close(0)


TEXTS = st.text(max_size=20)
OF_PROVIDER = st.builds(
    ProviderSecrets, st.lists(TEXTS, max_size=2).map(tuple), st.dictionaries(TEXTS, TEXTS, max_size=2)
)
SECRETS = st.builds(Secrets, st.dictionaries(TEXTS, OF_PROVIDER), st.none() | TEXTS)
ORDERS = st.one_of(st.builds(Load, TEXTS, TEXTS, SECRETS), st.builds(Drain, st.floats(0, 1e6)))


@settings(max_examples=40, deadline=None)
@given(st.lists(ORDERS, max_size=5), st.integers(1, 40))
def test_messages_come_as_they_were_sent_however_they_are_cut(orders, size):
    async def main():
        async with ends(ToWorker) as (link, theirs):
            data = b"".join(msgspec.json.encode(order) + b"\n" for order in orders)
            loop = asyncio.get_running_loop()
            for start in range(0, len(data), size):
                await loop.sock_sendall(theirs, data[start : start + size])
            theirs.shutdown(socket.SHUT_WR)
            assert [await link.receive() for _ in orders] == orders
            assert await link.receive() is None

    asyncio.run(main())


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60).filter(lambda data: b"\n" not in data))
def test_what_is_no_message_breaks_the_link_and_never_more(data):
    async def main():
        async with ends(ToWorker) as (link, theirs):
            await asyncio.get_running_loop().sock_sendall(theirs, data + b"\n")
            with pytest.raises(LinkBroken):
                await link.receive()

    asyncio.run(main())


def test_a_secret_in_a_message_that_is_none_is_not_repeated():
    async def main():
        async with ends(ToWorker) as (link, theirs):
            secrets = b'{"providers":{"openai":{"api_keys":"sk-secret"}}}'
            line = b'{"do":"load","snapshot":"x","digest":"y","secrets":%b}\n' % secrets
            await asyncio.get_running_loop().sock_sendall(theirs, line)
            with pytest.raises(LinkBroken) as broken:
                await link.receive()
            assert "sk-secret" not in str(broken.value)
            assert "api_keys" in str(broken.value)

    asyncio.run(main())


def test_a_line_without_end_is_cut_off():
    async def main():
        async with ends(ToWorker) as (link, theirs):
            loop = asyncio.get_running_loop()
            sending = asyncio.create_task(loop.sock_sendall(theirs, b"x" * (3 * MAX_MESSAGE)))
            with pytest.raises(LinkBroken, match="above the bound"):
                await link.receive()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    asyncio.run(main())


def test_what_is_sent_to_one_who_does_not_read_is_bounded():
    async def main():
        async with ends(ToWorker) as (link, _):
            message = LoadFailed("d", "x" * (MAX_MESSAGE // 2))
            for _ in range(MAX_WAITING // (MAX_MESSAGE // 2)):
                link.send(message)
            with pytest.raises(LinkBroken, match="does not read"):
                consume(map(link.send, [message] * 4))
            with pytest.raises(LinkBroken, match="above the bound"):
                link.send(LoadFailed("d", "x" * MAX_MESSAGE))

    asyncio.run(main())


def test_sending_to_one_who_has_gone_does_nothing():
    async def main():
        async with ends(ToWorker) as (link, theirs):
            theirs.close()
            assert await link.receive() is None
            link.send(Ready())
            link.send(Ready())

    asyncio.run(main())
