from pathlib import Path

from .. import rows

SUFFIX = ".parquet"
EXAMPLES = 3


def seeds() -> list[Path]:
    return [rows.seed("scores.parquet")]


def read(path: Path) -> None:
    """The users of what the reader takes: it may be in form, and yet nothing that a command can work with."""
    rows.use("scores.parquet", path.read_bytes())
