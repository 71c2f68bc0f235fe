"""A Kubernetes cluster, live: what it lists, and what it says while it is watched, through the official client.

Only ``list`` and ``watch`` are used, and only of the kinds below; Secrets and ConfigMaps are never asked for. Which
cluster, and with whose credentials, follows from the kubeconfig as for ``kubectl``, or from the pod that this runs in.

Source: Kubernetes API concepts, "Efficient detection of changes": list, watch from its resourceVersion, bookmarks, and
a fresh list after ``410 Gone``. A resourceVersion is opaque and is only handed back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from finops_kit.errors import SourceRefused, UsageError
from finops_kit.sources.kubernetes import cluster_label

#: objects of one page of a list
PAGE = 500
#: seconds after which the server ends a watch by itself, and until a connection or a silent answer is given up
WATCH_SECONDS, CONNECT_SECONDS, READ_SECONDS = 240, 10, 60


@dataclass(frozen=True)
class Resource:
    """One kind that is listed and watched: its API group's class in the client, and what it is listed by."""

    kind: str
    group: str
    listed_by: str


RESOURCES = (
    Resource("Node", "CoreV1Api", "list_node"),
    Resource("Namespace", "CoreV1Api", "list_namespace"),
    Resource("PersistentVolume", "CoreV1Api", "list_persistent_volume"),
    Resource("PersistentVolumeClaim", "CoreV1Api", "list_persistent_volume_claim_for_all_namespaces"),
    Resource("Deployment", "AppsV1Api", "list_deployment_for_all_namespaces"),
    Resource("StatefulSet", "AppsV1Api", "list_stateful_set_for_all_namespaces"),
    Resource("DaemonSet", "AppsV1Api", "list_daemon_set_for_all_namespaces"),
    Resource("ReplicaSet", "AppsV1Api", "list_replica_set_for_all_namespaces"),
    Resource("Job", "BatchV1Api", "list_job_for_all_namespaces"),
    Resource("CronJob", "BatchV1Api", "list_cron_job_for_all_namespaces"),
    Resource("Pod", "CoreV1Api", "list_pod_for_all_namespaces"),
    Resource("HorizontalPodAutoscaler", "AutoscalingV2Api", "list_horizontal_pod_autoscaler_for_all_namespaces"),
    Resource("Event", "CoreV1Api", "list_event_for_all_namespaces"),
)  # fmt: skip


#: why a cluster does not know what came after a resourceVersion
GONE, AHEAD = "410 Gone", "the cluster was set back"


class Expired(Exception):
    """The cluster does not know what came after a resourceVersion: only a fresh list helps."""


class Away(Exception):
    """The connection broke off or could not be made; the same question may be asked again."""


