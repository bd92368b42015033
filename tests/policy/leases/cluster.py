"""Members and an authority on a simulated clock, with everything that can go wrong between them."""

import heapq
from dataclasses import dataclass
from random import Random

from trunkline.policy.budgets.account import Account
from trunkline.policy.leases.authority import Authority
from trunkline.policy.leases.contact import Contact
from trunkline.policy.leases.holdings import LOOK_EVERY, Holdings
from trunkline.policy.leases.line import Line
from trunkline.policy.leases.pending import Pending
from trunkline.policy.limits.gauge import Gauge
from trunkline.policy.limits.limiter import Limiter, Refusal, Reservation
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import Claim, Needs, Quota, Rule
from trunkline.policy.limits.window import Window

PATIENCE = 0.25
WALL = 1_700_000_000.0


def rule_of(measure, limit, scope="tenant", **more) -> Rule:
    kind = Gauge if measure == "concurrent" else lambda: Window(60)
    return Rule("t", f"{scope}_limits.{measure}", scope, Quota(measure, limit, "minute"), kind, **more)


@dataclass
class Fault:
    """Something that goes wrong at a second of the simulation, for so many seconds."""

    at: float
    kind: str  # cut, deaf, mute, slow, stall, kill, empty
    member: int
    seconds: float


class Sound:
    """The protocol as it is. What is broken on purpose, to see that it is found, says what it does in another way."""

    def asked(self, ask):
        """Return the ask as it reaches the authority."""
        return ask

    def answered(self, node: "Node", answer) -> None:
        """An answer is about to be taken."""

    def looks(self, node: "Node") -> None:
        """A member is about to look after its leases."""


class Node:
    """One member: its process, which may be killed, and its connection, which may break."""

    def __init__(self, cluster: "Cluster", index: int) -> None:
        self.cluster, self.index, self.name = cluster, index, f"n/{index}"
        self.offset = cluster.random.uniform(0, 1e6)
        self.alive = True
        self.stalled_until = self.slow_until = 0.0
        self.cut_until = {"out": 0.0, "in": 0.0}
        self.last_delivery = {"out": 0.0, "in": 0.0}
        self.generation = 0  # of the process
        self.calls: dict[int, tuple[Reservation, Needs]] = {}
        self.rules: dict[str, Rule] = {}  # all that calls have come under
        self.start(fresh=True)

    def moment(self) -> Moment:
        return Moment(self.cluster.now + self.offset, WALL + self.cluster.now)

    def start(self, *, fresh: bool) -> None:
        names = tuple(f"n/{index}" for index in range(self.cluster.count))
        session = int(self.cluster.now * 1000) + 1
        self.holdings = Holdings(
            Limiter(), self.name, names, session, self.moment(), fresh=fresh, share=self.cluster.share
        )
        self.line = Line(self.holdings, self.send, PATIENCE, self.moment())
        self.alive = True
        self.generation += 1
        self.cluster.after(self.cluster.random.uniform(0, LOOK_EVERY), self.look, self.generation)

    def kill(self) -> list:
        self.alive = False
        now, states, own = self.moment(), [], self.holdings.own
        self.rules.update({held.rule.id: held.rule for held in self.holdings._held.values()})
        for rule_id, owner in own.places():  # what it has counted itself, and what its log said when it was started
            states.append((self.rules[rule_id], owner, own.find(rule_id, owner).state(now)))
        self.calls.clear()
        if self.cluster.closes and self.cluster.authority is not None:
            self.cluster.authority.closed(self.name)
        return states

    def revive(self, states, killed_at: float) -> None:
        self.start(fresh=False)
        for rule, owner, state in states:
            left = [(seconds - (self.cluster.now - killed_at), units) for seconds, units in state]
            self.holdings.own.restore(rule, owner, left, self.moment())
            counter = self.holdings.own.counter(rule, owner, self.moment())
            if isinstance(counter, Account):
                counter.crossed(rule.limit, self.moment())  # has been told

    def running(self) -> bool:
        return self.alive and self.cluster.now >= self.stalled_until

    def look(self, generation: int) -> None:
        if generation != self.generation or not self.alive:
            return
        if not self.running():
            self.cluster.after(self.stalled_until - self.cluster.now, self.look, generation)
            return
        self.cluster.protocol.looks(self)
        self.line.look(self.moment())
        self.cluster.after(LOOK_EVERY, self.look, generation)

    # The network: in order, with delays; what is cut off is lost.

    def delivery(self, way: str) -> float:
        random, now = self.cluster.random, self.cluster.now
        delay = random.uniform(0.0001, 0.01)
        if now < self.slow_until:
            delay = random.uniform(0, self.slow_until - now)
        self.last_delivery[way] = max(self.last_delivery[way], now + delay)
        return self.last_delivery[way] - now

    def send(self, ask) -> None:
        if self.cluster.now >= self.cut_until["out"]:
            self.cluster.after(self.delivery("out"), self.arrive, ask, self.generation)

    def arrive(self, ask, generation: int) -> None:
        cluster = self.cluster
        if cluster.authority is None:
            return
        answer = cluster.authority.hear(cluster.protocol.asked(ask), cluster.authority_now())
        if cluster.now >= self.cut_until["in"]:
            cluster.after(self.delivery("in"), self.receive, answer, generation)

    def receive(self, answer, generation: int) -> None:
        if generation != self.generation or not self.alive:
            self.cluster.untold += answer.crossed or ()
            return
        if not self.running():
            self.cluster.after(self.stalled_until - self.cluster.now, self.receive, answer, generation)
            return
        self.cluster.protocol.answered(self, answer)
        self.cluster.crossed += self.line.hear(answer, self.moment())

    # Calls

    def call(self, claims, needs, done, tries=5) -> None:
        """Carry one call; `done` gets what came of it."""
        found = self.holdings.take(claims, needs, self.moment())
        if not isinstance(found, Pending):
            done(found)
            return
        generation = self.generation

        def resolved(outcome):
            if generation != self.generation:
                return
            if outcome is not None:
                done(outcome)
            elif tries > 0:
                self.call(claims, needs, done, tries - 1)

        self.line.ask(found, resolved, self.moment())

    @property
    def contact(self) -> Contact:
        return self.holdings.contact


