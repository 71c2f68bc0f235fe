"""A live cluster, played by a server that lists, watches, sends bookmarks, forgets (410) and breaks off."""

from __future__ import annotations

import json
import queue
import threading
import time
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from tests_ingest import ask

from finops_kit.errors import SourceRefused, UsageError
from finops_kit.ingest import live_watch
from finops_kit.ingest.live_kubernetes import Pending, observe_cluster
from finops_kit.sources.kubernetes_live import RESOURCES, Away, Expired
from finops_kit.store import open_writer
from finops_kit.store.derive import rederive_batch

pytest.importorskip("kubernetes")

NODES, PODS, EVENTS = "/api/v1/nodes", "/api/v1/pods", "/api/v1/events"
WEB, SCALERS = "/apis/apps/v1/deployments", "/apis/autoscaling/v2/horizontalpodautoscalers"


def _about(name, version, **more):
    return {"name": name, "uid": f"u-{name}", "resourceVersion": str(version), **more}


def _node(name, version=1):
    return {"metadata": _about(name, version, labels={"cluster_name": "shop-1"}),
            "status": {"capacity": {"cpu": "4", "memory": "16Gi"}}}  # fmt: skip


def _pod(name, version, cpu="500m", **status):
    secret = [{"name": "PASSWORD", "value": "hidden"}]
    return {"metadata": _about(name, version, namespace="shop", annotations={"note": "hidden"}),
            "spec": {"containers": [{"name": "c", "env": secret, "resources": {"requests": {"cpu": cpu}}}]},
            "status": {"phase": "Running", **status}}  # fmt: skip


def _deployment(replicas, version):
    return {"metadata": _about("web", version, namespace="shop"), "spec": {"replicas": replicas}}


def _event(version, replicas):
    return {"metadata": _about(f"web.{version}", version, namespace="shop"), "reason": "ScalingReplicaSet",
            "message": f"Scaled up replica set web-1 to {replicas}", "lastTimestamp": "2026-09-30T06:00:00Z",
            "involvedObject": {"kind": "Deployment", "name": "web", "namespace": "shop", "uid": "u-web"}}  # fmt: skip


class Api:
    """What the cluster would answer; ``asked`` keeps every request."""

    def __init__(self):
        self.lists, self.watches, self.asked, self.denied, self.page = {}, {}, [], set(), 500
        self.over, self.open = threading.Event(), []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                parts = urlsplit(self.path)
                said = {key: values[0] for key, values in parse_qs(parts.query).items()}
                api.asked.append((parts.path, said))
                if parts.path in api.denied:
                    self._whole(403, {"kind": "Status", "code": 403, "message": "forbidden"})
                elif said.get("watch"):
                    self._watch(parts.path)
                else:
                    items, version = api.lists.get(parts.path, ([], "1"))
                    start = int(said.get("continue", 0))
                    more = {"continue": str(start + api.page)} if start + api.page < len(items) else {}
                    self._whole(200, {"kind": "List", "apiVersion": "v1", "items": items[start : start + api.page],
                                      "metadata": {"resourceVersion": version, **more}})  # fmt: skip

            def _whole(self, code, value):
                body = json.dumps(value).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _watch(self, path):
                api.open.append(path)
                try:
                    self._say_all(path)
                finally:
                    api.open.remove(path)

            def _say_all(self, path):
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.close_connection = True
                while not api.over.is_set():
                    try:
                        one = api.watches.setdefault(path, queue.Queue()).get(timeout=0.05)
                    except queue.Empty:
                        continue
                    if one == "end":
                        self._chunk(b"")
                        return
                    if one == "drop":  # in the middle of a line
                        self._chunk(b'{"type": "MODIFIED", "obj')
                        self.connection.close()
                        return
                    self._chunk(json.dumps({"type": one[0], "object": {"apiVersion": "v1", **one[1]}}).encode() + b"\n")

            def _chunk(self, body):
                self.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n")
                self.wfile.flush()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def say(self, path, *said):
        for one in said:
            self.watches.setdefault(path, queue.Queue()).put(one)

    def hush(self):
        """End the watches of whoever was stopped, also those that only begin; then what is said waits for the next."""
        until = time.monotonic() + 30
        while self.open or any(thread.name.startswith("watch ") for thread in threading.enumerate()):
            assert time.monotonic() < until, "a watch goes on though it was stopped"
            for path in list(self.open):
                if self.watches.setdefault(path, queue.Queue()).empty():
                    self.say(path, "end")
            self.over.wait(0.02)
        for path, said in self.watches.items():
            left = [said.get() for _ in range(said.qsize())]
            self.say(path, *(one for one in left if one != "end"))

    def close(self):
        self.over.set()
        self.server.shutdown(), self.server.server_close()


