"""``python -m harness.leaderboard.exports``: write the published JSON Schema again, after the record has changed."""

from __future__ import annotations

from harness.files.writing import write_text
from harness.leaderboard.exports.json import SCHEMA_FILE, schema

if __name__ == "__main__":
    write_text(SCHEMA_FILE, schema())
