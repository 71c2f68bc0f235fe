"""Azure cost details: what their columns are called, and which of two data sets of one period a file holds.

Source: Microsoft Learn, "Understand cost details fields" and the cost and usage details schemas of EA and MCA
(versions 2019-10-01 to 2024-08-01), and the names of the older pay-as-you-go and enterprise portals. A localised
header that carries the English name in brackets is read by that name; German names without one are listed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import pyarrow as pa

from finops_kit.errors import SourceRefused
from finops_kit.sources.layout import by_first_name

ACTUAL, AMORTIZED = "azure-actual", "azure-amortized"

#: column -> its names, without case, blanks and punctuation, the preferred one first
NAMES: dict[str, tuple[str, ...]] = {
    "Date": ("date", "usagedatetime", "usagedate", "datum"),
    "Cost": ("costinbillingcurrency", "cost", "pretaxcost", "extendedcost", "kosteninabrechnungswahrung", "kosten"),
    "Currency": ("billingcurrency", "billingcurrencycode", "currency", "abrechnungswahrung", "wahrung"),
    "SubscriptionId": ("subscriptionid", "subscriptionguid", "abonnementid", "abonnementguid"),
    "SubscriptionName": ("subscriptionname", "abonnementname"),
    "MeterCategory": ("metercategory", "kategoriedesverbrauchs", "verbrauchseinheitenkategorie"),
    "MeterSubCategory": ("metersubcategory",),
    "MeterName": ("metername", "verbrauchseinheitenname"),
    "MeterId": ("meterid", "verbrauchseinheitenid"),
    "BillingAccountId": ("billingaccountid", "abrechnungskontoid"),
    "BillingAccountName": ("billingaccountname", "abrechnungskontoname"),
    "BillingProfileId": ("billingprofileid", "abrechnungsprofilid"),
    "BillingProfileName": ("billingprofilename", "abrechnungsprofilname"),
    "PeriodStart": ("billingperiodstartdate", "startdatumdesabrechnungszeitraums"),
    "PeriodEnd": ("billingperiodenddate", "enddatumdesabrechnungszeitraums"),
    "ChargeType": ("chargetype", "gebuhrentyp"),
    "Frequency": ("frequency", "haufigkeit"),
    "PricingModel": ("pricingmodel", "preismodell"),
    "Quantity": ("quantity", "usagequantity", "consumedquantity", "menge", "verbrauchtemenge"),
    "EffectivePrice": ("effectiveprice", "resourcerate", "effektiverpreis"),
    "UnitPrice": ("unitprice", "einzelpreis"),
    "PayGPrice": ("paygprice", "paygpreis"),
    "PaygCost": ("paygcostinbillingcurrency",),
    "UnitOfMeasure": ("unitofmeasure", "masseinheit", "maeinheit"),
    "Product": ("productname", "product", "produktname", "produkt"),
    "ProductId": ("productid", "produktid"),
    "PartNumber": ("partnumber", "teilenummer"),
    "ProductOrderName": ("productordername",),
    "ConsumedService": ("consumedservice", "verbrauchterdienst", "genutzterdienst"),
    "ResourceId": ("resourceid", "instanceid", "instancename", "ressourcenid", "instanzid"),
    "ResourceName": ("resourcename", "ressourcenname"),
    "ResourceLocation": ("resourcelocation", "ressourcenstandort"),
    "Location": ("location", "standort"),
    "Tags": ("tags", "kategorien"),
    "AdditionalInfo": ("additionalinfo", "zusatzlicheinformationen"),
    "ReservationId": ("reservationid", "reservierungsid"),
    "ReservationName": ("reservationname", "reservierungsname"),
    "BenefitId": ("benefitid",),
    "BenefitName": ("benefitname",),
    "PublisherName": ("publishername", "herausgebername"),
    "PublisherType": ("publishertype", "herausgebertyp"),
    "PartnerName": ("partnername",),
    "InvoiceId": ("invoiceid", "rechnungsid"),
    "PricingCurrency": ("pricingcurrency", "pricingcurrencycode"),
    "CostInPricingCurrency": ("costinpricingcurrency",),
    "ExchangeRate": ("exchangeratepricingtobilling", "exchangerate"),
}
#: columns of numbers, which localised exports write with a comma before the decimals
NUMBERS = ("Cost", "Quantity", "EffectivePrice", "UnitPrice", "PayGPrice", "PaygCost", "CostInPricingCurrency",
           "ExchangeRate")  # fmt: skip
#: columns without which a file is no bill of Azure
NEEDS = ("Date", "Cost", "Currency", "SubscriptionId")
#: what people look for where one of them is missing
SHOWN = {"Cost": "CostInBillingCurrency", "Currency": "BillingCurrency"}
#: ... and one of these, which no other format has
_MARKS = ("MeterCategory", "ConsumedService", "MeterId", "ChargeType")

_BRACKETS = re.compile(r"^(?P<local>.*?)\s*\((?P<english>[^()]+)\)\s*$")
_SMOOTH = str.maketrans({"ä": "a", "ö": "o", "ü": "u", "ß": "ss", "Ä": "a", "Ö": "o", "Ü": "u"})


def spellings(name: str) -> list[str]:
    """The names that a header may mean, without case, blanks and punctuation: itself, and what stands in brackets.

    Example
    -------
    >>> spellings("Währung (BillingCurrency)")
    ['wahrungbillingcurrency', 'billingcurrency', 'wahrung']
    """
    found = _BRACKETS.match(name)
    texts = [name, found["english"], found["local"]] if found else [name]
    return [re.sub(r"[^a-z0-9]", "", text.translate(_SMOOTH).lower()) for text in texts]


def find_columns(header: Sequence[str]) -> dict[str, int]:
    """Which column of a header stands for which of :data:`NAMES`.

    Example
    -------
    >>> find_columns(["Datum", "PreTaxCost", "Cost", "x"])
    {'Date': 0, 'Cost': 2}
    """
    places: dict[str, int] = {}
    for place, name in enumerate(header):
        for spelling in spellings(name):
            places.setdefault(spelling, place)
    return by_first_name(NAMES, places)


def local_names(header: Sequence[str]) -> list[str]:
    """Columns whose names are known letter by letter and have letters beyond ASCII: umlauts that no accident writes.

    Example
    -------
    >>> local_names(["Währung (BillingCurrency)", "WŠhrung (BillingCurrency)", "Menge"])
    ['Währung (BillingCurrency)']
    """
    known = {name for names in NAMES.values() for name in names}
    out = []
    for name in header:
        found = _BRACKETS.match(name)
        texts = [found["local"], found["english"]] if found else [name]
        strange = [text for text in texts if not text.isascii()]
        if strange and all(
            spellings(text)[0] in known and all(one.isascii() or ord(one) in _SMOOTH for one in text)
            for text in strange
        ):
            out.append(name)
    return out


def missing_columns(header: Sequence[str]) -> list[str] | None:
    """The needed columns that a header of Azure cost details lacks; None where it is nothing of the kind."""
    found = find_columns(header)
    if "Date" not in found or "Cost" not in found or not any(mark in found for mark in _MARKS):
        return None
    return [SHOWN.get(column, column) for column in NEEDS if column not in found]


def data_set(header: Sequence[str], batches: Iterable[pa.RecordBatch], name: str) -> tuple[str, str]:
    """Whether the rows are the actual or the amortised costs of their period, and how that was seen.

    Amortised costs have rows of unused commitments and costs on usage that a commitment covers; actual costs have
    the purchases of commitments and no cost on what they cover (Microsoft Learn, "Actual and amortized cost").
    Without any commitment both data sets are the same, and the file counts as actual.

    Parameters
    ----------
    batches : the file's rows, columns ``c0``, ``c1`` ... as text

    Raises
    ------
    SourceRefused : rows of both data sets
    """
    found = find_columns(header)
    if "ChargeType" not in found and "PricingModel" not in found:
        return ACTUAL, "no charge types, so no commitments: taken as actual costs"
    seen: Counter[str] = Counter()
    for batch in batches:
        columns = [
            batch.column(f"c{found[name]}").to_pylist() if name in found else [None] * batch.num_rows
            for name in ("ChargeType", "PricingModel", "Cost")
        ]
        for kind, model, cost in zip(*columns, strict=True):
            seen[_mark(kind, model, cost)] += 1
    if seen["unused"] and seen["purchase"]:
        raise SourceRefused(
            f"{name} holds both purchases of commitments ({seen['purchase']} rows, actual costs) and unused ones "
            f"({seen['unused']} rows, amortised costs). They must never be added up: name the data set with "
            f"--format {ACTUAL} or --format {AMORTIZED}; the other's rows are quarantined."
        )
    if seen["unused"]:
        return AMORTIZED, "unused commitments: amortised costs"
    if seen["purchase"]:
        return ACTUAL, "purchases of commitments: actual costs"
    if seen["costly"]:
        return AMORTIZED, "cost on usage that a commitment covers: amortised costs"
    if seen["free"]:
        return ACTUAL, "no cost on usage that a commitment covers: actual costs"
    return ACTUAL, (
        f"no rows of commitments, so both data sets are the same: taken as actual costs (else --format {AMORTIZED})"
    )


def _mark(kind: str | None, model: str | None, cost: str | None) -> str:
    kind, model = (kind or "").lower(), (model or "").lower().replace(" ", "")
    if kind in ("unusedreservation", "unusedsavingsplan"):
        return "unused"
    if model not in ("reservation", "savingsplan"):
        return ""
    if kind in ("purchase", "refund"):
        return "purchase"
    if kind in ("usage", ""):
        return "costly" if re.match(r"\s*[-+]?[0.]*[1-9]", cost or "0") else "free"
    return ""
