"""FinOps workbench for regulated hybrid IT: one append-only technical truth, six readings, one total."""

__version__ = "0.1.0"
