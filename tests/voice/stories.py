"""What happens behind the gateway in the tests of every framework, and what its caller has to hear."""

import pytest

from trunkline.simulator import CleanEnd, Cut, ErrorAnswer, Script, Stall, ToolCall

QUESTION = "How is the Henderson household allocated?"
SENTENCE = "I can't reach my assistant right now. Please hold on."
SAYS = f'instead_of_error: {{unavailable: "{SENTENCE}"}}'

GOOD = Script(text="All is well with the household. It really is so.")
ASKS = Script(tool_calls=(ToolCall("get_allocation", {"household": "Henderson"}),))
TELLS = Script(text="Sixty percent equities.")
TALKS_ON = Script(
    text="Sixty percent of it are equities. Thirty percent are bonds and so on", fault=Stall(after_tokens=12)
)
FAILING = Script(fault=ErrorAnswer(status=500))
LIMITED = Script(fault=ErrorAnswer(status=429, retry_after=30))

both = pytest.mark.parametrize("model", ["only-first", "only-second"], ids=["openai", "anthropic"])
nobody_answers = pytest.mark.parametrize(
    ("script", "code", "timeouts"),
    [
        (FAILING, "providers_failed", "total: 10s"),
        (LIMITED, "provider_unavailable", "total: 10s"),
        (Script(fault=Stall()), "deadline_exceeded", "total: 150ms"),
    ],
    ids=["failed", "resting", "deadline"],
)
breaks_off = pytest.mark.parametrize(
    "fault", [Stall(after_tokens=12), Cut(after_tokens=12), CleanEnd(after_tokens=12)], ids=["stall", "cut", "end"]
)


def provider_of(simulator, model):
    return simulator.openai if model == "only-first" else simulator.anthropic
