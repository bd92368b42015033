"""Histories as voice frameworks and agents' own loops really send them are taken by both dialects."""

import json
from pathlib import Path

import msgspec
import pytest
from chat_examples import sent, target
from provider_rules import AnthropicRules, OpenAIRules, Refused

from trunkline.dialects.anthropic import ANTHROPIC
from trunkline.dialects.openai_client import decode_request
from trunkline.dialects.openai_provider import OPENAI
from trunkline.model.snapshot import Target

FILES = sorted((Path(__file__).parent / "histories").glob("*.json"))
HISTORIES = [pytest.param(json.loads(file.read_text()), id=file.stem) for file in FILES]
MODELS = ["claude-haiku-4-5", "claude-opus-4-7", "claude-sonnet-5", "claude-haiku-5-5"]


def understood(history):
    return decode_request(json.dumps(history["request"]).encode())


def test_the_corpus_is_there():
    assert len(FILES) >= 20


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("model", MODELS)
def test_anthropic_takes_every_history(history, model):
    AnthropicRules().check(sent(ANTHROPIC.encode(understood(history), target(model), "drop")))


@pytest.mark.parametrize("history", HISTORIES)
def test_openai_takes_every_history(history):
    OpenAIRules().check(sent(OPENAI.encode(understood(history), Target("openai", "gpt-4o-mini"), "drop")))


@pytest.mark.parametrize("history", HISTORIES)
def test_every_repair_is_named(history):
    request = understood(history)
    assert list(ANTHROPIC.encode(request, target(), "drop").repairs) == history["anthropic_repairs"]
    assert list(OPENAI.encode(request, Target("openai", "gpt-4o-mini"), "drop").repairs) == history["openai_repairs"]


@pytest.mark.parametrize("history", HISTORIES)
def test_nothing_that_was_said_is_lost(history):
    request = understood(history)
    body = ANTHROPIC.encode(request, target(), "drop").body.decode()
    for message in request.messages:
        for word in (message.content or "").split():
            assert msgspec.json.encode(word).decode().strip('"') in body


@pytest.mark.parametrize("history", [one for one in HISTORIES if one.values[0]["openai_repairs"]])
def test_openai_would_have_refused_what_was_repaired(history):
    with pytest.raises(Refused):
        OpenAIRules().check(history["request"])
