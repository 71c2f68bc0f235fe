"""Where things are: the workspace, the project's own folders, and nothing else.

A workspace is one folder. It holds the catalogue, the data files, the result tables and the logs of
one store. The default is ``data/workspace`` below the current folder; ``FINOPS_WORKSPACE`` or
``--workspace`` name another.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

#: the environment variable that names the workspace
WORKSPACE_VARIABLE = "FINOPS_WORKSPACE"
#: the environment variable that names the version or time that notebooks read where they name none themselves
AS_OF_VARIABLE = "FINOPS_AS_OF"
#: the workspace used when nothing else is said, relative to the current folder
DEFAULT_WORKSPACE = Path("data") / "workspace"
#: where a checkout keeps its notebooks and its published pages
PROJECT_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Workspace:
    """The folder of one store and the places inside it.

    Example
    -------
    >>> Workspace(Path("/srv/finops")).catalogue.as_posix()
    '/srv/finops/catalogue.sqlite'
    """

    root: Path

    @property
    def catalogue(self) -> Path:
        """The DuckLake catalogue (SQLite, WAL)."""
        return self.root / "catalogue.sqlite"

    @property
    def settings_file(self) -> Path:
        """What the workspace was told (TOML)."""
        return self.root / "workspace.toml"

    @property
    def data(self) -> Path:
        """The folder of the Parquet data files."""
        return self.root / "lake"

    @property
    def lock(self) -> Path:
        """The file that the one writer of the moment locks."""
        return self.root / "writer.lock"

    @property
    def runs(self) -> Path:
        """Executed notebooks, one folder a run; only a run that succeeded is published from here."""
        return self.root / "runs"

    @property
    def logs(self) -> Path:
        """Traces that are not shown to a viewer."""
        return self.root / "logs"

    @property
    def reports(self) -> Path:
        """The folder of the published pages: ``reports`` beside the default workspace, else inside it."""
        if self.root.name == DEFAULT_WORKSPACE.name and self.root.parent.name == DEFAULT_WORKSPACE.parent.name:
            return self.root.parent.parent / "reports"
        return self.root / "reports"

    @property
    def results(self) -> Path:
        """The published result tables (Parquet), which live dashboards read instead of the store."""
        return self.reports / "results"

    @property
    def exists(self) -> bool:
        """Whether a store has been made here; its catalogue may stand in a database elsewhere."""
        return self.catalogue.is_file() or self._has_catalogue_elsewhere

    @property
    def _has_catalogue_elsewhere(self) -> bool:
        try:
            text = self.settings_file.read_text(encoding="utf-8")
        except OSError:
            return False
        return any(line.startswith("catalogue =") for line in text.splitlines())


def find_workspace(path: str | os.PathLike[str] | None = None) -> Workspace:
    """Name the workspace: the argument, else ``FINOPS_WORKSPACE``, else ``data/workspace`` here.

    Example
    -------
    >>> find_workspace("/srv/finops").root.as_posix()
    '/srv/finops'
    """
    chosen = path or os.environ.get(WORKSPACE_VARIABLE) or DEFAULT_WORKSPACE
    return Workspace(Path(chosen).expanduser().resolve())


def notebooks_folder() -> Path:
    """The folder of the parameterised notebooks (``FINOPS_NOTEBOOKS`` overrides the checkout's own)."""
    return Path(os.environ.get("FINOPS_NOTEBOOKS") or PROJECT_ROOT / "notebooks")
