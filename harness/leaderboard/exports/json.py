"""The leaderboard as JSON, and the JSON Schema of that file, generated from the record.

The schema is published in the package, beside this file. ``python -m harness.leaderboard.exports`` writes it again.
"""

from __future__ import annotations

from pathlib import Path

from harness.compare.records import json_text
from harness.leaderboard.table import FILE_NAME, Leaderboard

SCHEMA_FILE_NAME = "leaderboard.schema.json"
SCHEMA_FILE = Path(__file__).with_name(SCHEMA_FILE_NAME)

__all__ = ["FILE_NAME", "SCHEMA_FILE", "SCHEMA_FILE_NAME", "schema", "to_json"]


def to_json(board: Leaderboard) -> str:
    return json_text(board.model_dump(mode="json", by_alias=True))


def schema() -> str:
    """JSON Schema (draft 2020-12) of ``leaderboard.json``."""
    described = Leaderboard.model_json_schema(mode="serialization")
    return json_text({"$schema": "https://json-schema.org/draft/2020-12/schema", **described})
