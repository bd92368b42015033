"""The snippets of docs/voice.md do with the installed frameworks what the page says."""

import asyncio
import re

import pytest

from voice.page import PAGE, ROOT, snippet_with

PIPECAT, LIVEKIT = snippet_with("GatewayLLMService"), snippet_with("conn_options")


@pytest.mark.parametrize("code", [PIPECAT, LIVEKIT], ids=["pipecat", "livekit"])
def test_a_snippet_makes_a_client_that_goes_to_the_gateway_and_never_tries_again(code, monkeypatch):
    monkeypatch.setenv("MY_APP_KEY", "secret")
    made: dict = {}

    async def make():
        exec(code, made)
        client = made["llm"]._client
        assert str(client.base_url) == "http://127.0.0.1:8080/v1/"
        assert (client.api_key, client.max_retries) == ("secret", 0)
        await client.close()

    asyncio.run(make())
    if "conn_options" in made:
        assert made["conn_options"].llm_conn_options.max_retry == 0


def test_the_versions_of_the_page_are_those_of_the_lock():
    lock = (ROOT / "requirements-voice.lock").read_text()
    for name, version in re.findall(r"(pipecat-ai|livekit-agents) (\d+\.\d+)", PAGE):
        assert f"\n{name}=={version}." in lock
