"""Run perspectives' notebooks at one pinned store version, hold their totals together, and publish them.

Nothing of a run is published unless all of it succeeded: every cell ran, every page adds up to the same
total to the cent, and the run is recorded in the store. Until then, and after a failure, the last good
pages stay.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from finops_kit import __version__, errors
from finops_kit.errors import FinopsError, ReconciliationFailed, ReportFailed, UsageError
from finops_kit.perspectives.reading import PERSPECTIVES
from finops_kit.publish import release
from finops_kit.publish.engine import WarmKernel, register_engine
from finops_kit.publish.index import build_index
from finops_kit.publish.page import build_page
from finops_kit.publish.parameters import check_parameters, declared_parameters
from finops_kit.publish.result import RESULT_MIME
from finops_kit.settings import Workspace, notebooks_folder
from finops_kit.store import open_reader, open_writer
from finops_kit.store.heads import keep_signed

Progress = Callable[[str], None]
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Page:
    """One published page.

    Attributes
    ----------
    grand_total : EffectiveCost that the page adds up to, in ``currency``
    seconds : how long its notebook ran
    page_hash, results_hash : SHA-256 of the page and over its result tables
    """

    perspective: str
    path: Path
    grand_total: Decimal
    currency: str
    seconds: float
    title: str = ""
    bytes: int = 0
    page_hash: str = ""
    results_hash: str = ""


@dataclass(frozen=True)
class RunReport:
    """What a run read and what it published."""

    run_id: str
    version: int
    period: str
    scope: str
    currency: str
    grand_total: Decimal
    index: Path
    seconds: float
    pages: list[Page] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON keeps it: decimals and paths as text."""
        return json.loads(json.dumps(asdict(self), default=str))


@dataclass
class _Run:
    workspace: Workspace
    run_id: str
    version: int
    ledger_head: str
    parameters: dict[str, Any]
    folder: Path
    started_at: datetime


def run_reports(
    workspace: Workspace,
    perspectives: Sequence[str] = (),
    period: str | None = None,
    as_of: int | str | datetime | None = None,
    scope: str = "",
    currency: str = "",
    progress: Progress | None = None,
) -> RunReport:
    """Run and publish perspectives, all of them at one version of the store.

    Parameters
    ----------
    perspectives : names; none, or ``all``, means the six
    period : ``YYYY-MM``; none means the newest complete month that has data
    as_of : store version or time; none means the newest version
    scope, currency : what the notebooks take; empty means everything, in the workspace's currency
    progress : gets one line at each step

    Raises
    ------
    UsageError : an unknown perspective, or a parameter that a notebook does not take
    ReconciliationFailed : two pages do not add up to the same total; nothing is published
    ReportFailed : a cell failed, or the pages could not be written; nothing is published
    """
    tell = progress or (lambda line: None)
    began = time.perf_counter()
    names = _chosen(perspectives)
    with open_reader(workspace, as_of) as reader:
        version, ledger_head = reader.version, reader.ledger_head
        keep_signed(reader)
    started_at = datetime.now(UTC)
    run_id = f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    parameters = {
        "store": str(workspace.root),
        "version": version,
        "period": period or "",
        "scope": scope,
        "currency": currency,
    }
    sources = {name: _load(name, parameters) for name in names}
    run = _Run(workspace, run_id, version, ledger_head, parameters, workspace.runs / run_id, started_at)
    run.folder.mkdir(parents=True, exist_ok=True)
    tell(f"Starting a kernel; reading store version {version}")
    executed: dict[str, tuple[Any, float]] = {}
    cache = workspace.root / "cache"
    with WarmKernel(run.folder, home=cache / "ipython") as kernel:
        engine = register_engine()
        kernel.ready()
        for place, name in enumerate(names, 1):
            start = time.perf_counter()
            notebook = _execute(run, engine, kernel, name, sources[name])
            executed[name] = (notebook, time.perf_counter() - start)
            tell(f"{place}/{len(names)} {name} ({executed[name][1]:.1f} s)")
    encoded = {name: _result_of(name, notebook) for name, (notebook, _) in executed.items()}
    _hold_together(run, {name: result["reading"] for name, result in encoded.items()})
    tell("All totals agree; publishing" if len(names) > 1 else "Publishing")
    pages = _publish(run, executed, encoded, cache)
    first = encoded[names[0]]["reading"]
    return RunReport(
        run_id,
        version,
        first["period_start"][:7],
        scope,
        first["currency"],
        pages[0].grand_total,
        workspace.reports / "index.html",
        time.perf_counter() - began,
        pages,
    )


