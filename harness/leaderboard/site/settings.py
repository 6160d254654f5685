"""``runs/site.toml``: what the pages say of whose site they are, and where its code lies. All of it may be missing.

name = "Our leaderboard"
repository = "https://code.example/our/leaderboard"
address = "https://leaderboard.example/"
contact = "mailto:people@leaderboard.example"
euros_per_hour = 0.10
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from harness.files.toml_records import Record, checked, read_toml

FILE_NAME = "site.toml"


def _web(address: str) -> str:
    found = urlsplit(address)
    if address and (found.scheme not in ("http", "https") or not found.hostname or set(address) & set(" <>\"'")):
        raise ValueError("expected an address that begins with https:// or http://")
    return address


def _contact(address: str) -> str:
    return address if address.startswith("mailto:") and "@" in address and " " not in address else _web(address)


Web = Annotated[str, StringConstraints(max_length=300), AfterValidator(_web)]


class Settings(Record):
    """``address``: where the pages are served from, its last sign a slash; links between pages do not need it.

    ``euros_per_hour``: what the operator pays for such a machine as the runs were made on; None where they do not say.
    """

    name: Annotated[str, StringConstraints(min_length=1, max_length=80)] = "xdr-bench"
    repository: Web = ""
    address: Web = ""
    contact: Annotated[str, StringConstraints(max_length=300), AfterValidator(_contact)] = ""
    euros_per_hour: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)] | None = None


def read_settings(runs: Path) -> Settings:
    """Of the folder that holds all runs. Raises ``InvalidInput`` that names all that is wrong in the file."""
    path = runs / FILE_NAME
    return checked(Settings, read_toml(path), str(path)) if path.is_file() else Settings()
