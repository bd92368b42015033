import dataclasses

import pytest
from config_samples import ENVIRONMENT, GOOD, OTHER, STRONG, compiled, machine, problems_of, the_problem

from trunkline.config.sources import Unreadable
from trunkline.config.strength import digest

WITH_FILE = GOOD.replace('"${OPENAI_API_KEY}"', '"${file:/run/secrets/openai}"')


def test_a_variable_is_read_from_the_environment():
    assert compiled(GOOD).secrets.providers["openai"].api_keys == ("sk-proj-of-openai",)


def test_a_missing_variable_is_named_where_it_is_used():
    problem = the_problem(GOOD, machine({"HARBOR_VOICE_KEY": STRONG}))
    assert (problem.line, problem.path) == (3, "providers.openai.api_key")
    assert "OPENAI_API_KEY is not set" in problem.message


def test_an_empty_variable_is_as_good_as_none():
    assert "is empty" in the_problem(GOOD, machine(ENVIRONMENT | {"OPENAI_API_KEY": " "})).message


def test_a_file_is_read_without_its_last_line_feed():
    good = compiled(WITH_FILE, machine(files={"/run/secrets/openai": "sk-from-file\n"}))
    assert good.secrets.providers["openai"].api_keys == ("sk-from-file",)


def test_a_missing_file_is_named():
    assert "no file /run/secrets/openai" in the_problem(WITH_FILE).message


def test_an_empty_file_is_named():
    problem = the_problem(WITH_FILE, machine(files={"/run/secrets/openai": "\n"}))
    assert "/run/secrets/openai is empty" in problem.message


@pytest.mark.parametrize("what", ["is larger than 4 bytes", "is not a regular file", "is not text in UTF-8"])
def test_a_file_that_gives_no_text_is_called_what_it_is(what):
    def read_file(path):
        raise Unreadable(what)

    problem = the_problem(WITH_FILE, dataclasses.replace(machine(), read_file=read_file))
    assert problem.message == f"the file /run/secrets/openai {what}"


def test_a_reference_can_be_part_of_a_value():
    text = GOOD.replace("version: 1", 'version: 1\ndata_dir: "/srv/${ENV}/data"')
    assert str(compiled(text, machine(ENVIRONMENT | {"ENV": "prod"})).data_dir) == "/srv/prod/data"


def test_two_dollars_write_one():
    assert str(compiled(GOOD + 'data_dir: "/srv/$${ENV}"\n').data_dir) == "/srv/${ENV}"


def test_an_unclosed_or_odd_reference_is_refused_without_showing_it():
    for written in ("${HARBOR", "${}", "${a-b}", "${sk-live-1234}"):
        problem = the_problem(GOOD + f'data_dir: "{written}"\n')
        assert problem.path == "data_dir"
        assert "sk-live" not in str(problem)


def test_a_number_may_come_from_a_reference():
    good = compiled(GOOD + 'server: {max_connections: "${N}"}\n', machine(ENVIRONMENT | {"N": "7"}))
    assert good.snapshot.server.max_connections == 7


def test_a_truth_may_come_from_a_reference():
    text = GOOD.replace("harbor:\n", 'harbor:\n    regulated: "${R}"\n')
    assert compiled(text, machine(ENVIRONMENT | {"R": "true"})).snapshot.tenants["harbor"].regulated is True


def test_what_a_reference_stands_for_is_never_yaml():
    good = compiled(GOOD, machine(ENVIRONMENT | {"OPENAI_API_KEY": "{a:b}"}))
    assert good.secrets.providers["openai"].api_keys == ("{a:b}",)


def test_a_route_of_a_key_is_checked_behind_its_reference_and_shown_as_written():
    text = GOOD.replace("routes: [voice]", 'routes: ["${R}"]')
    assert compiled(text, machine(ENVIRONMENT | {"R": "voice"})).snapshot.keys["agent"].routes == ("voice",)
    problem = the_problem(text, machine(ENVIRONMENT | {"R": "hidden-value"}))
    assert "${R}" in problem.message
    assert "hidden-value" not in str(problem)


def test_a_line_break_inside_a_provider_key_is_refused():
    problem = the_problem(GOOD, machine(ENVIRONMENT | {"OPENAI_API_KEY": "sk-a\nx-evil: 1"}))
    assert problem.path == "providers.openai.api_key"
    assert "evil" not in str(problem)


def test_escape_sequences_in_a_variable_are_refused():
    assert "control characters" in the_problem(GOOD, machine(ENVIRONMENT | {"OPENAI_API_KEY": "a\x1b[2J"})).message


def test_every_missing_variable_is_reported_at_once():
    assert len(problems_of(GOOD, machine({}))) == 2


def test_two_secrets_of_a_key_are_both_kept_as_digests():
    text = GOOD.replace('secret: "${HARBOR_VOICE_KEY}"', 'secret: ["${HARBOR_VOICE_KEY}", "${TRUNKLINE_ADMIN_TOKEN}"]')
    assert compiled(text).snapshot.keys["agent"].digests == (digest(STRONG), digest(OTHER))