class Cluster:
    """The whole: run it until a second, and look at `admitted`: (second, rule id, owner, units)."""

    def __init__(
        self, seed: int, count: int, *, share: bool = True, closes: bool = False, protocol: Sound | None = None
    ) -> None:
        self.random, self.now, self.count = Random(seed), 0.0, count
        self.share, self.closes = share, closes
        self.protocol = protocol or Sound()
        self.offset = self.random.uniform(0, 1e6)
        self._events: list = []
        self._order = 0
        self.epochs = 0
        self.admitted: list[tuple[float, str, str, int]] = []
        self.refused = 0
        self.crossed: list = []
        self.untold: list = []  # thresholds of which a member was told that was killed by then
        self.waits: list[tuple[float, float]] = []
        self.authority: Authority | None = None
        self.empty()
        self.nodes = [Node(self, index) for index in range(count)]

    def authority_now(self) -> int:
        return int((self.now + self.offset) * 1e6)

    def empty(self) -> None:
        self.epochs += 1
        self.authority = Authority(f"epoch-{self.epochs}", self.authority_now())

    def after(self, seconds: float, what, *arguments) -> None:
        self._order += 1
        heapq.heappush(self._events, (self.now + max(0.0, seconds), self._order, what, arguments))

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, what, arguments = heapq.heappop(self._events)
            what(*arguments)
        self.now = until

    def fail(self, fault: Fault) -> None:
        self.after(fault.at - self.now, self._fail, fault)

    def _fail(self, fault: Fault) -> None:
        node, until = self.nodes[fault.member % self.count], self.now + fault.seconds
        if fault.kind in ("cut", "mute"):
            node.cut_until["out"] = until
        if fault.kind in ("cut", "deaf"):
            node.cut_until["in"] = until
        if fault.kind == "slow":
            node.slow_until = until
        if fault.kind == "stall":
            node.stalled_until = until
        if fault.kind == "kill" and node.alive:
            self.after(fault.seconds, node.revive, node.kill(), self.now)
        if fault.kind == "empty" and self.authority is not None:
            self.authority = None
            self.after(fault.seconds, self.empty)

    def demand(self, node: Node, claims_of, every: float, until: float, tokens=(1, 1)) -> None:
        """Have a node try a call again and again."""
        if node.running():
            needs = Needs(self.random.randint(*tokens), 0)
            claims = claims_of(self.random)
            node.call(claims, needs, lambda found: self._done(node, claims, needs, found))
        if self.now < until:
            self.after(self.random.expovariate(1 / every), self.demand, node, claims_of, every, until, tokens)

    def _done(self, node: Node, claims, needs: Needs, found) -> None:
        if isinstance(found, Refusal):
            self.refused += 1
            assert found.wait > 0
            return
        for claim in claims:
            units = needs.tokens if claim.rule.measure == "tokens" else 1
            self.admitted.append((self.now, claim.rule.id, claim.owner, units))
        self.after(self.random.uniform(0.0, 3.0), self._end, node, node.generation, found, needs)

    def _end(self, node: Node, generation: int, reservation: Reservation, needs: Needs) -> None:
        """Most calls use what they reserved, some nothing of it."""
        if generation == node.generation and node.alive:
            node.holdings.settle(reservation, needs, node.moment())


def most_within(admitted, rule: Rule, owner: str, span: float) -> int:
    """Return the most units admitted in any closed interval of so many seconds."""
    own = [(at, units) for at, rule_id, who, units in sorted(admitted) if (rule_id, who) == (rule.id, owner)]
    most = total = start = 0
    for at, units in own:
        total += units
        while own[start][0] < at - span:
            total -= own[start][1]
            start += 1
        most = max(most, total)
    return most


def claim(rule: Rule, owner: str = "t") -> Claim:
    return Claim(rule, owner)
