"""Connections are opened verified, by a proxy where one is set, within their time, or fail with a reason."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme
from providing import HEADERS, OK, STREAM, Provider, answered, asking, pooling, providing
from proxying import proxying
from serving import run

from trunkline.wire.client import ConnectFailed, Endpoint, Pool
from trunkline.wire.client_tls import client_context
from trunkline.wire.connector import MAX_TUNNEL_HEAD


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def serving_as(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def secure(provider: Provider, bundle: str | None, host: str = "localhost", **settings: object) -> Endpoint:
    return provider.endpoint(base_url=f"https://{host}:{provider.port}/v1", ca_bundle=bundle, **settings)


async def refused(pool: Pool) -> str:
    with pytest.raises(ConnectFailed) as caught:
        await pool.ask(b"/chat", HEADERS, b"{}")
    assert pool.connections == 0
    return caught.value.reason


# TLS


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_provider_whose_certificate_is_trusted_is_asked_by_its_name(
    authority: trustme.CA, bundle: str, host: str
) -> None:
    async def main() -> None:
        names = []
        context = serving_as(authority, host)
        context.sni_callback = lambda _socket, name, _context: names.append(name)
        async with providing(context) as provider, pooling(secure(provider, bundle, host)) as pool:
            peer, body = await answered(pool, provider)
            await answered(pool, provider, OK, peer)
            assert body == b"ok"
            assert len(provider.peers) == 1
            assert peer.streams[1].get_extra_info("ssl_object").version() == "TLSv1.3"
            assert names == (["localhost"] if host == "localhost" else [None])

    run(main())


def test_a_certificate_for_another_name_is_refused(authority: trustme.CA, bundle: str) -> None:
    async def main() -> None:
        context = serving_as(authority, "elsewhere.example")
        async with providing(context) as provider, pooling(secure(provider, bundle)) as pool:
            reason = await refused(pool)
            assert reason.startswith("connect_failed: certificate refused: Hostname mismatch")

    run(main())


def test_a_certificate_of_an_unknown_authority_is_refused(authority: trustme.CA, bundle: str) -> None:
    async def main() -> None:
        for trusted, issuer in ((None, authority), (bundle, trustme.CA())):
            context = serving_as(issuer, "localhost")
            async with providing(context) as provider, pooling(secure(provider, trusted)) as pool:
                assert (await refused(pool)).startswith("connect_failed: certificate refused: ")

    run(main())


def test_a_context_that_is_given_is_used(authority: trustme.CA) -> None:
    async def main() -> None:
        context = client_context()
        authority.configure_trust(context)
        server = serving_as(authority, "localhost")
        async with providing(server) as provider, pooling(secure(provider, None), context) as pool:
            assert (await answered(pool, provider))[1] == b"ok"

    run(main())


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_bundle_that_cannot_be_used_is_refused_when_the_pool_is_made(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bundle.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"bundle\.pem"):
        Pool(Endpoint(base_url="https://a.example", ca_bundle=str(path)))


def test_old_versions_of_tls_are_not_spoken(authority: trustme.CA, bundle: str) -> None:
    context = client_context(bundle)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED


def test_a_provider_that_speaks_no_tls_is_refused(bundle: str) -> None:
    async def main() -> None:
        async with providing() as provider, pooling(secure(provider, bundle)) as pool:
            task = asking(pool)
            peer = await provider.peer()
            peer.send(b"HTTP/1.1 400 This is plain HTTP\r\n\r\n")
            with pytest.raises(ConnectFailed, match="TLS failed"):
                await task
            await peer.gone()

    run(main())


def test_a_stream_over_tls_ends_and_pauses_as_without(authority: trustme.CA, bundle: str) -> None:
    async def main() -> None:
        context = serving_as(authority, "localhost")
        async with providing(context) as provider, pooling(secure(provider, bundle)) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            size = 10_000_000
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + bytes(size))
            answer = await task
            got = 0
            while piece := await answer.next_piece():
                got += len(piece)
            assert got == size
            assert pool.idle == 1
            task = asking(pool)
            await peer.request()
            peer.send(STREAM)
            (await task).abort()
            await peer.gone()
            assert pool.connections == 0

    run(main())


def test_a_stale_connection_over_tls_is_replaced(authority: trustme.CA, bundle: str) -> None:
    async def main() -> None:
        context = serving_as(authority, "localhost")
        async with providing(context) as provider, pooling(secure(provider, bundle)) as pool:
            peer, _ = await answered(pool, provider)
            task = asking(pool)
            await peer.request()
            peer.close()
            fresh = await provider.peer()
            await fresh.request()
            fresh.send(OK)
            assert await (await task).read() == b"ok"

    run(main())


# Time and reach


def test_a_connection_that_is_not_open_in_time_fails_and_is_closed(bundle: str) -> None:
    async def main() -> None:
        async with providing() as provider, pooling(secure(provider, bundle, connect_timeout=0.05)) as pool:
            task = asking(pool)
            peer = await provider.peer()
            with pytest.raises(ConnectFailed) as caught:
                await task
            assert caught.value.reason == "connect_failed: not in time"
            await peer.gone()
            assert pool.connections == 0
            with pytest.raises(ConnectFailed, match="not in time"):
                await asking(pool, connect_timeout=0.0)

    run(main())


def test_a_name_that_does_not_exist_fails() -> None:
    async def main() -> None:
        async with pooling(Endpoint(base_url="http://nowhere.invalid")) as pool:
            assert await refused(pool) in (
                "connect_failed: the host name was not found",
                "connect_failed: not in time",
            )

    run(main())


def test_a_port_that_nobody_listens_on_fails_without_showing_the_address() -> None:
    async def main() -> None:
        async with providing() as provider:
            endpoint = provider.endpoint()
        async with pooling(endpoint) as pool:
            assert await refused(pool) == "connect_failed: connection refused"

    run(main())


# Proxies


def test_a_plain_provider_is_asked_through_a_proxy_that_gets_the_credentials() -> None:
    async def main() -> None:
        async with providing() as provider, proxying() as proxy:
            endpoint = provider.endpoint(proxy=f"http://user:secret@127.0.0.1:{proxy.port}")
            async with pooling(endpoint) as pool:
                await answered(pool, provider)
                line, *lines = proxy.heads[0].split(b"\r\n")
                assert line == b"POST http://127.0.0.1:%d/v1/chat HTTP/1.1" % provider.port
                assert b"proxy-authorization: Basic dXNlcjpzZWNyZXQ=" in lines

    run(main())


def test_a_tls_provider_is_asked_through_a_tunnel_and_never_sees_the_credentials(
    authority: trustme.CA, bundle: str
) -> None:
    async def main() -> None:
        context = serving_as(authority, "localhost")
        async with providing(context) as provider, proxying() as proxy:
            endpoint = secure(provider, bundle, proxy=f"http://user:secret@127.0.0.1:{proxy.port}")
            async with pooling(endpoint) as pool:
                task = asking(pool, b"question")
                peer = await provider.peer()
                request = await peer.request()
                assert request.line == b"POST /v1/chat"
                assert set(request.headers) == {b"host", b"accept-encoding", b"content-type", b"content-length"}
                peer.send(OK)
                assert await (await task).read() == b"ok"
                await answered(pool, provider, OK, peer)
                assert proxy.heads == [
                    b"CONNECT localhost:%d HTTP/1.1\r\nhost: localhost:%d\r\n"
                    b"proxy-authorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\n" % (provider.port, provider.port)
                ]

    run(main())


def test_the_certificate_is_verified_inside_a_tunnel_too(authority: trustme.CA, bundle: str) -> None:
    async def main() -> None:
        context = serving_as(authority, "elsewhere.example")
        async with (
            providing(context) as provider,
            proxying() as proxy,
            pooling(secure(provider, bundle, proxy=f"http://127.0.0.1:{proxy.port}")) as pool,
        ):
            assert "Hostname mismatch" in await refused(pool)

    run(main())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nx: secret\r\n\r\n", "the proxy answered 407"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy answered 502"),
        (b"SSH-2.0\r\n\r\n", "the proxy does not speak HTTP/1.x"),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n", "the proxy sent bytes of its own into the tunnel"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"x" * MAX_TUNNEL_HEAD, "the proxy's answer is too large"),
    ],
)
def test_a_proxy_that_opens_no_tunnel_fails_the_connection(bundle: str, answer: bytes, why: str) -> None:
    async def main() -> None:
        async with providing() as provider, proxying() as proxy:
            proxy.answer, proxy.relays = answer, False
            endpoint = secure(provider, bundle, proxy=f"http://user:secret@127.0.0.1:{proxy.port}")
            async with pooling(endpoint) as pool:
                assert await refused(pool) == f"connect_failed: {why}"
                assert not provider.peers

    run(main())


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
@pytest.mark.parametrize("ending", ["cancelled", "timed out", "closed by the proxy"])
def test_a_tunnel_that_does_not_come_about_leaves_nothing_open(bundle: str, answer: bytes, ending: str) -> None:
    async def main() -> None:
        async with providing() as proxy:
            timeout = 0.05 if ending == "timed out" else 10.0
            endpoint = secure(proxy, bundle, proxy=f"http://127.0.0.1:{proxy.port}", connect_timeout=timeout)
            async with pooling(endpoint) as pool:
                task = asking(pool)
                peer = await proxy.peer()
                assert (await peer.raw()).startswith(b"CONNECT localhost:")
                if answer:
                    peer.send(answer)
                if answer.endswith(b"\r\n\r\n"):
                    await peer.raw(b"\x16")
                if ending == "cancelled":
                    task.cancel()
                elif ending == "closed by the proxy":
                    peer.close()
                with pytest.raises(asyncio.CancelledError if ending == "cancelled" else ConnectFailed):
                    await task
                assert pool.connections == 0
                await peer.gone()

    run(main())
