import socket

import pytest

from trunkline.supervisor.listener import CannotListen, listen, name_of


def test_several_sockets_share_one_port():
    sockets = listen("127.0.0.1:0", 3)
    try:
        assert len({sock.getsockname() for sock in sockets}) == 1
        assert name_of(sockets[0]) == f"127.0.0.1:{sockets[0].getsockname()[1]}"
    finally:
        for sock in sockets:
            sock.close()


def test_a_port_that_another_process_would_share_is_refused():
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(CannotListen, match="in use by another process"):
            listen(f"127.0.0.1:{other.getsockname()[1]}", 1)


@pytest.mark.parametrize("address", ["192.0.2.1:0", "no.such.host.invalid:80", "127.0.0.1:x"])
def test_an_address_that_is_not_ours_is_refused_by_name(address):
    with pytest.raises(CannotListen, match=address.partition(":")[0]):
        listen(address, 1)


def test_a_socket_of_ipv6_is_named_with_brackets():
    try:
        (sock,) = listen("[::1]:0", 1)
    except CannotListen:
        pytest.skip("this machine has no IPv6")
    with sock:
        assert name_of(sock) == f"[::1]:{sock.getsockname()[1]}"
