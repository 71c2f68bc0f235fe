"""Object storage (``s3://``, ``az://``, ``gs://``): what lies below an address, and one object copied here in pieces.

Credentials come only from each provider's own chain, never from the address: what AWS, Azure and Google document for
their command lines (environment, profile files, the machine's or workload's identity). A place that does not answer is
given up with a sentence; nothing waits for ever.
"""

from __future__ import annotations

import os
import queue
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from finops_kit.errors import SourceRefused

Answer = TypeVar("Answer")

#: seconds after which a place that says nothing is given up; ``FINOPS_REMOTE_TIMEOUT`` says another
STALL_SECONDS = 60.0
TIMEOUT_VARIABLE = "FINOPS_REMOTE_TIMEOUT"
#: how much of an object is asked for at once, in bytes
PIECE_BYTES = 8 << 20

_URL = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<bucket>[^/]*)/*(?P<key>.*)$", re.DOTALL)
_QUERY = re.compile(r"[?&#][\w.-]+=|[?#]$")
_SIGNS = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Address:
    """A place in object storage.

    Attributes
    ----------
    scheme : ``s3``, ``az`` or ``gs``
    bucket : the bucket, or the container of the storage account that ``AZURE_STORAGE_ACCOUNT`` names
    key : the object, the folder or the pattern in it
    """

    scheme: str
    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class RemoteObject:
    """One object: where it lies, its bytes, and when it was written."""

    address: Address
    size: int
    modified: datetime | None
    files: Any

    @property
    def path(self) -> str:
        """Bucket and key, as its file system names it."""
        return f"{self.address.bucket}/{self.address.key}"


def is_remote(text: str) -> bool:
    """Whether a PATH is an address on another machine.

    Example
    -------
    >>> is_remote("s3://bucket/bill.csv"), is_remote("bills/2026.csv")
    (True, False)
    """
    return bool(_URL.match(text))


def without_secrets(text: str) -> str:
    """An address without user, query and fragment, fit to be shown and kept; a pattern keeps its signs.

    Example
    -------
    >>> without_secrets("az://exports/bill.csv?sv=2024&sig=abc"), without_secrets("s3://KEY:SECRET@bucket/?.csv")
    ('az://exports/bill.csv', 's3://bucket/?.csv')
    """
    found = _URL.match(text)
    if not found:
        return text
    key = _QUERY.split(found["key"], maxsplit=1)[0]
    return f"{found['scheme']}://{found['bucket'].rpartition('@')[2]}/{key}"


def read_address(text: str) -> Address:
    """An address taken apart.

    Raises
    ------
    SourceRefused : another kind of place, no bucket, or an address that carries a secret

    Example
    -------
    >>> read_address("s3://bills/2026/*.csv.gz").key
    '2026/*.csv.gz'
    """
    found = _URL.match(text)
    shown = without_secrets(text)
    scheme = found["scheme"].lower() if found else ""
    if not found or scheme not in _OPENERS:
        raise SourceRefused(f"{shown} is a remote location; only s3://, az:// and gs:// are read. Copy it here first.")
    if "@" in found["bucket"] or _QUERY.search(found["key"]):
        raise SourceRefused(
            f"{shown} was given with a user, a query or a token; those are never taken from an address. "
            f"Name the plain address: credentials come from {_CHAINS[scheme]}."
        )
    if not found["bucket"] or _SIGNS.search(found["bucket"]) or "\0" in text:
        raise SourceRefused(f"{shown} names no {'container' if scheme == 'az' else 'bucket'}.")
    return Address(scheme, found["bucket"], found["key"])


def is_pattern(address: Address) -> bool:
    """Whether an address stands for what matches it.

    Example
    -------
    >>> is_pattern(read_address("s3://bills/2026/*.csv.gz")), folder_of(read_address("s3://bills/2026/*.csv.gz"))
    (True, '2026')
    """
    return bool(_SIGNS.search(address.key))


def folder_of(address: Address) -> str:
    """The folder below which everything is listed to find what an address stands for."""
    pattern = _SIGNS.search(address.key)
    return address.key[: pattern.start()].rpartition("/")[0] if pattern else address.key.strip("/")


def list_folder(one: RemoteObject, folder: str) -> list[RemoteObject]:
    """The objects that lie in a folder of an object's bucket themselves, and not below it.

    Raises
    ------
    SourceRefused : it may not be listed, or does not answer
    """
    address = Address(one.address.scheme, one.address.bucket, folder)
    found = _asked(address, lambda: _listing(one.files, f"{address.bucket}/{folder}".rstrip("/"), below=False))
    return [_object(address, info, one.files) for info in found if info.is_file]


def find_object(one: RemoteObject, key: str) -> RemoteObject | None:
    """Another object of an object's bucket; None where there is none.

    Raises
    ------
    SourceRefused : it may not be read, or the place does not answer
    """
    address = Address(one.address.scheme, one.address.bucket, key)
    info = _asked(address, lambda: one.files.get_file_info(f"{address.bucket}/{key}"))
    return _object(address, info, one.files) if info.is_file else None


def _object(address: Address, info: Any, files: Any) -> RemoteObject:
    bucket, _, key = info.path.partition("/")
    return RemoteObject(Address(address.scheme, bucket, key), info.size, info.mtime, files)


def find_objects(address: Address, seen: list[RemoteObject] | None = None) -> list[RemoteObject]:
    """The objects that an address stands for: itself, all below a folder, or what a pattern matches; sorted.

    ``*`` stays within a folder, ``**`` does not. Empty markers of folders and hidden names are left out.

    Parameters
    ----------
    seen : takes everything that was listed to find them

    Raises
    ------
    SourceRefused : nothing is there, it may not be read, or it does not answer
    """
    files = _open_store(address)
    pattern = is_pattern(address)
    if not pattern and address.key and not address.key.endswith("/"):
        found = _asked(address, lambda: files.get_file_info(f"{address.bucket}/{address.key}"))
        if found.is_file:
            return [RemoteObject(address, found.size, found.mtime, files)]
    folder = folder_of(address)
    fits = re.compile(pattern_as_regex(address.key) if pattern else r".*", re.DOTALL)
    out = []
    for info in _asked(address, lambda: _listing(files, f"{address.bucket}/{folder}".rstrip("/"))):
        one = _object(address, info, files)
        key = one.address.key
        if seen is not None and info.is_file:
            seen.append(one)
        hidden = any(part.startswith(".") for part in key[len(folder) :].split("/"))
        if info.is_file and not hidden and fits.fullmatch(key):
            out.append(one)
    if not out:
        what = "matches no object" if pattern else "does not exist, or holds no object"
        raise SourceRefused(f"{address} {what}. Check the address.")
    return sorted(out, key=lambda one: one.address.key)


def _listing(files: Any, folder: str, below: bool = True) -> Any:
    from pyarrow.fs import FileSelector

    return files.get_file_info(FileSelector(folder, recursive=below, allow_not_found=not below))


def pattern_as_regex(pattern: str) -> str:
    """A pattern of names as a regular expression over whole keys.

    Example
    -------
    >>> import re; fits = re.compile(pattern_as_regex("a/**/x-[0-9]?.csv"))
    >>> [bool(fits.fullmatch(key)) for key in ("a/x-01.csv", "a/b/c/x-1z.csv", "a/x-1/.csv", "b/x-01.csv")]
    [True, True, False, False]
    """
    out, at = "", 0
    while at < len(pattern):
        rest = pattern[at:]
        chosen = re.match(r"\[(!?)([^\]/]+)\]", rest)
        if rest.startswith("**/"):
            out, at = out + "(?:.*/)?", at + 3
        elif rest.startswith("**"):
            out, at = out + ".*", at + 2
        elif chosen:
            inside = chosen[2].replace("\\", r"\\").replace("^", r"\^").replace("[", r"\[")
            out, at = out + f"[{'^' if chosen[1] else ''}{inside}]", at + len(chosen[0])
        else:
            out, at = out + {"*": "[^/]*", "?": "[^/]"}.get(rest[0], re.escape(rest[0])), at + 1
    return out


def fetch(one: RemoteObject, target: Path) -> None:
    """Copy an object into a file, piece by piece; the file gets the object's time.

    Raises
    ------
    SourceRefused : it went away, was changed meanwhile, may not be read, or does not answer
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    try:
        with target.open("wb") as out:
            for piece in _pieces(one):
                count += len(piece)
                try:
                    out.write(piece)
                except OSError as error:
                    raise SourceRefused(f"{one.address} cannot be copied here: {error.strerror or error}.") from error
        now = _asked(one.address, lambda: one.files.get_file_info(one.path))
        if (now.size, _second(now.mtime)) != (one.size, _second(one.modified)) or count != one.size:
            raise SourceRefused(f"{one.address} was changed while it was read. Ingest it again when it is complete.")
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    if one.modified is not None:
        os.utime(target, (one.modified.timestamp(), one.modified.timestamp()))


