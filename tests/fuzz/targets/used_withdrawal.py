from pathlib import Path

from .. import rows

SUFFIX = ".toml"
EXAMPLES = 3


def seeds() -> list[Path]:
    return [rows.seed("withdrawn.toml")]


def read(path: Path) -> None:
    """The users of what the reader takes: it may be in form, and yet nothing that a command can work with."""
    rows.use("withdrawn.toml", path.read_bytes())