@pytest.fixture
def api(tmp_path, monkeypatch):
    cluster = Api()
    where = {"clusters": [{"name": "k", "cluster": {"server": f"http://127.0.0.1:{cluster.server.server_port}"}}],
             "users": [{"name": "u", "user": {}}], "current-context": "prod", "kind": "Config", "apiVersion": "v1",
             "contexts": [{"name": "prod", "context": {"cluster": "k", "user": "u"}}]}  # fmt: skip
    (tmp_path / "kubeconfig").write_text(json.dumps(where))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    cluster.lists[NODES] = [_node("n1")], "10"
    cluster.lists[PODS] = [_pod("a", 3), _pod("b", 4)], "11"
    cluster.lists[WEB] = [_deployment(2, 5)], "12"
    yield cluster
    cluster.close()


class Watching:
    """`observe --follow` in a thread; ``batches`` is what it told."""

    def __init__(self, store, api, goes_on=False):
        self.batches, self.stop, self.api, self.goes_on = queue.Queue(), threading.Event(), api, goes_on
        self.thread = threading.Thread(target=observe_cluster, args=(store, self.batches.put), daemon=True,
                                       kwargs={"follow": True, "stop": self.stop, "batch_seconds": 0.1})  # fmt: skip

    def __enter__(self):
        self.thread.start()
        assert self.batches.get(timeout=60).status == ("unchanged" if self.goes_on else "stored")
        return self

    def until(self, store, statement, expected):
        """Wait batch by batch until the store says what is expected."""
        found = ask(store, statement)
        while found != expected:
            self.batches.get(timeout=60)
            found = ask(store, statement)

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(60)
        assert not self.thread.is_alive()
        self.api.hush()


def test_a_list_is_a_whole_look_and_keeps_no_secret(api, store):
    api.lists[EVENTS] = [_event(6, 2)], "13"
    api.page = 1
    told = []
    for _ in range(2):
        observe_cluster(store, told.append)
    assert [one.status for one in told] == ["stored", "stored"] and told[0].path == "kubernetes://shop-1"
    seen = ask(store, "SELECT DISTINCT kind, resource_name, scope FROM resource_snapshot ORDER BY 1, 2")
    assert seen == [("deployment", "web", "shop-1/deployment"), ("node", "n1", "shop-1/node"),
                    ("pod", "a", "shop-1/pod"), ("pod", "b", "shop-1/pod")]  # fmt: skip
    looks = ask(store, "SELECT count(DISTINCT scope), bool_and(complete) FROM observation_scope")
    assert looks == [(12, True)]  # twelve kinds are resources, also those of which there is nothing
    assert ask(store, "SELECT count(*) FROM platform_event") == [(1,)]
    assert ask(store, "SELECT count(*) FROM resource_snapshot WHERE resource_snapshot::VARCHAR LIKE '%hidden%'") == [
        (0,)
    ]
    assert not any("secrets" in path or "configmaps" in path for path, _ in api.asked)


