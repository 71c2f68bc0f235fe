"""Write the whole estate: bills, snapshots, reference data, and the truth about them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from finops_kit.demo.deliveries import deliver
from finops_kit.demo.estate import HOUSE, PROVIDERS, make_tenants
from finops_kit.demo.fleet import Fleet
from finops_kit.demo.months import make_calendar
from finops_kit.demo.truth import Truth
from finops_kit.errors import UsageError


def generate(
    out: str | Path,
    seed: int = 7,
    months: int = 18,
    scale: float = 1.0,
    progress: Callable[[str], None] | None = None,
    *,
    end: str = "2026-09",
) -> dict[str, Any]:
    """Write the demo estate into ``out``: the same bytes for the same ``seed``, ``months``, ``scale`` and ``end``.

    Parameters
    ----------
    out : folder to write into; made if missing, refused if it already holds files that are not a demo estate
    seed : decides ids and daily variation
    months : number of months; the last one is still open
    scale : size: 1 is about 100,000 current charges in 18 months; more means more resources and tenants
    progress : called with one sentence a step
    end : the last, open month

    Returns
    -------
    dict : out, seed, months, scale, files, rows, charges_current, charges_delivered, open_month, truth

    Raises
    ------
    UsageError : fewer than 3 months, a scale that is not above zero, a folder that holds something else

    Example
    -------
    >>> import tempfile
    >>> summary = generate(tempfile.mkdtemp(), months=3, scale=0.1)
    >>> summary["open_month"], summary["months"]
    ('2026-09', 3)
    """
    time = make_calendar(months, end)
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 < scale <= 1000 or math.isnan(scale):
        raise UsageError(f"scale is {scale!r}; the demo estate needs a number above 0 and up to 1000.")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise UsageError(f"seed is {seed!r}; it must be a whole number.")
    folder = Path(out)
    _clear(folder)
    say = progress or (lambda text: None)
    tenants = make_tenants(scale)
    truth = Truth(time)
    fleets = {}
    for provider in PROVIDERS:
        fleet = fleets[provider] = Fleet(provider, time, seed, scale, tenants)
        watched = {n: r.resource_id for n, r in enumerate(fleet.resources) if r.component.planted}
        watched |= {n: r.resource_id for n, r in enumerate(fleet.resources)
                    if provider == "DC Frankfurt" and r.component.service_id == "lending"}  # fmt: skip
        rows = 0
        for index in range(time.months):
            rows += deliver(folder, fleet, index, truth, watched)
        say(f"{provider}: {rows:,} charge rows in {time.months} months")
    from finops_kit.demo import planted, reference, snapshots

    reference.write(folder, time, seed, scale, tenants, fleets, truth)
    say("reference data: CMDB, assets, budgets, metrics, contracts, exchange rates, invoices, price list")
    snapshots.write(folder, time, seed, scale, fleets, truth)
    say("snapshots: cloud inventory, vSphere, Kubernetes")
    planted.note(time, seed, scale, tenants, fleets, truth)
    known = {"house": HOUSE, "seed": seed, "scale": scale, **truth.as_dict()}
    text = json.dumps(known, indent=1, ensure_ascii=False, sort_keys=False)
    (folder / "truth.json").write_bytes((text + "\n").encode())
    return {
        "out": str(folder),
        "seed": seed,
        "months": months,
        "scale": scale,
        "open_month": time.label(time.months - 1),
        "truth": str(folder / "truth.json"),
        **known["rows"],
    }


def _clear(folder: Path) -> None:
    """Make the folder, or empty it where it holds an older demo estate and nothing else."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder for the demo estate.")
    if folder.is_dir() and any(folder.iterdir()):
        try:
            files = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["files"]
        except (OSError, ValueError, KeyError):
            raise UsageError(f"{folder} holds files that are no demo estate; name an empty folder.") from None
        for name in [*files, "truth.json"]:
            target = folder / name
            if target.resolve().is_relative_to(folder.resolve()):
                target.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
