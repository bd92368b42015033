import pytest
from config_samples import GOOD, compiled
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.config.addresses import is_loopback, listen, provider_url, proxy_url, without_userinfo
from trunkline.config.readers import Mistake


@pytest.mark.parametrize("text", ["127.0.0.1:8080", "[::1]:8080", "0.0.0.0:0", "localhost:65535", "[::]:443"])
def test_host_and_port_are_an_address(text):
    assert listen(text) == text


@pytest.mark.parametrize(
    "text", ["8080", ":8080", "127.0.0.1", "::1:8080", "1.2.3.4.5:80", "256.0.0.1:80", "a:65536", "a:b", "[x]:1"]
)
def test_anything_else_is_none(text):
    with pytest.raises(Mistake):
        listen(text)


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:9/v1", "http://[::1]:9", "http://localhost", "https://api.openai.com/v1/"]
)
def test_a_provider_is_reached_by_tls_or_on_this_machine(text):
    assert provider_url(text) == text.rstrip("/")


@pytest.mark.parametrize(
    "text",
    [
        "http://api.openai.com/v1",
        "http://10.0.0.1/v1",
        "http://127.0.0.1.evil.example/",
        "ftp://127.0.0.1/",
        "https://",
        "api.openai.com",
        "https://user:pw@api.openai.com",
        "https://api.openai.com/v1?key=x",
        "https://api.openai.com/v1#x",
        "https://a b/",
        "https://api.openai.com:0",
        "https://api.openai.com:99999",
        "https://[::1",
        "https://evil.example\\@api.openai.com",
    ],
)
def test_every_other_url_of_a_provider_is_refused(text):
    with pytest.raises(Mistake):
        provider_url(text)


def test_loopback_is_the_whole_of_127_and_not_a_name_that_begins_so():
    assert is_loopback("127.9.9.9")
    assert is_loopback("::1")
    assert not is_loopback("127.0.0.1.example.com")
    assert not is_loopback("10.0.0.1")


def test_a_proxy_keeps_its_password_out_of_the_snapshot():
    text = GOOD.replace("models:", 'proxy: "http://user:pw-s3cret@proxy.internal:3128", models:')
    good = compiled(text)
    assert good.snapshot.providers["openai"].proxy == "http://proxy.internal:3128"
    assert good.secrets.providers["openai"].proxy == "http://user:pw-s3cret@proxy.internal:3128"
    assert b"s3cret" not in good.canonical
    assert "s3cret" not in repr(good)


def test_a_proxy_has_no_path():
    with pytest.raises(Mistake):
        proxy_url("http://proxy.internal:3128/x")


def test_userinfo_is_all_before_the_last_at_sign():
    assert without_userinfo("http://a:b@c@proxy:1") == "http://proxy:1"


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40) | st.text(max_size=30).map(lambda tail: f"https://{tail}"))
def test_no_text_breaks_a_parser(text):
    for parse in (listen, provider_url, proxy_url):
        try:
            assert parse(text)
        except Mistake as mistake:
            assert mistake.fix
