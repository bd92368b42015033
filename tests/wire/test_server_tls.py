"""The server over TLS: the same answers, versions from 1.2, and certificates that can be replaced."""

import asyncio
import contextlib
import os
import resource
import socket
import ssl

import pytest
import trustme
from serving import connected, run, serving, until

from trunkline.wire import tls, tls_listener
from trunkline.wire.request import Request
from trunkline.wire.server import REFUSALS, Responder

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def large(request: Request, responder: Responder) -> None:
    responder.send(200, b"", b"x" * 500_000)


class Authority:
    """A certificate authority, files that it writes, and a client that trusts nobody else."""

    def __init__(self, directory):
        self.ca = trustme.CA()
        self.directory = directory
        self.client = ssl.create_default_context()
        self.ca.configure_trust(self.client)

    def issue(self, name):
        leaf = self.ca.issue_cert("127.0.0.1")
        cert, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        key.write_bytes(leaf.private_key_pem.bytes())
        return str(cert), str(key)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def certificate(client):
    return client.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)


def test_requests_are_answered_over_tls(authority):
    async def main():
        context = tls.server_context(*authority.issue("one"))
        async with serving(large, context) as running, connected(running.port, authority.client) as client:
            for _ in range(2):
                client.say(GET)
                assert len((await client.hear()).body) == 500_000
            client.say(b"BAD\r\n\r\n")
            assert (await client.hear()).status == 400
            assert await client.hung_up() == b""

    run(main())


def test_a_reload_serves_new_connections_with_the_new_certificate_and_keeps_the_old(authority):
    async def main():
        context = tls.server_context(*authority.issue("one"))
        async with serving(large, context) as running, connected(running.port, authority.client) as old:
            tls.reload(context, *authority.issue("two"))
            async with connected(running.port, authority.client) as new:
                assert certificate(new) != certificate(old)
                for client in (old, new):
                    client.say(GET)
                    assert (await client.hear()).status == 200

    run(main())


def test_a_bad_file_changes_nothing_and_is_named(authority):
    async def main():
        cert, key = authority.issue("one")
        other_cert, _ = authority.issue("two")
        context = tls.server_context(cert, key)
        async with serving(large, context) as running:
            for files in ((other_cert, key), (key, cert), (cert + ".missing", key)):
                with pytest.raises(tls.UnusableCertificate, match=files[0]):
                    tls.reload(context, *files)
                async with connected(running.port, authority.client) as client:
                    client.say(GET)
                    assert (await client.hear()).status == 200

    run(main())


def test_versions_below_1_2_are_refused(authority):
    async def main():
        context = tls.server_context(*authority.issue("one"))
        async with serving(large, context) as running:
            with pytest.warns(DeprecationWarning, match="TLSv1_1"):
                authority.client.maximum_version = ssl.TLSVersion.TLSv1_1
            with pytest.warns(DeprecationWarning, match="TLSv1 is"):
                authority.client.minimum_version = ssl.TLSVersion.TLSv1
            authority.client.set_ciphers("ALL:@SECLEVEL=0")
            with pytest.raises((ssl.SSLError, ConnectionError)):
                async with connected(running.port, authority.client):
                    pass

    run(main())


def test_a_client_that_leaves_cancels_its_handler_over_tls(authority):
    entered, ended = asyncio.Event(), asyncio.Event()

    async def wait(request: Request, responder: Responder) -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def main():
        context = tls.server_context(*authority.issue("one"))
        async with serving(wait, context) as running, connected(running.port, authority.client) as client:
            client.say(GET)
            await entered.wait()
            client.writer.close()
            await ended.wait()
            assert running.faults == []

    run(main())


def test_a_client_that_leaves_in_the_same_breath_as_it_asks_is_not_served(authority):
    """Its request and its farewell are one segment, so that it has gone before its handler's first step."""
    calls = 0

    async def count(request: Request, responder: Responder) -> None:
        nonlocal calls
        calls += 1

    async def main():
        context = tls.server_context(*authority.issue("one"))
        async with serving(count, context) as running, connected(running.port) as client:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            inner = authority.client.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
            shaken = False
            while not shaken:
                try:
                    inner.do_handshake()
                    shaken = True
                except ssl.SSLWantReadError:
                    client.say(outgoing.read())
                    incoming.write(await client.reader.read(65536))
            inner.write(POST)
            with contextlib.suppress(ssl.SSLWantReadError):
                inner.unwrap()
            client.say(outgoing.read())
            await until(lambda: running.server.connections == 1)
            await until(lambda: running.server.connections == 0)
            assert (running.server.in_flight, running.server.in_flight_bytes, calls) == (0, 0, 0)

    run(main())


def test_a_client_that_speaks_plain_http_to_tls_is_cut_and_others_are_served(authority):
    async def main():
        context = tls.server_context(*authority.issue("one"))
        async with serving(large, context) as running:
            async with connected(running.port) as plain:
                plain.say(GET)
                with contextlib.suppress(ConnectionResetError):
                    await plain.hung_up()
            async with connected(running.port, authority.client) as client:
                client.say(GET)
                assert (await client.hear()).status == 200

    run(main())


def test_who_only_begins_a_handshake_takes_a_place_and_is_cut_where_there_is_none(authority):
    async def main():
        context = tls.server_context(*authority.issue("one"))
        async with (
            serving(large, context, max_connections=1) as running,
            connected(running.port, authority.client) as first,
        ):
            first.say(GET)
            assert (await first.hear()).status == 200
            silent = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(REFUSALS)]
            await until(lambda: running.server.connections == 1 + REFUSALS)
            async with connected(running.port) as too_many:
                with contextlib.suppress(ConnectionResetError):
                    await too_many.hung_up()
            assert running.server.connections == 1 + REFUSALS
            for _, writer in silent:
                writer.transport.abort()
            await until(lambda: running.server.connections == 1)
            async with connected(running.port, authority.client) as second:
                assert (await second.hear()).status == 503  # one too many, and told so
            first.say(GET)
            assert (await first.hear()).status == 200
            assert running.faults == []

    run(main())


def test_a_handshake_that_is_not_over_in_time_gives_its_place_back(authority):
    async def main():
        context = tls.server_context(*authority.issue("one"))
        async with serving(large, context, header_timeout=0.05) as running, connected(running.port) as silent:
            await until(lambda: running.server.connections == 1)
            await silent.hung_up()
            await until(lambda: running.server.connections == 0)

    run(main())


def test_a_server_that_closes_cuts_the_handshakes(authority):
    async def main():
        context = tls.server_context(*authority.issue("one"))
        async with serving(large, context) as running, connected(running.port) as silent:
            await until(lambda: running.server.connections == 1)
            await running.server.closed(0)
            with contextlib.suppress(ConnectionResetError):
                await silent.hung_up()

    run(main())


def test_a_process_without_descriptors_accepts_again_when_it_has_some(authority, monkeypatch):
    monkeypatch.setattr(tls_listener, "ACCEPT_AGAIN", 0.01)

    async def main():
        context = tls.server_context(*authority.issue("one"))
        async with serving(large, context) as running:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            client = socket.socket()
            client.setblocking(False)
            spare = os.open("/dev/null", os.O_RDONLY)
            os.close(spare)
            resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))
            try:
                listener = running.server._listeners[0]
                with contextlib.suppress(BlockingIOError):
                    client.connect(("127.0.0.1", running.port))
                await until(lambda: listener._again is not None)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await until(lambda: running.server.connections == 1)
            client.close()

    run(main())
