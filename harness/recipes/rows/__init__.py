"""Training rows: a question, passages that answer it and passages that do not, in the format of Tevatron."""

from harness.recipes.rows.reading import RowFile, read_rows
from harness.recipes.rows.record import LABELS, Passage, Row
from harness.recipes.rows.writing import write_rows, write_rows_by_id

__all__ = ["LABELS", "Passage", "Row", "RowFile", "read_rows", "write_rows", "write_rows_by_id"]