def test_a_watch_appends_changes_deletions_and_notices(api, store):
    api.say(WEB, ("MODIFIED", _deployment(5, 20)))
    api.say(EVENTS, ("ADDED", _event(21, 5)))
    api.say(PODS, ("MODIFIED", _pod("a", 22)), ("BOOKMARK", {"metadata": {"resourceVersion": "40"}}),
            ("ADDED", _pod("c", 41)), ("DELETED", _pod("b", 42)), "drop")  # fmt: skip
    states = ("SELECT resource_name, presence FROM (SELECT *, row_number() OVER (PARTITION BY resource_id ORDER BY "
              "observed_at DESC) AS n FROM resource_snapshot WHERE kind = 'pod') WHERE n = 1 ORDER BY 1")  # fmt: skip
    with Watching(store, api) as watching:
        watching.until(store, states, [("a", "present"), ("b", "absent"), ("c", "present")])
        watching.until(store, "SELECT count(*) FROM platform_event", [(1,)])
        # a broken connection goes on from the last version that was heard of, and loses nothing
        api.say(PODS, ("MODIFIED", _pod("c", 43, cpu="2")))
        vcpu = "SELECT vcpu::DOUBLE FROM resource_snapshot WHERE resource_name = 'c' ORDER BY observed_at DESC LIMIT 1"
        watching.until(store, vcpu, [(2.0,)])
    watched = [said["resourceVersion"] for path, said in api.asked if path == PODS and said.get("watch")]
    assert watched == ["11", "42"]
    assert ask(store, "SELECT count(*) FROM resource_snapshot WHERE resource_name = 'a'") == [(1,)]  # nothing was new
    assert ask(store, "SELECT count(*) FROM ledger WHERE details LIKE '%gaps%'") == [(0,)]
    scaled = ask(store, "SELECT before_value::INT, after_value::INT FROM scaling_event WHERE dimension = 'replicas'")
    assert scaled == [(2, 5)]


