"""URLs become routes, or are refused without repeating a secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.wire.client import Endpoint, Pool
from trunkline.wire.endpoint import check_headers, route_of


def test_the_base_path_is_put_before_every_target() -> None:
    route = route_of(Endpoint(base_url="https://api.example.com/v1/"))
    assert (route.host, route.port, route.tls) == ("api.example.com", 443, True)
    assert route.head(b"/chat/completions?x=1") == (
        b"POST /v1/chat/completions?x=1 HTTP/1.1\r\nhost: api.example.com\r\naccept-encoding: identity\r\n"
    )


@pytest.mark.parametrize(
    ("base_url", "host", "port", "authority"),
    [
        ("http://127.0.0.1", "127.0.0.1", 80, b"127.0.0.1"),
        ("http://127.0.0.1:80", "127.0.0.1", 80, b"127.0.0.1"),
        ("https://a.example:8443", "a.example", 8443, b"a.example:8443"),
        ("http://[::1]:9000/x", "::1", 9000, b"[::1]:9000"),
        ("HTTPS://API.Example.com", "api.example.com", 443, b"api.example.com"),
    ],
)
def test_the_host_header_names_a_port_that_is_not_the_scheme_s(
    base_url: str, host: str, port: int, authority: bytes
) -> None:
    route = route_of(Endpoint(base_url=base_url))
    assert (route.host, route.port, route.authority) == (host, port, authority)


def test_a_plain_proxy_is_asked_in_the_absolute_form_with_its_credentials() -> None:
    route = route_of(Endpoint(base_url="http://a.example:8080/v1", proxy="http://us%40er:pa%3Ass@proxy:3128"))
    assert route.head(b"/chat") == (
        b"POST http://a.example:8080/v1/chat HTTP/1.1\r\nhost: a.example:8080\r\naccept-encoding: identity\r\n"
        b"proxy-authorization: Basic dXNAZXI6cGE6c3M=\r\n"
    )


def test_a_request_through_a_tunnel_has_no_trace_of_the_proxy() -> None:
    route = route_of(Endpoint(base_url="https://a.example/v1", proxy="http://user:secret@proxy:3128"))
    assert route.head(b"/chat") == b"POST /v1/chat HTTP/1.1\r\nhost: a.example\r\naccept-encoding: identity\r\n"
    assert route.proxy is not None
    assert "c2VjcmV0" not in repr(route)
    assert "secret" not in repr(route)


@pytest.mark.parametrize(
    "base_url",
    [
        "api.example.com",
        "ftp://a.example",
        "https://",
        "https://:443",
        "https://user:secret@a.example",
        "https://a.example?secret",
        "https://a.example#secret",
        "https://a.example:0",
        "https://a.example:99999",
        "https://a.example/a b",
        "https://a.example/\xe9",
        "https://ex\xe4mple.com",
        "https://a b.example",
        "https://a..example",
        "https://.",
        f"https://{'x' * 64}.example",
        f"https://{'a.' * 127}example",
        "https://[::1",
        "https://a.example/\r\nx: y",
    ],
)
def test_a_base_url_that_cannot_be_meant_is_refused_when_the_pool_is_made(base_url: str) -> None:
    with pytest.raises(ValueError, match="base_url") as caught:
        Pool(Endpoint(base_url=base_url))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "proxy",
    [
        "proxy:3128",
        "https://user:secret@proxy:3128",
        "socks5://user:secret@proxy",
        "http://user:secret@proxy/path",
        "http://user:secret@",
        "http://user:secret@proxy:x",
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_without_showing_its_password(proxy: str) -> None:
    with pytest.raises(ValueError, match="proxy") as caught:
        Pool(Endpoint(base_url="http://a.example", proxy=proxy))
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(caught.value.__cause__)


def test_an_endpoint_shows_no_credentials() -> None:
    assert repr(Endpoint(base_url="http://a", proxy="http://u:secret@p")) == "Endpoint('http://a', by proxy)"


@given(st.binary(max_size=60))
def test_headers_that_pass_are_lines_and_end_no_head(headers: bytes) -> None:
    try:
        check_headers(headers)
    except ValueError:
        return
    assert b"\r\n\r\n" not in headers
    assert headers.count(b"\n") == headers.count(b"\r\n") == headers.count(b"\r")
    assert not headers or (headers.endswith(b"\r\n") and b":" in headers)


def test_ordinary_headers_pass() -> None:
    check_headers(b"")
    check_headers(b"Authorization: Bearer x\r\nx-api-key:y\r\nanthropic-version: 2023-06-01\r\n")
