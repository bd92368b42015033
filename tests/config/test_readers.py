import pytest
from config_samples import GOOD, STRONG, compiled, machine, problems_of, the_problem

from trunkline.config.sources import Sources


def params(text: str) -> str:
    return GOOD.replace("model: gpt-4o}", f"model: gpt-4o, params: {{set: {text}}}}}")


def test_parameters_are_any_json():
    text = params('{stop: [a, "1", 2, null], temperature: 0.1, response_format: {type: json_object, strict: true}}')
    assert compiled(text).snapshot.routes["voice"].targets[0].params.set == {
        "stop": ["a", "1", 2, None],
        "temperature": 0.1,
        "response_format": {"type": "json_object", "strict": True},
    }


@pytest.mark.parametrize("figure", ["9007199254740992", "1e16", "-1e300", "1e999"])
def test_a_parameter_that_json_cannot_carry_exactly_is_refused(figure):
    problem = the_problem(params(f"{{stop: [1, {figure}]}}"))
    assert problem.path == "routes.voice.targets[0].params.set.stop[1]"


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        (GOOD.replace("models:", "keep_warm: -1, models:"), "is too small", "write one from 0 to 1,000"),
        (GOOD.replace("models:", "keep_warm: 9999, models:"), "is too large", "write one from 0 to 1,000"),
        (GOOD.replace("models:", "keep_warm: 1.5, models:"), "is no whole number", "write one from 0 to 1,000"),
        (GOOD.replace("models:", "keep_warm: [], models:"), "must be a whole number, not a list", "from 0 to 1,000"),
        (GOOD.replace("version: 1", "version: 2"), "has one value only", "write 1"),
        (GOOD + "server: {drain: 2h}\n", "is too large", "write a duration from 0s to 1h"),
        (GOOD + "server: {max_headers: 1B}\n", "is too small", "write a size from 1KB to 1MB"),
    ],
)
def test_a_bad_number_says_what_is_wrong_with_it_and_then_what_to_write(text, message, fix):
    problem = the_problem(text)
    assert problem.message == message
    assert problem.fix.endswith(fix)


def test_a_truth_is_true_or_false_unquoted():
    for written in ("yes", "'true'", "1", "[]"):
        assert (
            the_problem(GOOD.replace("harbor:\n", f"harbor:\n    regulated: {written}\n")).path
            == "tenants.harbor.regulated"
        )


def test_text_is_neither_a_list_nor_a_truth_nor_nothing():
    for written in ("[a]", "{a: b}", "true", "null", "''"):
        assert the_problem(GOOD + f"data_dir: {written}\n").path == "data_dir"


def test_a_map_of_named_things_is_a_map():
    assert the_problem(
        GOOD.replace("    keys:\n      agent:", "    keys: [1]\n    x:").replace("    x:", "    #")
    ).path == ("tenants.harbor.keys")
    assert compiled(GOOD + "prices:\n").snapshot.prices


def test_a_map_has_a_bounded_number_of_entries():
    headers = ", ".join(f"x-{i}: a" for i in range(65))
    assert "at most 64" in the_problem(GOOD.replace("models:", f"headers: {{{headers}}}, models:")).message


def test_more_than_two_secrets_are_too_many():
    text = GOOD.replace('secret: "${HARBOR_VOICE_KEY}"', f"secret: [{STRONG}, {STRONG}, {STRONG}]")
    assert (the_problem(text).message, the_problem(text).fix) == ("has too many secrets", "name at most 2")


def test_what_a_bad_reference_leaves_behind_is_reported_once():
    text = GOOD + 'listen: "${NOT_SET}"\nlog: "${NOT_SET}"\naudit: "${NOT_SET}"\nserver: {drain: "${NOT_SET}"}\n'
    assert ["NOT_SET" in problem.message for problem in problems_of(text)] == [True] * 4
    text = GOOD.replace("model: gpt-4o}", 'model: gpt-4o, params: {set: {a: "${NOT_SET}"}}}')
    assert "NOT_SET" in the_problem(text).message
    assert "NOT_SET" in the_problem(GOOD + 'prices: "${NOT_SET}"\n').message


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PermissionError(), "may not be read"),
        (IsADirectoryError(), "cannot be read"),
        (UnicodeDecodeError("utf-8", b"", 0, 1, ""), "as text"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(error, says):
    def fail(path: str) -> str:
        raise error

    good = machine()
    sources = Sources(good.environment, fail, good.host_name, good.now)
    assert says in the_problem(GOOD + 'node: "${file:/x}"\n', sources).message
    assert "cannot be read" in the_problem(GOOD.replace("models:", "ca_bundle: /x, models:"), sources).message


def test_a_file_with_more_than_a_value_is_refused():
    sources = machine(files={"/x": "a" * 70_000})
    assert "larger than" in the_problem(GOOD + 'node: "${file:/x}"\n', sources).message