FORGOTTEN = ("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})
AHEAD = ("ERROR", {"kind": "Status", "code": 504, "reason": "Timeout",
                   "message": "Too large resource version: 70, current: 60"})  # fmt: skip
GAPS = "SELECT json_extract(details, '$.gaps') FROM ledger WHERE details LIKE '%gaps%' ORDER BY entry"


def _states(store, name):
    return ask(store, "SELECT quality, presence, valid_from, valid_to FROM state_interval "
                      f"WHERE resource_name = '{name}' ORDER BY valid_from")  # fmt: skip


def test_what_the_cluster_has_forgotten_is_a_gap_of_the_states_and_a_fresh_list(api, store):
    with Watching(store, api) as watching:
        api.lists[PODS] = [_pod("b", 90), _pod("d", 91)], "92"
        api.say(PODS, FORGOTTEN)
        watching.until(store, "SELECT count(*) FROM resource_snapshot WHERE resource_name = 'd'", [(1,)])
    ((said,),) = ask(store, GAPS)
    (gap,) = json.loads(said)
    assert gap["kind"] == "Pod" and gap["reason"].startswith("410 Gone")
    lost = datetime.fromisoformat(gap["from"]) + timedelta(microseconds=1)
    found = datetime.fromisoformat(gap["to"])
    for name, then in (("a", "absent"), ("b", "present")):
        before, unknown, after, _ = _states(store, name)
        assert (before[1], before[3]) == ("present", lost)
        assert unknown == ("gap", None, lost, found) and after[:3] == ("carried", then, found)
    assert len(_states(store, "n1")) == 2, "nodes were watched all the time"
    derived = "SELECT * EXCLUDE (batch_id, segment, replaces_from) FROM live_run ORDER BY ALL"
    before = ask(store, derived)
    with open_writer(store) as writer, writer.batch(kind="derive") as batch:
        rederive_batch(batch)
    assert ask(store, derived) == before


def test_a_watch_that_starts_again_goes_on_where_what_is_stored_ends(api, store, monkeypatch):
    with Watching(store, api) as watching:
        api.say(WEB, ("MODIFIED", _deployment(3, 20)))
        watching.until(store, "SELECT max(replicas)::INT FROM resource_snapshot", [(3,)])
    # it breaks down before what it heard is stored
    stop = threading.Event()

    def fail(pending, *_):
        if pending.count:
            stop.set()
            raise ZeroDivisionError

    api.say(WEB, ("MODIFIED", _deployment(4, 21)))
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(Pending, "store", fail)
        observe_cluster(store, lambda _: None, follow=True, batch_seconds=0.05, stop=stop)
    api.hush()
    api.say(WEB, ("MODIFIED", _deployment(4, 21)))
    scaler = {"metadata": _about("hpa", 50, namespace="shop"), "status": {"currentReplicas": 4},
              "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}}}  # fmt: skip
    api.say(SCALERS, ("ADDED", scaler))
    replicas = ("SELECT replicas::INT FROM resource_snapshot WHERE resource_name = 'web' ORDER BY observed_at",
                [(2,), (3,), (4,)])  # fmt: skip
    owner = "SELECT owner_id FROM resource_snapshot WHERE resource_name = 'hpa'", [("u-web",)]
    with Watching(store, api, goes_on=True) as watching:
        watching.until(store, *replicas)
        watching.until(store, *owner)
    asked = [said.get("resourceVersion") for path, said in api.asked if path == WEB]
    assert asked == [None, "12", "20", "20"], "listed once"
    assert ask(store, GAPS) == [] and len(_states(store, "web")) == 4
    # and where the cluster was set back meanwhile, or has forgotten, there is a gap and a fresh list
    api.lists[WEB] = [_deployment(4, 21)], "60"
    api.say(WEB, AHEAD)
    with Watching(store, api, goes_on=True) as watching:
        watching.until(store, replicas[0], [*replicas[1], (4,)])
    ((said,),) = ask(store, GAPS)
    assert [gap["reason"].partition(",")[0] for gap in json.loads(said)] == ["the cluster was set back: nobody watched"]
    assert [row[0] for row in _states(store, "web")] == ["carried", "carried", "carried", "gap", "carried", "gap"]


class Scripted:
    """A cluster that answers one thing after the other, and then nothing."""

    def __init__(self, stop, *answers):
        self.answers, self.asked, self.stop = list(answers), [], stop

    def _next(self, what):
        self.asked.append(what)
        if not self.answers:
            self.stop.set()
            raise Away
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def list_all(self, resource):
        return self._next("list")

    def watch(self, resource, version):
        yield from self._next(version)


def test_what_is_due_is_listed_anew_and_only_what_nobody_heard_is_a_gap(monkeypatch):
    monkeypatch.setattr(live_watch, "AGAIN_SECONDS", 0.001), monkeypatch.setattr(live_watch, "PAUSE_SECONDS", 0)
    stop, said, clock = threading.Event(), queue.Queue(), live_watch.Clock()
    long_ago = clock() - timedelta(days=1)
    start = live_watch.Position("7", clock(), long_ago)
    answers = [("ADDED", _pod("a", 8))], ([], "20"), Away(), [], Expired("410 Gone"), Away(), ([], "30")
    cluster = Scripted(stop, *answers)
    live_watch.Watcher(cluster, RESOURCES[-3], start, said, stop, clock, 3600.0, resumed=True).run()
    # it goes on from where it was, is listed as that is a day ago, goes on over a lost connection, and is forgotten
    assert cluster.asked == ["7", "list", "20", "20", "20", "list", "list", "30"]
    told = [said.get() for _ in range(said.qsize())]
    assert [one.what for one in told] == ["ADDED", "BOOKMARK", "LIST", "BOOKMARK", "LIST"]
    assert [one.position.version for one in told] == ["8", "8", "20", "20", "30"]
    assert [one.gap for one in told[:4]] == [None] * 4
    assert told[4].gap.heard == told[3].at and told[4].gap.reason.startswith("410 Gone: the cluster no longer knew")


def test_what_may_not_be_read_is_told_and_the_rest_is_stored(api, store):
    api.denied = {PODS}
    told = []
    observe_cluster(store, told.append)
    assert [one.status for one in told] == ["refused", "stored"] and "Pod may not be listed" in told[0].reason
    assert ask(store, "SELECT count(*) FROM observation_scope WHERE scope = 'shop-1/pod'") == [(0,)]


def test_an_object_that_cannot_be_read_is_set_aside_by_name_only(api, store):
    api.lists[PODS] = [_pod("a", 3, cpu="lots")], "11"
    observe_cluster(store, lambda _: None, cluster="other")
    ((reason, raw),) = ask(store, "SELECT reason, raw FROM quarantine")
    assert "'lots' is no quantity" in reason and '"name": "a"' in raw and "hidden" not in raw
    assert ask(store, "SELECT complete FROM observation_scope WHERE scope = 'other/pod'") == [(False,)]


def test_a_cluster_that_is_not_there(api, store, monkeypatch):
    with pytest.raises(UsageError, match="no context 'nobody'"):
        observe_cluster(store, print, context="nobody")
    api.close()
    with pytest.raises(SourceRefused, match="cannot be reached"):
        observe_cluster(store, print)
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    with pytest.raises(UsageError, match="No Kubernetes cluster is known"):
        observe_cluster(store, print)
