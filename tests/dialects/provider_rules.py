"""What the providers refuse of a conversation, written from their documentation and errors, apart from our encoders."""

import itertools
import re

NO_PREFILL = (
    "claude-opus-4-6",
    "claude-sonnet-4-6",
    "claude-opus-4-7",
    "claude-sonnet-5",
    "claude-haiku-5-5",
    "claude-opus-5-5",
)
NO_SAMPLING = ("claude-opus-4-7", "claude-sonnet-5", "claude-haiku-5-5", "claude-opus-5-5", "claude-sonnet-5-5")
NO_FORCED_TOOLS = ("claude-opus-5-5", "claude-sonnet-5-5")
REFUSED_THINKING = {
    "claude-haiku-4-5": {"adaptive", "between_tools"},
    "claude-opus-4-7": {"enabled", "between_tools"},
    "claude-sonnet-5": {"enabled", "between_tools"},
    "claude-haiku-5-5": {"enabled", "between_tools"},
    "claude-opus-5-5": {"enabled", "disabled", "between_tools"},
    "claude-sonnet-5-5": {"enabled", "disabled"},
}


class Refused(AssertionError):
    pass


def need(condition, message):
    if not condition:
        raise Refused(message)


class AnthropicRules:
    """A body of `POST /v1/messages`, version 2023-06-01."""

    def check(self, body):
        model = body["model"]
        need(isinstance(body["max_tokens"], int) and body["max_tokens"] >= 1, "max_tokens: must be positive")
        need(isinstance(body.get("system", "x"), str) and body.get("system", "x").strip(), "system: must be non-empty")
        messages = body["messages"]
        need(messages, "messages: at least one message is required")
        need(messages[0]["role"] == "user", "messages: first message must use the user role")
        need(messages[-1]["role"] == "user" or model not in NO_PREFILL, "the conversation must end with a user message")
        for before, after in itertools.pairwise(messages):
            need(before["role"] != after["role"], "roles must alternate")
        self.check_pairs(messages)
        self.check_tools(body, model)
        for stop in body.get("stop_sequences", ()):
            need(stop.strip(), "stop_sequences: each stop sequence must contain non-whitespace")
        self.check_sampling(body, model)

    def check_pairs(self, messages):
        seen = set()
        expected = set()
        for message in messages:
            need(message["role"] in ("user", "assistant"), "unexpected role")
            blocks = message["content"]
            need(blocks, "all messages must have non-empty content")
            if isinstance(blocks, str):
                blocks = [{"type": "text", "text": blocks}]
            results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
            calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
            need(
                set(results) == expected,
                f"tool_use ids were found without tool_result blocks, or the other way: {expected} {results}",
            )
            need(len(results) == len(set(results)), "each tool_use must have a single result")
            need(
                [b["type"] for b in blocks[: len(results)]] == ["tool_result"] * len(results),
                "tool_result blocks must come first",
            )
            need(not results or message["role"] == "user", "tool_result blocks can only be in user messages")
            need(not calls or message["role"] == "assistant", "tool_use blocks can only be in assistant messages")
            need(len(calls) == len(set(calls)) and seen.isdisjoint(calls), "tool_use ids must be unique")
            seen |= set(calls)
            expected = set(calls)
            for block in blocks:
                self.check_block(block)
        need(not expected, "tool_use ids were found without tool_result blocks")

    def check_block(self, block):
        match block["type"]:
            case "text":
                need(set(block) == {"type", "text"}, "extra inputs are not permitted")
                need(block["text"].strip(), "text content blocks must contain non-whitespace text")
            case "tool_use":
                need(set(block) == {"type", "id", "name", "input"}, "extra inputs are not permitted")
                need(re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]), "tool_use.id: string should match pattern")
                need(re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", block["name"]), "tool_use.name: string should match pattern")
                need(isinstance(block["input"], dict), "tool_use.input: should be a valid dictionary")
            case "tool_result":
                need(set(block) <= {"type", "tool_use_id", "content"}, "extra inputs are not permitted")
                content = block.get("content", "x")
                need(content, "content of a tool_result must be non-empty where it is given")
                for inner in content if isinstance(content, list) else ():
                    need(inner["type"] in ("text", "image", "document"), "tool_result.content: unexpected block")
                    self.check_block(inner)
            case "image":
                source = block["source"]
                if source["type"] == "base64":
                    need(source["media_type"] in ("image/jpeg", "image/png", "image/gif", "image/webp"), "media_type")
                    need(source["data"], "image data must be non-empty")
                else:
                    need(
                        source["type"] == "url" and source["url"].startswith("https://"),
                        "only HTTPS URLs are supported",
                    )
            case "document":
                need(block["source"]["media_type"] == "application/pdf", "documents must be PDFs")
            case other:
                raise Refused(f"unexpected block {other}")

    def check_tools(self, body, model):
        tools = body.get("tools", [])
        names = [tool["name"] for tool in tools]
        need(len(names) == len(set(names)), "tool names must be unique")
        for tool in tools:
            need(set(tool) <= {"name", "description", "input_schema", "strict"}, "extra inputs are not permitted")
            need(re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", tool["name"]), "tools.name: string should match pattern")
            schema = tool["input_schema"]
            need(schema["type"] == "object", "input_schema.type: field required")
            need(
                not {"anyOf", "oneOf", "allOf"} & set(schema),
                "input_schema does not support oneOf, allOf, or anyOf at the top level",
            )
            if tool.get("strict"):
                self.check_closed(schema)
        used = any(
            b["type"] == "tool_use" for m in body["messages"] if isinstance(m["content"], list) for b in m["content"]
        )
        need(tools or not used, "requests which have tool_use blocks must define tools")
        choice = body.get("tool_choice")
        if choice is not None:
            need(tools, "tool_choice may only be specified while providing tools")
            need(choice["type"] in ("auto", "any", "tool", "none"), "tool_choice.type")
            need(choice["type"] != "tool" or choice["name"] in names, "tool_choice names no tool")
            need(choice["type"] != "none" or set(choice) == {"type"}, "extra inputs are not permitted")
            need(
                choice["type"] not in ("any", "tool") or model not in NO_FORCED_TOOLS,
                "forced tool use is not supported",
            )

    def check_closed(self, schema):
        if schema.get("type") == "object" or (isinstance(schema.get("type"), list) and "object" in schema["type"]):
            need(schema.get("additionalProperties") is False, "additionalProperties must be explicitly set to false")
        known = {
            "type",
            "properties",
            "required",
            "additionalProperties",
            "items",
            "minItems",
            "enum",
            "const",
            "anyOf",
        }
        known |= {"allOf", "$ref", "$defs", "definitions", "description", "title", "format"}
        need(set(schema) <= known, f"not supported: {set(schema) - known}")
        for group in ("properties", "$defs", "definitions"):
            for inner in schema.get(group, {}).values():
                self.check_closed(inner)
        for group in ("anyOf", "allOf"):
            for inner in schema.get(group, ()):
                self.check_closed(inner)
        if "items" in schema:
            self.check_closed(schema["items"])

    def check_sampling(self, body, model):
        sampling = {"temperature", "top_p", "top_k"} & set(body)
        need(model not in NO_SAMPLING or not sampling, f"{sampling} are deprecated for this model")
        need(not {"temperature", "top_p"} <= set(body), "temperature and top_p cannot both be specified")
        need(0 <= body.get("temperature", 1) <= 1, "temperature: range: 0..1")
        output = body.get("output_config", {})
        need("effort" not in output or model != "claude-haiku-4-5", "this model does not support the effort parameter")
        need(output.get("effort", "low") in ("low", "medium", "high", "xhigh", "max"), "effort")
        if "format" in output:
            self.check_closed(output["format"]["schema"])
        thinking = body.get("thinking", {}).get("type")
        need(
            thinking not in REFUSED_THINKING.get(model, ()), f"thinking.type.{thinking} is not supported for this model"
        )
        if thinking == "adaptive":
            need(body.get("tool_choice", {}).get("type") not in ("any", "tool"), "thinking with forced tool use")
            need(not sampling, "thinking with sampling parameters")


class OpenAIRules:
    """The messages of `POST /v1/chat/completions`."""

    def check(self, body):
        waiting = set()
        need(body["messages"], "[] is too short - 'messages'")
        for message in body["messages"]:
            if message["role"] == "tool":
                need(
                    message["tool_call_id"] in waiting,
                    "messages with role 'tool' must follow a message with 'tool_calls'",
                )
                waiting.discard(message["tool_call_id"])
                continue
            need(not waiting, f"an assistant message with 'tool_calls' must be followed by tool messages: {waiting}")
            calls = message.get("tool_calls")
            need(calls is None or calls, "[] is too short - 'tool_calls'")
            if calls:
                waiting = {call["id"] for call in calls}
                need(len(waiting) == len(calls), "duplicate ids")
                need(all(len(one) <= 40 for one in waiting), "string too long, expected a maximum length of 40")
            else:
                need(message.get("content") is not None or message.get("refusal"), "content must be a string")
        need(not waiting, "an assistant message with 'tool_calls' must be followed by tool messages")
