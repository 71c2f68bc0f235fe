"""Object storage in: S3 against a local server of its API, and what an address may be for every provider."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from test_locations import ONE, TWO, _zip
from tests_ingest import ask, fingerprint, focus_text

from finops_kit.errors import SourceRefused
from finops_kit.ingest import ingest_paths
from finops_kit.sources import objects
from finops_kit.sources.objects import find_objects, read_address
from finops_kit.store import open_reader
from finops_kit.store.explain import explain_deliveries

THREE = focus_text({"BilledCost": "4.5", "BillingAccountId": "3"})


@pytest.fixture(scope="module")
def aws():
    """A local server of the S3 API, with the standard environment leading to it."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.get_host_and_port()[1]}")
        for name, value in (("ACCESS_KEY_ID", "key"), ("SECRET_ACCESS_KEY", "hidden"), ("DEFAULT_REGION", "eu-west-1"),
                            ("EC2_METADATA_DISABLED", "true"), ("CONFIG_FILE", os.devnull)):  # fmt: skip
            patch.setenv(f"AWS_{name}", value)
        import boto3

        client = boto3.client("s3")
        for bucket in ("bills", "cur"):
            client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        packed = gzip.compress(ONE.encode(), mtime=0)
        for key, body in (("a/one.csv.gz", packed), ("a/b/two ü+.csv", TWO), ("a/pack.zip", _zip(("x.csv", THREE))),
                          ("a/notes.txt", "no bill")):  # fmt: skip
            client.put_object(Bucket="bills", Key=key, Body=body)
        yield client
    server.stop()


def _outcome(report):
    return [(one.path, one.status) for one in report.files]


def test_a_pattern_is_taken_in_and_named_by_its_address(aws, store):
    url = "s3://bills/a/*.csv.gz"
    report = ingest_paths(store, [url])
    assert _outcome(report) == [("s3://bills/a/one.csv.gz", "stored")], report.files
    digest = hashlib.sha256(gzip.compress(ONE.encode(), mtime=0)).hexdigest()
    assert ask(store, "SELECT source_file, source_hash FROM ledger") == [("s3://bills/a/one.csv.gz", digest)]
    assert _outcome(ingest_paths(store, [url])) == [("s3://bills/a/one.csv.gz", "unchanged")]
    assert not list((store.root / "spill").iterdir())


def test_a_prefix_with_an_archive_and_a_file_that_is_no_bill(aws, store):
    report = ingest_paths(store, ["s3://bills/a/"])
    assert _outcome(report) == [
        ("s3://bills/a/b/two ü+.csv", "stored"), ("s3://bills/a/notes.txt", "refused"),
        ("s3://bills/a/one.csv.gz", "stored"), ("s3://bills/a/pack.zip!x.csv", "stored"),
    ]  # fmt: skip
    assert not report.refused
    assert ask(store, 'SELECT sum("BilledCost")::DOUBLE FROM charge') == [(1.5 + 2.5 + 4.5,)]


def _report(aws, prefix):
    """A CUR-like report that keeps its older versions beside the one that the manifest names."""
    keys = [f"{prefix}/20260901-20261001/new/cur-0000{part}.csv" for part in (1, 2)]
    manifest = json.dumps({"assemblyId": "new", "bucket": "cur", "reportKeys": keys})
    old = focus_text({"BilledCost": "99"})
    for key, body in ((keys[0], ONE), (keys[1], focus_text({"BilledCost": "7"})),
                      (f"{prefix}/20260901-20261001/old/cur-00001.csv", old),
                      (f"{prefix}/20260901-20261001/new/cur-Manifest.json", manifest),
                      (f"{prefix}/20260901-20261001/cur-Manifest.json", manifest)):  # fmt: skip
        aws.put_object(Bucket="cur", Key=key, Body=body)
    return f"s3://cur/{prefix}/20260901-20261001", keys


@pytest.mark.parametrize("end", ["", "/cur-Manifest.json"], ids=["folder", "manifest"])
def test_the_manifest_says_which_files_are_the_delivery(aws, store, end):
    folder, keys = _report(aws, f"p{len(end)}")
    assert _outcome(ingest_paths(store, [folder + end])) == [(f"s3://cur/{key}", "stored") for key in keys]
    assert ask(store, 'SELECT "BilledCost"::DOUBLE FROM charge ORDER BY 1') == [(1.5,), (7.0,)]