class Cluster:
    """One cluster, through the official client.

    Raises
    ------
    UsageError : the client is not installed, or no such context
    """

    def __init__(self, context: str | None = None, name: str | None = None) -> None:
        try:
            import urllib3
            from kubernetes import client, config
        except ImportError:
            raise UsageError(
                "The client of Kubernetes is not installed. Install it with: pip install 'finops_kit[kubernetes]'"
            ) from None
        self._client, self._api_error, self._http_error = client, client.ApiException, urllib3.exceptions.HTTPError
        self.name, self.name_from = name or "", "--cluster" if name else ""
        where = os.environ.get("KUBECONFIG") or None  # the client itself looks only once, when it is loaded
        try:
            self._api = config.new_client_from_config(config_file=where, context=context)
            if not self.name:
                contexts, active = config.list_kube_config_contexts(config_file=where)
                chosen = next((one for one in contexts if one["name"] == context), active)
                self.name, self.name_from = str(chosen["context"]["cluster"]), "the kubeconfig"
        except config.ConfigException as error:
            if context:
                raise UsageError(f"There is no context {context!r} in the kubeconfig: {_line(error)}") from error
            try:
                settings = client.Configuration()
                config.load_incluster_config(client_configuration=settings)
                self._api = client.ApiClient(settings)
            except config.ConfigException:
                raise UsageError(
                    "No Kubernetes cluster is known: there is no kubeconfig (KUBECONFIG, ~/.kube/config), and this "
                    "runs in no pod."
                ) from error
        self._api.rest_client.pool_manager.connection_pool_kw |= {"retries": False, "maxsize": len(RESOURCES) + 1}

    def find_name(self) -> tuple[str, str]:
        """The cluster's name and where it is known from: what was said, a label of its nodes, the kubeconfig.

        Raises
        ------
        UsageError : nothing names it
        """
        if self.name_from != "--cluster" and (label := cluster_label(self.list_all(RESOURCES[0])[0])):
            self.name, self.name_from = label
        if not self.name:
            raise UsageError("Nothing names this cluster. Say its name with --cluster.")
        return self.name, self.name_from

    def list_all(self, resource: Resource) -> tuple[list[dict[str, Any]], str]:
        """All objects of a kind, page by page, and the resourceVersion from which to watch.

        Raises
        ------
        SourceRefused : it may not be listed
        Away : the cluster cannot be reached
        """
        for _ in range(3):
            try:
                return self._list(resource)
            except Expired:  # the pages of a long list grew too old
                continue
        raise Away(f"the list of {resource.kind} grew too old again and again")

    def _list(self, resource: Resource) -> tuple[list[dict[str, Any]], str]:
        found: list[dict[str, Any]] = []
        more: dict[str, Any] = {}
        while True:
            answer = self._call(resource, READ_SECONDS, limit=PAGE, **more)
            try:
                page = json.loads(answer.data)
            except (ValueError, self._http_error, OSError) as error:
                raise Away(_line(error)) from error
            finally:
                answer.release_conn()
            for one in page.get("items") or ():
                found.append({"apiVersion": page.get("apiVersion"), **one, "kind": resource.kind})
            about = page.get("metadata") or {}
            if not about.get("continue"):
                return found, str(about.get("resourceVersion") or "")
            more = {"_continue": about["continue"]}

    def watch(self, resource: Resource, version: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """What happens to a kind from a resourceVersion on, until the server ends the watch: type and object.

        Raises
        ------
        Expired : what came after that version is no longer known
        Away : the connection broke off
        """
        answer = self._call(
            resource, WATCH_SECONDS + READ_SECONDS, watch=True, resource_version=version, allow_watch_bookmarks=True,
            timeout_seconds=WATCH_SECONDS,
        )  # fmt: skip
        try:
            for line in _lines(answer):
                said = json.loads(line)
                what, one = str(said.get("type")), said.get("object")
                if not isinstance(one, dict):
                    continue
                if what == "ERROR":
                    if one.get("code") == 410 or _is_ahead(one.get("message")):
                        raise Expired(GONE if one.get("code") == 410 else AHEAD)
                    raise Away(str(one.get("message") or one.get("reason") or "the watch failed")[:200])
                yield what, {**one, "kind": resource.kind}
        except (self._http_error, OSError, ValueError, AttributeError) as error:
            raise Away(_line(error)) from error
        finally:
            answer.close()
            answer.release_conn()

    def _call(self, resource: Resource, seconds: float, **arguments: Any) -> Any:
        call = getattr(getattr(self._client, resource.group)(self._api), resource.listed_by)
        try:
            return call(_preload_content=False, _request_timeout=(CONNECT_SECONDS, seconds), **arguments)
        except self._api_error as error:
            if error.status == 410 or _is_ahead(error.body):
                raise Expired(GONE if error.status == 410 else AHEAD) from error
            if error.status in (401, 403, 404):
                raise SourceRefused(f"{resource.kind} may not be listed or watched: {error.reason}.") from error
            raise Away(f"{error.status} {error.reason}") from error
        except (self._http_error, OSError) as error:
            raise Away(_line(error)) from error


def _is_ahead(said: Any) -> bool:
    """Whether a cluster says that a resourceVersion is ahead of it: it was set back, or is another one of the name."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said or "")
    return "too large resource version" in text.lower()


def _lines(answer: Any) -> Iterator[bytes]:
    """The whole lines of an answer as they come; a line that was cut off by a lost connection is none."""
    rest = b""
    for piece in answer.stream(amt=None, decode_content=True):
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line for line in lines if line.strip())


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
