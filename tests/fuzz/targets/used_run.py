from pathlib import Path

from .. import rows

SUFFIX = ".trec.gz"
EXAMPLES = 3


def seeds() -> list[Path]:
    return [rows.seed("fi.trec.gz")]


def read(path: Path) -> None:
    """The users of what the reader takes: it may be in form, and yet nothing that a command can work with."""
    rows.use("fi.trec.gz", path.read_bytes())