def _chosen(perspectives: Sequence[str]) -> list[str]:
    names = list(dict.fromkeys(perspectives))
    if not names or "all" in names:
        return list(PERSPECTIVES)
    for name in names:
        if name not in PERSPECTIVES:
            raise UsageError(f"There is no perspective '{name}'. There are {', '.join(PERSPECTIVES)}, and all.")
    return names


def _load(name: str, parameters: dict[str, Any]) -> Path:
    path = notebooks_folder() / f"{name}.ipynb"
    if not path.is_file():
        raise ReportFailed(f"There is no notebook {path}. Set FINOPS_NOTEBOOKS to the folder that has {name}.ipynb.")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    check_parameters(parameters, declared_parameters(notebook, path), name)
    return path


def _execute(run: _Run, engine: str, kernel: WarmKernel, name: str, source: Path) -> Any:
    from papermill import execute_notebook
    from papermill.exceptions import PapermillExecutionError

    kernel.reset()
    try:
        return execute_notebook(
            source,
            run.folder / f"{name}.ipynb",
            parameters=run.parameters,
            engine_name=engine,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            autosave_cell_every=0,
            kernel=kernel,
        )
    except PapermillExecutionError as error:
        raise _failure(run, name, error) from error
    except FinopsError:
        raise
    except Exception as error:
        log = _keep_trace(run, name, f"{type(error).__name__}: {error}")
        raise ReportFailed(
            f"The {name} notebook could not be run ({type(error).__name__}). Nothing was published and the last good "
            f"page stays. The details are in {log}."
        ) from error


def _failure(run: _Run, name: str, error: Any) -> FinopsError:
    """A failed cell as a sentence; an error that is ours keeps its class, so that its exit code stays."""
    log = _keep_trace(run, name, "\n".join(error.traceback))
    said = " ".join(str(error.evalue).split())
    known = getattr(errors, str(error.ename), None)
    if isinstance(known, type) and issubclass(known, FinopsError):
        kind: type[FinopsError] = known
        return kind(f"{name}: {said} Nothing was published; the last good page stays.")
    return ReportFailed(
        f"The {name} page failed in cell {error.cell_index + 1} ({error.ename}: {said[:200]}). Nothing was published "
        f"and the last good page stays. The trace is in {log}."
    )


def _keep_trace(run: _Run, name: str, trace: str) -> Path:
    run.workspace.logs.mkdir(parents=True, exist_ok=True)
    path = run.workspace.logs / f"report-{run.run_id}-{name}.log"
    plain = "".join(part.split("m", 1)[-1] if place else part for place, part in enumerate(trace.split("\x1b[")))
    told = f"{name} at store version {run.version}\n{json.dumps(run.parameters)}\n\n{plain}\n"
    path.write_text(told, encoding="utf-8")
    return path


def _result_of(name: str, notebook: Any) -> dict[str, Any]:
    for cell in reversed(notebook.cells):
        for output in cell.get("outputs", ()):
            found = output.get("data", {}).get(RESULT_MIME)
            if found is not None:
                return found
    raise ReportFailed(
        f"The {name} notebook ends without page.footer(reading), so its result is unknown. Add the cell."
    )


