import json

from hypothesis import given
from hypothesis import strategies as st

from trunkline.guardrails.arguments import ArgumentsText

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from strings(one)


@given(values)
def test_every_string_and_key_is_read_as_a_decoder_reads_it(value):
    lines = ArgumentsText(json.dumps(value)).text
    for string in strings(value):
        assert string in lines


@given(st.text(max_size=20))
def test_a_string_of_nothing_but_escapes_is_read_as_itself(string):
    units = string.encode("utf-16-be", "surrogatepass")
    escaped = "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
    assert ArgumentsText(f'["{escaped}"]').text == string


def test_an_escape_hides_nothing():
    assert ArgumentsText(r'{"a": "\u0031\u0032\u002d45"}').text == "a\n12-45"


@given(values)
def test_without_a_redaction_the_arguments_are_as_they_came(value):
    written = json.dumps(value)
    assert ArgumentsText(written).redacted([]) == written


@given(values, st.integers(0, 200), st.integers(1, 20))
def test_what_is_redacted_is_gone_and_the_json_is_still_json(value, start, length):
    text = ArgumentsText(json.dumps(value))
    start = min(start, max(len(text.text) - 1, 0))
    end = min(start + length, len(text.text))
    if start < end:
        edited = text.redacted([(start, end, "[X]")])
        json.loads(edited)
        assert "[X]" in edited or text.text[start:end] == "\n"


def test_a_redacted_number_becomes_a_string():
    text = ArgumentsText('{"card": 4111111111111111, "n": 1}')
    assert text.redacted([(5, 21, "[CARD]")]) == '{"card": "[CARD]", "n": 1}'


def test_a_span_over_several_strings_takes_its_part_of_each():
    text = ArgumentsText('["12", "34"]')
    assert text.text == "12\n34"
    assert text.redacted([(1, 4, "#")]) == '["1#", "#4"]'


def test_two_spans_of_one_string_are_both_replaced():
    assert ArgumentsText('"abcdef"').redacted([(1, 2, "#"), (4, 5, "#")]) == '"a#cd#f"'


@given(st.text(st.sampled_from('{}[]",:\\ua1 \n'), max_size=40))
def test_broken_json_is_read_as_far_as_it_can_be(text):
    ArgumentsText(text).redacted([(0, 1, "x")])


def test_a_string_that_no_decoder_takes_is_read_as_it_is_written():
    assert ArgumentsText(r'"a\q"').text == r"a\q"
    assert ArgumentsText('"never closed').text == '"\nnever\nclosed'


def test_a_lone_surrogate_is_no_fault():
    text = ArgumentsText(r'{"x": "\ud800"}')
    assert text.redacted([(0, 1, "y")]) == r'{"y": "\ud800"}'
