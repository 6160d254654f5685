"""``python -m harness.exports``: write the published JSON Schema again, after the record has changed."""

from __future__ import annotations

from harness.exports.json import SCHEMA_FILE, schema
from harness.files import write_text

if __name__ == "__main__":
    write_text(SCHEMA_FILE, schema())
