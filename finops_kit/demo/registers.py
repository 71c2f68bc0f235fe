"""What purchasing keeps: the register of invoices as they were asked for, and the price lists as they were agreed.

Both tie to the bills, but for what is planted: an invoice that no line stands behind, a month that was restated after
its invoice, and a price that was agreed and is not billed.
"""

from __future__ import annotations

from finops_kit.demo import azure, gcp
from finops_kit.demo.estate import AWS, AZURE, BILLING_ACCOUNT, CURRENCY, GCP, MUNICH
from finops_kit.demo.fleet import Fleet, digest
from finops_kit.demo.focus import sku_ids
from finops_kit.demo.months import Calendar
from finops_kit.demo.prices import SKUS, Sku, contracted, micros
from finops_kit.demo.truth import Truth
from finops_kit.demo.writer import COST_SCALE, PRICE_SCALE, spell

#: what Munich's operator asks for beside the feed, in euros
REMOTE_HANDS = "1250.00"
#: an article whose agreed price fell and whose bill did not follow: the agreed price in millionths
AGREED = {"databricks": 241_000}
#: how a price list speaks of an article where it is not as the bill does: unit, and how many billed units it is
LISTED = {"kms": ("10000 Requests", 10_000), "apigw": ("1M Requests", 1_000_000), "D16s": ("100 Hours", 100),
          "run": ("vCPU-Hours", 3600)}  # fmt: skip


def invoices(time: Calendar, truth: Truth) -> list[list[object]]:
    """An invoice per provider and closed month, rounded to the cent of its final bill, and what is planted."""
    cent = 10 ** (COST_SCALE - 2)
    rows: list[list[object]] = []
    for one in truth.invoices:
        provider, index = one["provider"], one["index"]
        amount = spell((one["billed"] + cent // 2) // cent, 2)
        rows.append([one["invoice_id"], provider, BILLING_ACCOUNT[provider], time.firsts[index].isoformat(), amount,
                     CURRENCY[provider], one["issued_on"].isoformat()])  # fmt: skip
    last = time.months - 2
    extra = f"MUC-{time.firsts[last]:%Y%m}-REMOTE"
    rows.append([extra, MUNICH, BILLING_ACCOUNT[MUNICH], time.firsts[last].isoformat(), REMOTE_HANDS, "EUR",
                 time.following(last).replace(day=9).isoformat()])  # fmt: skip
    truth.more["invoices"] = {
        "month": time.label(last), "provider": MUNICH, "invoice_id": extra, "amount": REMOTE_HANDS,
        "why": "remote hands, invoiced apart: no line of the feed stands behind it",
        "restated_after_invoice": time.label(time.restated),
    }  # fmt: skip
    return sorted(rows, key=lambda row: (str(row[3]), str(row[1]), str(row[0])))


def price_list(time: Calendar, fleets: dict[str, Fleet], truth: Truth) -> list[list[object]]:
    """List and agreed price of what the three clouds sell, from the estate's first month on.

    Articles of one SKU at two prices are left out: a price list has one.
    """
    since, changed = time.firsts[0].isoformat(), time.firsts[time.months - 2].isoformat()
    rows: list[list[object]] = []
    for provider in (AWS, AZURE, GCP):
        named: dict[str, list[str]] = {}
        for name in sorted({resource.component.sku for resource in fleets[provider].resources}):
            named.setdefault(_sku(provider, name), []).append(name)
        for sku, names in sorted(named.items()):
            if len(names) > 1:
                continue
            (name,) = names
            article, usual = SKUS[name], contracted(micros(SKUS[name].price), provider)
            spans = [(since, "", usual)]
            if name in AGREED:
                spans = [(since, changed, usual), (changed, "", AGREED[name])]
                truth.more["price_not_followed"] = {
                    "provider": provider, "sku": sku, "since": changed, "agreed": spell(AGREED[name], PRICE_SCALE),
                    "billed": spell(usual, PRICE_SCALE),
                }  # fmt: skip
            rows += [_line(provider, sku, name, article, price, start, end) for start, end, price in spans]
    return rows


def _sku(provider: str, name: str) -> str:
    """The SkuPriceId that the bill carries."""
    if provider == AWS:
        return f"{digest('sku', SKUS[name].code).upper()[:16]}.JRTCKXETXF.6YS6EN2CT7"
    return str(sku_ids({AZURE: azure.ISSUER, GCP: gcp.ISSUER}[provider], name)["SkuPriceId"])


def _line(provider: str, sku: str, name: str, article: Sku, price: int, start: str, end: str) -> list[object]:
    unit, size = LISTED.get(name, (article.unit, 1))
    return [provider, sku, article.service, unit, CURRENCY[provider], spell(micros(article.price) * size, PRICE_SCALE),
            spell(price * size, PRICE_SCALE), start, end]  # fmt: skip
