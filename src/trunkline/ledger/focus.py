"""What was paid to providers as FOCUS rows: the FinOps Open Cost and Usage Specification, version 1.2. Pure.

A row is one class of tokens of one model on one day, for one tenant; or what was imported of one kind. All mandatory
columns are here, and of the others those that a gateway can know; `x_` columns are ours, as the specification allows.
Source: https://focus.finops.org/focus-specification/v1-2/
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from trunkline.ledger.cost_answers import TAG, OtherRow, PaidReport, PaidRow
from trunkline.model.money import plain

VERSION = "1.2"
CURRENCY = "USD"
UNIT, REQUESTS, CHARGES = "1000000 Tokens", "Requests", "Charges"
IMPORTED = "imported"
MILLION = Decimal(1_000_000)
Columns = dict[str, str | int | None]
COLUMNS = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
    "x_Calls",
    "x_EstimatedCost",
)


def rows(report: PaidReport) -> Iterator[Columns]:
    """Yield a row with every column; what is not known is None. Amounts are exact decimals as text."""
    for row in report.rows:
        yield _whole(_model(row), row, report.by)
    for other in report.others:
        yield _whole(_other(other), other, report.by)


def _whole(columns: Columns, row: PaidRow | OtherRow, by: Sequence[str]) -> Columns:
    """Return a row with what all of them have: when, whose, how much."""
    day = date.fromisoformat(row.day)
    month = day.replace(day=1)
    columns |= {
        "BilledCost": row.amount,
        "BillingCurrency": CURRENCY,
        "BillingPeriodStart": _moment(month),
        "BillingPeriodEnd": _moment((month + timedelta(days=31)).replace(day=1)),
        "ChargePeriodStart": _moment(day),
        "ChargePeriodEnd": _moment(day + timedelta(days=1)),
        "ContractedCost": row.amount,
        "EffectiveCost": row.amount,
        "ListCost": row.amount,
        "SubAccountId": row.tenant,
        "SubAccountName": row.tenant,
        "SubAccountType": "Tenant",
        "Tags": _tags(row, by),
    }
    return dict(zip(COLUMNS, map(columns.get, COLUMNS), strict=True))


def _model(row: PaidRow) -> Columns:
    priced = row.unit_price is not None
    sku = f"{row.provider}/{row.model}/{row.token_class}"
    return _seller(row.provider) | {
        "ChargeCategory": "Usage",
        "ChargeDescription": f"{row.token_class} of {row.model}",
        "ChargeFrequency": "Usage-Based",
        "ConsumedQuantity": row.tokens if priced else row.calls,
        "ConsumedUnit": "Tokens" if priced else REQUESTS,
        "ContractedUnitPrice": row.unit_price,
        "ListUnitPrice": row.unit_price,
        "PricingCategory": "Standard",
        "PricingQuantity": plain((row.tokens / MILLION).normalize()) if priced else str(row.calls),
        "PricingUnit": UNIT if priced else REQUESTS,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": row.model or row.provider,
        "ServiceSubcategory": "Generative AI",
        "SkuId": sku,
        "SkuPriceId": f"{sku}/{row.price_version}",
        "x_Calls": row.calls,
        "x_EstimatedCost": row.estimated,
    }


def _other(row: OtherRow) -> Columns:
    """Return what an imported cost is: nobody said who charges it, by what price, only what it is."""
    taken_back = row.amount.startswith("-")
    return _seller(IMPORTED) | {
        "ChargeCategory": "Adjustment" if taken_back else "Usage",
        "ChargeDescription": row.kind,
        "ChargeFrequency": "One-Time" if taken_back else "Usage-Based",
        "ConsumedQuantity": row.charges,
        "ConsumedUnit": CHARGES,
        "PricingCategory": "Other",
        "PricingQuantity": str(row.charges),
        "PricingUnit": CHARGES,
        "ServiceCategory": "Other",
        "ServiceName": row.kind,
        "ServiceSubcategory": "Other (Other)",
        "SkuId": f"{IMPORTED}/{row.kind}",
        "SkuPriceId": f"{IMPORTED}/{row.kind}",
        "x_Calls": 0,
        "x_EstimatedCost": "0",
    }


def _seller(name: str) -> Columns:
    of_seller = ("BillingAccountId", "BillingAccountName", "InvoiceIssuerName", "ProviderName", "PublisherName")
    return dict.fromkeys(of_seller, name)


def _tags(row: PaidRow | OtherRow, by: Sequence[str]) -> str:
    found = {name.removeprefix(TAG): value for name, value in zip(by, row.group, strict=True) if value is not None}
    return json.dumps(found, ensure_ascii=True, separators=(",", ":"))


def _moment(day: date) -> str:
    return datetime.combine(day, time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
