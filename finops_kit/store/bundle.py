"""A proof bundle: one figure with all that a third party needs to check it, and the script that does.

The bundle holds the figure and its query, the charges behind it, the ledger entries of their batches
with inclusion proofs, and a signed head. ``verify_bundle.py`` in it needs no store and no network.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from finops_kit import __version__
from finops_kit.errors import ReconciliationFailed, StoreError
from finops_kit.store import verify_bundle
from finops_kit.store.heads import keep_head, ledger_entries, sign_head, small
from finops_kit.store.ledger import canonical, canonical_bytes, plain
from finops_kit.store.merkle import Tree, entry_leaf
from finops_kit.store.reader import Reader

#: what every charge of a bundle says; others may follow
CHARGE_COLUMNS = ("batch_id", "source_file", "source_hash", "source_row", "amount")

README = """A proof bundle of finops_kit {version}.

  python3 verify_bundle.py {name}

checks it without the store; it says what it proves and what it does not. It needs Python 3.9 or newer and, for the
signature, the package `cryptography`. Get the signer's log id by another way than this bundle, and add --log-id.

bundle.json   the figure, and the query that it answers
charges.csv   the charges behind it: file, row number, amount
entries.json  the ledger entries of their batches: what is hashed, and the path up to the signed root
head.json     the signed head of the ledger
"""


def write_bundle(
    reader: Reader,
    out: Path,
    *,
    title: str,
    total: Decimal,
    currency: str,
    query: Mapping[str, Any],
    charges: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Write the proof of one figure as a zip.

    Parameters
    ----------
    reader : the store at the version that the figure was read at
    title, total, currency : the figure
    query : what it answers: measure, period, scope, filters
    charges : all charges behind it; each has ``batch_id``, ``source_file``, ``source_hash``, ``source_row``, ``amount``

    Returns
    -------
    What was written: path, charges, entries, log_id, root, tree_size.

    Raises
    ------
    ReconciliationFailed : the charges do not add up to the figure
    UsageError : there is no signing key
    VerificationFailed : the ledger is not what an earlier head saw
    StoreError : the file cannot be written
    """
    found = sum((Decimal(charge["amount"]) for charge in charges), Decimal(0))
    if found != total:
        raise ReconciliationFailed(
            f"{title}: the figure is {plain(total)} {currency}, its {len(charges)} charges add up to {plain(found)}. "
            "Nothing was written."
        )
    head = sign_head(reader)
    keep_head(reader.workspace, head)
    entries = ledger_entries(reader)
    tree = Tree([entry_leaf(entry) for entry in entries])
    wanted = {str(charge["batch_id"]) for charge in charges}
    proofs = [
        {
            "canonical": canonical_bytes(entry).decode(),
            "inclusion": [step.hex() for step in tree.inclusion(place)],
        }
        for place, entry in enumerate(entries)
        if entry["batch_id"] in wanted
    ]
    figure = {
        "title": title, "total": plain(total), "currency": currency, "count": len(charges),
        "store_version": reader.version, "ledger_head": reader.ledger_head, "kit_version": __version__,
    }  # fmt: skip
    told = {"type": "finops_kit proof bundle", "format": 1, "figure": figure, "query": dict(query)}
    parts = {
        "README.txt": README.format(version=__version__, name=out.name),
        "bundle.json": _json(told),
        "charges.csv": _csv(charges),
        "entries.json": _json(proofs),
        "head.json": small(head).to_json(),
        "verify_bundle.py": Path(str(verify_bundle.__file__)).read_text(encoding="utf-8"),
    }
    try:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name, text in parts.items():
                bundle.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text, zipfile.ZIP_DEFLATED)
    except OSError as error:
        raise StoreError(f"The bundle cannot be written to {out}: {error.strerror or error}.") from error
    return {
        "path": str(out), "charges": len(charges), "entries": len(proofs), "log_id": head.log_id, "root": head.root,
        "tree_size": head.tree_size,
    }  # fmt: skip


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n"


def _csv(charges: Sequence[Mapping[str, Any]]) -> str:
    columns = list(CHARGE_COLUMNS)
    columns += [name for name in (charges[0] if charges else ()) if name not in columns]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(columns)
    for charge in charges:
        writer.writerow([_text(charge.get(name)) for name in columns])
    return stream.getvalue()


def _text(value: Any) -> str:
    if value is None:
        return ""
    return plain(value) if isinstance(value, Decimal) else str(canonical(value))
