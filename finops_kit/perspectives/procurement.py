"""P4 Procurement: contracts and notice dates, prices against list and last month, and whom we depend on."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import ibis

from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import LABELS, breakdown, no_charges, share, trend_by_provider
from finops_kit.perspectives.finance import commitment_rows
from finops_kit.perspectives.page import page, total_figure
from finops_kit.perspectives.period import next_month
from finops_kit.perspectives.price_tables import (
    above_list_rows,
    change_rows,
    changes_table,
    history_table,
    new_sku_figure,
)
from finops_kit.perspectives.reading import Figure, NextStep, Reading, ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.words import count, day_name, money, percent
from finops_kit.perspectives.words import listed as listed_words
from finops_kit.value.agreed import agreed_discounts
from finops_kit.value.prices import negotiated, usage_peaks
from finops_kit.value.units import unit_conversions

#: a notice date this close needs a decision now
SOON_DAYS = 90
#: a price that moved less than this is not told, in per cent
DRIFT_PCT = 1.0
#: a discount this much below the agreed one is asked about, in points of per cent
DISCOUNT_GAP_PCT = 1.0
#: a commitment used less than this is not renewed as it is, in per cent
LITTLE_USED_PCT = 95


def read(basis: Basis) -> Reading:
    """The procurement page."""
    providers = breakdown(basis, "provider", "cost_by_provider", "Cost by provider", "Whom do we depend on?")
    contracts = contract_rows(basis)
    soon = [
        row for row in contracts if row["decision_in_days"] is not None and 0 <= row["decision_in_days"] <= SOON_DAYS
    ]
    largest = share(max(providers.frame["EffectiveCost"], default=None), basis.grand_total)
    listed = _negotiated(basis)
    saved = sum((row["ListCost"] - row["ContractedCost"] for row in listed), Decimal(0))
    whole = sum((row["ListCost"] for row in listed), Decimal(0))
    rate = share(saved, whole)
    rising = [row for row in change_rows(basis) if (row["drift_pct"] or 0) >= DRIFT_PCT]
    rising.sort(key=lambda row: -(row["drift_reported"] or 0))
    figures = (
        total_figure(basis),
        Figure(
            "contracts_to_decide", "Contracts to decide on", len(soon) if contracts else None, "",
            f"Notice falls due within {SOON_DAYS} days of the period's end.", "",
            "watch" if soon else "good", "" if contracts else _NO_CONTRACTS,
        ),
        Figure(
            "negotiated", "Negotiated off list price", None if rate is None else 100 * rate, "%",
            f"{money(saved, basis.currency)} below list in the period.", measure="contracted_cost",
            why_missing="" if rate is not None else "The bills carry no list price beside the contracted one.",
        ),
        Figure(
            "price_rises", "Prices that rose", len(rising) if basis.totals["charges"] else None, "SKUs",
            f"By {DRIFT_PCT:.0f} % or more since they were last bought.", status="watch" if rising else "good",
            why_missing="" if basis.totals["charges"] else no_charges(basis),
        ),
        new_sku_figure(basis),
        Figure(
            "concentration", "Largest provider", None if largest is None else 100 * largest, "%",
            f"{providers.frame['provider'].iloc[0]} of {count(len(providers.frame), 'provider')}."
            if len(providers.frame) else "", "< 70 %",
            "plain" if largest is None else "good" if largest < 0.7 else "watch",
            "" if largest is not None else no_charges(basis),
        ),
    )  # fmt: skip
    price_table = _negotiated_table(basis, listed)
    tables = (
        providers, _contracts_table(basis, contracts), price_table, changes_table(basis),
        history_table(basis), _peaks_table(basis), _expiry_table(basis), trend_by_provider(basis),
    )  # fmt: skip
    return page(
        basis, "procurement", _answer(basis, soon, rate, rising, largest), figures, tables, "cost_by_provider",
        next_steps=_next_steps(basis, soon, listed, rising),
    )  # fmt: skip


def _next_steps(basis: Basis, soon: list[Row], listed: list[Row], rising: list[Row]) -> list[NextStep]:
    """What procurement is asked for: notices that fall due, discounts that do not arrive, prices that rose."""
    steps = [
        NextStep(f"Renew or end {row['contract_name'] or row['contract_id']} by {day_name(row['notice_by'])}.",
                 "contracts")
        for row in soon[:2]
    ]  # fmt: skip
    below = [row for row in listed if (row["agreed_pct"] or 0) - (row["discount_pct"] or 0) >= DISCOUNT_GAP_PCT]
    if below:
        said = [f"{row['provider']} ({row['discount_pct'] or 0:.1f} % instead of {row['agreed_pct']:.1f} %)"
                for row in below[:2]]  # fmt: skip
        steps.append(NextStep(f"Ask why bills show less than the agreed discount: {listed_words(said)}.", "negotiated"))
    if rising:
        first = rising[0]
        named, since = first["described"] or first["sku"], first.get("since")
        since_when = f" from {day_name(since)} on" if since else ""
        steps.append(NextStep(f"Ask {first['provider']} why {named} costs {first['drift_pct']:.1f} % more{since_when}.",
                              "catalogue_changes"))  # fmt: skip
    if above := above_list_rows(basis, DRIFT_PCT):
        first = above[0]
        steps.append(NextStep(f"Ask {first['provider']} why {first['ServiceName']} is billed "
                              f"{first['above_offer_pct']:.1f} % above the price list.", "price_history"))  # fmt: skip
    idle = [row for row in commitment_rows(basis) if (row["utilisation_pct"] or 100) < LITTLE_USED_PCT]
    if idle:
        worst = min(idle, key=lambda row: row["utilisation_pct"])
        steps.append(NextStep(f"Do not renew {worst['CommitmentDiscountId'].rpartition('/')[2]} as it is: "
                              f"{worst['utilisation_pct']:.1f} % is used.", "commitment_expiry"))  # fmt: skip
    return steps


_NO_CONTRACTS = "No contract has been delivered; deliver the register with `finops ingest contracts.csv`."


def contract_rows(basis: Basis) -> list[Row]:
    """Each contract with its annual cost, its notice date and its commitment; the next decision first.

    The annual cost is what its provider was billed over the twelve months up to the period (register of ICT
    contracts, annual cost and currency per contract). A provider with several contracts is shared out by their
    commitments.
    """
    found: list[Row] = basis.once("contracts", _contract_rows)
    return found


def _contract_rows(basis: Basis) -> list[Row]:
    cube = basis.cube
    year = cube.filter(cube.month > ibis.date(str(next_month(basis.start, -12))))
    sums = year.group_by("provider").agg(
        EffectiveCost=year.EffectiveCost.sum().fill_null(0), months=year.month.nunique()
    )
    spent = {row["provider"]: row for row in basis.rows(sums)}
    rows = basis.rows(basis.table("contract").order_by(["ends_on", "contract_id"]))
    running = [row for row in rows if _runs(row, basis.last_day)]
    for row in rows:
        same = [other for other in running if other["provider_name"] == row["provider_name"]]
        known = spent.get(row["provider_name"])
        row["months_known"] = known["months"] if known else 0
        row["annual_cost"], row["annual_cost_why"] = None, "its provider has no charges in the last twelve months"
        if row not in running:
            row["annual_cost_why"] = "the contract does not run in the period"
        elif known:
            weights = [other["annual_commitment"] or Decimal(0) for other in same]
            weight = (row["annual_commitment"] or Decimal(0)) / sum(weights) if sum(weights) else Decimal(1) / len(same)
            row["annual_cost"], row["annual_cost_why"] = known["EffectiveCost"] * weight, ""
        end = row["ends_on"]
        notice = end - timedelta(days=row["notice_days"] or 0) if end else None
        row["notice_by"] = notice
        row["decision_in_days"] = (notice - basis.end).days if notice else None
        row["commitment_used_pct"] = _percent(row["annual_cost"], row["annual_commitment"], row["currency"], basis)
    return sorted(
        rows, key=lambda row: (row["decision_in_days"] is None, row["decision_in_days"] or 0, row["contract_id"])
    )


def _runs(row: Row, day: date) -> bool:
    return (row["starts_on"] is None or row["starts_on"] <= day) and (row["ends_on"] is None or row["ends_on"] > day)


def _percent(cost: Decimal | None, commitment: Decimal | None, currency: str, basis: Basis) -> float | None:
    part = share(cost, commitment) if currency == basis.currency else None
    return None if part is None else 100 * part


def _negotiated(basis: Basis) -> list[Row]:
    return basis.rows(negotiated(basis.now).order_by([ibis.desc("ListCost"), "provider"]))


def _answer(basis: Basis, soon: list[Row], rate: float | None, rising: list[Row], largest: float | None) -> str:
    words = []
    if soon:
        first = soon[0]
        words.append(
            f"Decide on {first['contract_name'] or first['contract_id']} by {first['notice_by']:%d %B %Y}"
            + (f": it costs {money(first['annual_cost'], basis.currency)} a year." if first["annual_cost"] else ".")
        )
    if rate is not None:
        words.append(f"Contracts take {percent(rate)} off list price.")
    if rising:
        cost = sum(row["drift_reported"] or 0 for row in rising)
        words.append(f"{count(len(rising), 'price')} rose, the largest is {rising[0]['sku']} "
                     f"({rising[0]['drift_pct']:+.1f} %); together {money(cost, basis.currency)} a month.")  # fmt: skip
    if not words:
        words.append(f"{percent(largest)} of {money(basis.grand_total, basis.currency)} goes to the largest provider.")
    return " ".join(words)


def _contracts_table(basis: Basis, rows: list[Row]) -> ResultTable:
    return result(
        "contracts", "Contracts and notice dates",
        "Which contract needs a decision next, and what does it cost a year?",
        rows,
        ("contract_id", "contract_name", "provider_name", "ends_on", "notice_by", "decision_in_days", "annual_cost",
         "months_known", "annual_commitment", "commitment_used_pct", "discount_pct", "currency", "annual_cost_why"),
        units={"annual_cost": basis.currency, "commitment_used_pct": "%", "discount_pct": "%",
               "decision_in_days": "days"},
        labels={"contract_id": "Contract", "contract_name": "Name", "provider_name": "Provider", "ends_on": "Ends",
                "notice_by": "Notice by", "decision_in_days": "Decision in", "annual_cost": "Cost of twelve months",
                "months_known": "Months known", "annual_cost_why": "What is missing",
                "annual_commitment": "Committed a year", "commitment_used_pct": "Commitment used",
                "discount_pct": "Agreed discount", "currency": "Contract currency"},
        empty_because=_NO_CONTRACTS, answer=_next_notice(rows),
    )  # fmt: skip


def _next_notice(rows: list[Row]) -> str:
    ahead = [row for row in rows if row["decision_in_days"] is not None and row["decision_in_days"] >= 0]
    if not ahead:
        return "No notice date lies ahead."
    first = ahead[0]
    name = first["contract_name"] or first["contract_id"]
    return f"Next notice: {name}, by {day_name(first['notice_by'])}, {first['decision_in_days']} days after the period."


def _negotiated_table(basis: Basis, rows: list[Row]) -> ResultTable:
    agreed = agreed_discounts(basis.now, basis.table("contract"), basis.table("price_list"))
    known = {row["provider"]: row for row in basis.rows(agreed)}
    for row in rows:
        row |= known.get(row["provider"], {})
        _say_agreed(row)
    return result(
        "negotiated", "Negotiated against list price",
        "What do the contracts take off, and is it what was agreed?", rows,
        ("provider", "ListCost", "ContractedCost", "discount_pct", "agreed_pct", "agreed_share_pct", "agreed_by",
         "agreed_pct_why"),
        units={"ListCost": basis.currency, "ContractedCost": basis.currency, "discount_pct": "%", "agreed_pct": "%",
               "agreed_share_pct": "%"},
        labels={**LABELS, "ListCost": "At list price", "ContractedCost": "At contract price",
                "discount_pct": "Discount seen", "agreed_pct": "Discount agreed",
                "agreed_share_pct": "Known of list price", "agreed_by": "Agreed in"},
        empty_because="The bills carry no list price beside the contracted one.", measure="list_cost",
        trace_by=("provider",), answer=_gap_words(rows),
    )  # fmt: skip


def _gap_words(rows: list[Row]) -> str:
    """Whether the discounts that were agreed are seen on the bills."""
    known = [row for row in rows if row["agreed_pct"] is not None]
    below = [row for row in known if row["agreed_pct"] - (row["discount_pct"] or 0) >= DISCOUNT_GAP_PCT]
    if not known:
        return "No contract says an agreed discount to hold the bills against."
    open_ = [row["provider"] for row in rows if row["agreed_pct"] is None]
    if not below:
        give = "gives" if len(known) == 1 else "give"
        but = f"; what {listed_words(open_)} should give is not known" if open_ else ""
        return f"{listed_words([row['provider'] for row in known])} {give} what was agreed{but}."
    give = "gives" if len(below) == 1 else "give"
    return f"{listed_words([row['provider'] for row in below])} {give} less than the agreed discount."


def _say_agreed(row: Row) -> None:
    """Where the agreed discount stands, and why it is unknown or known in part only."""
    undecided = row.get("undecided")
    if row.get("agreed_pct") is None:
        row["agreed_by"] = None
        row["agreed_pct_why"] = (
            f"{undecided} run at once with different discounts; a price list says which SKU has which"
            if undecided
            else "no contract and no price list in force names a discount"
        )
    elif undecided:
        row["agreed_by"] += f"; not told apart for the rest: {undecided}"


def _peaks_table(basis: Basis) -> ResultTable:
    used = basis.rows(basis.now.select("provider", "ConsumedUnit").distinct())
    peaks = usage_peaks(basis.now, unit_conversions((row["provider"], row["ConsumedUnit"]) for row in used))
    rows = basis.rows(
        peaks.order_by([peaks.EffectiveCost.desc(), "provider", "ServiceName", "ConsumedUnit"]).limit(100)
    )
    for row in rows:  # said where it tells more than the unit shown
        row["billed_in"] = row["billed_in"] if row["billed_in"] != row["ConsumedUnit"] else ""
    return result(
        "usage_peaks", "Usage: mean, 95th percentile and peak of a day", "What volume should a contract be bought for?",
        rows,
        ("provider", "ServiceName", "ConsumedUnit", "mean_daily", "p95_daily", "peak_daily", "billed_in",
         "EffectiveCost"),
        units={"EffectiveCost": basis.currency},
        labels={**LABELS, "ConsumedUnit": "Unit", "mean_daily": "Mean a day", "p95_daily": "95th percentile",
                "peak_daily": "Peak", "billed_in": "Billed in"},
        empty_because="No charge of the period says how much was consumed." if basis.totals["charges"]
        else no_charges(basis), answer=_peak_words(rows),
    )  # fmt: skip


def _peak_words(rows: list[Row]) -> str:
    """The offering whose peak lies furthest above its usual day."""
    known = [(float(row["peak_daily"]) / float(row["mean_daily"]), row) for row in rows if row["mean_daily"]]
    if not known:
        return ""
    times, row = max(known, key=lambda pair: pair[0])
    return f"{row['ServiceName']} of {row['provider']} peaks furthest: {times:.1f} times its mean day."


def _expiry_table(basis: Basis) -> ResultTable:
    bought = basis.recent
    bought = bought.filter((bought.ChargeCategory == "Purchase") & bought.CommitmentDiscountId.notnull())
    ends = bought.group_by("CommitmentDiscountId").agg(paid_until=bought.ChargePeriodEnd.max().date())
    known = {row["CommitmentDiscountId"]: row["paid_until"] for row in basis.rows(ends)}
    by_use = sorted(commitment_rows(basis), key=lambda row: row["utilisation_pct"] or 0)
    rows = [
        {**row, "paid_until": known.get(row["CommitmentDiscountId"]),
         "paid_until_why": "" if row["CommitmentDiscountId"] in known else "bought before the months kept here"}
        for row in by_use
    ]  # fmt: skip
    return result(
        "commitment_expiry", "Commitments and how far they are paid", "Which commitment runs out or runs idle?", rows,
        ("provider", "CommitmentDiscountId", "CommitmentDiscountType", "utilisation_pct", "unused_cost", "paid_until",
         "paid_until_why"),
        units={"utilisation_pct": "%", "unused_cost": basis.currency},
        labels={**LABELS, "CommitmentDiscountId": "Commitment", "CommitmentDiscountType": "Kind",
                "utilisation_pct": "Utilisation", "unused_cost": "Idle", "paid_until": "Paid until"},
        empty_because="No charge of the period belongs to a commitment.",
        answer=f"Least used: {rows[0]['CommitmentDiscountId'].rpartition('/')[2]}, {rows[0]['utilisation_pct']:.1f} %."
        if rows and rows[0]["utilisation_pct"] is not None else "",
    )  # fmt: skip
