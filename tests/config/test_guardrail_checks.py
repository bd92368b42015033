import pytest
from config_samples import GOOD, compiled, problems_of, the_problem

from trunkline.config.canonical import decode_snapshot
from trunkline.model.snapshot import Guardrail

RULES = "rules: [{name: rival, words: [Acme]}]"


def with_policy(policy: str, names: str = "[p]") -> str:
    return GOOD.replace("gpt-4o}]", f"gpt-4o}}], guardrails: {names}") + f"guardrails:\n  p: {{{policy}}}\n"


def policy_of(text: str) -> Guardrail:
    return compiled(text).snapshot.guardrails["p"]


def test_a_policy_of_the_file_is_in_the_snapshot_with_what_it_says():
    text = with_policy(
        f"check: patterns, on: [output], action: replace, with: No., finish_reason: content_filter, on_error: allow,"
        f" on_unscannable: allow, timeout: 300ms, everywhere: true, {RULES}"
    )
    policy = policy_of(text)
    assert policy == Guardrail(
        name="p",
        version=policy.version,
        check="patterns",
        on=("output",),
        settings={"rules": [{"name": "rival", "words": ["Acme"]}]},
        action="replace",
        sentence="No.",
        finish_reason="content_filter",
        on_error="allow",
        on_unscannable="allow",
        timeout=0.3,
        everywhere=True,
    )


def test_what_a_policy_does_not_say_is_as_strict_as_can_be_and_as_its_check_has_it():
    policy = policy_of(with_policy(f"check: patterns, {RULES}"))
    assert (policy.on, policy.action, policy.on_error, policy.on_unscannable) == (
        ("input", "output"), "block", "block", "block",
    )  # fmt: skip
    assert not policy.everywhere


def test_routes_and_tenants_name_their_policies():
    text = with_policy(f"check: patterns, {RULES}").replace("harbor:\n", "harbor:\n    guardrails: [p]\n")
    snapshot = compiled(text.replace("gpt-4o}]", "gpt-4o}], hold: clause")).snapshot
    assert snapshot.routes["voice"].guardrails == ("p",)
    assert snapshot.routes["voice"].hold == "clause"
    assert snapshot.tenants["harbor"].guardrails == ("p",)
    assert decode_snapshot(compiled(text).canonical).guardrails == snapshot.guardrails


def test_a_file_without_policies_has_the_snapshot_that_it_had_before():
    assert b"guardrails" not in compiled(GOOD).canonical


def test_the_version_of_a_policy_changes_with_what_it_does_and_not_with_its_name():
    base = with_policy(f"check: patterns, {RULES}")
    version = policy_of(base).version
    renamed = compiled(base.replace("p: {", "other: {").replace("[p]", "[other]")).snapshot.guardrails["other"]
    assert renamed.version == version
    others = [
        with_policy(f"check: patterns, {RULES}, action: flag"),
        with_policy(f"check: patterns, {RULES}, on: [input]"),
        with_policy(f"check: patterns, {RULES}".replace("Acme", "Initech")),
    ]
    assert len({version, *(policy_of(other).version for other in others)}) == 4


@pytest.mark.parametrize(
    ("policy", "path", "says"),
    [
        ("check: paterns", "check", "did you mean `patterns`?"),
        ("action: block", "", "`check` is missing"),
        (f"check: patterns, {RULES}, rule: 1", "rule", "no such setting"),
        (f"check: patterns, {RULES}, action: drop", "action", "one of block, replace"),
        (f"check: patterns, {RULES}, action: replace", "action", "needs the sentence"),
        (f"check: patterns, {RULES}, with: x", "with", "only"),
        (f"check: patterns, {RULES}, on: []", "on", "at least 1"),
        (f"check: patterns, {RULES}, on: [answers]", "on[0]", "one of input"),
        (f"check: patterns, {RULES}, timeout: 2m", "timeout", "60s"),
        ("check: patterns, rules: [{name: a, expression: (}]", "rules", "rule 1, `a`: it is not a regular"),
        ("check: patterns", "", "rules"),
    ],
)
def test_a_policy_that_cannot_be_is_refused_with_the_place(policy, path, says):
    problem = the_problem(with_policy(policy))
    assert problem.path == f"guardrails.p.{path}".rstrip(".")
    assert says in f"{problem.message} {problem.fix}"


