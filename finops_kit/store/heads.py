"""Signed tree heads: what the ledger was at one moment, in a small file that somebody else can keep.

A head says: log id, tree size, root, store version, time; signed with Ed25519. The ledger's own chain
finds a careless edit. A rewrite of the whole history, a truncation or a fork is found only against a
head that the rewriter could not reach: so heads are exported, and checked again later.

A kept head may carry the leaf hashes under its root (44 characters an entry). They are not signed and
need not be: they must add up to the signed root. With them a check names the very entry that changed;
without them only the stretch between two heads that fit.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finops_kit.errors import StoreError, UsageError, VerificationFailed
from finops_kit.settings import Workspace
from finops_kit.store.finding import Finding
from finops_kit.store.keys import key_path, load_key, load_public_key, log_id, raw_public_key, signature_holds
from finops_kit.store.lake import catalogue_store_id
from finops_kit.store.merkle import Tree, entry_leaf, verify_consistency
from finops_kit.store.reader import Reader

#: first line of what is signed, so that the signature is good for nothing else
DOMAIN = b"finops_kit ledger head v1\n"
#: the signed fields, in the order of their names
SIGNED = ("ledger_head", "log_id", "public_key", "root", "store_id", "store_version", "time", "tree_size")


@dataclass(frozen=True)
class Head:
    """A signed tree head.

    Attributes
    ----------
    log_id : SHA-256 of the signer's public key
    store_id : the store that it speaks of
    tree_size : how many entries the ledger had
    root : the Merkle root over them, hex
    ledger_head : entry_hash of the last of them
    store_version : the store version
    time : when it was signed (UTC)
    public_key : Ed25519, raw, hex
    signature : over all of the above, hex
    leaves : the leaf hashes under the root, hex; empty in a small head
    consistency : proof that an earlier head is a prefix of this one; empty where none was asked for
    """

    log_id: str
    store_id: str
    tree_size: int
    root: str
    ledger_head: str
    store_version: int
    time: str
    public_key: str
    signature: str = ""
    leaves: tuple[str, ...] = ()
    consistency: tuple[str, ...] = ()
    consistent_with: int = 0

    @property
    def name(self) -> str:
        """A file name that sorts by size."""
        return f"head-{self.tree_size:08d}-{self.root[:8]}.json"

    def signed_bytes(self) -> bytes:
        """What the signature is over: a domain line, then canonical JSON of the signed fields."""
        fields = {name: getattr(self, name) for name in SIGNED}
        return DOMAIN + json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()

    def signature_holds(self) -> bool:
        """Whether the head is as it was signed, by the key that its log id names."""
        try:
            key, signature = bytes.fromhex(self.public_key), bytes.fromhex(self.signature)
            return log_id(key) == self.log_id and signature_holds(key, signature, self.signed_bytes())
        except ValueError:
            return False

    def to_json(self) -> str:
        """The head as the text of its file."""
        known = {"type": "finops_kit ledger head", "format": 1, **asdict(self)}
        known["leaves"] = [base64.b64encode(bytes.fromhex(leaf)).decode() for leaf in self.leaves]
        return json.dumps({k: v for k, v in known.items() if v not in ([], (), 0) or k in SIGNED}, indent=1) + "\n"


def small(head: Head) -> Head:
    """The head without the leaf hashes: what is signed, under a kilobyte."""
    return replace(head, leaves=())


def head_from_json(text: str, where: str = "the head") -> Head:
    """Read a head's file.

    Raises
    ------
    UsageError : it is no head
    """
    try:
        known = json.loads(text)
        if known.get("type") != "finops_kit ledger head" or known.get("format") != 1:
            raise ValueError("its type is another")
        leaves = tuple(base64.b64decode(leaf, validate=True).hex() for leaf in known.get("leaves", []))
        return Head(
            **{name: str(known[name]) for name in SIGNED if name not in ("tree_size", "store_version")},
            tree_size=int(known["tree_size"]), store_version=int(known["store_version"]),
            signature=str(known["signature"]), leaves=leaves,
            consistency=tuple(known.get("consistency", ())), consistent_with=int(known.get("consistent_with", 0)),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{where} is no ledger head ({error}). Export one with `finops ledger head --out F`."
        ) from error


def read_heads(paths: Sequence[str | Path]) -> list[tuple[str, Head]]:
    """Read kept heads: files, or folders of them; each with the name it is spoken of by.

    Raises
    ------
    UsageError : one is no head, or is not there
    """
    found: list[tuple[str, Head]] = []
    for path in map(Path, paths):
        files = sorted(path.glob("head-*.json")) if path.is_dir() else [path]
        for file in files:
            try:
                found.append((file.name, head_from_json(file.read_text(encoding="utf-8"), str(file))))
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(f"The head {file} cannot be read: {error}.") from error
    return found


def heads_folder(workspace: Workspace) -> Path:
    """Where the workspace keeps its own copies of the heads that it signed."""
    return workspace.root / "heads"


def ledger_entries(reader: Reader) -> list[dict[str, Any]]:
    """All entries of the ledger at the reader's version, in order."""
    table = reader.connection.execute(f"SELECT * FROM {reader.source('ledger')} ORDER BY entry").to_arrow_table()
    return list(table.to_pylist())


