"""The README's list of what is not there yet holds: none of it works by halves."""

import pytest
from pages import prose_of, quoted, text_of
from source import attributes

from trunkline.config.compile import load
from trunkline.config.problems import ConfigInvalid
from trunkline.config.sources import Sources

SECTION = prose_of("README.md").partition("## What is not there yet")[2].partition("\n## ")[0]
WITHOUT_EFFECT = quoted(SECTION.partition("These settings")[2])


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("strategy: priority", "prompt: allocation@12"),
        ("audit: {durability: before_response}", "audit: {archive: {}}"),
        ("audit: {durability: before_response}", "telemetry: {otlp_endpoint: null}"),
        ("audit: {durability: before_response}", "alerts: []"),
        ("audit: {durability: before_response}", "slo: {overhead_p99: 10ms}"),
        ("audit: {durability: before_response}", "cors: {allow_origins: ['https://app.example.com']}"),
        ("dialect: anthropic", "dialect: gemini"),
    ],
)
def test_what_is_not_there_yet_cannot_be_configured(written, instead):
    text = text_of("examples/trunkline.yaml")
    assert written in text
    names = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "HARBOR_VOICE_KEY", "TRUNKLINE_ADMIN_TOKEN")
    environment = {name: f"{index}7kQ2vX9mZr4TbN8sWfY3hLcJ6pDgE1uA0x" for index, name in enumerate(names)}
    sources = Sources(environment, lambda _: "", "host", 1_790_000_000.0)
    load(text, "page", sources)
    with pytest.raises(ConfigInvalid) as refused:
        load(text.replace(written, instead, 1), "page", sources)
    assert len(refused.value.problems) == 1


def test_settings_without_effect_are_read_by_nothing_that_carries_calls():
    assert WITHOUT_EFFECT[0] == "regulated"
    assert "regulated" not in set(attributes("gateway", "policy", "wire", "dialects"))
