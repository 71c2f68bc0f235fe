#!/usr/bin/env python3
"""Check a finops_kit proof bundle, with no access to the store that made it.

usage: python3 verify_bundle.py BUNDLE.zip [--log-id HEX] [--head KEPT.json] [--sources DIR] [--data DIR]
                                           [--without-signature]

Needs Python 3.9+ and, for the signature, the package `cryptography`; nothing else, and no network.
Exit code 0: all that could be checked holds. 1: something does not, or the signature could not be checked.
"""

import argparse
import csv
import hashlib
import io
import json
import pathlib
import sys
import zipfile
from decimal import Decimal

DOMAIN = b"finops_kit ledger head v1\n"
SIGNED = ("ledger_head", "log_id", "public_key", "root", "store_id", "store_version", "time", "tree_size")
ED25519_INFO = bytes.fromhex("302a300506032b6570032100")  # the fixed beginning of an Ed25519 SubjectPublicKeyInfo


class MismatchError(Exception):
    """Something in the bundle does not hold."""


def included(leaf, index, size, proof, root):
    """RFC 9162 section 2.1.3.2: whether `leaf` stands at `index` in the tree of `size` leaves under `root`."""
    if not 0 <= index < size:
        return False
    node, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = hashlib.sha256(b"\x01" + step + found).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + step).digest()
        node, last = node >> 1, last >> 1
    return last == 0 and found == root


def check_head(head, wanted_log, kept, without_signature):
    """The signature, and whose it is."""
    key = bytes.fromhex(head["public_key"])
    if hashlib.sha256(ED25519_INFO + key).hexdigest() != head["log_id"]:
        raise MismatchError("the head's log id is not that of its public key")
    if wanted_log and wanted_log.lower() != head["log_id"]:
        raise MismatchError(f"the head is of log {head['log_id']}, not of {wanted_log}")
    if kept:
        if (kept["log_id"], kept["store_id"]) != (head["log_id"], head["store_id"]):
            raise MismatchError("the kept head is of another log or store")
        if kept["tree_size"] == head["tree_size"] and kept["root"] != head["root"]:
            raise MismatchError(
                "the kept head has another root over as many entries: the ledger was rewritten or forked"
            )
    if without_signature:
        return "NOT checked, as asked"
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise MismatchError(
            "the signature cannot be checked: install the package `cryptography`, or say --without-signature"
        ) from None
    message = DOMAIN + json.dumps({k: head[k] for k in SIGNED}, sort_keys=True, separators=(",", ":")).encode()
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(bytes.fromhex(head["signature"]), message)
    except InvalidSignature:
        raise MismatchError("the head's signature does not hold") from None
    return "holds"


def check_entries(entries, head):
    """Every ledger entry stands in the signed tree; returns them by batch."""
    batches = {}
    for item in entries:
        entry = dict(json.loads(item["canonical"]))
        leaf = hashlib.sha256(b"\x00" + item["canonical"].encode()).digest()
        proof = [bytes.fromhex(step) for step in item["inclusion"]]
        if not included(leaf, entry["entry"] - 1, head["tree_size"], proof, bytes.fromhex(head["root"])):
            raise MismatchError(
                f"ledger entry {entry['entry']} ({entry['batch_id']}) does not stand in the signed ledger"
            )
        batches[entry["batch_id"]] = entry
    return batches


def check_charges(charges, figure, batches):
    """The charges add up to the figure, and each names a line of a file that the ledger knows."""
    total, seen = Decimal(0), set()
    for charge in charges:
        entry = batches.get(charge["batch_id"])
        where = f"{charge['source_file']} row {charge['source_row']}"
        if entry is None:
            raise MismatchError(f"{where}: its batch {charge['batch_id']} is not among the proven ledger entries")
        if (charge["source_file"], charge["source_hash"]) != (entry["source_file"], entry["source_hash"]):
            raise MismatchError(f"{where}: the ledger names another file or hash for {charge['batch_id']}")
        if not 1 <= int(charge["source_row"]) <= entry["rows_read"]:
            raise MismatchError(f"{where}: the file has {entry['rows_read']} rows")
        if (charge["batch_id"], charge["source_row"]) in seen:
            raise MismatchError(f"{where}: counted twice")
        seen.add((charge["batch_id"], charge["source_row"]))
        total += Decimal(charge["amount"])
    if total != Decimal(figure["total"]):
        raise MismatchError(f"the charges add up to {total}, the figure is {figure['total']}")
    if len(charges) != figure["count"]:
        raise MismatchError(f"{len(charges)} charges, but the figure says {figure['count']}")


