"""Answers of Anthropic's, written from its documentation, for the tests of its dialect."""

import json

USAGE = {
    "input_tokens": 472,
    "cache_creation_input_tokens": 30,
    "cache_read_input_tokens": 100,
    "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
    "output_tokens": 2,
    "service_tier": "standard",
}


def event(kind, **fields):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def start(usage=USAGE, **fields):
    message = {
        "id": "msg_014p7gG3wDgGV9EUtLvnow3U",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5-20251001",
        "stop_sequence": None,
        "usage": usage,
        "content": [],
        "stop_reason": None,
    }
    return event("message_start", message={**message, **fields})


def begin(index, **block):
    return event("content_block_start", index=index, content_block=block)


def change(index, kind, **fields):
    return event("content_block_delta", index=index, delta={"type": kind, **fields})


def text(index, *pieces):
    changes = [change(index, "text_delta", text=piece) for piece in pieces]
    return b"".join([begin(index, type="text", text=""), *changes, stop(index)])


def tool_use(index, call_id, name, *pieces):
    changes = [change(index, "input_json_delta", partial_json=piece) for piece in pieces]
    return b"".join([begin(index, type="tool_use", id=call_id, name=name, input={}), *changes, stop(index)])


def stop(index):
    return event("content_block_stop", index=index)


def finish(reason, usage=None, **fields):
    delta = {"stop_reason": reason, "stop_sequence": None, **fields}
    return event("message_delta", delta=delta, usage=usage or {"output_tokens": 89}) + event("message_stop")


PING = event("ping")
THINKING = b"".join(
    [
        begin(0, type="thinking", thinking="", signature=""),
        change(0, "thinking_delta", thinking="The Hendersons "),
        change(0, "thinking_delta", thinking="are up."),
        change(0, "signature_delta", signature="EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk"),
        stop(0),
        begin(1, type="redacted_thinking", data="EmwKAhgBEgy3va3pzix"),
        stop(1),
    ]
)
STREAMS = {
    "text": start() + PING + text(0, "Up six ", "percent, ", "ünïcödé 🎉.") + finish("end_turn"),
    "tools": start()
    + text(0, "One moment.")
    + tool_use(1, "toolu_01T1x1fJ34qAmk2tNTrN7Up6", "get_holdings", "", '{"house', 'hold": "Henderson"}')
    + PING
    + tool_use(2, "toolu_02", "market_hours")
    + finish("tool_use"),
    "thinking": start()
    + THINKING
    + text(2, "They are up.")
    + finish("end_turn", {"output_tokens": 50, "output_tokens_details": {"thinking_tokens": 30}}),
    "cut by the limit": start() + text(0, "They are") + finish("max_tokens"),
    "nothing said": start() + finish("end_turn", {"output_tokens": 1}),
}


def message(*content, reason="end_turn", usage=USAGE, **fields):
    return json.dumps(
        {
            "id": "msg_01",
            "type": "message",
            "role": "assistant",
            "model": "claude-haiku-4-5-20251001",
            "content": list(content),
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": usage,
            **fields,
        }
    ).encode()


def told(deltas):
    """Return what deltas say together: text, reasoning, refusal, calls, finish, usage."""
    calls = {}
    for delta in deltas:
        if delta.tool is not None:
            call = calls.setdefault(delta.tool.index, [None, None, ""])
            call[0] = delta.tool.id or call[0]
            call[1] = delta.tool.name or call[1]
            call[2] += delta.tool.arguments
    return {
        "text": "".join(delta.text for delta in deltas),
        "reasoning": "".join(delta.reasoning for delta in deltas),
        "refusal": "".join(delta.refusal for delta in deltas),
        "calls": [tuple(calls[index]) for index in sorted(calls)],
        "finish": [delta.finish for delta in deltas if delta.finish],
        "stop_reason": [delta.stop_reason for delta in deltas if delta.stop_reason],
        "usage": [delta.usage for delta in deltas if delta.usage is not None][-1:],
        "model": [delta.model for delta in deltas if delta.model],
    }