def _second(at: datetime | None) -> datetime | None:
    """A time as a header carries it: a listing may be finer."""
    return at.replace(microsecond=0) if at is not None else None


def _pieces(one: RemoteObject) -> Iterator[bytes]:
    stream = _asked(one.address, lambda: one.files.open_input_stream(one.path, compression=None))
    while piece := _asked(one.address, lambda: stream.read(PIECE_BYTES)):
        yield piece
    stream.close()


def _patience() -> float:
    try:
        return max(float(os.environ.get(TIMEOUT_VARIABLE) or STALL_SECONDS), 0.1)
    except ValueError:
        return STALL_SECONDS


def _asked(address: Address, call: Callable[[], Answer]) -> Answer:
    """What a place answers, waited for no longer than patience lasts: not every client has a timeout of its own."""
    box: queue.Queue[tuple[Answer | None, BaseException | None]] = queue.Queue()

    def ask() -> None:
        try:
            box.put((call(), None))
        except BaseException as error:  # handed to whoever waits
            box.put((None, error))

    threading.Thread(target=ask, name="remote", daemon=True).start()
    seconds = _patience()
    try:
        answer, error = box.get(timeout=seconds)
    except queue.Empty:
        raise SourceRefused(
            f"{address} did not answer for {seconds:g} s. Check the network, or wait longer with ${TIMEOUT_VARIABLE}."
        ) from None
    if error is not None:
        raise _refusal(address, error) from error
    return answer  # type: ignore[return-value]


