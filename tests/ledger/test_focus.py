"""FOCUS rows have every mandatory column of version 1.2 and amounts that add up."""

import json
from decimal import Decimal

from trunkline.ledger.cost_answers import OtherRow, PaidReport, PaidRow
from trunkline.ledger.focus import COLUMNS, rows

# https://focus.finops.org/focus-specification/v1-2/, feature level "Mandatory"
MANDATORY = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName",
    "ServiceCategory", "ServiceName",
)  # fmt: skip
NULLABLE = {"ChargeClass", "ContractedUnitPrice", "ListUnitPrice"}


def paid(**fields):
    row = {
        "group": ("ann", None), "day": "2026-12-31", "tenant": "harbor", "provider": "openai", "model": "gpt-4o-mini",
        "token_class": "cached_input", "unit_price": "0.075", "price_version": "p1", "tokens": 1_500_000, "calls": 3,
        "amount": "0.1125", "estimated": "0",
    }  # fmt: skip
    return PaidRow(**(row | fields))


def only(**fields):
    (row,) = rows(PaidReport(("user", "tag:env"), (paid(**fields),)))
    return row


def only_other(**fields):
    row = {"group": ("ann", None), "day": "2026-12-31", "tenant": "harbor", "kind": "telephony", "charges": 3}
    (row,) = rows(PaidReport(("user", "tag:env"), (), others=(OtherRow(**(row | {"amount": "1.5"} | fields)),)))
    return row


def test_what_was_imported_is_a_charge_of_its_own():
    row = only_other()
    assert tuple(row) == COLUMNS
    assert {name for name, value in row.items() if value is None} <= NULLABLE
    assert (row["ServiceName"], row["ProviderName"], row["ChargeCategory"]) == ("telephony", "imported", "Usage")
    assert {row[name] for name in ("BilledCost", "EffectiveCost", "ContractedCost", "ListCost")} == {"1.5"}
    assert (row["PricingQuantity"], row["PricingUnit"], row["x_Calls"]) == ("3", "Charges", 0)
    assert (row["BillingPeriodStart"], row["ChargePeriodStart"]) == ("2026-12-01T00:00:00Z", "2026-12-31T00:00:00Z")
    assert (json.loads(row["Tags"]), row["SubAccountId"]) == ({"user": "ann"}, "harbor")
    assert only_other(amount="-1.5")["ChargeCategory"] == "Adjustment"


def test_every_mandatory_column_is_there_in_a_fixed_order():
    assert set(MANDATORY) <= set(COLUMNS)
    assert tuple(only()) == COLUMNS
    assert list(COLUMNS[:-2]) == sorted(COLUMNS[:-2])
    assert {name for name, value in only().items() if value is None} <= NULLABLE


def test_a_charge_is_a_day_within_a_billing_month():
    row = only()
    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == ("2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z")
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == ("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z")


def test_price_times_quantity_is_the_cost():
    row = only()
    assert Decimal(row["ContractedUnitPrice"]) * Decimal(row["PricingQuantity"]) == Decimal(row["ContractedCost"])
    assert (row["PricingQuantity"], row["PricingUnit"]) == ("1.5", "1000000 Tokens")
    assert (row["ConsumedQuantity"], row["ConsumedUnit"]) == (1_500_000, "Tokens")


def test_what_has_no_price_of_tokens_is_counted_by_the_request():
    row = only(unit_price=None, tokens=0, token_class="request")
    assert (row["PricingQuantity"], row["PricingUnit"], row["ListUnitPrice"]) == ("3", "Requests", None)


def test_what_costs_are_told_apart_by_are_tags_and_nothing_is_no_tag():
    assert json.loads(only()["Tags"]) == {"user": "ann"}
    assert json.loads(only(group=("ann", "prod"))["Tags"]) == {"user": "ann", "env": "prod"}