def test_a_delivery_that_is_not_whole_is_left_alone(aws, store):
    folder, keys = _report(aws, "broken")
    aws.delete_object(Bucket="cur", Key=keys[1])
    before = fingerprint(store)
    for given in (folder, folder + "/cur-Manifest.json"):
        (one,) = ingest_paths(store, [given]).files
        assert one.status == "refused" and "the delivery is not whole" in one.reason
    assert fingerprint(store) == before


def test_a_part_that_is_named_alone_finds_its_manifest_in_the_bucket_as_on_disk(aws, store, monkeypatch):
    folder, keys = _report(aws, "alone")
    asked, listing = [], objects._listing

    def count(files, place, below=True):
        asked.append(place)
        return listing(files, place, below)

    monkeypatch.setattr(objects, "_listing", count)
    (one,) = ingest_paths(store, [f"s3://cur/{keys[1]}"]).files
    assert (one.status, one.counts) == ("stored", False) and "counts once part 1 of its report has come" in one.reason
    assert asked == [folder.removeprefix("s3://")], "one request, and not for what lies below"
    with open_reader(store) as reader:
        (status,) = explain_deliveries(reader.connection)
    assert f"Next: finops ingest s3://cur/{keys[0]}" in status.todo
    del asked[:]
    ingest_paths(store, [f"{folder}/n*/*-00001.csv"])  # a pattern lists what is below it once
    assert asked == [folder.removeprefix("s3://")]
    assert ask(store, 'SELECT "BilledCost"::DOUBLE FROM charge ORDER BY 1') == [(1.5,), (7.0,)]
    assert {one.status for one in ingest_paths(store, [f"{folder}/cur-Manifest.json"]).files} == {"unchanged"}


@pytest.mark.parametrize("named", [True, False], ids=["usual name", "another name"])
def test_a_bucket_that_may_not_be_listed_is_asked_for_the_usual_names_and_says_what_it_cannot_know(
    aws, store, monkeypatch, named
):
    # AWS Data Exports lay the manifest in metadata/ beside data/
    prefix, place = f"export{named}", "BILLING_PERIOD=2026-09"
    keys = [f"{prefix}/data/{place}/focus-0000{part}.csv" for part in (1, 2)]
    manifest = json.dumps({"dataFiles": [f"s3://cur/{key}" for key in keys]})
    name = "focus-Manifest.json" if named else "mine-manifest.json"
    for key, body in ((keys[0], ONE), (f"{prefix}/metadata/{place}/{name}", manifest)):
        aws.put_object(Bucket="cur", Key=key, Body=body)

    def deny(*_, **__):
        raise OSError("AWS Error ACCESS_DENIED during ListObjectsV2 operation: Access Denied")

    monkeypatch.setattr(objects, "_listing", deny)
    (one,) = ingest_paths(store, [f"s3://cur/{keys[0]}"]).files
    assert (one.status, one.counts) == ("stored", not named)
    assert ("counts once part 2 of its report has come" in one.reason) is named
    assert ("whether a manifest lists it with other files could not be looked up (s3://cur/" in one.reason) is not named
    assert ("may not be read with the credentials at hand" in one.reason) is not named


@pytest.mark.parametrize(
    ("url", "expected"),
    [("s3://bills/none.csv", "does not exist"), ("s3://nobody/x.csv", "does not exist"),
     ("s3://bills/*.parquet", "matches no object"), ("s3:///x", "names no bucket"),
     ("https://x/y.csv?sig=hidden", "only s3://, az:// and gs://"), ("s3://k:hidden@bills/x", "was given with a user"),
     ("gs://b/x.csv?token=hidden", "was given with a user"), ("az://c/x.csv?sig=hidden", "was given with a user")],
)  # fmt: skip
def test_what_is_not_there_or_not_meant_is_refused_in_a_sentence(aws, store, url, expected):
    before = fingerprint(store)
    (one,) = ingest_paths(store, [url]).files
    assert one.status == "refused" and expected in one.reason
    assert "hidden" not in one.reason + one.path and "\n" not in one.reason
    assert fingerprint(store) == before


