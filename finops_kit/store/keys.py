"""The key that signs the ledger's heads: Ed25519, made once, its whereabouts named.

The private key lies in ``<workspace>/keys/ledger.pem`` (mode 0600), or wherever
``FINOPS_SIGNING_KEY`` points, so that who can write the store need not be who can sign for it.
``FINOPS_SIGNING_PASSPHRASE`` encrypts it. The public key lies beside it as ``<name>.pub.pem``; the log
id is SHA-256 over its SubjectPublicKeyInfo, as in RFC 6962 section 3.2.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from finops_kit.errors import StoreError, UsageError
from finops_kit.settings import Workspace

#: names the private key's file, outside the workspace for whoever wants the two apart
KEY_VARIABLE = "FINOPS_SIGNING_KEY"
#: the passphrase of the private key; empty for none
PASSPHRASE_VARIABLE = "FINOPS_SIGNING_PASSPHRASE"  # noqa: S105


def key_path(workspace: Workspace) -> Path:
    """Where the private key is or would be."""
    named = os.environ.get(KEY_VARIABLE)
    return Path(named).expanduser() if named else workspace.root / "keys" / "ledger.pem"


def public_key_path(workspace: Workspace) -> Path:
    """Where the public key is: beside the private one."""
    return key_path(workspace).with_suffix(".pub.pem")


def _passphrase() -> bytes | None:
    return os.environ.get(PASSPHRASE_VARIABLE, "").encode() or None


def make_key(workspace: Workspace) -> Path:
    """Make the signing key; one that is there already is never written over.

    Returns
    -------
    The private key's path.

    Raises
    ------
    UsageError : there is a key already
    StoreError : the place cannot be written to
    """
    path, passphrase = key_path(workspace), _passphrase()
    key = Ed25519PrivateKey.generate()
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(private)
        public_key_path(workspace).write_bytes(
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
    except FileExistsError as error:
        raise UsageError(
            f"There is a signing key at {path} already. Heads that it signed stay checkable only while its public "
            f"key is kept; to begin a new one, name another file in {KEY_VARIABLE}."
        ) from error
    except OSError as error:
        raise StoreError(f"The signing key cannot be written to {path}: {error.strerror or error}.") from error
    return path


def ensure_key(workspace: Workspace) -> bool:
    """Make the signing key at its first use; whether one was made."""
    if key_path(workspace).is_file():
        return False
    make_key(workspace)
    return True


def load_key(workspace: Workspace) -> Ed25519PrivateKey:
    """The signing key.

    Raises
    ------
    UsageError : there is none, others can read it, or its passphrase is missing or wrong
    """
    path = key_path(workspace)
    if not path.is_file():
        raise UsageError(f"There is no signing key at {path}. Make one with `finops ledger keygen`.")
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise UsageError(f"Others can read the signing key {path}. Close it with `chmod 600` first.")
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), _passphrase())
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"The signing key {path} does not open: {error}. Is {PASSPHRASE_VARIABLE} what it was made with?"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"The signing key {path} is no Ed25519 key. Make one with `finops ledger keygen`.")
    return key


def load_public_key(workspace: Workspace) -> bytes | None:
    """The public key that this workspace signs with, raw (32 bytes); None where no key was made."""
    path = public_key_path(workspace)
    if not path.is_file():
        return None
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except ValueError as error:
        raise UsageError(f"{path} is no public key in PEM form.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{path} is no Ed25519 public key.")
    return raw_public_key(key)


def raw_public_key(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def log_id(public_key: bytes) -> str:
    """SHA-256 over the key's SubjectPublicKeyInfo, in hex: the name of a log. Source: RFC 6962 section 3.2.

    Example
    -------
    >>> log_id(bytes(32))[:16]
    '722abd12e99a5367'
    """
    info = Ed25519PublicKey.from_public_bytes(public_key).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(info).hexdigest()


def signature_holds(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether ``signature`` over ``message`` was made by the key's owner."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
