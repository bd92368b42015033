"""`trunkline replay --pipeline`: a recorded call through the guardrails of the configuration file as it is now."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from trunkline.cli.failure import Failed, failed_by
from trunkline.config.problems import ConfigInvalid
from trunkline.control.configuration import Configuration
from trunkline.dialects.provider import BrokenAnswer
from trunkline.dialects.registry import PROVIDER_DIALECTS
from trunkline.errors import InvalidRequest
from trunkline.gateway.in_force import make_policies
from trunkline.gateway.rerun import Rerun, answer_deltas
from trunkline.guardrails.check import Found
from trunkline.guardrails.hold_back import TooManyChoices
from trunkline.guardrails.policies import Policies, Policy
from trunkline.guardrails.registry import UnknownCheck
from trunkline.guardrails.watched import FAILED, Ask
from trunkline.ledger.answers import Story

Json = Mapping[str, Any]


class Decision(NamedTuple):
    """A finding that took effect: which, and where; equal where it is the same decision."""

    policy: str
    rule: str
    stage: str
    action: str
    where: str
    start: int
    end: int


class Comparison(NamedTuple):
    """What guardrails decided then, and what they decide now.

    `policies` says of each policy how it stands to then; `only_then` and `only_now` are findings; `then` and `now` say
    what came, or would come, of the call. `unasked` names policies whose question has no answer on record, `notes` what
    else has to be known.
    """

    call: str
    at: str
    policies: dict[str, str]
    then: str
    now: str
    only_then: list[Decision]
    only_now: list[Decision]
    both: int
    unasked: list[str]
    notes: list[str]

    @property
    def differs(self) -> bool:
        """Whether anything is decided in another way."""
        return bool(self.only_then or self.only_now or self.then != self.now)


def compared(story: Story, config: str) -> Comparison:
    """Return what the guardrails of a configuration decide of a recorded call. Raises Failed."""
    opened, ended = story.opened, story.ended
    if opened is None or ended is None or "request" not in story.bodies:
        raise Failed(f"the call {story.call} cannot be tried again: {story.note or 'it has not ended, or has no body'}")
    policies = _in_force(config, opened)
    recorded = _Recorded(opened, ended)
    rerun = Rerun(policies, recorded.answered)
    notes = _run(rerun, story.bodies, opened, ended)
    if ended.get("findings_left_out"):
        notes.append(f"{ended['findings_left_out']:,} findings of then are not on record")
    found = Counter(
        Decision(f.policy.name, f.found.rule, f.stage, f.action, f.where, f.found.start, f.found.end)
        for f in rerun.fired
    )
    return Comparison(
        story.call,
        opened["at"],
        _changes(recorded.versions, policies.every),
        recorded.outcome(),
        f"{rerun.stop.action} by {rerun.stop.policy.name}" if rerun.stop is not None else "let through",
        sorted((recorded.decisions - found).elements()),
        sorted((found - recorded.decisions).elements()),
        (found & recorded.decisions).total(),
        list(rerun.unasked),
        notes,
    )


class _Recorded:
    """What the record says of the guardrails."""

    def __init__(self, opened: Json, ended: Json) -> None:
        self._ended = ended
        self._findings: Sequence[Json] = ended.get("findings", ())
        self.versions = dict(name.rsplit("@", 1) for name in opened.get("guardrails", ()))
        fields = Decision._fields
        self.decisions = Counter(Decision(*(finding[name] for name in fields)) for finding in self._findings)

    def outcome(self) -> str:
        """Return what came of the call, by its policies."""
        by = self._ended.get("guardrail") or (self._ended.get("error") or {}).get("rule")
        stops = [
            one["action"] for one in self._findings if one["policy"] == by and one["action"] in ("block", "replace")
        ]
        return f"{stops[0]} by {by}" if stops else "let through"

    def answered(self, ask: Ask) -> Sequence[Found] | str | None:
        """Return what a service or a judge had said of this text then; None where the policy has changed since."""
        if self.versions.get(ask.policy.name) != ask.policy.version:
            return None
        end = ask.start + max(len(ask.text), 1)
        found = [
            one
            for one in self._findings
            if one["policy"] == ask.policy.name and one["where"] == ask.where and ask.start <= one["start"] < end
        ]
        failed = next((one for one in found if one["rule"] == FAILED), None)
        if failed is not None:
            return str(failed.get("why") or "no answer")
        return [
            Found(
                one["rule"], one["start"] - ask.start, one["end"] - ask.start, one.get("score", 1.0), one.get("why", "")
            )
            for one in found
        ]


def _in_force(config: str, opened: Json) -> Policies:
    """Return what is in force now for such a call, with what it had asked for itself. Raises Failed."""
    try:
        snapshot = Configuration(config).compile().snapshot
        made = make_policies(snapshot.guardrails, {})
    except ConfigInvalid as invalid:
        raise failed_by(invalid) from None
    except (UnknownCheck, ValueError) as error:
        raise Failed(str(error)) from None
    tenant, route = snapshot.tenants.get(opened["tenant"]), snapshot.routes.get(opened["route"])
    names = [name for name, said in snapshot.guardrails.items() if said.everywhere]
    names += tenant.guardrails if tenant is not None else ()
    names += route.guardrails if route is not None else ()
    names += [name.rsplit("@", 1)[0] for name in opened.get("guardrails", ())]
    hold = route.hold if route is not None else "sentence"
    return Policies([made[name] for name in dict.fromkeys(names) if name in made], hold)


def _run(rerun: Rerun, bodies: Mapping[str, str], opened: Json, ended: Json) -> list[str]:
    """Take the call through; return what has to be known of that."""
    try:
        chat = rerun.take_request(bodies["request"].encode())
    except InvalidRequest as error:
        return [f"its request cannot be read: {error}"]
    if rerun.stop is not None:
        return []
    asked = [attempt for attempt in ended.get("attempts", ()) if attempt["outcome"] != "skipped"]
    answer = bodies.get(f"{len(asked)}.provider_response", "").encode()
    if not asked or not answer or (asked[-1]["outcome"] == "failed" and not ended.get("released_chars")):
        return ["no provider had answered it: what it sent was looked at, and nothing else"]
    try:
        deltas = answer_deltas(PROVIDER_DIALECTS[asked[-1]["dialect"]], answer, stream=bool(opened.get("stream")))
        rerun.take_answer(deltas, chat.n or 1)
    except (BrokenAnswer, TooManyChoices, KeyError) as error:
        return [f"what the provider had answered cannot be read: {error}"]
    cut = opened.get("stream") and (ended.get("guardrail") or ended.get("client_left_ms") is not None)
    return ["the rest of its stream was not waited for: what is decided now is so of what had come"] if cut else []


def _changes(then: Mapping[str, str], now: Iterable[Policy]) -> dict[str, str]:
    """Return of each policy how it stands to then."""
    versions = {policy.name: policy.version for policy in now}
    said = {}
    for name in sorted({*then, *versions}):
        if name not in versions:
            said[name] = "gone"
        elif name not in then:
            said[name] = "new"
        else:
            said[name] = "the same" if then[name] == versions[name] else "changed"
    return said
