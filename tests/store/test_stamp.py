"""RFC 3161 stamps against a local authority on loopback: Debian's `openssl ts` behind a small HTTP server."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

pytest.importorskip("rfc3161_client", reason="the extra finops_kit[stamp] is not installed")
from finops_kit.errors import StoreError, UsageError, VerificationFailed
from finops_kit.settings import Workspace
from finops_kit.store import open_reader
from finops_kit.store.heads import Head, sign_head
from finops_kit.store.keys import make_key
from finops_kit.store.stamp import check_stamp, read_certificates, request_stamp

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")

CONFIG = """[tsa]
default_tsa = local
[local]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
tsa_name = yes
ess_cert_id_chain = no
"""


def certificate(name: str, issuer: tuple[x509.Certificate, rsa.RSAPrivateKey] | None = None):  # type: ignore[no-untyped-def]
    """A root, or an authority's certificate under one."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=10))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


class Authority:
    """A time-stamp authority in a folder; may be told to replay an old answer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.replay: bytes | None = None
        self.last = b""
        root, root_key = certificate("Local Root")
        signer, signer_key = certificate("Local Authority", (root, root_key))
        (folder / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
        (folder / "tsa.pem").write_bytes(signer.public_bytes(serialization.Encoding.PEM))
        (folder / "tsa.key").write_bytes(
            signer_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder))

    @property
    def roots(self) -> list[x509.Certificate]:
        return read_certificates(self.folder / "root.pem")

    def answer(self, query: bytes) -> bytes:
        (self.folder / "q.tsq").write_bytes(query)
        subprocess.run(
            ["openssl", "ts", "-reply", "-queryfile", "q.tsq", "-out", "r.tsr", "-config", "tsa.cnf"],
            cwd=self.folder, check=True, capture_output=True,
        )  # fmt: skip
        self.last = self.replay or (self.folder / "r.tsr").read_bytes()
        return self.last


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def address(authority: Authority) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            body = authority.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/tsa"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def head(copied: Workspace) -> Head:
    make_key(copied)
    with open_reader(copied) as reader:
        return sign_head(reader)


def test_a_head_is_stamped_and_checked_without_a_network(head: Head, authority: Authority, address: str) -> None:
    answer, stamp = request_stamp(head, address, authority.roots)
    assert stamp.policy == "1.2.3.4.1"
    assert abs(datetime.fromisoformat(stamp.time) - datetime.now(UTC)) < timedelta(minutes=1)
    assert check_stamp(head, answer, authority.roots) == stamp
    # and so says the other implementation at hand
    (authority.folder / "head.bin").write_bytes(head.signed_bytes() + b"\n" + head.signature.encode())
    (authority.folder / "answer.tsr").write_bytes(answer)
    run = subprocess.run(
        ["openssl", "ts", "-verify", "-data", "head.bin", "-in", "answer.tsr", "-CAfile", "root.pem",
         "-untrusted", "tsa.pem"],
        cwd=authority.folder, capture_output=True, text=True,
    )  # fmt: skip
    assert "Verification: OK" in run.stdout + run.stderr


def test_a_stamp_of_another_head_does_not_hold(head: Head, authority: Authority, address: str) -> None:
    answer, _ = request_stamp(head, address, authority.roots)
    with pytest.raises(VerificationFailed, match="Mismatch between messages"):
        check_stamp(dataclasses.replace(head, time="2001-01-01T00:00:00Z"), answer, authority.roots)


def test_a_stamp_under_another_root_does_not_hold(head: Head, authority: Authority, address: str) -> None:
    answer, _ = request_stamp(head, address, authority.roots)
    with pytest.raises(VerificationFailed, match="does not hold"):
        check_stamp(head, answer, [certificate("Local Root")[0]])
    with pytest.raises(UsageError, match="No trusted root"):
        check_stamp(head, answer, read_certificates(authority.folder / "tsa.pem"))


def test_an_old_answer_is_not_taken_for_a_new_request(head: Head, authority: Authority, address: str) -> None:
    authority.replay, _ = request_stamp(head, address, authority.roots)
    try:
        with pytest.raises(VerificationFailed, match="Nonce mismatch"):
            request_stamp(head, address, authority.roots)
    finally:
        authority.replay = None


def test_any_changed_byte_of_a_stamp_is_found(head: Head, authority: Authority, address: str) -> None:
    answer, stamp = request_stamp(head, address, authority.roots)
    held = 0
    for at in range(0, len(answer), 37):
        changed = answer[:at] + bytes([answer[at] ^ 0x01]) + answer[at + 1 :]
        with contextlib.suppress(VerificationFailed):
            held += check_stamp(head, changed, authority.roots) != stamp
    assert held == 0


def test_an_authority_that_is_not_there_is_said_so(head: Head, authority: Authority) -> None:
    with pytest.raises(StoreError, match="did not answer"):
        request_stamp(head, "http://127.0.0.1:9/none", authority.roots, timeout_seconds=2)
    with pytest.raises(UsageError, match="begins with http"):
        request_stamp(head, "ftp://127.0.0.1/", authority.roots)
    with pytest.raises(UsageError, match="no PEM file"):
        read_certificates(authority.folder / "serial")
