"""The simulated model: reads a conversation as a small agent would and answers it. Pure, and always the same.

A question and tools on offer: it calls one. Tool results: it answers with them. Else it says what an advisor of the
Henderson household would like to hear. A script that says something is followed instead.
"""

import msgspec

from trunkline.simulator.answer import Answer, Asked, Choice, Finish, MadeCall, Tool
from trunkline.simulator.faults import EmptyAnswer, Oversized
from trunkline.simulator.sampling import sample
from trunkline.simulator.script import Script, ToolCall
from trunkline.simulator.tokens import group, split

_HOUSEHOLD = (
    (
        ("fee", "cost", "charge"),
        "The Henderson household paid 11,240 dollars in advisory fees last year, 0.62 percent of the average balance.",
    ),
    (
        ("perform", "return", "gain", "loss"),
        "The Henderson household is up 5.8 percent since January, half a point ahead of its benchmark.",
    ),
    (
        ("rebalanc", "drift", "trade"),
        "The Henderson household has drifted 3 points above its equity target, inside the agreed band of 5 points.",
    ),
)
_ALLOCATION = (
    "The Henderson household holds 1.84 million dollars: 61 percent equities, 32 percent fixed income and "
    "7 percent cash."
)


def answer(script: Script, asked: Asked) -> Answer:
    """Decide what the provider answers: the script's words, else the agent's own."""
    choices = _choices(script, asked)
    reasoning = split(script.reasoning) if script.reasoning else []
    counted = sum(_tokens_of(choice) for choice in choices) + len(reasoning)
    usage = script.usage
    return Answer(
        model=script.model or asked.model,
        choices=choices,
        input=usage.input if usage else asked.prompt_tokens,
        output=usage.output if usage else counted,
        cached=usage.cached if usage else 0,
        cache_write=usage.cache_write if usage else 0,
        reasoning=usage.reasoning if usage else len(reasoning),
        stop_reason=script.stop_reason,
    )


def _tokens_of(choice: Choice) -> int:
    return choice.tokens + sum(len(split(call.arguments)) + 1 for call in choice.calls)


def _choices(script: Script, asked: Asked) -> tuple[Choice, ...]:
    if isinstance(script.fault, EmptyAnswer):
        return tuple(Choice(text="") for _ in range(asked.n))
    if isinstance(script.fault, Oversized):
        text = "x" * script.fault.size
        return tuple(Choice(text=text, pieces=(text,), tokens=1) for _ in range(asked.n))
    texts = (script.text, *script.alternatives)
    return tuple(_choice(script, asked, texts[min(index, len(texts) - 1)]) for index in range(asked.n))


def _choice(script: Script, asked: Asked, text: str | None) -> Choice:
    reasoning = group(split(script.reasoning), script.tokens_per_frame) if script.reasoning else ()
    if script.refusal is not None:
        said = split(script.refusal)
        pieces = group(said, script.tokens_per_frame)
        return Choice(refusal=script.refusal, pieces=pieces, tokens=len(said), reasoning=reasoning, finish="refusal")
    if script.tool_calls:
        calls = tuple(_scripted(call) for call in script.tool_calls)
        said = split(text or "")
        pieces = group(said, script.tokens_per_frame)
        return Choice(text=text, pieces=pieces, tokens=len(said), reasoning=reasoning, calls=calls, finish="tool_calls")
    if text is None and (tool := _tool_for(asked)) is not None:
        call = MadeCall(None, tool.name, _json(sample(tool.schema, words=asked.question)))
        return Choice(reasoning=reasoning, calls=(call,), finish="tool_calls")
    said, finish, stop = _within_limits(asked, _words(asked) if text is None else text)
    return Choice(
        text="".join(said),
        pieces=group(said, script.tokens_per_frame),
        tokens=len(said),
        reasoning=reasoning,
        finish=finish,
        stop_sequence=stop,
    )


def _scripted(call: ToolCall) -> MadeCall:
    arguments = call.arguments if isinstance(call.arguments, str) else _json(call.arguments)
    return MadeCall(call.id, call.name, arguments)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _tool_for(asked: Asked) -> Tool | None:
    """The tool the question is about: forced, else the one that shares most words with it, the first of equals."""
    if not asked.tools or not asked.may_call:
        return None
    if asked.forced_tool is not None:
        return next((tool for tool in asked.tools if tool.name == asked.forced_tool), None)
    if asked.results and not asked.must_call:
        return None
    words = set(asked.question.lower().replace("?", " ").split())
    return max(asked.tools, key=lambda tool: len(words & _words_of(tool)))


def _words_of(tool: Tool) -> set[str]:
    return set(f"{tool.name} {tool.description}".lower().replace("_", " ").replace(".", " ").split())


def _words(asked: Asked) -> str:
    if asked.schema is not None:
        return _json(sample(asked.schema or {"type": "object"}, words=asked.question))
    if asked.results:
        return f"Here is what I found: {' '.join(asked.results)[:400]}"
    question = asked.question.lower()
    for signs, words in _HOUSEHOLD:
        if any(sign in question for sign in signs):
            return words
    return _ALLOCATION


def _within_limits(asked: Asked, text: str) -> tuple[list[str], Finish, str | None]:
    """Stop at the first stop sequence, then at the token limit, as a provider does; returns the tokens said."""
    finish: Finish = "stop"
    stopped_by: str | None = None
    for stop in asked.stop:
        at = text.find(stop)
        if at >= 0:
            text, finish, stopped_by = text[:at], "stop_sequence", stop
    tokens = split(text)
    if asked.max_tokens is not None and len(tokens) > asked.max_tokens:
        return tokens[: asked.max_tokens], "length", None
    return tokens, finish, stopped_by