def test_no_credentials_are_said_to_be_missing(aws, store, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID"), monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", str(store.root))
    (one,) = ingest_paths(store, ["s3://bills/a/one.csv.gz"]).files
    assert one.status == "refused" and "AWS's own chain" in one.reason


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_a_place_that_says_nothing_is_given_up(store, monkeypatch, scheme):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        here = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for name, value in (("AWS_ENDPOINT_URL_S3", here), ("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"),
                            ("AZURE_STORAGE_CONNECTION_STRING", f"AccountName=a;AccountKey=aw==;BlobEndpoint={here}/a"),
                            ("STORAGE_EMULATOR_HOST", here), ("FINOPS_REMOTE_TIMEOUT", "1")):  # fmt: skip
            monkeypatch.setenv(name, value)
        (one,) = ingest_paths(store, [f"{scheme}://b/x.csv"]).files
    assert one.status == "refused" and ("cannot be reached" in one.reason or "did not answer" in one.reason)


class _Google(BaseHTTPRequestHandler):
    """As much of Google's JSON API as reading needs."""

    there = {"a/one.csv": ONE.encode(), "a/b/two.csv": TWO.encode()}  # noqa: RUF012

    def do_GET(self):
        parts = urlsplit(self.path)
        name = unquote(parts.path.split("/o/", 1)[-1]) if "/o/" in parts.path else unquote(parts.path[3:])
        said = parse_qs(parts.query)
        if parts.path.endswith("/o"):
            prefix = said.get("prefix", [""])[0]
            self._say(200, {"items": [self._about(key) for key in self.there if key.startswith(prefix)]})
        elif name not in self.there:
            self._say(404, {"error": {"code": 404, "message": "No such object"}})
        elif said.get("alt") == ["media"] or "/o/" not in parts.path:
            self._send(200, self.there[name], "application/octet-stream")
        else:
            self._say(200, self._about(name))

    def _about(self, key):
        return {"kind": "storage#object", "name": key, "bucket": "b", "size": str(len(self.there[key])),
                "generation": "1", "metageneration": "1", "updated": "2026-09-30T06:00:00Z",
                "timeCreated": "2026-09-30T06:00:00Z"}  # fmt: skip

    def _say(self, code, value):
        self._send(code, json.dumps(value).encode(), "application/json")

    def _send(self, code, body, kind):
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_google_storage_by_its_own_protocol(store, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Google)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"127.0.0.1:{server.server_port}")
    try:
        report = ingest_paths(store, ["gs://b/a/**/*.csv"])
    finally:
        server.shutdown(), server.server_close()
    assert _outcome(report) == [("gs://b/a/b/two.csv", "stored"), ("gs://b/a/one.csv", "stored")]


