"""What was recorded elsewhere, as observations: tables (CSV), reports and observations a line (JSONL), the worker's own store."""

from autoscaler.adapters.recordings.lines import read_lines, write_lines
from autoscaler.adapters.recordings.stored import read_store
from autoscaler.adapters.recordings.table import read_table

__all__ = ["read_lines", "read_store", "read_table", "write_lines"]
