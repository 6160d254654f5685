"""Withdrawn rows: still shown, with the date and the reason, but without a rank and outside all families of tests.

``withdrawn.toml`` lies beside the run. The card and the manifest say what was run, and stay as they are.
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from harness.errors import WrongUsage
from harness.files.toml_records import Reason, Record, checked, read_toml
from harness.files.writing import write_text

FILE_NAME = "withdrawn.toml"


class Withdrawal(Record):
    """When a row was withdrawn, and why."""

    date: datetime.date
    reason: Reason


def read_withdrawal(folder: Path) -> Withdrawal | None:
    """The withdrawal of the run in ``folder``; None where it stands. Raises ``InvalidInput`` on a faulty file."""
    path = folder / FILE_NAME
    return checked(Withdrawal, read_toml(path), str(path)) if path.exists() else None


def withdraw(folder: Path, withdrawal: Withdrawal) -> Path:
    """Write the withdrawal of the run in ``folder``. Raises ``WrongUsage`` when it was withdrawn before."""
    path = folder / FILE_NAME
    if path.exists():
        raise WrongUsage(f"{folder} was withdrawn before; to say it better, edit {path}")
    # A JSON string is a TOML string, but for one character that only TOML wants escaped.
    reason = json.dumps(withdrawal.reason, ensure_ascii=False).replace("\x7f", "\\u007f")
    write_text(path, f"date = {withdrawal.date.isoformat()}\nreason = {reason}\n")
    return path
