"""What must be kept until when, and what a hold keeps longer."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from finops_kit.errors import UsageError
from finops_kit.settings import Workspace
from finops_kit.store import open_reader
from finops_kit.store.configuration import Hold, StoreSettings, read_settings
from finops_kit.store.retention import retention_report, retention_years

YEAR = datetime.now(UTC).year


def report(store: Workspace, day: date) -> dict[str, tuple[date, bool, tuple[str, ...]]]:
    with open_reader(store) as reader:
        return {line.table: (line.kept_until, line.due, line.holds) for line in retention_report(reader, day)}


def test_years_run_from_the_end_of_the_calendar_year(copied: Workspace) -> None:
    lines = report(copied, date(YEAR + 8, 12, 31))
    assert lines["charge"] == (date(YEAR + 8, 12, 31), False, ())
    assert lines["ledger"][0] == date(YEAR + 10, 12, 31)
    assert report(copied, date(YEAR + 9, 1, 1))["charge"][1] is True
    assert report(copied, date(YEAR + 90, 1, 1))["ledger"][1] is False  # the proof never expires, and is never due


def test_the_house_may_say_otherwise_and_a_hold_keeps(copied: Workspace) -> None:
    with copied.settings_file.open("a", encoding="utf-8") as settings:
        settings.write(
            f'\n[retention]\ncharge = 1\nbudget = 1\n\n[[hold]]\nname = "audit"\nreason = "tax audit"\n'
            f'tables = ["charge"]\nsince = {YEAR}-01-01\n'
        )
    lines = report(copied, date(YEAR + 30, 1, 1))
    assert lines["charge"] == (date(YEAR + 1, 12, 31), False, ("audit",))
    assert lines["budget"] == (date(YEAR + 1, 12, 31), True, ())


def test_what_a_hold_covers() -> None:
    hold = Hold("h", tables=("charge",), since=date(2026, 1, 1), until=date(2026, 12, 31))
    assert hold.covers("charge", date(2026, 1, 1)) and hold.covers("charge", date(2026, 12, 31))
    assert not hold.covers("charge", date(2027, 1, 1)) and not hold.covers("budget", date(2026, 5, 1))
    assert Hold("all").covers("anything", date(1999, 1, 1))


def test_what_is_wrong_in_the_settings_is_said(copied: Workspace) -> None:
    with pytest.raises(UsageError, match="names 'nonsense'"):
        retention_years(StoreSettings(retention={"nonsense": 3}))
    with pytest.raises(UsageError, match="years must be 1 or more"):
        retention_years(StoreSettings(retention={"charge": 0}))
    with pytest.raises(UsageError, match="the hold 'h' names nonsense"):
        retention_years(StoreSettings(holds=(Hold("h", tables=("nonsense",)),)))
    kept = copied.settings_file.read_text(encoding="utf-8")
    copied.settings_file.write_text(kept + '\n[[hold]]\nname = "h"\nsince = "soon"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="the hold 'h' has a since that is no day"):
        read_settings(copied)
