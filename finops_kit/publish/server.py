"""The server: published pages without a kernel, and one live dashboard with one, on loopback only.

It is Voila, with fewer doors: no notebook tree, no contents listing, no template or theme from the query
string, no sources, no traces. The pages are an allow-list of seven file names. Requests that name another
host are refused, so that a foreign page cannot read them through a name that resolves to loopback.
"""

from __future__ import annotations

import os
import re
import webbrowser
from pathlib import Path
from typing import Any

import tornado.web as web
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from traitlets.config import Config
from voila.app import Voila
from voila.static_file_handler import AllowListFileHandler
from voila.tornado.handler import TornadoVoilaHandler

from finops_kit.errors import UsageError
from finops_kit.perspectives.reading import PERSPECTIVES
from finops_kit.publish import release
from finops_kit.publish.bundle import vega_bundle
from finops_kit.publish.html import text
from finops_kit.publish.kernels import OwnKernel, kernel_environment
from finops_kit.publish.live import CACHE_VARIABLE, RESULTS_VARIABLE
from finops_kit.publish.page import Document, assemble
from finops_kit.settings import Workspace, notebooks_folder

#: the environment variable that may hold the token
TOKEN_VARIABLE = "FINOPS_TOKEN"  # noqa: S105 - a name, not a secret
#: the only files that are served
PAGES = tuple(f"{name}.html" for name in ("index", *PERSPECTIVES))
#: live kernels at once, each about 150 MB; seconds until one that nobody uses is ended
MAX_KERNELS, IDLE_SECONDS = 8, 900
#: Voila's templates name a font on a foreign host, which an offline reader would wait for
_FOREIGN = re.compile(r"<(?:link|script)\b[^>]*\b(?:href|src)=[\"']https?://[^>]*>(?:\s*</script>)?", re.I)


def _plain_page(title: str, sentence: str) -> str:
    body = [f'<h1 class="top">{text(title)}</h1>', f'<p class="lead">{text(sentence)}</p>']
    return assemble(title, "", Document(body, []))


class _Answer(JupyterHandler):
    """What all our answers have in common: a plain sentence for an error, headers that close doors."""

    def set_default_headers(self) -> None:
        super().set_default_headers()
        for name, value in (
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Frame-Options", "DENY"),
            ("Server", "finops"),
        ):
            self.set_header(name, value)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """One sentence; the log has the rest."""
        said = {
            403: "This page needs the token that the server was started with, or a request from this machine.",
            404: "There is no such page. Published are the overview and the six perspectives.",
            503: "All live dashboards are in use. The published pages are always there; try again in some minutes.",
        }
        error = kwargs.get("exc_info", (None, None))[1]
        if status_code == 404 and isinstance(error, web.HTTPError) and error.log_message == "unpublished":
            said[404] = "This page is not published yet. Run finops report all."
        elif self.request.path.startswith("/live"):
            said[404] = "The live dashboard is off on this server. The published pages are here."
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.finish(_plain_page(f"{status_code}", said.get(status_code, "The page could not be made; see the log.")))


class PageHandler(_Answer, web.StaticFileHandler):
    """One of the seven published pages, read from disk."""

    @property
    def content_security_policy(self) -> str:
        """The page carries its own policy; this adds that nobody may frame it."""
        return "frame-ancestors 'none'"

    @web.authenticated
    def head(self, path: str) -> Any:
        """Headers of a page."""
        return web.StaticFileHandler.get(self, self._allowed(path), include_body=False)

    @web.authenticated
    def get(self, path: str) -> Any:
        """A page."""
        return web.StaticFileHandler.get(self, self._allowed(path))

    def _allowed(self, path: str) -> str:
        name = path or "index.html"
        if name not in PAGES:
            raise web.HTTPError(404)
        if not (Path(self.root) / name).is_file():
            raise web.HTTPError(404, "unpublished")
        return name

    def set_headers(self) -> None:
        """Ask the browser to look again each time: a new run replaces the page."""
        super().set_headers()
        self.set_header("Cache-Control", "no-cache")

    def compute_etag(self) -> str | None:
        """The file's hash."""
        return web.StaticFileHandler.compute_etag(self)


