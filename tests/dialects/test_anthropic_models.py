import pytest

from trunkline.dialects.anthropic_models import model_of


@pytest.mark.parametrize(
    ("name", "sampling", "thinking", "forced_tools", "structured"),
    [
        ("claude-3-5-haiku-20241022", True, "manual", True, False),
        ("claude-3-opus-20240229", True, "manual", True, False),
        ("claude-opus-4-20250514", True, "manual", True, False),
        ("claude-opus-4-1-20250805", True, "manual", True, False),
        ("claude-haiku-4-5-20251001", True, "manual", True, True),
        ("claude-sonnet-4-5", True, "manual", True, True),
        ("anthropic.claude-opus-4-6-v1", True, "off", True, True),
        ("claude-sonnet-4.6", True, "off", True, True),
        ("claude-opus-4-7", False, "off", True, True),
        ("claude-opus-4-8", False, "off", True, True),
        ("claude-opus-5", False, "on", True, True),
        ("claude-sonnet-5", False, "on", True, True),
        ("claude-fable-5", False, "always", True, True),
        ("claude-mythos-5", False, "always", True, True),
        ("claude-fable-5-1", False, "always", False, True),
        ("claude-opus-5-5", False, "always", False, True),
        ("claude-sonnet-5-5", False, "between_tools", False, True),
        ("claude-haiku-5-5", False, "on", True, True),
        ("claude-mythos-preview", False, "always", False, True),
        ("claude-opus-7", False, "always", False, True),
        ("something-else", False, "always", False, True),
    ],
)
def test_a_model_s_name_tells_what_it_takes(name, sampling, thinking, forced_tools, structured):
    model = model_of(name)
    assert (model.sampling, model.thinking, model.forced_tools, model.structured) == (
        sampling,
        thinking,
        forced_tools,
        structured,
    )


@pytest.mark.parametrize(
    ("name", "efforts"),
    [
        ("claude-haiku-4-5", ()),
        ("claude-opus-4-5", ("low", "medium", "high")),
        ("claude-opus-4-6", ("low", "medium", "high", "max")),
        ("claude-sonnet-5", ("low", "medium", "high", "xhigh", "max")),
    ],
)
def test_a_model_s_name_tells_its_levels_of_effort(name, efforts):
    assert model_of(name).efforts == efforts
