import subprocess
import sys
from datetime import UTC, datetime, time, timedelta
from decimal import Context, Decimal

import pytest
from config_samples import GOOD, NOW, compiled, problems_of, the_problem
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from genai_prices.data import providers
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.config import price_source
from trunkline.config.price_table import Match, Model, Period, Seller, Step, Table, bundled
from trunkline.config.prices import PriceList, current, plain
from trunkline.model.delta import Usage
from trunkline.policy.pricing import Tariff, cost_of

OPENAI = "https://api.openai.com/v1"
TABLE = bundled()
PRICES = PriceList(TABLE, NOW)


def override(text: str) -> str:
    return GOOD + f'prices: {{"openai/gpt-4o": {text}}}\n'


def test_the_table_is_that_of_the_installed_package():
    theirs = price_source.installed()
    assert (theirs.version, theirs.notice) == (TABLE.version, TABLE.notice)
    for expected, seller in zip(theirs.sellers, TABLE.sellers, strict=True):
        assert (seller.id, seller.url, seller.also) == (expected.id, expected.url, expected.also)
        assert seller.models == expected.models


def test_the_table_in_the_tree_is_what_the_command_writes():
    made = subprocess.run([sys.executable, "-m", "trunkline.config.price_source"], capture_output=True, check=True)
    path = price_source.__file__.replace("price_source.py", "price_table.json")
    with open(path, "rb") as file:
        assert file.read() == made.stdout


def test_the_table_carries_its_licence():
    assert "Permission is hereby granted" in TABLE.notice


def test_looking_a_price_up_does_not_load_the_package():
    code = (
        "import sys; from trunkline.config.prices import current; current(0.0); sys.exit('genai_prices' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_another_version_of_the_package_is_read_itself(monkeypatch):
    monkeypatch.setattr(price_source, "installed_version", lambda: "genai-prices 9.9.9")
    assert current(NOW).table.version == "genai-prices 9.9.9"


def test_a_model_has_the_price_and_version_of_the_list():
    price = compiled(GOOD).snapshot.prices["openai/gpt-4o-mini"]
    assert price.version == TABLE.version == price_source.installed_version()
    assert (price.tiers[0].input, price.tiers[0].output) == (Decimal("0.15"), Decimal("0.6"))


def test_what_is_not_priced_apart_costs_what_contains_it():
    rates = PRICES.price("openai", OPENAI, "gpt-4o-mini").tiers[0]
    assert rates.cached_input == rates.cached_audio_input == Decimal("0.075")
    assert rates.audio_input == rates.cache_write == rates.cache_write_1h == rates.input
    assert rates.reasoning == rates.audio_output == rates.output


def test_a_tier_begins_one_token_above_its_threshold():
    tiers = PRICES.price("anthropic", "https://api.anthropic.com", "claude-sonnet-4-5").tiers
    assert [tier.from_prompt_tokens for tier in tiers] == [0, 200_001]
    assert tiers[1].input == 2 * tiers[0].input


def test_the_url_decides_whose_list_it_is_whatever_the_provider_is_called():
    assert PRICES.price("openai", "https://api.groq.com/openai/v1", "gpt-4o") is None
    assert PRICES.price("openai", "https://api.deepseek.com", "deepseek-chat") is not None


def test_an_unknown_url_has_the_list_of_its_dialect():
    local = PRICES.price("anthropic", "http://127.0.0.1:9", "claude-haiku-4-5")
    assert local == PRICES.price("anthropic", "https://api.anthropic.com", "claude-haiku-4-5")


def test_what_is_not_charged_by_tokens_has_no_price():
    assert PRICES.price("openai", OPENAI, "whisper-1") is None


def test_dated_prices_are_those_in_force():
    old, new = (Period({"input_mtok": (Step(-1, Decimal(n)),), "output_mtok": (Step(-1, Decimal(n)),)}) for n in (1, 2))
    start = datetime(2026, 7, 1, tzinfo=UTC)
    dated = Period(new.rates, from_date=start.date())
    table = Table(
        "v",
        "",
        (Seller("openai", "https://x", (), price_source.packed([Model("m", Match(equals=("m",)), (old, dated))])),),
    )
    before, after = (start - timedelta(seconds=1)).timestamp(), start.timestamp()
    assert PriceList(table, before).price("openai", OPENAI, "m").tiers[0].input == 1
    assert PriceList(table, after).price("openai", OPENAI, "m").tiers[0].input == 2


def test_prices_by_the_hour_are_those_in_force_around_midnight():
    night = Period({}, between=(time(22, tzinfo=UTC), time(6, tzinfo=UTC)))
    assert night.holds(datetime(2026, 1, 1, 23, tzinfo=UTC))
    assert night.holds(datetime(2026, 1, 1, 5, 59, tzinfo=UTC))
    assert not night.holds(datetime(2026, 1, 1, 6, tzinfo=UTC))


COUNTED = [
    ("openai", OPENAI, "gpt-4o-mini"),
    ("openai", OPENAI, "gpt-5.4"),
    ("anthropic", "https://api.anthropic.com", "claude-haiku-4-5"),
    ("anthropic", "https://api.anthropic.com", "claude-sonnet-4-5"),
    ("anthropic", "https://api.anthropic.com", "claude-haiku-5-5"),
]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(COUNTED), st.tuples(*[st.integers(0, 300_000)] * 6))
def test_a_cost_is_to_the_last_digit_the_one_that_the_package_computes(which, counts):
    dialect, url, model = which
    plain_input, cached, write, write_1h, output, reasoning = counts
    ours = Usage(plain_input, cached, write, write_1h, 0, 0, output, reasoning, 0)
    if dialect == "openai":
        ours = Usage(plain_input, cached, output=output, reasoning=reasoning)
        theirs = TheirUsage(
            input_tokens=plain_input + cached, cache_read_tokens=cached, output_tokens=output + reasoning
        )
    else:
        theirs = TheirUsage(
            input_tokens=plain_input + cached + write + write_1h,
            cache_read_tokens=cached,
            cache_write_tokens=write + write_1h,
            cache_write_1h_tokens=write_1h,
            output_tokens=output + reasoning,
        )
    moment = datetime.fromtimestamp(NOW, UTC)
    expected = calc_price(theirs, model, provider_id=dialect, genai_request_timestamp=moment).total_price
    assert Decimal(cost_of(ours, Tariff(PRICES.price(dialect, url, model)), estimated=False).amount) == expected


