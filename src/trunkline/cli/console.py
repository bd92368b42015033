"""Where an operator's commands are carried out: at the console that the environment names, else on this machine.

`TRUNKLINE_CONSOLE` is the URL of a gateway's admin API, `TRUNKLINE_TOKEN` the operator's token. So whoever reviews or
examines needs no account on the gateway's machine, and records name them, not an account that several people share.
"""

import http.client
import os
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from trunkline.cli import office
from trunkline.cli.control_client import ANSWER_WITHIN, Gateway, NobodyAnswers
from trunkline.cli.failure import Failed, Misused
from trunkline.cli.options import CONSOLE
from trunkline.operations import neutral

TOKEN = "TRUNKLINE_TOKEN"
HERE = ("127.0.0.1", "::1", "localhost")
Result = TypeVar("Result")


class Remote(Gateway):
    """A running gateway, asked over its console's port as an operator."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(config="")
        self._url, self._token = url, token
        self._connection()  # a bad URL is a slip of whoever set it, before anything is asked

    def _connection(self) -> http.client.HTTPConnection:
        try:
            parts = urlsplit(self._url)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        if parts.scheme not in ("http", "https") or not host or parts.path.strip("/") or parts.query or parts.username:
            raise Misused(f"{CONSOLE} must be a URL such as https://gateway.example.com:8081, without path and user")
        if parts.scheme == "http" and host not in HERE:
            raise Misused(f"{CONSOLE} is plain HTTP to another machine, and would show your token: use https")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(host, port, timeout=ANSWER_WITHIN)

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token}"}


def carry_out(config: str, work: Callable[[office.Office], Result]) -> Result:
    """Do the work at the console that the environment names, else where `office` does it. Raises Failed or Misused."""
    url = os.environ.get(CONSOLE)
    if not url:
        return office.carry_out(config, work)
    token = os.environ.get(TOKEN, "").strip()
    if not token or not token.isascii() or not token.isprintable():
        raise Misused(f"{CONSOLE} is set, so {TOKEN} must be an operator's token")
    try:
        return work(Remote(url, token))
    except NobodyAnswers:
        raise Failed(f"nobody answers at {neutral(url)}") from None
