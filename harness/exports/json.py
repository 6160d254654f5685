"""The leaderboard as JSON, and the JSON Schema of that file, generated from the record.

The schema is published in the package, beside this file. ``python -m harness.exports`` writes it again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.leaderboard import FILE_NAME, Leaderboard

SCHEMA_FILE_NAME = "leaderboard.schema.json"
SCHEMA_FILE = Path(__file__).with_name(SCHEMA_FILE_NAME)

__all__ = ["FILE_NAME", "SCHEMA_FILE", "SCHEMA_FILE_NAME", "schema", "to_json"]


def to_json(board: Leaderboard) -> str:
    return _text(board.model_dump(mode="json"))


def schema() -> str:
    """JSON Schema (draft 2020-12) of ``leaderboard.json``."""
    described = Leaderboard.model_json_schema(mode="serialization")
    return _text({"$schema": "https://json-schema.org/draft/2020-12/schema", **described})


def _text(content: Any) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
