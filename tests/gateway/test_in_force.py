"""Which plan is in force when."""

from decimal import Decimal

import msgspec
import pytest

from gateway.running import compile_once
from trunkline.gateway.in_force import InForce
from trunkline.gateway.upstreams import Upstreams
from trunkline.model.snapshot import DatedPrice
from trunkline.policy.health import TargetHealth


def in_force(**dated: DatedPrice) -> InForce:
    snapshot = compile_once(()).snapshot
    prices = {
        name: msgspec.structs.replace(price, dated=(dated[name],)) if name in dated else price
        for name, price in snapshot.prices.items()
    }
    snapshot = msgspec.structs.replace(snapshot, prices=prices)
    health = TargetHealth()
    return InForce(snapshot, "digest", Upstreams().prepare(snapshot, {}), lambda _: health)


@pytest.mark.parametrize(("now", "amount"), [(99.9, "0.15"), (100.0, "9"), (199.9, "9"), (200.0, "0.15")])
def test_a_dated_price_counts_from_its_first_second_to_its_last_whatever_was_planned_before(now, amount):
    listed = compile_once(()).snapshot.prices["first/gpt-4o-mini"]
    contract = msgspec.structs.replace(
        listed, tiers=(msgspec.structs.replace(listed.tiers[0], input=Decimal(9)),), version="contract"
    )
    force = in_force(**{"first/gpt-4o-mini": DatedPrice(contract, 100, 200)})
    (key,) = force.snapshot.keys.values()
    for earlier in sorted((0.0, min(now, 150.0), now)):
        plan = force.plan(key, "voice", earlier)
    assert plan.targets[0].tariff.rates_for(1)[0].text == amount


def test_a_plan_is_made_once_where_no_price_has_dates():
    force = in_force()
    (key,) = force.snapshot.keys.values()
    assert force.plan(key, "voice", 0.0) is force.plan(key, "voice", 4e9)