def ledger_tree(reader: Reader) -> Tree:
    """The Merkle tree over the ledger at the reader's version."""
    return Tree([entry_leaf(entry) for entry in ledger_entries(reader)])


@dataclass(frozen=True)
class SeenHead:
    """The Merkle root over the ledger at one version, as a page prints it.

    Attributes
    ----------
    tree_size, root : how many entries, and the root over them, hex
    signed_by : log id of the signed head of just this root that the workspace keeps; empty where there is none
    """

    tree_size: int
    root: str
    signed_by: str = ""


def seen_head(reader: Reader) -> SeenHead:
    """What the ledger is at the reader's version, and who signed just that."""
    tree = ledger_tree(reader)
    size, root = len(tree.leaves), tree.root().hex()
    folder = heads_folder(reader.workspace)
    kept = read_heads([folder]) if folder.is_dir() else []
    signed = (head.log_id for _, head in kept if (head.tree_size, head.root) == (size, root) and head.signature_holds())
    return SeenHead(size, root, next(signed, ""))


def keep_signed(reader: Reader) -> Head | None:
    """Sign the ledger at the reader's version and keep the head, where there is a signing key and it is not done yet.

    A key that cannot be opened here (its passphrase is elsewhere) signs nothing; pages then say that they are unsigned.

    Raises
    ------
    VerificationFailed : the ledger is not what an earlier head saw
    """
    if not key_path(reader.workspace).is_file() or seen_head(reader).signed_by or not reader.ledger_entries:
        return None
    try:
        head = sign_head(reader, leaves=False)
    except (UsageError, StoreError):
        return None
    keep_head(reader.workspace, head)
    return head


def check_root(reader: Reader, root: str, size: int) -> list[Finding]:
    """Hold the ledger against a root that a page printed.

    Parameters
    ----------
    root : hex; its beginning is enough, from eight digits on
    size : how many entries it is over

    Raises
    ------
    UsageError : it is no root, or no size
    """
    wanted = root.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{8,64}", wanted) or size < 1:
        raise UsageError(f"{root!r} over {size} entries is no root: give its hex digits and the number of entries.")
    tree = ledger_tree(reader)
    if size > len(tree.leaves):
        where = f"ledger entries {len(tree.leaves) + 1} to {size}"
        return [Finding("ledger truncated", where, f"{size} entries, as was printed", f"{len(tree.leaves)}")]
    found = tree.root(size).hex()
    if not found.startswith(wanted):
        return [Finding("ledger rewritten", f"ledger entries 1 to {size}", f"the root {wanted}", found)]
    return []


def sign_head(reader: Reader, *, leaves: bool = True, since: Head | None = None) -> Head:
    """Sign the ledger as the reader sees it, after checking it against the heads that the workspace kept.

    Parameters
    ----------
    leaves : carry the leaf hashes, so that a later check can name the entry that changed
    since : an earlier head; the new one then carries the proof that it only adds to it

    Raises
    ------
    UsageError : there is no signing key, or nothing to sign
    VerificationFailed : the ledger is not what an earlier head saw; nothing is signed then
    """
    key = load_key(reader.workspace)
    entries = ledger_entries(reader)
    if not entries:
        raise UsageError("The ledger has no entry yet, so there is nothing to sign. Ingest a file first.")
    kept = read_heads([heads_folder(reader.workspace)]) if heads_folder(reader.workspace).is_dir() else []
    kept = [(name, head) for name, head in kept if head.tree_size <= len(entries)]
    if since is not None:
        kept.append(("the earlier head", since))
    findings = check_heads(reader, entries, kept)
    if findings:
        raise VerificationFailed(f"Nothing was signed. {findings[0]}.")
    tree = Tree([entry_leaf(entry) for entry in entries])
    public = raw_public_key(key.public_key())
    head = Head(
        log_id=log_id(public), store_id=catalogue_store_id(reader.connection), tree_size=len(entries),
        root=tree.root().hex(),
        ledger_head=str(entries[-1]["entry_hash"]), store_version=reader.version,
        time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), public_key=public.hex(),
        leaves=tuple(leaf.hex() for leaf in tree.leaves) if leaves else (),
        consistency=tuple(step.hex() for step in tree.consistency(since.tree_size)) if since else (),
        consistent_with=since.tree_size if since else 0,
    )  # fmt: skip
    return replace(head, signature=key.sign(head.signed_bytes()).hex())


def keep_head(workspace: Workspace, head: Head, out: Path | None = None) -> Path:
    """Write a head into the workspace and, where a place is named, there as well; returns the outermost file.

    Raises
    ------
    StoreError : the place cannot be written to
    """
    own = heads_folder(workspace) / head.name
    target = out / head.name if out is not None and out.is_dir() else out
    try:
        own.parent.mkdir(parents=True, exist_ok=True)
        for path in filter(None, (own, target)):
            path.write_text(head.to_json(), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"The head cannot be written: {error.strerror or error} ({error.filename}).") from error
    return target or own


