"""The leaderboard in other people's formats, all from the same record: one file per format.

A format of another distribution is an entry point of the group ``xdr.exporters``: anything with ``text_of(board)``, such as a
module or a ``TextFormat``. Pages and snapshots have this package's formats alone, whatever is installed beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from harness.errors import XdrError, unknown_name
from harness.files.writing import sha256_of_file, write_text
from harness.leaderboard.exports import bibtex, csv, json, latex, markdown
from harness.leaderboard.exports.badges import to_badges
from harness.leaderboard.table import Leaderboard
from harness.registry import Plugins
from harness.runs.own_scores import is_own, note_as_own

__all__ = [
    "BADGES",
    "FORMATS",
    "TextFormat",
    "exported",
    "format_names",
    "is_own_leaderboard",
    "to_badges",
    "write_leaderboard",
]


class TextFormat(NamedTuple):
    """A format of one text file: its usual name, and what makes it."""

    file_name: str
    text_of: Callable[[Leaderboard], str]


PLUGINS = Plugins("format", "xdr.exporters")
BADGES = "badges"
FORMATS = {
    "json": TextFormat(json.FILE_NAME, json.to_json),
    "csv": TextFormat(csv.FILE_NAME, csv.to_csv),
    "markdown": TextFormat(markdown.FILE_NAME, markdown.to_markdown),
    "latex": TextFormat(latex.FILE_NAME, latex.to_latex),
    "bibtex": TextFormat(bibtex.FILE_NAME, bibtex.to_bibtex),
}
WRITTEN = ("json", "csv", "markdown")
"""What lies beside the runs; the others are made when somebody asks for them."""


def format_names() -> list[str]:
    """Formats of one text file: this package's first, then those of other distributions."""
    return list(dict.fromkeys([*FORMATS, *PLUGINS.outside()]))


def exported(name: str, board: Leaderboard) -> str:
    """The leaderboard in a format by its name. Raises ``WrongUsage`` for an unknown one.

    Raises ``InvalidInput`` that names the distribution of a format that cannot be used.
    """
    found = PLUGINS.find(name, own=name in FORMATS or name == BADGES)
    if name in FORMATS:
        return FORMATS[name].text_of(board)
    if found is None:
        raise unknown_name("format", name, format_names())
    try:
        text = found.text_of(board)
    except XdrError:
        raise
    except Exception as error:
        raise PLUGINS.broken(name, f"{type(error).__name__}: {error}") from error
    if not isinstance(text, str):
        raise PLUGINS.broken(name, f"it made {type(text).__name__} of the leaderboard, and no text")
    return text


def write_leaderboard(folder: Path, board: Leaderboard) -> None:
    for name in WRITTEN:
        write_text(folder / FORMATS[name].file_name, FORMATS[name].text_of(board))
    table = folder / json.FILE_NAME
    note_as_own(table, f"leaderboard-{sha256_of_file(table)}")


def is_own_leaderboard(folder: Path) -> bool:
    """Whether this machine wrote the leaderboard in the folder; one that came from elsewhere may hold anything."""
    table = folder / json.FILE_NAME
    return is_own(table, f"leaderboard-{sha256_of_file(table)}")
