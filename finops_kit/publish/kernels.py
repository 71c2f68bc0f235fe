"""The kernel that notebooks run in: this very Python, whatever kernels the machine's user has installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel

from finops_kit.settings import PROJECT_ROOT

KERNEL_NAME = "python3"


def kernel_environment(home: Path | None = None) -> dict[str, str]:
    """What a kernel is started with: this package importable, no start-up files of the user, no debugger check.

    Parameters
    ----------
    home : a folder for IPython's own files; without it the user's
    """
    path = os.pathsep.join(filter(None, [str(PROJECT_ROOT), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    if home is not None:
        home.mkdir(parents=True, exist_ok=True)
        environment["IPYTHONDIR"] = str(home)
    return environment


class OwnKernel(KernelSpecManager):
    """Knows one kernel: the interpreter that runs this process."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The one kernel.

        Raises
        ------
        NoSuchKernel : another kernel is asked for
        """
        if kernel_name != KERNEL_NAME:
            raise NoSuchKernel(kernel_name)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--HistoryManager.enabled=False"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python", metadata={"debugger": False})

    def find_kernel_specs(self) -> dict[str, str]:
        """The one kernel and its folder, which holds nothing that is needed."""
        return {KERNEL_NAME: ""}

    def get_all_specs(self) -> dict[str, Any]:
        """The one kernel with its description."""
        return {KERNEL_NAME: {"resource_dir": "", "spec": self.get_kernel_spec(KERNEL_NAME).to_dict()}}
