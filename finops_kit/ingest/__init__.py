"""One file in: recognise it, normalise it, append it as one batch."""

from finops_kit.ingest.pipeline import ingest_paths
from finops_kit.ingest.report import FileReport, IngestReport

__all__ = ["FileReport", "IngestReport", "ingest_paths"]
