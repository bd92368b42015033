"""Redis over TLS: its certificate is verified, by the system's authorities or by those that are named."""

import asyncio
import socket

import pytest
import trustme

from gateway.leasing import claim_of, reserve, until
from gateway.redis_server import RedisServer
from trunkline.channel.messages import LimitsQuestion
from trunkline.gateway.lease_redis import LeaseRedis
from trunkline.gateway.leases import Leases, Membership
from trunkline.gateway.redis_uses import counted_in_redis
from trunkline.policy.limits.limiter import Limiter, Reservation


def ignored(*_) -> None:
    """Hear of nothing."""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def bundle(authority, tmp_path) -> str:
    path = tmp_path / "ca.pem"
    path.write_bytes(authority.cert_pem.bytes())
    return str(path)


@pytest.fixture
def server(authority, tmp_path):
    """A Redis that listens with a certificate for 127.0.0.1; yields its TLS port."""
    leaf, port = authority.issue_cert("127.0.0.1"), free_port()
    blobs = {"cert": leaf.cert_chain_pems[0], "key": leaf.private_key_pem, "ca-cert": authority.cert_pem}
    options = ["--tls-port", str(port), "--bind", "127.0.0.1", "--tls-auth-clients", "no"]
    for name, blob in blobs.items():
        path = tmp_path / f"{name}.pem"
        path.write_bytes(blob.bytes())
        options += [f"--tls-{name}-file", str(path)]
    running = RedisServer(tmp_path / "redis", *options)
    yield port
    running.kill()


def leases_over(url: str, ca_bundle: str | None) -> Leases:
    membership = Membership("a/0", ("a/0",), fresh=True, share=True)
    return Leases(Limiter(), membership, LeaseRedis(url, ca_bundle), ignored, ignored)


def test_calls_are_counted_in_a_redis_whose_authority_is_named(server, bundle):
    async def main():
        url = f"rediss://127.0.0.1:{server}"
        leases = leases_over(url, bundle)
        leases.start()
        async with asyncio.timeout(30):
            await until(lambda: leases.state.phase == "in_touch")
            assert isinstance(await reserve(leases, [claim_of("requests", 1)]), Reservation)
            assert await counted_in_redis(url, bundle, [], LimitsQuestion()) is not None
        await leases.close()

    asyncio.run(main())


def refused_because(url: str, ca_bundle: str | None) -> str:
    async def main():
        reasons: list[str] = []
        running = asyncio.create_task(LeaseRedis(url, ca_bundle).run(ignored, reasons.append))
        async with asyncio.timeout(30):
            await until(lambda: reasons)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert await counted_in_redis(url, ca_bundle, [], LimitsQuestion()) is None
        return reasons[0]

    return asyncio.run(main())


def test_a_redis_of_an_authority_that_nobody_trusts_is_not_spoken_to(server, tmp_path):
    other = tmp_path / "other.pem"
    other.write_bytes(trustme.CA().cert_pem.bytes())
    for ca_bundle in (None, str(other)):
        assert "certificate verify failed" in refused_because(f"rediss://127.0.0.1:{server}", ca_bundle)


def test_a_certificate_for_another_host_is_not_taken(server, bundle):
    assert "certificate verify failed" in refused_because(f"rediss://localhost:{server}", bundle)


def test_without_tls_a_redis_that_wants_it_is_not_spoken_to(server):
    assert refused_because(f"redis://127.0.0.1:{server}", None)
