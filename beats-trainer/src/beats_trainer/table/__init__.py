"""Embeddings on disk: the rows, and how they get there whole or not at all."""

from beats_trainer.table.table import Table, read_metadata, read_table, table_files

__all__ = ["Table", "read_metadata", "read_table", "table_files"]
