"""What was paid to providers as FOCUS rows: the FinOps Open Cost and Usage Specification, version 1.2. Pure.

A row is one class of tokens of one model on one day, for one tenant. All mandatory columns are here, and of the
others those that a gateway can know; `x_` columns are ours, as the specification allows.
Source: https://focus.finops.org/focus-specification/v1-2/
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from trunkline.ledger.cost_answers import TAG, PaidReport, PaidRow
from trunkline.model.money import plain

VERSION = "1.2"
CURRENCY = "USD"
UNIT, REQUESTS = "1000000 Tokens", "Requests"
MILLION = Decimal(1_000_000)
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


def rows(report: PaidReport) -> Iterator[dict[str, str | int | None]]:
    """Yield a row with every column; what is not known is None. Amounts are exact decimals as text."""
    for row in report.rows:
        yield dict(zip(COLUMNS, map(_columns(row, report.by).get, COLUMNS), strict=True))


def _columns(row: PaidRow, by: Sequence[str]) -> dict[str, str | int | None]:
    day = date.fromisoformat(row.day)
    month = day.replace(day=1)
    priced = row.unit_price is not None
    quantity = plain((row.tokens / MILLION).normalize()) if priced else str(row.calls)
    sku = f"{row.provider}/{row.model}/{row.token_class}"
    return {
        "BilledCost": row.amount,
        "BillingAccountId": row.provider,
        "BillingAccountName": row.provider,
        "BillingCurrency": CURRENCY,
        "BillingPeriodStart": _moment(month),
        "BillingPeriodEnd": _moment((month + timedelta(days=31)).replace(day=1)),
        "ChargeCategory": "Usage",
        "ChargeDescription": f"{row.token_class} of {row.model}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": _moment(day),
        "ChargePeriodEnd": _moment(day + timedelta(days=1)),
        "ConsumedQuantity": row.tokens if priced else row.calls,
        "ConsumedUnit": "Tokens" if priced else REQUESTS,
        "ContractedCost": row.amount,
        "ContractedUnitPrice": row.unit_price,
        "EffectiveCost": row.amount,
        "InvoiceIssuerName": row.provider,
        "ListCost": row.amount,
        "ListUnitPrice": row.unit_price,
        "PricingCategory": "Standard",
        "PricingQuantity": quantity,
        "PricingUnit": UNIT if priced else REQUESTS,
        "ProviderName": row.provider,
        "PublisherName": row.provider,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": row.model or row.provider,
        "ServiceSubcategory": "Generative AI",
        "SkuId": sku,
        "SkuPriceId": f"{sku}/{row.price_version}",
        "SubAccountId": row.tenant,
        "SubAccountName": row.tenant,
        "SubAccountType": "Tenant",
        "Tags": _tags(row, by),
        "x_Calls": row.calls,
        "x_EstimatedCost": row.estimated,
    }


def _tags(row: PaidRow, by: Sequence[str]) -> str:
    found = {name.removeprefix(TAG): value for name, value in zip(by, row.group, strict=True) if value is not None}
    return json.dumps(found, ensure_ascii=True, separators=(",", ":"))


def _moment(day: date) -> str:
    return datetime.combine(day, time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
