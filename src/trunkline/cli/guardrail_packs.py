"""The packs of checks and the policies of a configuration, for the commands that try them."""

import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from trunkline.cli.failure import Failed, Misused, failed_by
from trunkline.config.problems import ConfigInvalid
from trunkline.control.configuration import Configuration
from trunkline.gateway.in_force import make_policies
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


def asked_for(check: str | None, cases: str | None) -> list[tuple[str, bytes, Thresholds]]:
    """Return the packs that were asked for: name, cases, thresholds. Raises Failed."""
    known = _thresholds()
    if cases is not None and check is not None:
        try:
            return [(check, Path(cases).read_bytes(), known.get(check, Thresholds()))]
        except OSError as error:
            raise Failed(f"{cases} cannot be read: {error.strerror}") from None
    if check is not None and check not in known:
        there_are = ", ".join(known)
        raise Misused(f"the check `{check}` has no pack; there are {there_are}; --cases names a file of your own")
    names = [check] if check is not None else list(known)
    return [(name, files(PACKS).joinpath(f"{name}.jsonl").read_bytes(), known[name]) for name in names]


def evaluated(name: str, data: bytes, thresholds: Thresholds) -> Evaluated:
    """Return how a check does on cases. Raises Failed."""
    try:
        cases, made = read_cases(data), make_check(name, {})
    except msgspec.MsgspecError as error:
        raise Failed(f"the cases of {name} cannot be read: {error}") from None
    except ValueError as error:
        raise Failed(f"the check {name} cannot be tried without settings: {error}") from None
    check = Policy(name, "", made).text
    if check is None:
        raise Failed(f"the check {name} does not look at text")
    score = evaluate(check, cases)
    began = time.perf_counter()
    evaluate(check, cases)  # once more: the first time expressions are made ready
    taken = time.perf_counter() - began
    return Evaluated(name, score, taken * 1e6 / max(len(cases), 1), score.failures(thresholds))


def _thresholds() -> dict[str, Thresholds]:
    return msgspec.json.decode(files(PACKS).joinpath("thresholds.json").read_bytes(), type=dict[str, Thresholds])


def policies_of(config: str, names: Sequence[str]) -> list[Policy]:
    """Return the policies of a configuration that look at text, or those of these names. Raises Failed."""
    try:
        snapshot = Configuration(config).compile().snapshot
    except ConfigInvalid as invalid:
        raise failed_by(invalid) from None
    try:
        policies = make_policies(snapshot, {})
    except (UnknownCheck, ValueError) as error:
        raise Failed(str(error)) from None
    unknown = [name for name in names if name not in policies]
    if unknown:
        raise Misused(f"there is no policy `{unknown[0]}` in {config}; there are {', '.join(policies) or 'none'}")
    chosen = [policy for name, policy in policies.items() if not names or name in names]
    if not chosen:
        raise Failed(f"{config} has no policies")
    return [policy for policy in chosen if policy.text is not None]


def scanned(policies: Sequence[Policy], text: str) -> tuple[list[Fired], str]:
    """Return what policies find in a text, and what would leave of it."""
    watched = Watched(policies, "sentence", ANSWER, "text")
    for start in range(0, max(len(text), 1), SLICE):
        watched.feed(text[start : start + SLICE], start + SLICE >= len(text))
    released = watched.give_out()
    if watched.stop is not None and watched.stop.action == "replace":
        released += f" {watched.stop.policy.sentence}" if released.strip() else watched.stop.policy.sentence
    return watched.fired, released
