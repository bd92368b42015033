from trunkline.model.chat import (
    ChatRequest,
    Function,
    FunctionCall,
    ImagePart,
    ImageUrl,
    Message,
    RefusalPart,
    TextPart,
    Tool,
    ToolCall,
)
from trunkline.model.delta import Usage
from trunkline.policy.estimates import ANSWER_TOKENS, answer_tokens, prompt_tokens, usage_of_cut


def request(*messages, **body):
    return ChatRequest(model="m", messages=list(messages), **body)


def test_text_counts_four_characters_to_a_token_and_is_rounded_up():
    assert prompt_tokens(request(Message(role="user", content="a" * 9))) == 4 + 3


def test_parts_tool_calls_and_tool_schemas_count():
    plain = prompt_tokens(request(Message(role="user", content=[TextPart("a" * 8), RefusalPart("b" * 8)])))
    assert plain == 4 + 4
    image = prompt_tokens(request(Message(role="user", content=[ImagePart(ImageUrl("https://x"))])))
    assert image == 4 + 800
    call = Message(role="assistant", tool_calls=[ToolCall("1", FunctionCall("abcd", "efgh"))])
    assert prompt_tokens(request(call)) == 4 + 2
    tools = [Tool(Function("abcd", description="efgh", parameters={}))]
    assert prompt_tokens(request(tools=tools)) == 2


def test_an_answer_is_as_long_as_its_shortest_limit_for_each_choice():
    assert answer_tokens(request(), None) == ANSWER_TOKENS
    assert answer_tokens(request(max_tokens=10), 20) == 10
    assert answer_tokens(request(max_completion_tokens=30, max_tokens=10), 20) == 20
    assert answer_tokens(request(max_tokens=10, n=3), None) == 30


def test_a_cut_answer_is_charged_by_what_came():
    assert usage_of_cut(None, 100, 9) == Usage(input=100, output=3)


def test_what_the_provider_counted_before_the_cut_stands():
    reported = Usage(input=50, cached_input=7, output=1)
    assert usage_of_cut(reported, 100, 40) == Usage(input=50, cached_input=7, output=10)
    assert usage_of_cut(Usage(input=50, output=30), 100, 40).output == 30


def test_a_prompt_of_which_nothing_was_counted_is_estimated():
    assert usage_of_cut(Usage(output=30), 100, 40) == Usage(input=100, output=30)
    assert usage_of_cut(Usage(cached_input=7, output=30), 100, 40) == Usage(cached_input=7, output=30)