def only_adds(first: Head, second: Head) -> bool:
    """Whether ``second`` carries the proof that it only adds to ``first``; needs no store.

    Example: an auditor keeps ``first``, is handed ``second``, and asks no further.
    """
    return (
        first.signature_holds() and second.signature_holds() and first.log_id == second.log_id
        and first.store_id == second.store_id and second.consistent_with == first.tree_size
        and verify_consistency(
            first.tree_size, second.tree_size, [bytes.fromhex(step) for step in second.consistency],
            bytes.fromhex(first.root), bytes.fromhex(second.root),
        )
    )  # fmt: skip


def check_heads(reader: Reader, entries: Sequence[dict[str, Any]], heads: Sequence[tuple[str, Head]]) -> list[Finding]:
    """Hold the ledger against kept heads; every misfit is named.

    Parameters
    ----------
    entries : the ledger in its order, as the reader sees it
    heads : kept heads, each with the name it is spoken of by

    Returns
    -------
    Findings: a head that was changed or is of another store or key; entries missing that a head saw
    (truncated); entries that are not those a head saw (edited, re-chained or forked), by number.
    """
    findings: list[Finding] = []
    tree = Tree([entry_leaf(entry) for entry in entries])
    there = len(tree.leaves)
    own_key, own_store = load_public_key(reader.workspace), catalogue_store_id(reader.connection)
    fits_until = 0
    roots: dict[tuple[str, int], tuple[str, str]] = {}
    for name, head in sorted(heads, key=lambda pair: pair[1].tree_size):
        misfit = _own_misfit(name, head, own_key, own_store)
        if misfit:
            findings.append(misfit)
            continue
        other, root = roots.setdefault((head.log_id, head.tree_size), (name, head.root))
        if root != head.root:
            expected = f"the root {root} over {head.tree_size} entries, as {other} has it"
            findings.append(Finding("ledger forked", name, expected, head.root))
        size = min(head.tree_size, there)
        if size == head.tree_size and tree.root(size).hex() == head.root:
            fits_until = max(fits_until, size)
            continue
        named = _name_entries(name, head, [leaf.hex() for leaf in tree.leaves]) if head.leaves else []
        findings += named
        if head.tree_size > there and not any("taken out" in finding.check for finding in named):
            where = f"ledger entries {there + 1} to {head.tree_size}"
            expected = f"{head.tree_size} entries, as {name} saw at {head.time}"
            findings.append(Finding("ledger truncated", where, expected, f"{there}"))
        elif not named and size == head.tree_size:
            where = f"ledger entries {fits_until + 1} to {size}"
            expected = f"the root {head.root}, as {name} saw at {head.time}"
            findings.append(Finding("ledger rewritten", where, expected, tree.root(size).hex()))
    return findings


def _own_misfit(name: str, head: Head, own_key: bytes | None, own_store: str) -> Finding | None:
    """What is wrong with the head itself."""
    if not head.signature_holds():
        return Finding("kept head", name, "a signature that holds", "none: it was changed after it was signed")
    if head.leaves:
        root = Tree([bytes.fromhex(leaf) for leaf in head.leaves]).root().hex()
        if len(head.leaves) != head.tree_size or root != head.root:
            return Finding("kept head", name, "leaf hashes that add up to its signed root", f"{root}")
    if head.store_id != own_store:
        return Finding("kept head", name, f"a head of this store ({own_store})", f"one of store {head.store_id}")
    if own_key is not None and log_id(own_key) != head.log_id:
        return Finding("kept head", name, f"this store's signing key ({log_id(own_key)})", f"the key {head.log_id}")
    return None


def _name_entries(name: str, head: Head, there: list[str]) -> list[Finding]:
    """Say which entries are not those that the head saw: edited, taken out, put in, or all from one on."""
    seen = list(head.leaves)
    size = min(len(seen), len(there))
    differ = [n for n in range(size) if seen[n] != there[n]]
    if not differ:
        return []
    first = differ[0]
    where = f"ledger entry {first + 1}"
    expected = f"the entry that {name} saw (leaf {seen[first]})"
    if first + 1 < size and seen[first + 1 : size] == there[first : size - 1]:
        return [Finding("ledger entry taken out", where, expected, "the one after it")]
    if first + 1 < size and there[first + 1 : size] == seen[first : size - 1]:
        return [Finding("ledger entry put in", where, expected, f"one that it never saw (leaf {there[first]})")]
    if len(differ) > 1 and differ == list(range(first, size)):
        where = f"ledger entries {first + 1} to {size}"
        return [Finding("ledger re-chained or forked", where, expected, f"another (leaf {there[first]})")]
    return [
        Finding(
            "ledger entry edited",
            f"ledger entry {n + 1}",
            f"the entry that {name} saw (leaf {seen[n]})",
            f"another (leaf {there[n]})",
        )
        for n in differ
    ]