_DENIED = re.compile(r"ACCESS_DENIED|AccessDenied|40[13]\b|Forbidden|Unauthori[sz]ed|InvalidAccessKey|"
                     r"INVALID_ACCESS_KEY|SignatureDoesNotMatch|SIGNATURE_DOES_NOT_MATCH|INVALID_CLIENT_TOKEN|PERMISSION_DENIED|"
                     r"UNAUTHENTICATED|AuthenticationFailed|AuthorizationFailure|credential", re.I)  # fmt: skip
_MISSING = re.compile(r"NO_SUCH_BUCKET|NoSuchBucket|NOT_FOUND|404\b|ContainerNotFound|does not exist", re.I)
_SILENT = re.compile(r"NETWORK_CONNECTION|curlCode|Could not (?:resolve|connect)|connect to|timed? ?out", re.I)


def _refusal(address: Address, error: BaseException) -> SourceRefused:
    """A provider's error as one sentence; its own words are left out where they could carry a secret."""
    said = " ".join(str(error).split())
    if isinstance(error, FileNotFoundError) or _MISSING.search(said):
        return SourceRefused(f"{address} does not exist. Check the address and, for a bucket, its account and region.")
    if _SILENT.search(said):
        return SourceRefused(f"{address} cannot be reached: no connection, or it took too long. Check the network.")
    if _DENIED.search(said):
        return SourceRefused(
            f"{address} may not be read with the credentials at hand. They come from {_CHAINS[address.scheme]}."
        )
    return SourceRefused(f"{address} cannot be read ({type(error).__name__}: {_QUERY.split(said)[0][:160]}).")


def _open_store(address: Address) -> Any:
    return _asked(address, lambda: _OPENERS[address.scheme](address))


def _open_s3(address: Address) -> Any:
    from pyarrow import fs

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    said: dict[str, Any] = {}
    if endpoint:
        parts = urlsplit(endpoint)
        said = {"scheme": parts.scheme or "https", "endpoint_override": parts.netloc or endpoint}
    elif not (os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")):
        said = {"region": fs.resolve_s3_region(address.bucket)}
    seconds = _patience()
    return fs.S3FileSystem(
        request_timeout=seconds, connect_timeout=min(seconds, 10.0),
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=2), **said,
    )  # fmt: skip


def _open_azure(address: Address) -> Any:
    from pyarrow import fs

    said = dict(
        part.split("=", 1) for part in os.environ.get("AZURE_STORAGE_CONNECTION_STRING", "").split(";") if "=" in part
    )
    account = said.get("AccountName") or os.environ.get("AZURE_STORAGE_ACCOUNT")
    if not account:
        raise SourceRefused(f"{address}: set AZURE_STORAGE_ACCOUNT to the storage account that holds the container.")
    key = said.get("AccountKey") or os.environ.get("AZURE_STORAGE_KEY")
    token = said.get("SharedAccessSignature") or os.environ.get("AZURE_STORAGE_SAS_TOKEN")
    more: dict[str, Any] = {}
    if endpoint := said.get("BlobEndpoint"):
        parts = urlsplit(endpoint)
        more = {f"{kind}_storage_{part}": value for kind in ("blob", "dfs")
                for part, value in (("scheme", parts.scheme), ("authority", parts.netloc))}  # fmt: skip
    if key:
        more["account_key"] = key
    elif token:
        more["sas_token"] = token if token.startswith("?") else f"?{token}"
    return fs.AzureFileSystem(account, **more)


def _open_google(address: Address) -> Any:
    from pyarrow import fs

    said: dict[str, Any] = {}
    if host := os.environ.get("STORAGE_EMULATOR_HOST"):
        parts = urlsplit(host if "://" in host else f"http://{host}")
        said = {"scheme": parts.scheme, "endpoint_override": parts.netloc, "anonymous": True}
    return fs.GcsFileSystem(retry_time_limit=timedelta(seconds=_patience()), **said)


_OPENERS: dict[str, Callable[[Address], Any]] = {"s3": _open_s3, "az": _open_azure, "gs": _open_google}
#: where each provider's credentials come from, in words
_CHAINS = {
    "s3": "AWS's own chain (AWS_ACCESS_KEY_ID, AWS_PROFILE, the machine's role)",
    "az": "Azure's own chain (AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, az login, a managed identity)",
    "gs": "Google's own chain (GOOGLE_APPLICATION_CREDENTIALS, gcloud's default login, the machine's role)",
}
