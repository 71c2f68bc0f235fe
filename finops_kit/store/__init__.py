"""The inform layer: what exists and what was billed, append-only, on two clocks, with a ledger."""

from finops_kit.store.reader import Reader, open_reader
from finops_kit.store.schema import create_store
from finops_kit.store.views import CURRENT_DELIVERY
from finops_kit.store.writer import Batch, Writer, open_writer

__all__ = ["CURRENT_DELIVERY", "Batch", "Reader", "Writer", "create_store", "open_reader", "open_writer"]
