"""Blocks about tags: how much of the cost carries the required ones, what to tag first, which contradict each other."""

from __future__ import annotations

from decimal import Decimal

import ibis

from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import LABELS, no_charges
from finops_kit.perspectives.reading import Figure, ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.words import count, money, percent
from finops_kit.value.allocation import conflicts, tag_readiness, tags_to_add

#: so much of the cost should carry every required tag
TARGET = 0.95
#: how many resources and accounts a page lists
LISTED = 50


def tagged_figure(basis: Basis) -> Figure:
    """How much of the period's cost carries every required tag itself."""
    now = basis.now.mutate(all=ibis.literal(1))
    rows = basis.once("tagged", lambda b: b.rows(tag_readiness(now, ["all"], required=b.required_tags)))
    ratio = rows[0]["complete_pct"] if rows else None
    title, target = "Cost with all required tags", f">= {percent(TARGET)}"
    if ratio is None:
        return Figure("tagged", title, None, "%", target=target, why_missing=no_charges(basis))
    status = "good" if ratio >= 100 * TARGET else "watch" if ratio >= 80 else "bad"
    said = f"{percent(rows[0]['complete_rows_pct'] / 100)} of the charges; required: {', '.join(basis.required_tags)}."
    return Figure("tagged", title, ratio, "%", said, target, status)


def readiness_table(basis: Basis, by: str = "SubAccountId") -> ResultTable:
    """The share of each account's (or team's) cost that carries each required tag itself, and all of them."""
    label = {"SubAccountId": "Account", "team": "Team"}.get(by, by)
    lens = basis.now.mutate(**{by: basis.now[by].fill_null("no account" if by == "SubAccountId" else "unallocated")})
    keys = [by] if by == "team" else [by, "provider"]  # an account is one provider's, a team buys from several
    scores = tag_readiness(lens, keys, required=basis.required_tags)
    rows = basis.rows(scores.order_by(["complete_pct", "readiness_pct", scores.EffectiveCost.desc(), *keys]))
    columns = [f"{name}_pct" for name in basis.required_tags]
    shares = ("complete_pct", "complete_rows_pct", *columns)
    return result(
        f"readiness_by_{'account' if by == 'SubAccountId' else by}", f"Required tags by {label.lower()}",
        "How much of its cost carries the required tags?", rows, (*keys, "EffectiveCost", *shares),
        units={"EffectiveCost": basis.currency, **dict.fromkeys(shares, "%")},
        labels={**LABELS, by: label, "complete_pct": "All, of cost", "complete_rows_pct": "All, of charges",
                **{f"{name}_pct": LABELS.get(name, name) for name in basis.required_tags}},
        empty_because=no_charges(basis), measure="effective_cost", trace_by=keys,
        answer=_incomplete_words(rows, label),
    )  # fmt: skip


def _incomplete_words(rows: list[Row], label: str) -> str:
    """How many accounts or teams reach the target, of those that cost something."""
    known = [row for row in rows if row["complete_pct"] is not None]
    below = sum(row["complete_pct"] < 100 * TARGET for row in known)
    if not below:
        return f"Each {label.lower()} carries all required tags on {percent(TARGET, 0)} of its cost or more."
    names = f"{below} of {count(len(known), label.lower())} {'carries' if below == 1 else 'carry'}"
    return f"{names} all required tags on less than {percent(TARGET, 0)} of the cost."


def tags_to_fix_table(basis: Basis) -> ResultTable:
    """The resources and accounts whose tags to mend first, by cost."""
    lacking = tags_to_add(basis.now, basis.required_tags)
    lacking = lacking.filter(lacking.EffectiveCost > 0)
    order = [lacking.EffectiveCost.desc(), "provider", "SubAccountId", "ResourceId"]
    rows: list[Row] = basis.rows(lacking.order_by(order).limit(LISTED))
    for row in rows:
        account = row["SubAccountName"] or row["SubAccountId"] or "no account"
        row["what"] = row["ResourceName"] or row["ResourceId"] or f"{account}: charges that name no resource"
    many = basis.rows(lacking.agg(places=lacking.count()))[0]["places"] if len(rows) == LISTED else len(rows)
    asked = f"Which {LISTED} of {many:,} resources and accounts come first?" if many > LISTED else "What comes first?"
    return result(
        "tags_to_fix", "Tags to add first", asked, rows,
        ("what", "provider", "SubAccountId", "missing", "EffectiveCost", "charges", "service_id", "team", "ResourceId"),
        units={"EffectiveCost": basis.currency},
        labels={**LABELS, "what": "Resource or account", "SubAccountId": "Account", "missing": "Tags that are missing",
                "charges": "Charges", "service_id": "Service, as far as known", "team": "Team, as far as known",
                "ResourceId": "Resource id"},
        empty_because="Every charge that costs something carries all required tags." if basis.totals["charges"]
        else no_charges(basis),
        answer=f"{rows[0]['what']} first: {money(rows[0]['EffectiveCost'], basis.currency)} lack tags." if rows else "",
    )  # fmt: skip


def tag_conflicts_table(basis: Basis) -> ResultTable:
    """Tags that contradict each other: which value stands, which spelling says what, and the cost that hangs on it."""
    found = conflicts(basis.now)
    rows = basis.rows(found.order_by([found.EffectiveCost.desc(), "tag_conflict"]).limit(LISTED))
    return result(
        "tag_conflicts", "Tags that contradict each other", "Where does one resource say two things of one tag?", rows,
        ("tag_conflict", "EffectiveCost", "resources", "charges"),
        units={"EffectiveCost": basis.currency},
        labels={**LABELS, "tag_conflict": "What stands, and who says what", "resources": "Resources",
                "charges": "Charges"},
        empty_because="No charge of the period spells one required or owner tag in two ways with two values."
        if basis.totals["charges"] else no_charges(basis),
        answer=f"{count(len(rows), 'contradiction')} on "
        f"{money(sum((row['EffectiveCost'] for row in rows), Decimal(0)), basis.currency)} of cost.",
    )  # fmt: skip
