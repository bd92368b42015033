"""docs/interface.md has every header, error, outcome, endpoint and command that the code has, and no other."""

import importlib
import pkgutil
import re
from typing import Any, get_args

import pytest
import typer
from pages import prose_of, quoted, rows
from source import strings

import trunkline
from trunkline.cli.command_line import COMMANDS, FAULT, INTERRUPTED, MISUSE
from trunkline.errors import AnswerReplaced, CallError, ClientLeft, ProviderRejected
from trunkline.gateway.answers import error_lines
from trunkline.gateway.limit_words import rate_limit_lines
from trunkline.model.identity import Purpose
from trunkline.model.records import OUTCOMES
from trunkline.model.snapshot import Limits, Tenant
from trunkline.policy.limits.limiter import Limiter
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import Claim, Needs
from trunkline.policy.limits.tenant_rules import TenantRules

PAGE = "docs/interface.md"
ERRORS = rows(PAGE, "status", "code", "source", "outcome", "`x-should-retry`", "when")
REQUEST_HEADERS = {name for cell, _ in rows(PAGE, "header", "what it says") for name in quoted(cell)}
ANSWER_HEADERS = {name for cell, _, _ in rows(PAGE, "header", "on", "what it says") for name in quoted(cell)}
HEADER = re.compile(
    r"(?<![\w.-])(x-[a-z]+(?:-[a-z]+)*|retry-after(?:-ms)?|authorization|api-key|idempotency-key|cache-control|traceparent|tracestate)"
    r"(?![\w-])"
)


def errors(kind: type[CallError] = CallError) -> set[type[CallError]]:
    """Every kind of error that a caller can meet."""
    for module in pkgutil.walk_packages(trunkline.__path__, "trunkline."):
        if module.name.startswith(("trunkline.errors", "trunkline.wire", "trunkline.gateway", "trunkline.policy")):
            importlib.import_module(module.name)
    found = set(kind.__subclasses__())
    return found | {below for one in found for below in errors(one)}


# What a provider rejects has the provider's status and code; a client that left is told nothing, and what is said in an
# answer's place is no error.
KNOWN = errors() - {ProviderRejected, ClientLeft, AnswerReplaced}


def headers_in(*paths: str) -> set[str]:
    return {name for text in strings(*paths) for name in HEADER.findall(text)}


def test_every_error_is_on_the_page_and_no_other():
    known = {(str(e.status), e.code, e.source, e.outcome) for e in KNOWN}
    said = {(status, quoted(code)[0], source, quoted(outcome)[0]) for status, code, source, outcome, _, _ in ERRORS}
    assert said == known


@pytest.mark.parametrize("row", ERRORS, ids=[f"{row[0]} {row[1]}" for row in ERRORS])
def test_an_error_gives_the_advice_of_the_page(row):
    status, code, _, _, advice, _ = row
    (kind,) = [e for e in KNOWN if (str(e.status), e.code) == (status, quoted(code)[0])]
    advised = {wait: advice_of(kind("why", retry_after=wait)) for wait in (None, 0.5, 1.0, 1.5, 60.0)}
    if "if the wait is above 1 s" in advice:
        assert (advised[0.5], advised[1.0], advised[1.5], advised[60.0]) == (None, None, "false", "false")
    else:
        assert set(advised.values()) == {quoted(advice)[0] if advice else None}


def advice_of(error: CallError) -> str | None:
    found = re.findall(rb"x-should-retry: (\w+)\r\n", error_lines(error, None, "")[0])
    return found[0].decode() if found else None


def test_no_error_is_a_409():
    assert [kind for kind in errors() if kind.status == 409] == []


def test_every_header_that_is_read_is_on_the_page_and_no_other():
    read = headers_in("policy/identity.py", "gateway/opening.py", "gateway/exchange.py")
    assert read - (ANSWER_HEADERS - {"x-request-id"}) == REQUEST_HEADERS


def test_every_header_that_is_sent_is_on_the_page_and_no_other():
    sent = headers_in("gateway/answers.py", "gateway/endpoints.py", "wire/refusals.py", "wire/responder.py")
    assert sent | limit_headers() == ANSWER_HEADERS


def limit_headers() -> set[str]:
    """What a call is told that falls under a limit of requests and one of tokens."""
    rules = TenantRules(Tenant("t", limits=Limits(requests_per_minute=1, tokens_per_minute=1)), [])
    claims = [Claim(rule, "t") for rule in rules.rules]
    limiter, now = Limiter(), Moment(0.0, 0.0)
    lines = rate_limit_lines(limiter, claims, limiter.reserve(claims, Needs(1, 0), now), now)
    return set(re.findall(r"^([\w-]+): ", lines, re.MULTILINE))


def test_every_outcome_is_on_the_page_in_its_order():
    said = [quoted(outcome)[0] for outcome, _, _ in rows(PAGE, "outcome", "what happened", "in this version")]
    assert said == list(OUTCOMES)


def test_every_purpose_is_on_the_page():
    (cell,) = [said for name, said in rows(PAGE, "header", "what it says") if "purpose" in name]
    assert quoted(cell) == list(get_args(Purpose))


def test_every_endpoint_is_on_the_page_and_no_other():
    served = {text for text in strings("gateway/endpoints.py") if re.fullmatch(r"/[a-z0-9/]+", text)}
    said = {quoted(request)[0].split()[1] for request, _ in rows(PAGE, "request", "what it answers")}
    assert {path.removesuffix("/{id}") for path in said} == served


def test_every_command_is_on_the_page_and_no_other():
    said = {quoted(command)[0] for command, _ in rows(PAGE, "command", "what it does")}
    assert said == {f"trunkline {name}" for name in commands()}


def commands() -> set[str]:
    """Every command that is there, those of a group with the group's name in front."""
    found = set()
    for name, entry in COMMANDS.items():
        group = getattr(importlib.import_module(entry.module), "commands", None)
        if isinstance(group, typer.Typer):
            found |= within(name, typer.main.get_command(group))
        else:
            found.add(name)
    return found


def within(name: str, command: Any) -> set[str]:
    """The command itself, where it does something, and those below it."""
    inner = getattr(command, "commands", None)
    if inner is None:
        return {name}
    below = {found for word, one in inner.items() for found in within(f"{name} {word}", one)}
    return below | ({name} if command.invoke_without_command else set())


def test_every_exit_code_is_on_the_page():
    said = re.search(r"Exit codes: ([^.]+)\.", prose_of(PAGE))
    assert said is not None
    assert [int(code) for code in re.findall(r"\b\d+\b", said[1])] == [0, 1, MISUSE, FAULT, INTERRUPTED]
