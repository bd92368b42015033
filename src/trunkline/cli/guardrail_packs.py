"""The packs of checks and the policies of a configuration, for the commands that try them."""

import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from trunkline.cli.failure import Failed, Misused, failed_by
from trunkline.config.guardrail_checks import names_in_force, preset_policies
from trunkline.config.problems import ConfigInvalid
from trunkline.control.configuration import Configuration
from trunkline.gateway.in_force import make_policies
from trunkline.guardrails.check import TextCheck
from trunkline.guardrails.evaluation import Score, Thresholds, evaluate, read_cases
from trunkline.guardrails.policies import ANSWER, Policy
from trunkline.guardrails.registry import UnknownCheck, make_check
from trunkline.guardrails.watched import Fired, Watched

PACKS: Final = "trunkline.guardrails.packs"
SLICE: Final = 4096


class Evaluated(NamedTuple):
    """A check's score, how long a case took on average, in microseconds, and what is below the thresholds."""

    check: str
    score: Score
    microseconds: float
    failures: list[str]


class Pack(NamedTuple):
    """Labelled cases, of which check, under which settings, and what is asked of it."""

    check: str
    cases: bytes
    thresholds: Thresholds
    settings: dict[str, Any]


def asked_for(check: str | None, cases: str | None) -> list[Pack]:
    """Return the packs that were asked for. Raises Failed and Misused."""
    known, settings = _thresholds(), msgspec.json.decode(_file("settings.json"), type=dict[str, dict[str, Any]])
    if cases is not None and check is not None:
        return [Pack(check, _cases_in(cases), known.get(check, Thresholds()), settings.get(check, {}))]
    if check is not None and check not in known:
        there_are = ", ".join(known)
        raise Misused(f"the check `{check}` has no pack; there are {there_are}; --cases names a file of your own")
    names = [check] if check is not None else list(known)
    return [Pack(name, _file(f"{name}.jsonl"), known[name], settings.get(name, {})) for name in names]


def evaluated(pack: Pack) -> Evaluated:
    """Return how a check does on cases. Raises Failed."""
    try:
        made = make_check(pack.check, pack.settings)
    except ValueError as error:
        raise Failed(f"the check {pack.check} cannot be tried without settings: {error}; try a --policy") from None
    check = Policy(pack.check, "", made).text
    if check is None:
        raise Failed(f"the check {pack.check} does not look at text")
    return _scored(pack.check, check, pack.cases, pack.thresholds)


def evaluated_policy(config: str, name: str, cases: str) -> Evaluated:
    """Return how a policy of a configuration does on the cases in a file. Raises Failed and Misused."""
    chosen = policies_of(config, [name])
    check = chosen[0].text if chosen else None
    if check is None:
        raise Failed(f"the policy {name} does not look at text by itself")
    return _scored(name, check, _cases_in(cases), Thresholds())


def _scored(name: str, check: TextCheck, data: bytes, thresholds: Thresholds) -> Evaluated:
    try:
        cases = read_cases(data)
    except msgspec.MsgspecError as error:
        raise Failed(f"the cases of {name} cannot be read: {error}") from None
    score = evaluate(check, cases, any_rule=thresholds.any_rule)
    began = time.perf_counter()
    evaluate(check, cases)  # once more: the first time expressions are made ready
    taken = time.perf_counter() - began
    return Evaluated(name, score, taken * 1e6 / max(len(cases), 1), score.failures(thresholds))


def _cases_in(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Failed(f"{path} cannot be read: {error.strerror}") from None


def _file(name: str) -> bytes:
    return files(PACKS).joinpath(name).read_bytes()


def _thresholds() -> dict[str, Thresholds]:
    return msgspec.json.decode(_file("thresholds.json"), type=dict[str, Thresholds])


def policies_of(config: str, names: Sequence[str]) -> list[Policy]:
    """Return the policies of a configuration, or those of these names. Raises Failed and Misused."""
    try:
        snapshot = Configuration(config).compile().snapshot
    except ConfigInvalid as invalid:
        raise failed_by(invalid) from None
    try:
        presets = {inner: said for name in names for inner, said in preset_policies(name).items()}
        policies = make_policies(presets | snapshot.guardrails, {})
    except (UnknownCheck, ValueError) as error:
        raise Failed(str(error)) from None
    wanted = names_in_force(names)
    unknown = [name for name in wanted if name not in policies]
    if unknown:
        raise Misused(f"there is no policy `{unknown[0]}` in {config}; there are {', '.join(policies) or 'none'}")
    chosen = [policy for name, policy in policies.items() if not names or name in wanted]
    if not chosen:
        raise Failed(f"{config} has no policies")
    return chosen


def scanned(policies: Sequence[Policy], text: str) -> tuple[list[Fired], str]:
    """Return what policies that look at text find in one, and what would leave of it."""
    watched = Watched(policies, "sentence", ANSWER, "text")
    for start in range(0, max(len(text), 1), SLICE):
        watched.feed(text[start : start + SLICE], start + SLICE >= len(text))
    released = watched.give_out()
    if watched.stop is not None and watched.stop.action == "replace":
        released += f" {watched.stop.policy.sentence}" if released.strip() else watched.stop.policy.sentence
    return watched.fired, released