@pytest.mark.parametrize("seller", ["openai", "anthropic", "azure", "groq", "google"])
def test_a_name_means_the_model_that_the_package_takes_it_for(seller):
    theirs = next(provider for provider in providers if provider.id == seller)
    ours = next(entry for entry in TABLE.sellers if entry.id == seller)
    names = [model.id for model in theirs.models] + ["gpt-4o-2024-08-06", "GPT-4o", "claude-haiku-4-5-20251001", "nope"]
    for name in names:
        expected, found = theirs.find_model(name), ours.find(name)
        assert (found and found.id) == (expected and expected.id), name


def test_an_override_replaces_the_whole_price():
    price = compiled(override("{input_per_million: 1, output_per_million: 2.50, per_request: 0.001}")).snapshot.prices[
        "openai/gpt-4o"
    ]
    assert price.source == "override"
    assert price.tiers[0].cached_input == price.tiers[0].audio_input == 1
    assert price.tiers[0].reasoning == Decimal("2.5")
    assert price.per_request == Decimal("0.001")


def test_an_override_is_exact_where_a_binary_float_is_not():
    text = override("{input_per_million: 0.1000000000000001, output_per_million: 2.675}")
    problem = the_problem(text)
    assert "at most 12 decimals" in problem.message
    rates = compiled(override("{input_per_million: 0.100000000001, output_per_million: 2.675}")).snapshot.prices
    assert str(rates["openai/gpt-4o"].tiers[0].input) == "0.100000000001"
    assert str(rates["openai/gpt-4o"].tiers[0].output) == "2.675"


def test_equal_overrides_have_equal_versions_and_bytes():
    one = compiled(override("{input_per_million: 1.50, output_per_million: 10}"))
    same = compiled(override("{output_per_million: 1e1, input_per_million: 1.5}"))
    other = compiled(override("{output_per_million: 1e1, input_per_million: 1.6}"))
    assert one.canonical == same.canonical
    assert one.snapshot.prices["openai/gpt-4o"].version.startswith("override ")
    assert one.snapshot.prices["openai/gpt-4o"].version != other.snapshot.prices["openai/gpt-4o"].version


def test_a_model_without_a_price_names_near_ones_and_the_override_to_write():
    problem = the_problem(GOOD.replace("[gpt-4o-mini]", "[gpt-4o-mni]"))
    assert (problem.line, problem.path) == (3, "providers.openai.models[0]")
    assert "gpt-4o-mini" in problem.message
    assert '"openai/gpt-4o-mni": {input_per_million' in problem.fix


def test_an_override_prices_a_model_that_nobody_knows():
    text = GOOD.replace("[gpt-4o-mini]", "[our/own-model]")
    text += 'prices: {"openai/our/own-model": {input_per_million: 0, output_per_million: 0}}\n'
    assert compiled(text).snapshot.prices["openai/our/own-model"].tiers[0].input == 0


def test_an_override_without_a_use_is_a_mistake():
    text = GOOD + 'prices: {"openai/gpt-4o-mimi": {input_per_million: 1, output_per_million: 1}}\n'
    problem = the_problem(text)
    assert "nothing uses" in problem.message
    assert "openai/gpt-4o-mini" in problem.fix


@pytest.mark.parametrize("figure", ["-1", "free", "1e9", ".nan", ".inf", "'1,5'", "[1]", "true", "null"])
def test_an_odd_figure_is_refused(figure):
    found = problems_of(override(f"{{input_per_million: {figure}, output_per_million: 1}}"))
    assert any(problem.path.endswith("input_per_million") for problem in found)


@settings(max_examples=100, deadline=None)
@given(st.decimals(0, 1_000_000, places=12), st.integers(12, 20))
def test_equal_decimals_are_written_alike_however_they_were_padded(value, places):
    padded = value.quantize(Decimal(1).scaleb(-places), context=Context(prec=40))
    assert plain(padded) == value
    assert str(plain(padded)) == str(plain(value))