def test_azure_wants_to_know_the_account(monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT", raising=False)
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    with pytest.raises(SourceRefused, match="set AZURE_STORAGE_ACCOUNT"):
        find_objects(read_address("az://exports/2026/"))


class _Azure(BaseHTTPRequestHandler):
    """As much of the Blob service as reading needs: lists by prefix and delimiter, properties, ranges of a blob.

    It knows one container of an account without a hierarchical namespace, and one key.
    """

    protocol_version = "HTTP/1.1"
    there = {"a/one.csv": ONE.encode(), "a/b/two ü+.csv": TWO.encode(), "a/b/": b"", "z.csv": b""}  # noqa: RUF012
    seen: list[str] = []  # noqa: RUF012

    def do_GET(self):
        parts = urlsplit(self.path)
        said = {name: values[0] for name, values in parse_qs(parts.query).items()}
        account, container, key = [*unquote(parts.path[1:]).split("/", 2), "", ""][:3]
        self.seen.append(f"{self.command} {said.get('comp') or said.get('action') or key}")
        if not self.headers.get("Authorization", "").startswith(f"SharedKey {account}:") or account == "closed":
            self._send(403, code="AuthenticationFailed")
        elif container != "bills":
            self._send(404, code="ContainerNotFound")
        elif "action" in said:
            self._send(400, code="HierarchicalNamespaceNotEnabled")
        elif said.get("comp") == "list":
            self._send(200, self._list(said).encode(), {"Content-Type": "application/xml"})
        elif key not in self.there:
            self._send(404, code="BlobNotFound")
        elif asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("x-ms-range") or ""):
            body, start = self.there[key], int(asked[1])
            end = min(int(asked[2] or len(body)), len(body) - 1)
            self._send(206, body[start : end + 1], {"Content-Range": f"bytes {start}-{end}/{len(body)}"} | self._about)
        else:
            self._send(200, self.there[key], self._about)

    do_HEAD = do_GET

    _about = {  # noqa: RUF012
        "Last-Modified": "Wed, 30 Sep 2026 06:00:00 GMT", "ETag": '"0x1"', "x-ms-blob-type": "BlockBlob",
        "x-ms-creation-time": "Wed, 30 Sep 2026 06:00:00 GMT", "x-ms-server-encrypted": "true",
    }  # fmt: skip

    def _list(self, said):
        prefix, delimiter = said.get("prefix", ""), said.get("delimiter", "\0")
        under = [(key, key[len(prefix) :]) for key in sorted(self.there) if key.startswith(prefix)]
        folders = {prefix + rest.split(delimiter)[0] + delimiter for _, rest in under if delimiter in rest}
        blobs = "".join(
            f"<Blob><Name>{name}</Name><Properties><Last-Modified>{self._about['Last-Modified']}</Last-Modified>"
            f"<Etag>0x1</Etag><Content-Length>{len(self.there[name])}</Content-Length><BlobType>BlockBlob</BlobType>"
            "</Properties></Blob>"
            for name, rest in under if delimiter not in rest
        )  # fmt: skip
        below = "".join(f"<BlobPrefix><Name>{name}</Name></BlobPrefix>" for name in sorted(folders))
        return (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://x/" '
            f'ContainerName="bills"><Prefix>{prefix}</Prefix><Blobs>{blobs}{below}</Blobs><NextMarker />'
            "</EnumerationResults>"
        )

    def _send(self, status, body=b"", more=(), code=""):
        self.send_response(status)
        for name, value in {**dict(more), **({"x-ms-error-code": code} if code else {}), "x-ms-version": "2021-06-08",
                            "x-ms-request-id": "1", "Content-Length": str(len(body))}.items():  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def azure(monkeypatch):
    """A local server of the Blob service; the answer names an account to the standard environment."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Azure)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    key = base64.b64encode(b"k" * 32).decode()

    def name(account: str) -> None:
        said = f"AccountName={account};AccountKey={key};BlobEndpoint=http://127.0.0.1:{server.server_port}/{account}"
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", said)

    _Azure.seen.clear()
    name("house")
    yield name
    server.shutdown(), server.server_close()


def test_azure_storage_by_its_own_protocol(azure, store):
    taken = ["az://bills/a/b/two ü+.csv", "az://bills/a/one.csv"]
    assert _outcome(ingest_paths(store, ["az://bills/a/"])) == [(path, "stored") for path in taken]
    assert ask(store, 'SELECT sum("BilledCost")::DOUBLE FROM charge') == [(1.5 + 2.5,)]
    assert _outcome(ingest_paths(store, ["az://bills/a/**/*.csv", taken[1]])) == [
        *((path, "unchanged") for path in taken), (taken[1], "unchanged")]  # fmt: skip
    assert {one.split()[0] for one in _Azure.seen} == {"GET", "HEAD"}
    missing = ingest_paths(store, ["az://bills/none.csv", "az://nobody/x", "az://bills/*.parquet"]).files
    assert ["exist" in one.reason or "matches no object" in one.reason for one in missing] == [True] * 3
    azure("closed")
    (one,) = ingest_paths(store, ["az://bills/a/one.csv"]).files
    assert one.status == "refused" and "Azure's own chain" in one.reason


def test_azure_storage_by_its_emulator(store):
    """Needs an emulator: run Azurite and set FINOPS_TEST_AZURITE to its connection string."""
    said = os.environ.get("FINOPS_TEST_AZURITE")
    if not said:
        pytest.skip("no Azure emulator: set FINOPS_TEST_AZURITE to the connection string of a running Azurite")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AZURE_STORAGE_CONNECTION_STRING", said)
        from finops_kit.sources.objects import _open_azure

        files = _open_azure(read_address("az://bills/"))
        files.create_dir("bills")
        for key, text in (("a/one.csv", ONE), ("a/b/two.csv", TWO)):
            with files.open_output_stream(f"bills/{key}") as out:
                out.write(text.encode())
        report = ingest_paths(store, ["az://bills/a/"])
        missing = ingest_paths(store, ["az://bills/none.csv", "az://nobody/x"])
    assert _outcome(report) == [("az://bills/a/b/two.csv", "stored"), ("az://bills/a/one.csv", "stored")]
    assert all("does not exist" in one.reason for one in missing.files)
