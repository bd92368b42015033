"""A worker over TLS: new certificates come with a reload, bad ones change nothing."""

import asyncio
import ssl

import pytest
import trustme

from gateway.raw_client import request
from gateway.running import play
from trunkline.channel.messages import Loaded, LoadFailed


class Files:
    """An authority, the files that it writes, and a client that trusts it."""

    def __init__(self, directory) -> None:
        self._directory = directory
        self._ca = trustme.CA()
        self.client = ssl.create_default_context()
        self._ca.configure_trust(self.client)

    def issue(self, name: str) -> tuple[str, str]:
        leaf = self._ca.issue_cert("127.0.0.1")
        cert, key = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        key.write_bytes(leaf.private_key_pem.bytes())
        return str(cert), str(key)


def tls(cert: str, key: str) -> str:
    return f"tls: {{cert: {cert}, key: {key}}}"


@pytest.fixture
def files(tmp_path) -> Files:
    return Files(tmp_path)


def test_a_reload_takes_new_certificates_and_a_bad_pair_changes_nothing(tmp_path, files):
    first, second, third = files.issue("first"), files.issue("second"), files.issue("third")

    async def certificate_and_status(gateway) -> tuple[bytes, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, ssl=files.client)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.write(request(b"", None, "GET /readyz"))
        status = await reader.readline()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        return shown, status

    async def story(gateway, simulator):
        old, status = await certificate_and_status(gateway)
        assert b" 200 " in status
        renewed = gateway.compile(more=tls(*second))
        assert await gateway.load(renewed) == Loaded(renewed.digest)
        new, status = await certificate_and_status(gateway)
        assert new != old
        assert b" 200 " in status
        failed = await gateway.load(gateway.compile(more=tls(third[0], first[1])))
        assert isinstance(failed, LoadFailed)
        assert third[0] in failed.reason
        assert await certificate_and_status(gateway) == (new, status)
        assert gateway.worker._endpoints.in_force.digest == renewed.digest

    play(tmp_path, story, more=tls(*first))