@pytest.mark.parametrize(
    ("judge", "path", "says"),
    [
        ("route: voise, rubric: Polite.", "route", "there is no route `voise`; did you mean `voice`?"),
        ("route: openai/gpt-4o, rubric: Polite.", "route", "there is no route `openai/gpt-4o`"),
        ("rubric: Polite.", "", "route"),
        ("route: voice, rubric: ''", "rubric", "must say what"),
        ("route: voice, rubric: Polite., threshold: 2", "threshold", "<= 1"),
        ("route: voice, rubric: Polite., mode: after", "mode", "no such setting"),
    ],
)
def test_a_judge_that_nobody_could_ask_is_refused(judge, path, says):
    problem = the_problem(with_policy(f"check: llm_judge, {judge}"))
    assert problem.path == f"guardrails.p.{path}".rstrip(".")
    assert says in f"{problem.message}; {problem.fix}"


def test_a_judge_looks_at_the_output_unless_told_otherwise():
    policy = policy_of(with_policy("check: llm_judge, route: voice, rubric: Polite."))
    assert (policy.on, policy.settings) == (("output",), {"route": "voice", "rubric": "Polite."})


JUDGE = "check: llm_judge, route: voice, rubric: Polite., when: after"


def test_a_judge_that_looks_afterwards_flags_and_can_block_nothing():
    policy = policy_of(with_policy(f"{JUDGE}, action: flag"))
    assert (policy.when, policy.action, policy.on_error, policy.on_unscannable) == ("after", "flag", "allow", "allow")
    said = policy_of(with_policy(f"{JUDGE}, action: flag, on_error: allow, on_unscannable: allow, on: [answer]"))
    assert said.on == ("answer",)
    waited = with_policy("check: llm_judge, route: voice, rubric: Polite., when: sync, action: flag, on_error: allow")
    assert policy_of(waited).version != policy.version
    assert policy_of(waited).when == "sync"


def test_a_service_can_be_asked_afterwards_too():
    policy = policy_of(with_policy(f"{HOOK}, when: after, action: flag, on: [output]"))
    assert (policy.check, policy.when) == ("webhook", "after")


@pytest.mark.parametrize(
    ("policy", "path", "says"),
    [
        (JUDGE, "", "an answer that has left can be flagged only; write `action: flag`, or remove `when: after`"),
        (f"{JUDGE}, action: block", "action", "an answer that has left can be flagged only"),
        (f"{JUDGE}, action: redact", "action", "write `action: flag`"),
        (f"{JUDGE}, action: replace, with: No.", "action", "write `action: flag`"),
        (f"{JUDGE}, action: flag, on: [input]", "on", "`input` is not; write `on: [output]`"),
        (f"{JUDGE}, action: flag, on: [output, transcript]", "on", "`transcript` is not"),
        (f"{JUDGE}, action: flag, on: [tool_results]", "on", "`tool_results` is not"),
        (f"{JUDGE}, action: flag, on_error: block", "on_error", "cannot be blocked; remove it"),
        (f"{JUDGE}, action: flag, on_unscannable: block", "on_unscannable", "cannot be blocked; remove it"),
        (f"{JUDGE}ward, action: flag", "when", "must be sync or after"),
        (f"check: patterns, {RULES}, action: flag, when: after", "when", "asks nobody"),
        ('check: webhook, url: "https://guard.example.com/v1", when: after, action: flag', "", "write `on: [output]`"),
    ],
)
def test_what_cannot_be_done_when_an_answer_has_left_is_refused(policy, path, says):
    problem = the_problem(with_policy(policy))
    assert problem.path == f"guardrails.p.{path}".rstrip(".")
    assert says in f"{problem.message}; {problem.fix}"


