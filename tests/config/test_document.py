from config_samples import GOOD, problems_of, the_problem
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.config.document import MAX_BYTES, MAX_DEPTH, Mapping, Scalar, Sequence, compose
from trunkline.config.scalars import meaning


def value_of(text: str) -> object:
    node, problems = compose(f"a: {text}", "t.yaml")
    assert not problems
    assert isinstance(node, Mapping)
    found = node.get("a")
    assert isinstance(found, Scalar)
    return meaning(found)


def test_on_off_yes_and_no_are_words():
    assert [value_of(word) for word in ("on", "off", "yes", "no", "y", "n")] == ["on", "off", "yes", "no", "y", "n"]


def test_dates_and_base_60_numbers_are_words():
    assert value_of("2027-06-30") == "2027-06-30"
    assert value_of("12:30:45") == "12:30:45"
    assert value_of("1_000") == "1_000"


def test_a_leading_zero_makes_no_octal_number():
    assert value_of("010") == 10
    assert value_of("0o10") == 8


def test_a_quoted_word_is_text():
    assert value_of("'true'") == "true"
    assert value_of('"12"') == "12"
    assert value_of('""') == ""


def test_null_is_null_in_all_its_spellings():
    assert [value_of(word) for word in ("", "~", "null", "Null", "NULL")] == [None] * 5


def test_a_node_knows_its_line_and_column():
    node, _ = compose("a:\n  b: [x,\n      y]\n", "t.yaml")
    assert isinstance(node, Mapping)
    inner = node.get("a")
    assert isinstance(inner, Mapping)
    items = inner.get("b")
    assert isinstance(items, Sequence)
    assert (items.items[1].line, items.items[1].column) == (3, 7)


def test_a_duplicate_key_names_both_lines():
    problem = the_problem(GOOD + "version: 1\n")
    assert (problem.line, problem.column, problem.path) == (10, 1, "version")
    assert "line 1" in problem.message


def test_a_duplicate_key_deep_down_has_its_whole_path():
    problem = the_problem(GOOD.replace("{targets:", "{strategy: priority, strategy: weighted, targets:"))
    assert problem.path == "routes.voice.strategy"


def test_a_syntax_error_has_its_line():
    problem = the_problem("version: 1\nroutes: [a, b\nlog: {}\n")
    assert problem.line == 3
    assert "not YAML" in problem.message


def test_a_syntax_error_does_not_quote_what_may_be_a_secret():
    for text in (
        "k: !s3cr3t-and-more!x y",
        "k: &s3cr3t-and-more",
        "k: *s3cr3t-and-more",
        'k: "s3cr3t-and-more',
        "k: %s3cr3t",
    ):
        shown = "\n".join(map(str, problems_of(text)))
        assert shown
        assert "s3cr3t" not in shown


def test_anchors_and_aliases_are_refused_one_by_one():
    found = [p for p in problems_of("version: 1\na: &x [1]\nb: *x\n") if "anchors" in p.message]
    assert [p.line for p in found] == [2, 3]


def test_an_alias_bomb_is_refused_without_growing():
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]\n" for i in range(1, 10))
    assert any("anchors" in p.message for p in problems_of("l0: &l0 [x]\n" + levels))


def test_a_tag_is_refused():
    assert "tags" in the_problem(GOOD.replace("version: 1", "version: !!int 1")).message


def test_depth_is_bounded():
    assert any("nested deeper" in p.message for p in problems_of("a: " + "[" * 5_000))
    assert MAX_DEPTH < 50


def test_size_is_bounded():
    assert "larger than" in the_problem("#" * (MAX_BYTES + 1)).message


def test_a_second_document_is_refused():
    assert any("second document" in p.message for p in problems_of(GOOD + "---\nversion: 1\n"))


def test_a_key_that_is_a_list_is_refused():
    assert any("a key must be a word" in p.message for p in problems_of(GOOD + "? [a]\n: b\n"))


def test_control_characters_and_half_surrogates_are_refused():
    for escape in (r"\e", r"\0", r"\ud800", r"\x9b"):
        assert "control character" in the_problem(GOOD + f'data_dir: "{escape}"\n').message
    assert "control character" in the_problem(GOOD + "# \x00\n").message


YAML_SIGNS = st.sampled_from([*"{}[],:&*!|>'\"%@`#?-~ \n\tab1", "---", "...", "\\u", "<<: "])


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=200) | st.lists(YAML_SIGNS, max_size=60).map("".join))
def test_any_text_is_composed_or_refused_at_a_line_of_it(text):
    node, problems = compose(text, "t.yaml")
    lines = len(text.splitlines()) + 1
    assert all(1 <= problem.line <= lines and problem.column >= 1 for problem in problems)
    assert node is None or node.line <= lines
