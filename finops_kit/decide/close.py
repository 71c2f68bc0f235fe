"""The monthly close: what must agree before a month is signed off, and the record of who signed it, knowing what.

A check is what a month's files, store and invoices say; a sign-off is a row about it, by a person, that nothing
overwrites. A month may be signed off again after a restatement: the newest sign-off stands, the earlier ones stay.
A closed month keeps the exchange rates that were known at its first sign-off; reopened, it takes the newest ones.

Source: BCBS 239 principles 3 and 7, MaRisk AT 4.3.4 (reconciliation, manual steps justified); AO section 146(4).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from finops_kit.errors import UsageError, VerificationFailed
from finops_kit.settings import Workspace
from finops_kit.store import open_writer
from finops_kit.store.configuration import read_settings

PREPARED, SIGNED, REOPENED = "prepared", "signed off", "reopened"


@dataclass(frozen=True)
class AccountCheck:
    """One provider's billing account and currency in one billing month. Amounts of BilledCost, exact.

    Attributes
    ----------
    files : what the current deliveries' files add up to
    stored : what the store's current charges add up to
    invoiced : what the invoice register says; None where no register is kept or it has no invoice of the account
    quarantined : rows of the account's files that could not be stored and were not replayed; a file of several
        accounts is open for each, for nobody knows whose row it is
    expects_invoice : whether the register has invoices of the month, so that one of this account is missing
    lines : what the difference is made of, as far as it can be named: ``what``, ``where``, ``amount``
    """

    provider: str
    billing_account_id: str
    currency: str
    files: Decimal
    stored: Decimal
    invoiced: Decimal | None
    quarantined: int = 0
    expects_invoice: bool = False
    lines: tuple[Mapping[str, Any], ...] = ()

    @property
    def difference(self) -> Decimal:
        """Stored less invoiced; stored less the files where no invoice is known."""
        return self.stored - (self.files if self.invoiced is None else self.invoiced)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the account is open; empty where it agrees.

        Example
        -------
        >>> AccountCheck("AWS", "1", "USD", Decimal(5), Decimal(5), Decimal(6)).reasons
        ('the pipeline has USD 1.00 less than the invoice',)
        """
        found = []
        if self.stored != self.files:
            found.append(_less_or_more("the store", self.stored - self.files, self.currency, "the files"))
        if self.invoiced is not None and _cents(self.stored) != _cents(self.invoiced):
            found.append(_less_or_more("the pipeline", self.stored - self.invoiced, self.currency, "the invoice"))
        if self.invoiced is None and self.expects_invoice:
            found.append("the register has no invoice of this account")
        if self.quarantined:
            found.append(
                f"{self.quarantined} row{'s' if self.quarantined > 1 else ''} of its files could not be stored"
            )
        return tuple(found)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, amounts as plain text."""
        return {
            "provider": self.provider, "billing_account_id": self.billing_account_id, "currency": self.currency,
            "files": format(self.files, "f"), "stored": format(self.stored, "f"),
            "invoiced": None if self.invoiced is None else format(self.invoiced, "f"),
            "difference": format(self.difference, "f"), "quarantined": self.quarantined, "open": list(self.reasons),
            "lines": [{**line, "amount": None if line["amount"] is None else format(line["amount"], "f")}
                      for line in self.lines],
        }  # fmt: skip


@dataclass(frozen=True)
class MonthCheck:
    """A month at one store version: what it comes to, and each account of it.

    ``grand_total`` is EffectiveCost of the month as the pages show it, in ``currency``.
    """

    month: date
    store_version: int
    ledger_head: str
    currency: str
    grand_total: Decimal
    accounts: tuple[AccountCheck, ...]
    with_register: bool

    @property
    def differences(self) -> tuple[AccountCheck, ...]:
        """The accounts that do not agree."""
        return tuple(account for account in self.accounts if account.reasons)

    def totals(self) -> str:
        """What is signed, as JSON."""
        kept = [{k: v for k, v in account.as_dict().items() if k != "lines"} for account in self.accounts]
        return json.dumps(kept, separators=(",", ":"), sort_keys=True)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), rounding="ROUND_HALF_UP")


def _less_or_more(who: str, amount: Decimal, currency: str, than: str) -> str:
    shown = f"{abs(amount):,.2f}" if abs(amount) >= Decimal("0.005") else format(abs(amount).normalize(), "f")
    return f"{who} has {currency} {shown} {'more' if amount > 0 else 'less'} than {than}"


def judge(
    check: MonthCheck, act: str, person: str, reason: str, acts: Sequence[Mapping[str, Any]], four_eyes: bool
) -> None:
    """Refuse an act that the rules of the close do not allow.

    Parameters
    ----------
    acts : what was recorded of this month before, the oldest first
    four_eyes : whether the one who signs must not be the one who prepared

    Raises
    ------
    UsageError : nobody is named, or the month has no charges
    VerificationFailed : differences are open and not accepted, or four eyes are missing
    """
    if not person.strip():
        raise UsageError("Name who prepares or signs: `finops close --sign-off 'Full Name'`.")
    if not check.accounts:
        raise UsageError(f"No bill of {check.month:%Y-%m} is in the store, so there is nothing to close.")
    if act == PREPARED:
        return
    if act == REOPENED:
        if not any(one["act"] == SIGNED for one in open_acts(acts)):
            raise UsageError(f"{check.month:%Y-%m} is not signed off, so there is nothing to reopen.")
        if not reason.strip():
            raise UsageError("Say why a closed month is reopened: --because 'the rate of September was mistyped'.")
        return
    acts = open_acts(acts)
    if check.differences and not reason.strip():
        first = check.differences[0]
        more = f" and {len(check.differences) - 1} more" if len(check.differences) > 1 else ""
        raise VerificationFailed(
            f"{check.month:%Y-%m} was not signed off: {first.provider} {first.billing_account_id}: "
            f"{'; '.join(first.reasons)}{more}. Resolve it, or accept it with --accept-difference 'why'."
        )
    if four_eyes:
        prepared = [one for one in acts if one["act"] == PREPARED]
        if not prepared:
            raise VerificationFailed(
                f"{check.month:%Y-%m} was not signed off: nobody has prepared it. `finops close --period "
                f"{check.month:%Y-%m} --prepare NAME` first, by somebody else than the one who signs."
            )
        newest = prepared[-1]
        if newest["person"].strip().casefold() == person.strip().casefold():
            raise VerificationFailed(
                f"{check.month:%Y-%m} was not signed off: {person} prepared it, and this workspace asks for four eyes."
            )
        if newest["totals"] != check.totals():
            raise VerificationFailed(
                f"{check.month:%Y-%m} was not signed off: its figures changed since {newest['person']} prepared it at "
                f"store version {newest['store_version']}. Prepare it again."
            )


def open_acts(acts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What was done about a month since it was last reopened: all, where it never was.

    Example
    -------
    >>> [one["act"] for one in open_acts([{"act": SIGNED}, {"act": REOPENED}, {"act": PREPARED}])]
    ['prepared']
    """
    last = max((n for n, one in enumerate(acts, start=1) if one["act"] == REOPENED), default=0)
    return list(acts[last:])


def record_act(
    workspace: Workspace, check: MonthCheck, act: str, person: str, reason: str, acts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Append who prepared or signed off a month, at which version, over which totals.

    Returns
    -------
    The row that was appended.

    Raises
    ------
    UsageError, VerificationFailed : see :func:`judge`; nothing is recorded then
    """
    judge(check, act, person, reason, acts, read_settings(workspace).four_eyes)
    row = {
        "act": act, "month": check.month, "person": person.strip(), "acted_at": datetime.now(UTC),
        "store_version": check.store_version, "ledger_head": check.ledger_head, "grand_total": check.grand_total,
        "currency": check.currency, "totals": check.totals(), "differences": len(check.differences),
        "reason": reason.strip(),
    }  # fmt: skip
    details = {"month": f"{check.month:%Y-%m}", "act": act, "person": row["person"]}
    with open_writer(workspace) as writer, writer.batch(kind="close", format="month-close", details=details) as batch:
        schema = {"grand_total": pa.decimal128(38, 24), "acted_at": pa.timestamp("us", "UTC"), "month": pa.date32()}
        batch.insert_arrow("month_close", pa.table({
            name: pa.array([value], schema[name]) if name in schema else [value] for name, value in row.items()
        }))  # fmt: skip
    return row