class LiveHandler(_Answer, TornadoVoilaHandler):
    """The live dashboard: one kernel a viewer, from the preheated pool where there is one."""

    @property
    def content_security_policy(self) -> str:
        """Only this server: widgets need inline scripts and eval, foreign hosts are closed."""
        return (
            "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data:; font-src 'self' data:; connect-src 'self' ws: wss:; frame-ancestors 'none'"
        )

    @web.authenticated
    async def get(self, path: str | None = None) -> None:
        """The dashboard.

        Raises
        ------
        HTTPError : 503 while all kernels are in use
        """
        waiting = self.kernel_manager.get_pool_size(self.notebook_path)
        if not waiting and len(self.kernel_manager.list_kernel_ids()) >= MAX_KERNELS:
            raise web.HTTPError(503)
        async for part in self.get_generator(path=None):
            self.write(_FOREIGN.sub("", part))
            self.flush()

    def get_argument(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Take no template and no theme from the query string."""
        if name in {"template", "theme"}:
            return args[0] if args else kwargs.get("default")
        return super().get_argument(name, *args, **kwargs)


class ClosedHandler(_Answer):
    """Answers 404 with a sentence to everything else."""

    @web.authenticated
    def get(self, path: str = "") -> None:
        """Nothing here."""
        raise web.HTTPError(404)

    head = get


class PooledKernels(AsyncMappingKernelManager):
    """Ends idle kernels, but not those that wait in the preheated pool for their viewer."""

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """Leave a waiting kernel alone."""
        for pool in getattr(self, "_pools", {}).values():
            for task in pool:
                if not task.done() or (not task.exception() and task.result().get("kernel_id") == kernel_id):
                    return
        await super().cull_kernel_if_idle(kernel_id)


class ReportServer(Voila):
    """Voila with our pages, our dashboard and nothing else."""

    pages_folder: Path
    live = True
    sockets: list[Any]
    announce = ""

    def init_settings(self) -> dict[str, Any]:
        """Voila's settings, closed to other host names."""
        settings = super().init_settings()
        settings["allow_remote_access"] = False
        settings["local_hostnames"] = ["localhost", "127.0.0.1"]
        settings["disable_check_xsrf"] = False
        return settings

    def init_handlers(self) -> list[Any]:
        """Voila's doors for kernels and its own scripts; ours for the rest."""
        ours: list[Any] = [
            (r"/((?:index|" + "|".join(PERSPECTIVES) + r")\.html)?", PageHandler, {"path": str(self.pages_folder)})
        ]
        kept = [rule for rule in super().init_handlers() if rule[1] not in {AllowListFileHandler, TornadoVoilaHandler}]
        if self.live:
            settings = {
                "notebook_path": os.path.relpath(self.notebook_path, self.root_dir),
                "template_paths": self.template_paths,
                "config": self.config,
                "voila_configuration": self.voila_configuration,
            }
            ours += [(r"/live/?", LiveHandler, settings), *kept]
        else:
            ours += [rule for rule in kept if "login" in str(rule[0]) or "static" in str(rule[0])]
        return [*ours, (r"/(.*)", ClosedHandler)]

    def listen(self) -> None:
        """Serve on the sockets that are bound already, until interrupted."""
        HTTPServer(self.app).add_sockets(self.sockets)
        self.ioloop = IOLoop.current()
        print(self.announce, flush=True)
        if self.open_browser:
            webbrowser.open(self.connection_url)
        try:
            self.ioloop.start()
        except KeyboardInterrupt:
            print("Stopped.", flush=True)
        finally:
            self.stop()


def server_config(token: str | None, live: bool, pool: int) -> Config:
    """How Voila is set: sources stripped, no override, no traces, kernels preheated and culled."""
    config = Config()
    config.Voila.ip = "127.0.0.1"
    config.Voila.token = token or ""
    config.Voila.config_file_paths = []
    config.Voila.log_level = "WARN"
    config.VoilaConfiguration.strip_sources = True
    config.VoilaConfiguration.show_tracebacks = False
    config.VoilaConfiguration.allow_template_override = "NO"
    config.VoilaConfiguration.allow_theme_override = "NO"
    config.VoilaConfiguration.file_allowlist = []
    config.VoilaConfiguration.template = "lab"
    config.VoilaConfiguration.preheat_kernel = live and pool > 0
    config.VoilaConfiguration.default_pool_size = pool
    config.VoilaConfiguration.kernel_spec_manager_class = OwnKernel
    config.VoilaConfiguration.multi_kernel_manager_class = PooledKernels
    config.VoilaExecutor.cell_error_instruction = "The server's log has the details."
    config.MappingKernelManager.cull_idle_timeout = IDLE_SECONDS
    config.MappingKernelManager.cull_interval = 60
    config.MappingKernelManager.cull_connected = True
    return config


def serve(
    workspace: Workspace,
    port: int = 8866,
    open_browser: bool = False,
    live: bool = True,
    token: str | None = None,
    pool: int = 1,
) -> None:
    """Serve the published pages and the live dashboard on 127.0.0.1 until interrupted.

    Parameters
    ----------
    port : 0 takes a free one
    live : whether the dashboard is offered, which costs a kernel a viewer
    token : what a reader must name once as ``?token=``; default ``FINOPS_TOKEN``, else none is asked for
    pool : live dashboards that are kept ready

    Raises
    ------
    UsageError : the port is in use
    """
    notebook = notebooks_folder() / "live.ipynb"
    live = live and notebook.is_file()
    reports = workspace.reports
    with release.publishing(reports):
        pass  # finishes what an interrupted run left
    try:
        sockets = bind_sockets(port, "127.0.0.1")
    except OSError as error:
        raise UsageError(
            f"Port {port} on 127.0.0.1 cannot be used ({error.strerror}). Perhaps it is being served already; "
            f"choose another with --port."
        ) from error
    os.environ.update(kernel_environment(workspace.root / "cache" / "ipython"))
    cache = workspace.root / "cache"
    os.environ[RESULTS_VARIABLE], os.environ[CACHE_VARIABLE] = str(workspace.results), str(cache)
    vega_bundle(cache)  # made once here, read by every viewer's kernel
    token = token if token is not None else os.environ.pop(TOKEN_VARIABLE, "")
    server = ReportServer(config=server_config(token, live, pool))
    server.pages_folder, server.live, server.sockets = reports, live, sockets
    server.port = sockets[0].getsockname()[1]
    server.open_browser = open_browser
    server.notebook_path = str(notebook if live else notebook.parent / "none.ipynb")
    server.root_dir = str(notebook.parent)
    if not live:
        server.notebook_path = None
    address = f"http://127.0.0.1:{server.port}/"
    said = f"Serving {reports} at {address}"
    said += f" and the live dashboard at {address}live" if live else " (the live dashboard is off)"
    server.announce = said + ("; a token is asked for" if token else "") + ". Stop with Ctrl-C."
    server.initialize([])
    server.start()
