"""A Papermill engine that keeps one warm kernel: six notebooks cost little more than one.

A cold run spends nearly all its time on starting a kernel and importing. Here the kernel starts while
the caller still prepares, imports what every notebook needs, and its namespace is emptied between runs;
imported modules stay, nothing else does.
"""

from __future__ import annotations

import logging
from pathlib import Path
from types import TracebackType
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync

from finops_kit.errors import ReportFailed
from finops_kit.publish.kernels import KERNEL_NAME, OwnKernel, kernel_environment

ENGINE_NAME = "finops-warm"
#: what the perspectives' notebooks import, so that the first of them finds it imported
WARM_IMPORTS = "import finops_kit.perspectives, finops_kit.publish.notebook, finops_kit.publish.charts"
#: seconds that one cell may take
CELL_TIMEOUT = 600
#: seconds that a kernel may take to come up on a busy machine
START_TIMEOUT = 120


class WarmKernel:
    """One kernel, kept for several notebooks. Use as a context manager.

    Raises
    ------
    ReportFailed : the kernel does not come up, or has died
    """

    def __init__(self, folder: Path, imports: str = WARM_IMPORTS, home: Path | None = None) -> None:
        self.folder = folder
        self.imports = imports
        self.home = home
        self.manager = AsyncKernelManager(kernel_name=KERNEL_NAME, kernel_spec_manager=OwnKernel())
        self.client: Any = None

    def __enter__(self) -> WarmKernel:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "kernel.log").open("wb") as log:
            environment = kernel_environment(self.home)
            run_sync(self.manager.start_kernel)(cwd=str(self.folder), env=environment, stdout=log, stderr=log)
        self.client = self.manager.client()
        self.client.start_channels()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.client is not None:
            self.client.stop_channels()
        run_sync(self.manager.shutdown_kernel)(now=True)

    def ready(self) -> None:
        """Wait until the kernel answers, then let it import what the notebooks need."""
        try:
            run_sync(self.client.wait_for_ready)(timeout=START_TIMEOUT)
        except RuntimeError as error:
            raise ReportFailed(
                f"The notebook kernel did not start within {START_TIMEOUT} s. Try again when the machine is less busy."
            ) from error
        self.client.allow_stdin = False
        self._quietly(self.imports)

    def reset(self) -> None:
        """Empty the kernel's namespace, so that no notebook sees what another one left."""
        self._quietly("get_ipython().reset(new_session=True, aggressive=False); import gc; gc.collect()")

    def _quietly(self, code: str) -> None:
        run_sync(self._run)(code)

    async def _run(self, code: str) -> None:
        # a failed import is not said here: the notebook that needs it says it, in the right place
        request = self.client.execute(code, silent=True, store_history=False)
        while True:
            try:
                reply = await self.client.get_shell_msg(timeout=5)
            except Exception as error:  # queue.Empty of either flavour
                if not await self.manager.is_alive():
                    raise ReportFailed(
                        "The notebook kernel died; there may be too little memory. Try again."
                    ) from error
                continue
            if reply["parent_header"].get("msg_id") == request:
                return


def register_engine() -> str:
    """Make the engine known to Papermill; returns its name."""
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import Engine, papermill_engines

    # its parser stumbles over comments in the parameters cell; names and values are judged before, by us
    logging.getLogger("papermill").setLevel(logging.ERROR)

    class WarmEngine(Engine):
        """Runs a notebook in the kernel it is given; starts and stops none."""

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, kernel: WarmKernel, **_: Any) -> None:
            """Run all cells, stopping at the first that fails."""
            client = PapermillNotebookClient(
                nb_man, km=kernel.manager, timeout=CELL_TIMEOUT, raise_on_iopub_timeout=False, record_timing=False
            )
            client.kc = kernel.client
            client.execute()

    papermill_engines.register(ENGINE_NAME, WarmEngine)
    return ENGINE_NAME