def test_a_name_that_is_no_policy_is_refused_where_it_stands():
    text = with_policy(f"check: patterns, {RULES}", "[q, builtin/nothing]")
    text = text.replace("harbor:\n", "harbor:\n    guardrails: [r]\n")
    found = {problem.path: problem.message for problem in problems_of(text)}
    assert found == {
        "routes.voice.guardrails[0]": "there is no policy `q`",
        "routes.voice.guardrails[1]": "there is no preset `builtin/nothing`",
        "tenants.harbor.guardrails[0]": "there is no policy `r`",
    }


HOOK = 'check: webhook, url: "https://guard.example.com/v1"'


def with_hook(more: str, url: str = "https://guard.example.com/v1") -> str:
    return with_policy(f'check: webhook, url: "{url}", {more}')


def test_what_a_service_is_told_is_a_secret_and_the_names_of_the_headers_are_not():
    text = with_hook('headers: {x-desk: hid-den2, Authorization: "Bearer ${OPENAI_API_KEY}"}')
    good = compiled(text)
    assert good.snapshot.guardrails["p"].headers == ("Authorization", "x-desk")
    assert good.secrets.guardrails == {"p": {"x-desk": "hid-den2", "Authorization": "Bearer sk-proj-of-openai"}}
    shown = good.canonical.decode() + repr(good) + str(good.snapshot)
    assert "hid-den" not in shown
    assert "sk-proj-of-openai" not in shown
    assert decode_snapshot(good.canonical).guardrails == good.snapshot.guardrails


def test_another_value_of_a_header_is_no_other_policy_and_another_name_is():
    versions = [
        policy_of(with_hook(f"headers: {{{headers}}}")).version
        for headers in ("authorization: one", "authorization: two", "x-key: one")
    ]
    assert versions[0] == versions[1] != versions[2]
    assert policy_of(with_policy(HOOK)).headers == ()
    assert compiled(with_policy(HOOK)).secrets.guardrails == {}


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        (with_policy(f"check: patterns, {RULES}, headers: {{x-a: b}}"), "guardrails.p.headers", "asks nobody"),
        (
            with_policy("check: llm_judge, route: voice, rubric: Polite., headers: {x-a: b}"),
            "guardrails.p.headers",
            "the check `llm_judge` asks models over the gateway's own routes, so sends none",
        ),
        (with_hook("headers: {Host: here}"), "guardrails.p.headers.Host", "the gateway's own"),
        (with_hook("headers: {content-type: x}"), "guardrails.p.headers.content-type", "the gateway's own"),
        (with_hook("headers: {x-a: b, X-A: c}"), "guardrails.p.headers.X-A", "there twice"),
        (with_hook('headers: {x-a: "b\\nc: d"}'), "guardrails.p.headers.x-a", "visible ASCII"),
        (with_hook("headers: {x a: b}"), "guardrails.p.headers.x a", "a header's name"),
        (with_hook("headers: {x-a: [b]}"), "guardrails.p.headers.x-a", "visible ASCII"),
        (
            with_hook("hold: whole", "https://guard.example.com/v1?key=${OPENAI_API_KEY}"),
            "guardrails.p.url",
            "would be in the snapshot",
        ),
        (with_hook('format: "${OPENAI_API_KEY}"'), "guardrails.p.format", "does not take this"),
        (
            with_policy('check: pii, entities: [ssn, "${OPENAI_API_KEY}"]'),
            "guardrails.p.entities",
            "does not take this",
        ),
    ],
)
def test_headers_that_cannot_be_sent_and_secrets_in_the_wrong_place_are_refused(text, path, says):
    problem = the_problem(text)
    assert (problem.path, says in str(problem)) == (path, True), str(problem)
    assert "sk-proj-of-openai" not in str(problem)


def test_a_reference_may_be_part_of_an_address_that_has_no_query():
    text = with_hook("hold: whole", "https://guard.example.com/${OPENAI_API_KEY}")
    assert policy_of(text).settings["url"].endswith("/sk-proj-of-openai")
