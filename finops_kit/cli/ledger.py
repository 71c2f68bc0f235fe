"""``finops ledger``: sign what the ledger is, for somebody else to keep, and hold it against what they kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from finops_kit.cli.common import Setting, as_of_option, finops_command, print_json

EPILOG = """\b
Examples:
  finops ledger keygen                                  the signing key; it says where it lies
  finops ledger head --out kept/                        sign the ledger as it is now, for an auditor to keep
  finops ledger head --out kept/ --since kept/head-00000120-1f0c93aa.json
  finops ledger head --stamp https://tsa.example/tsr --tsa-ca tsa-root.pem
  finops ledger check kept/ --tsa-ca tsa-root.pem       hold the ledger against heads that were kept
  finops ledger check --root 1f0c93aa... --size 120     hold it against what a page prints at its foot

\b
FINOPS_SIGNING_KEY names the private key's file where it is not <workspace>/keys/ledger.pem;
FINOPS_SIGNING_PASSPHRASE opens it. `finops verify --head kept/` checks heads and the whole store. See docs/ledger.md.
"""


@finops_command("ledger", epilog=EPILOG)
@click.argument("action", metavar="keygen|head|check", type=click.Choice(["keygen", "head", "check"]))
@click.argument("heads", nargs=-1, type=click.Path(exists=True), metavar="[HEAD...]")
@click.option("--out", type=click.Path(), metavar="FILE|DIR", help="head: where to write it besides the workspace.")
@click.option(
    "--small", is_flag=True, help="head: without leaf hashes; a later check then names stretches, not entries."
)
@click.option("--since", type=click.Path(exists=True, dir_okay=False), metavar="HEAD",
              help="head: prove that this one only adds to an earlier one.")  # fmt: skip
@click.option("--stamp", metavar="URL", help="head: have an RFC 3161 authority stamp it; only a hash leaves the house.")
@click.option("--tsa-ca", type=click.Path(exists=True, dir_okay=False), metavar="PEM",
              help="The authority's root certificate, which its stamps must lead up to.")  # fmt: skip
@click.option("--root", metavar="HEX", help="check: the Merkle root that a page prints.")
@click.option("--size", type=click.IntRange(1), metavar="N", help="check: how many entries that root is over.")
@as_of_option
def command(
    setting: Setting, action: str, heads: tuple[str, ...], out: str | None, small: bool, since: str | None,
    stamp: str | None, tsa_ca: str | None, root: str | None, size: int | None, as_of: str | None,
) -> int:  # fmt: skip
    """Sign the ledger's head, export it, and check the ledger against heads that somebody kept.

    A rewrite of the whole history, a truncation or a fork is found only against a head that whoever did it could
    not reach: give heads away.
    """
    if action == "keygen":
        return _keygen(setting)
    if action == "head":
        return _head(setting, Path(out) if out else None, small, since, stamp, tsa_ca, as_of)
    return _check(setting, heads, tsa_ca, root, size, as_of)


def _keygen(setting: Setting) -> int:
    from finops_kit.store.keys import load_public_key, log_id, make_key, public_key_path

    path = make_key(setting.workspace)
    name = log_id(load_public_key(setting.workspace) or b"")
    if setting.json:
        print_json({"private_key": str(path), "public_key": str(public_key_path(setting.workspace)), "log_id": name})
        return 0
    click.echo(f"Made the signing key {path} (keep it closed; back it up apart from the store).")
    click.echo(f"Public key {public_key_path(setting.workspace)}")
    click.echo(f"Log id {name}: tell it to whoever keeps heads, by another way than the heads.")
    return 0


def _head(
    setting: Setting, out: Path | None, small: bool, since: str | None, stamp: str | None, tsa_ca: str | None,
    as_of: str | None,
) -> int:  # fmt: skip
    from finops_kit.errors import UsageError
    from finops_kit.store import open_reader
    from finops_kit.store.heads import heads_folder, keep_head, read_heads, sign_head
    from finops_kit.store.keys import ensure_key, key_path

    if stamp and not tsa_ca:
        raise UsageError("--stamp needs --tsa-ca: the root certificate that the authority's stamps must lead up to.")
    with open_reader(setting.workspace, as_of, views=False) as reader:
        made = ensure_key(setting.workspace)
        earlier = read_heads([since])[0][1] if since else None
        head = sign_head(reader, leaves=not small, since=earlier)
    path = keep_head(setting.workspace, head, out)
    told: dict[str, Any] = {
        "path": str(path), "log_id": head.log_id, "tree_size": head.tree_size, "root": head.root,
        "store_version": head.store_version, "time": head.time, "stamp": None,
    }  # fmt: skip
    if stamp and tsa_ca:
        from finops_kit.store.stamp import read_certificates, request_stamp, stamp_path

        answer, said = request_stamp(head, stamp, read_certificates(Path(tsa_ca)))
        for place in {path, heads_folder(setting.workspace) / head.name}:
            stamp_path(place).write_bytes(answer)
        told["stamp"] = {"path": str(stamp_path(path)), "time": said.time, "policy": said.policy, "serial": said.serial}
    if setting.json:
        print_json(told)
        return 0
    if made:
        click.echo(f"Made the signing key {key_path(setting.workspace)}.")
    click.echo(f"{path}: {head.tree_size:,} ledger entries, root {head.root}, signed {head.time}, log {head.log_id}.")
    if told["stamp"]:
        click.echo(f"Stamped {told['stamp']['time']} by {stamp}: {told['stamp']['path']}")
    if out is None:
        click.echo("It proves little while it lies beside the store: give a copy away (--out).")
    return 0


def _check(
    setting: Setting, paths: tuple[str, ...], tsa_ca: str | None, root: str | None, size: int | None, as_of: str | None
) -> int:
    from finops_kit.errors import UsageError, VerificationFailed
    from finops_kit.store import open_reader
    from finops_kit.store.heads import check_heads, check_root, ledger_entries, read_heads

    if (root is None) != (size is None):
        raise UsageError("--root and --size belong together: a root is over a number of entries.")
    if not paths and root is None:
        raise UsageError("Name the heads to check: files, or folders of them, such as `finops ledger check kept/`.")
    kept = read_heads(paths)
    if not kept and root is None:
        raise UsageError(f"There is no head in {', '.join(paths)}. `finops ledger head --out DIR` writes one.")
    with open_reader(setting.workspace, as_of, views=False) as reader:
        if as_of:  # a head that was signed later says nothing of the ledger as it was
            kept = [(name, head) for name, head in kept if head.store_version <= reader.version]
        findings = check_heads(reader, ledger_entries(reader), kept)
        if root is not None and size is not None:
            findings += check_root(reader, root, size)
    stamps = _stamps(paths, tsa_ca)
    if setting.json:
        print_json({"ok": not findings, "heads": len(kept), "stamps": stamps,
                    "findings": [finding.as_dict() for finding in findings]})  # fmt: skip
    else:
        for stamp in stamps:
            click.echo(f"{stamp['head']}: stamped {stamp['time'] or ''}{stamp['note']}")
        held = f"{len(kept)} head(s)" + (f" and the root over {size:,} entries" if size else "")
        click.echo(f"{held}: " + (f"{len(findings)} thing(s) do not fit:" if findings else "the ledger fits."))
        for finding in findings:
            click.echo(f"  {finding}")
    if findings:
        click.echo(f"Error: the ledger is not what a kept head saw: {findings[0]}", err=True)
        return VerificationFailed.exit_code
    return 0


def _stamps(paths: tuple[str, ...], tsa_ca: str | None) -> list[dict[str, Any]]:
    """The stamps that lie beside heads; checked where the authority's root is given."""
    from finops_kit.store.heads import head_from_json
    from finops_kit.store.stamp import check_stamp, read_certificates, stamp_path

    files = [f for path in map(Path, paths) for f in (sorted(path.glob("head-*.json")) if path.is_dir() else [path])]
    told: list[dict[str, Any]] = []
    for file in files:
        if not stamp_path(file).is_file():
            continue
        if not tsa_ca:
            told.append(
                {"head": file.name, "time": None, "note": "not checked; name the authority's root with --tsa-ca"}
            )
            continue
        head = head_from_json(file.read_text(encoding="utf-8"), str(file))
        said = check_stamp(head, stamp_path(file).read_bytes(), read_certificates(Path(tsa_ca)))
        told.append({"head": file.name, "time": said.time, "note": ""})
    return told