def check_files(folder, wanted, what):
    """Files in a folder against hashes; returns how many were found."""
    there = {}
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                digest = hashlib.sha256()
                while piece := stream.read(1 << 20):
                    digest.update(piece)
            there[digest.hexdigest()] = path
    missing = sorted(name for name, digest in wanted.items() if digest not in there)
    if missing:
        raise MismatchError(f"{len(missing)} {what} are not in {folder}, or were changed: {', '.join(missing[:5])}")
    return len(wanted)


def verify(options):
    """Check everything; prints what was proven and what was not."""
    with zipfile.ZipFile(options.bundle) as bundle:
        told = json.loads(bundle.read("bundle.json"))
        head = json.loads(bundle.read("head.json"))
        entries = json.loads(bundle.read("entries.json"))
        charges = list(csv.DictReader(io.StringIO(bundle.read("charges.csv").decode("utf-8"), newline="")))
    if told.get("type") != "finops_kit proof bundle" or told.get("format") != 1:
        raise MismatchError("it is no proof bundle of format 1")
    figure = told["figure"]
    kept = json.loads(pathlib.Path(options.head).read_text(encoding="utf-8")) if options.head else None
    signature = check_head(head, options.log_id, kept, options.without_signature)
    if (figure["store_version"], figure["ledger_head"]) != (head["store_version"], head["ledger_head"]):
        raise MismatchError("the figure is of another store version than the signed head")
    batches = check_entries(entries, head)
    check_charges(charges, figure, batches)
    used = [batches[batch] for batch in sorted({charge["batch_id"] for charge in charges})]
    print(
        f"Figure    {figure['title']}: {figure['total']} {figure['currency']}, store version {figure['store_version']}"
    )
    print(f"Query     {json.dumps(told['query'], sort_keys=True)}")
    print(f"Signed    {head['time']}, {head['tree_size']} ledger entries, log {head['log_id']}: signature {signature}")
    print("Proven:")
    print(f"  - {len(charges)} charges add up to the figure exactly; none is counted twice")
    print(f"  - each is a row of one of {len(used)} files whose SHA-256 stands in the signed ledger")
    if options.sources:
        count = check_files(options.sources, {e["source_file"]: e["source_hash"] for e in used}, "source files")
        print(f"  - the {count} source files in {options.sources} are those, byte for byte")
    if options.data:
        wanted = {f["path"]: f["sha256"] for e in used for f in json.loads(e["data_files"])}
        print(f"  - the {check_files(options.data, wanted, 'data files')} data files in {options.data} are those")
    print("Not proven here:")
    print("  - that the listed amounts stand in those rows: open the source files at the row numbers")
    print("  - that no other charge belongs to the figure, and that currencies were converted at the right rate:")
    print("    run the query on the store at this version")
    if not options.log_id and not kept:
        print("  - whose key it is: compare the log id with one that you got from the signer by another way (--log-id)")
    if not kept:
        print("  - that the ledger was not rewritten before it was signed: hold it against a head you kept (--head)")
    if not options.sources:
        print("  - that you hold the same source files (--sources DIR)")


def main(arguments=None):
    """Run; 0 where all holds, 1 where something does not."""
    parser = argparse.ArgumentParser(description="Check a finops_kit proof bundle without the store.")
    parser.add_argument("bundle")
    parser.add_argument("--log-id", help="the log id that the signer told you")
    parser.add_argument("--head", help="a signed head that you kept")
    parser.add_argument("--sources", help="a folder with the source files")
    parser.add_argument("--data", help="a folder with the store's data files")
    parser.add_argument("--without-signature", action="store_true", help="leave the signature out")
    options = parser.parse_args(arguments)
    try:
        verify(options)
    except MismatchError as error:
        print(f"DOES NOT HOLD: {error}.", file=sys.stderr)
        return 1
    except (OSError, KeyError, ValueError, TypeError, ArithmeticError, zipfile.BadZipFile) as error:
        print(f"DOES NOT HOLD: the bundle cannot be read ({type(error).__name__}: {error}).", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