def _hold_together(run: _Run, readings: dict[str, dict[str, Any]]) -> None:
    """Every page reads the pinned version, the same period and scope, and adds up to the same total to the cent."""
    first_name = next(iter(readings))
    first = readings[first_name]
    for name, reading in readings.items():
        if reading["perspective"] != name:
            raise ReportFailed(
                f"The notebook {name}.ipynb shows the {reading['perspective']} reading. Nothing was published."
            )
        if reading["store_version"] != run.version:
            raise ReportFailed(
                f"The {name} page read store version {reading['store_version']} and not {run.version}, which this run "
                f"is pinned to. Nothing was published."
            )
        for key in ("period_start", "period_end", "scope", "currency"):
            if reading[key] != first[key]:
                raise ReportFailed(
                    f"The {name} page has {key} {reading[key]!r} and the {first_name} page {first[key]!r}. "
                    f"Nothing was published."
                )
    published = release.read_pointer(run.workspace.reports)["pages"]
    for name, page in published.items():
        same = ("version", "period_start", "period_end", "scope", "currency")
        if name not in readings and all(str(page[k]) == str(run.version if k == "version" else first[k]) for k in same):
            readings = {**readings, name: page}
    for name, reading in readings.items():
        ours, theirs = Decimal(first["grand_total"]).quantize(CENT), Decimal(reading["grand_total"]).quantize(CENT)
        if ours != theirs:
            raise ReconciliationFailed(
                f"The pages do not add up to the same total: {first_name} has {first['currency']} {ours:,} and {name} "
                f"{reading['currency']} {theirs:,}, a difference of {abs(ours - theirs):,}, at store version "
                f"{run.version}. Nothing was published; the last good pages stay."
            )


def _publish(run: _Run, executed: dict[str, tuple[Any, float]], encoded: dict[str, Any], cache: Path) -> list[Page]:
    reports = run.workspace.reports
    with release.publishing(reports):
        staged = release.stage(reports, run.run_id)
        finished_at = datetime.now(UTC)
        about = {"run_id": run.run_id, "published_at": finished_at.isoformat(), "code_version": __version__}
        pages, entries, rows = [], [], []
        for name, (notebook, seconds) in executed.items():
            reading = encoded[name]["reading"]
            html = build_page(notebook, name, reading["title"], cache).encode("utf-8")
            (staged / f"{name}.html").write_bytes(html)
            where = release.result_folder(name, reading["period_start"][:7], run.run_id)
            results_hash = release.write_results(staged / where, encoded[name], about)
            total = Decimal(reading["grand_total"])
            page_hash = hashlib.sha256(html).hexdigest()
            pages.append(
                Page(
                    name,
                    reports / f"{name}.html",
                    total,
                    reading["currency"],
                    round(seconds, 3),
                    reading["title"],
                    len(html),
                    page_hash,
                    results_hash,
                )
            )
            kept = (
                "perspective", "title", "audience", "answer", "grand_total", "currency", "scope", "period_start",
                "period_end", "ages", "ledger_head", "version_time", "next_steps",
            )  # fmt: skip
            entry = {key: reading[key] for key in kept} | {"period": reading["period_start"][:7], "folder": where}
            entries.append(
                entry | {"version": run.version, "page_hash": page_hash, "results_hash": results_hash} | about
            )
            rows.append(
                {
                    "run_id": run.run_id,
                    "perspective": name,
                    "store_version": run.version,
                    "ledger_head": run.ledger_head,
                    "parameters": json.dumps(run.parameters, sort_keys=True),
                    "code_version": __version__,
                    "grand_total": total,
                    "currency": reading["currency"],
                    "ledger_size": reading["ledger_size"],
                    "ledger_root": reading["ledger_root"],
                    "ledger_signed_by": reading["ledger_signed_by"],
                    "page_hash": page_hash,
                    "results_hash": results_hash,
                    "started_at": run.started_at,
                    "finished_at": finished_at,
                }
            )
        pointer, dropped = release.merge_pointer(release.read_pointer(reports), entries)
        (staged / release.POINTER).write_text(json.dumps(pointer, indent=1, ensure_ascii=False), encoding="utf-8")
        (staged / "index.html").write_text(build_index(pointer), encoding="utf-8")
        _record(run, rows)
        release.mark_ready(staged, dropped)
        release.put_in_place(staged, reports)
    return pages


def _record(run: _Run, rows: list[dict[str, Any]]) -> None:
    """Keep the run in the store: parameters, version, totals and the hashes of what it publishes."""
    table = pa.Table.from_pylist(rows)
    with open_writer(run.workspace) as writer:
        details = {"run_id": run.run_id, "store_version": run.version, "perspectives": [r["perspective"] for r in rows]}
        with writer.batch(kind="report", format="page", details=details) as batch:
            batch.insert_arrow("report_run", table)
    (run.folder / "run.json").write_text(json.dumps(rows, indent=1, default=str), encoding="utf-8")
