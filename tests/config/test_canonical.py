import json
import subprocess
import sys
from decimal import Decimal

import msgspec
import pytest
from config_samples import GOOD, compiled
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.config.canonical import decode_snapshot, digest_of, encode_snapshot
from trunkline.model import snapshot as model

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
SECONDS = st.integers(0, 10**9).map(lambda ms: ms / 1_000)
MONEY = st.decimals(0, 1000, places=6).map(lambda value: Decimal(format(value.normalize(), "f")))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-(2.0**53) + 1, 2.0**53 - 1) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
PARAMS = st.builds(model.Params, default=st.dictionaries(NAMES, JSON, max_size=3), set=st.just({}))
TARGETS = st.builds(model.Target, provider=NAMES, model=NAMES, first_token=st.none() | SECONDS, params=PARAMS)
TIMEOUTS = st.builds(model.Timeouts, connect=SECONDS, total=SECONDS)
ROUTES = st.builds(
    model.Route,
    name=NAMES,
    targets=st.lists(TARGETS, max_size=2).map(tuple),
    timeouts=TIMEOUTS,
    sticky=st.sampled_from([None, "user"]),
)
RATES = st.builds(
    model.Rates,
    from_prompt_tokens=st.integers(0, 10**6),
    **{n: MONEY for n in model.Rates.__struct_fields__ if n != "from_prompt_tokens"},
)
PRICES = st.builds(model.Price, version=NAMES, source=NAMES, tiers=st.lists(RATES, min_size=1, max_size=2).map(tuple))
LIMITS = st.builds(
    model.Limits, **{name: st.none() | st.integers(1, 10**12) for name in model.Limits.__struct_fields__}
)
BUDGETS = st.builds(
    model.Budget,
    amount=st.integers(1, 10**18).map(lambda nano: format(Decimal(nano).scaleb(-9).normalize(), "f")),
    per=st.sampled_from(["day", "week", "month", "total"]),
    on_exceeded=st.sampled_from(["block", "warn"]),
    tag=st.none() | NAMES,
)
KEYS = st.builds(
    model.Key,
    id=NAMES,
    tenant=NAMES,
    digests=st.just(("ab",)),
    expires=st.none() | st.integers(0, 2**40),
    limits=st.none() | LIMITS,
    budget=st.none() | BUDGETS,
)
TENANTS = st.builds(
    model.Tenant,
    name=NAMES,
    user_limits=st.none() | LIMITS,
    route_limits=st.dictionaries(NAMES, LIMITS, max_size=2),
    wait_up_to=SECONDS,
    tag_budget=st.none() | BUDGETS,
    weight=st.integers(1, 1_000),
    enforce=st.sampled_from(["limits", "observe"]),
)
BASE = compiled(GOOD).snapshot


@st.composite
def snapshots(draw):
    return msgspec.structs.replace(
        BASE,
        routes=draw(st.dictionaries(NAMES, ROUTES, max_size=3)),
        prices=draw(st.dictionaries(NAMES, PRICES, max_size=2)),
        keys=draw(st.dictionaries(NAMES, KEYS, max_size=3)),
        tenants=draw(st.dictionaries(NAMES, TENANTS, max_size=2)),
        limits=draw(st.builds(model.LimitsSection, on_authority_loss=st.sampled_from(["share", "refuse"]))),
    )


@settings(max_examples=80, deadline=None)
@given(snapshots())
def test_a_snapshot_survives_its_bytes(snapshot):
    data = encode_snapshot(snapshot)
    again = decode_snapshot(data)
    assert again == snapshot
    assert encode_snapshot(again) == data


@settings(max_examples=50, deadline=None)
@given(snapshots())
def test_the_order_of_names_changes_no_byte(snapshot):
    turned = {
        name: dict(reversed(getattr(snapshot, name).items()))
        for name in ("routes", "prices", "keys", "providers", "tenants")
    }
    assert encode_snapshot(msgspec.structs.replace(snapshot, **turned)) == encode_snapshot(snapshot)


def test_the_bytes_are_json_with_sorted_names_and_decimals_as_text():
    data = encode_snapshot(BASE)
    decoded = json.loads(data)
    assert list(decoded) == sorted(decoded)
    assert decoded["prices"]["openai/gpt-4o"]["tiers"][0]["input"] == "2.5"


def test_the_order_of_the_file_changes_no_digest():
    blocks = GOOD.split("\nroutes:")
    head, rest = blocks[0].removeprefix("version: 1\n"), "routes:" + blocks[1]
    assert compiled(f"{rest}{head}\nversion: 1\n").digest == compiled(GOOD).digest


def test_a_change_of_meaning_changes_the_digest():
    assert compiled(GOOD.replace("gpt-4o}", "gpt-4o, first_token: 2s}")).digest != compiled(GOOD).digest


def test_a_default_written_out_changes_no_digest():
    assert compiled(GOOD.replace("gpt-4o}", "gpt-4o, weight: 1}")).digest == compiled(GOOD).digest


def test_the_digest_is_that_of_the_bytes_in_every_process():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from config_samples import GOOD, compiled; print(compiled(GOOD).digest)"
    )
    good = compiled(GOOD)
    here = __file__.rpartition("/")[0]
    seen = {
        subprocess.run(
            [sys.executable, "-c", code, here], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert seen == {good.digest} == {digest_of(good.canonical)}


def test_other_bytes_are_no_snapshot():
    for data in (
        b"",
        b"{}",
        b"[]",
        encode_snapshot(BASE)[:-1],
        encode_snapshot(BASE).replace(b'"workers":1', b'"workers":"1"'),
    ):
        with pytest.raises(msgspec.DecodeError):
            decode_snapshot(data)


def test_a_worker_that_imports_this_loads_neither_yaml_nor_prices():
    code = (
        "import sys, trunkline.config.canonical;"
        "heavy = {'ruamel', 'pydantic', 'genai_prices', 'trunkline.config.compile', 'trunkline.config.schema'};"
        "sys.exit(', '.join(heavy & {*sys.modules, *(name.partition('.')[0] for name in sys.modules)}) or None)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
