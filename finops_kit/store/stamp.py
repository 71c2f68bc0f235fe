"""RFC 3161 time stamps of heads: an authority's word that a head existed at a time, besides our own clock.

Optional (``pip install finops_kit[stamp]``). Only a hash goes to the authority. Its answer is kept
beside the head as ``<head>.tsr``, and checked without a network: the imprint, the nonce when it
arrives, and the signature up to a certificate that the checker trusts.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from finops_kit.errors import StoreError, UsageError, VerificationFailed
from finops_kit.store.heads import Head

#: how long to wait for an authority
TIMEOUT_SECONDS = 30.0
#: an answer holds a few certificates; nothing honest is longer
LONGEST_ANSWER = 1_000_000


@dataclass(frozen=True)
class Stamp:
    """What an authority says of a head.

    Attributes
    ----------
    time : when it saw the head (UTC, ISO 8601)
    policy : the policy that it stamps under (an object identifier)
    serial : its serial number of the stamp
    """

    time: str
    policy: str
    serial: int


def _client() -> Any:
    try:
        import rfc3161_client
    except ImportError as error:
        raise UsageError("Time stamps need one package more: pip install 'finops_kit[stamp]'.") from error
    return rfc3161_client


def stamped_bytes(head: Head) -> bytes:
    """What a stamp is over: the head's signed bytes and its signature."""
    return head.signed_bytes() + b"\n" + head.signature.encode()


def read_certificates(path: Path) -> list[x509.Certificate]:
    """The certificates of a PEM file.

    Raises
    ------
    UsageError : it holds none
    """
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is no PEM file of certificates: {error}.") from error


def request_stamp(
    head: Head, url: str, trusted: list[x509.Certificate], timeout_seconds: float = TIMEOUT_SECONDS
) -> tuple[bytes, Stamp]:
    """Ask an authority to stamp a head, and check its answer before it is used.

    Parameters
    ----------
    url : the authority's address, http or https
    trusted : the certificates that its signature must lead up to

    Returns
    -------
    The answer as it came (DER), and what it says.

    Raises
    ------
    StoreError : the authority cannot be reached, or does not answer with a stamp
    VerificationFailed : its answer is not for this request, or not signed by a trusted authority
    """
    client = _client()
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{url!r} is no address of a time-stamp authority. It begins with http:// or https://.")
    query = (
        client.TimestampRequestBuilder()
        .data(stamped_bytes(head))
        .hash_algorithm(client.HashAlgorithm.SHA256)
        .nonce(nonce=True)
        .cert_request(cert_request=True)
        .build()
    )
    request = urllib.request.Request(  # noqa: S310 the scheme is checked above
        url, data=query.as_bytes(), headers={"Content-Type": "application/timestamp-query"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_seconds) as stream:  # noqa: S310
            answer = stream.read(LONGEST_ANSWER)
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise StoreError(
            f"The time-stamp authority at {url} did not answer: {reason}. The head has no stamp."
        ) from error
    return answer, check_stamp(head, answer, trusted, nonce=query.nonce)


def check_stamp(head: Head, answer: bytes, trusted: list[x509.Certificate], nonce: int | None = None) -> Stamp:
    """Check a stamp of a head without a network.

    Certificates that sign themselves are trusted roots; the others help to lead up to them.

    Raises
    ------
    UsageError : no trusted root is given
    VerificationFailed : it is no stamp, of another head, not for this request, or not signed under a trusted root
    """
    client = _client()
    roots = [c for c in trusted if c.issuer == c.subject]
    if not roots:
        raise UsageError("No trusted root is given: name a PEM file with the authority's root certificate.")
    builder = client.VerifierBuilder(roots=roots, intermediates=[c for c in trusted if c not in roots], nonce=nonce)
    try:
        response = client.decode_timestamp_response(answer)
        builder.build().verify_message(response, stamped_bytes(head))
        told = response.tst_info
    except (client.VerificationError, ValueError) as error:
        raise VerificationFailed(f"The time stamp of {head.name} does not hold: {error}.") from error
    moment = told.gen_time.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Stamp(time=moment, policy=told.policy.dotted_string, serial=int(told.serial_number))


def stamp_path(head_file: Path) -> Path:
    """Where the stamp of a head's file lies: beside it."""
    return head_file.with_suffix(".tsr")
