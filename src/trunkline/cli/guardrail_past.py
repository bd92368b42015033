"""What the policies of a configuration would have done to past calls.

Where the calls stand is asked of the index, some at a time; what was said is read here from the logs, and looked at
here: a running gateway has none of that work.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from trunkline.audit.format.sealing import KeyMissing
from trunkline.cli.failure import Failed, Misused
from trunkline.cli.guardrail_tally import ANSWER, Past, Recorded, Row, Tally, recorded_findings
from trunkline.cli.office import carry_out
from trunkline.cli.past_calls import Erased, PastCall, Unreadable, read_call, was_let_in
from trunkline.config.guardrail_checks import names_in_force, preset_policies
from trunkline.control.answers import ProposedGuardrails
from trunkline.control.configuration import Configuration
from trunkline.control.machine import data_dir_of
from trunkline.control.vault_keys import stored_keys
from trunkline.gateway.in_force import make_policies
from trunkline.guardrails.excerpts import Hiding
from trunkline.guardrails.hindsight import Hindsight, TooManyChoices
from trunkline.guardrails.memory import Cleared
from trunkline.guardrails.policies import Policies, Policy
from trunkline.guardrails.registry import make_check
from trunkline.ledger.archive import Archive
from trunkline.ledger.place_answers import CallPlace, PlacesQuestion
from trunkline.model.snapshot import Guardrail

SECRET_CHECKS: Final = ("pii", "secrets")  # what they find is in no example
PLACES_AT_ONCE = 2_000
MOST_PLANS: Final = 1_000  # different sets of policies that are remembered


class PastScan(msgspec.Struct, frozen=True):
    """What policies would have done to the calls of a time.

    Of all `calls`, `scanned` were looked at, `partly_kept` of them without their request or their answer. The others:
    `not_kept` have no bodies (any more), `not_in_force` are calls for which the file has no policy that is run,
    `not_let_in` were over a limit or a budget, `of_judges` were made by a check to ask a model about another call,
    `unreadable` cannot be understood, `erased` have been erased. `effects` are calls by the strictest thing that would
    have come of one. `not_run` are policies that would have to ask somebody; `idle` are in force for none of the calls.
    `strangers` are calls of tenants that the file does not have: for them what is in force everywhere is. `left_out`
    are findings of rules beyond the most that are counted; `behind` is how many bytes of the logs the index has yet to
    read.
    """

    calls: int
    scanned: int
    not_kept: int
    partly_kept: int
    not_in_force: int
    not_let_in: int
    of_judges: int
    unreadable: int
    erased: int
    strangers: int
    effects: dict[str, int]
    rows: tuple[Row, ...]
    not_run: tuple[str, ...]
    idle: tuple[str, ...]
    left_out: int
    behind: int


class Plans:
    """Which policies the file puts in force for which calls; with `named`, these for all of them."""

    def __init__(self, proposed: ProposedGuardrails, named: Sequence[str], config: str) -> None:
        """Raise Failed and Misused."""
        self._proposed = proposed
        presets = {inner: said for name in named for inner, said in preset_policies(name).items()}
        guardrails = presets | proposed.guardrails
        inner = names_in_force(named)
        unknown = [name for name in inner if name not in guardrails]
        if unknown:
            there_are = ", ".join(proposed.guardrails) or "none"
            raise Misused(f"there is no policy `{unknown[0]}` in {config}; there are {there_are}")
        if not guardrails:
            raise Failed(f"{config} has no policies")
        self.named = inner
        self.guardrails: Mapping[str, Guardrail] = guardrails
        try:
            self._made = make_policies(guardrails, {})
        except ValueError as error:
            raise Failed(str(error)) from None
        self.not_run = tuple(sorted(name for name in inner or guardrails if self._made[name].asking is not None))
        if inner and len(self.not_run) == len(inner):
            asking = ", ".join(self.not_run)
            raise Misused(
                f"{asking}: a service or a model would be asked, which a scan of past calls does not do; name another"
            )
        self._plans: dict[tuple[str, str, tuple[str, ...]], Policies | None] = {}
        self.used: set[str] = set()

    def of(self, tenant: str, route: str, asked: tuple[str, ...]) -> Policies | None:
        """Return what is in force for a call that asked for these itself, without what would ask somebody."""
        place = (tenant, route, asked)
        if place not in self._plans:
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            self._plans[place] = self._plan(tenant, route, asked)
        return self._plans[place]

    def knows(self, tenant: str) -> bool:
        """Whether the file has this tenant."""
        return tenant in self._proposed.tenants

    def must_know(self, asked: PlacesQuestion, config: str) -> None:
        """Raise Misused where the file has no such tenant or route: no call is of it, and it may be misspelt."""
        for kind, name, known in (
            ("tenant", asked.tenant, self._proposed.tenants),
            ("route", asked.route, self._proposed.routes),
        ):
            if name is not None and name not in known and "/" not in name:
                there_are = ", ".join(known)
                raise Misused(
                    f"there is no {kind} `{name}` in {config} or in the calls of that time; there are {there_are}"
                )

    @property
    def compared(self) -> tuple[str, ...] | None:
        """The policies whose recorded findings count, None for all but those in `not_run`."""
        return self.named or None

    @property
    def idle(self) -> tuple[str, ...]:
        """The policies of the file that no call was under."""
        return () if self.named else tuple(sorted(set(self.guardrails) - self.used - set(self.not_run)))

    def hiding(self) -> tuple[tuple[Hiding, ...], dict[str, str]]:
        """Return what finds what no example may show, and the policies whose findings none may, with their words."""
        secret = {
            name: said.sentence
            for name, said in self.guardrails.items()
            if said.action == "redact" or said.check in SECRET_CHECKS
        }
        own = [
            Hiding(policy.text, secret[name]) for name, policy in self._made.items() if name in secret and policy.text
        ]
        built_in = [Policy(name, "", make_check(name, {})).text for name in SECRET_CHECKS]
        return (*own, *[Hiding(check) for check in built_in if check is not None]), secret

    def _plan(self, tenant: str, route: str, asked: tuple[str, ...]) -> Policies | None:
        proposed, names = self._proposed, self.named
        if not names:
            everywhere = [name for name, said in self.guardrails.items() if said.everywhere]
            of_route = proposed.routes[route].guardrails if route in proposed.routes else ()
            of_request = [name for name in names_in_force(asked) if name in self.guardrails]
            names = tuple(dict.fromkeys((*everywhere, *proposed.tenants.get(tenant, ()), *of_route, *of_request)))
            self.used.update(names)
        run = [self._made[name] for name in names if name not in self.not_run]
        hold = proposed.routes[route].hold if route in proposed.routes else "sentence"
        return Policies(run, hold) if run else None


def scan_past(
    config: str, named: Sequence[str], asked: PlacesQuestion, examples: int, on_step: Callable[[int, int], None]
) -> PastScan:
    """Return what the policies would have done, those of these names or what the file puts in force.

    `on_step` is told after each call how many of how many are done. Raises Failed, or ConfigurationFailed.
    """
    plans = Plans(carry_out(config, lambda office: office.guardrails()), named, config)
    data_dir = data_dir_of(config)
    archive = Archive(data_dir, stored_keys(Configuration(config), data_dir))
    scan = _Scan(data_dir, archive, plans, examples)
    asked = replace(asked, most=PLACES_AT_ONCE)
    done = of = 0
    while True:
        question = asked
        places = carry_out(config, lambda office: office.ledger.places(question))  # noqa: B023 - carried out at once
        of = of or places.of
        if not places.calls and not done:
            plans.must_know(asked, config)
        for place in places.calls:
            scan.take(place)
            done += 1
            on_step(done, max(of, done))
        if places.last is None:
            return scan.result(places.behind)
        asked = replace(asked, after=places.last)


class _Scan:
    def __init__(self, data_dir: Path, archive: Archive, plans: Plans, examples: int) -> None:
        self._data_dir, self._plans = data_dir, plans
        self._archive = archive
        self._cleared = Cleared()
        self._tally = Tally(examples, *plans.hiding())
        self._calls = self._scanned = self._strangers = self._of_judges = 0
        self._not_kept = self._partly_kept = self._not_in_force = self._not_let_in = 0
        self._unreadable = self._erased = 0

    def take(self, place: CallPlace) -> None:
        """Look at a call, but not at a judge's: what was judged is looked at where it was said. Raises Failed."""
        self._calls += 1
        if place.judging:
            self._of_judges += 1
            return
        self._strangers += not self._plans.knows(place.tenant)
        try:
            call = read_call(self._archive, place)
            self._judge(place, call)
        except Erased:
            self._erased += 1
        except KeyMissing as error:
            raise Failed(f"the bodies of calls cannot be decrypted: {error}") from None
        except (Unreadable, TooManyChoices, msgspec.ValidationError):
            self._unreadable += 1
        except OSError as error:
            raise Failed(f"the logs in {self._data_dir} cannot be read: {error.strerror}") from None

    def result(self, behind: int) -> PastScan:
        """Return what came of it."""
        plans, tally = self._plans, self._tally
        return PastScan(
            self._calls, self._scanned, self._not_kept, self._partly_kept, self._not_in_force, self._not_let_in,
            self._of_judges, self._unreadable, self._erased, self._strangers, tally.effects, tally.rows(),
            plans.not_run, plans.idle, tally.left_out, behind,
        )  # fmt: skip

    def _judge(self, place: CallPlace, call: PastCall) -> None:
        policies = self._plans.of(place.tenant, place.route, tuple(call.opened.get("guardrails_asked", ())))
        if call.ended and not was_let_in(call):
            self._not_let_in += 1
            return
        if call.chat is None and call.answer is None:
            self._not_kept += 1
            return
        seen = Hindsight(policies or Policies(()))
        if call.chat is not None:
            seen.request(call.chat, self._cleared)
        if call.answer is not None:
            seen.answer(call.answer, (call.chat.n if call.chat is not None else None) or 1)
        recorded = self._recorded(call)
        if policies is None:
            self._not_in_force += 1
        else:
            self._scanned += 1
            self._partly_kept += call.chat is None or not call.answer_kept
        if policies is not None or recorded:
            self._tally.take(Past(place, seen, recorded, whole=not call.ended.get("findings_left_out")))

    def _recorded(self, call: PastCall) -> tuple[Recorded, ...] | None:
        """Return the findings of the record that can be compared: of what was kept, and of policies that are run."""
        if not call.ended:
            return None
        return tuple(
            one
            for one in recorded_findings(call.ended, self._plans.compared)
            if one.policy not in self._plans.not_run
            and (call.answer_kept if one.where.startswith(ANSWER) else call.chat is not None)
        )
