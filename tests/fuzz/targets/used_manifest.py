from pathlib import Path

from .. import rows

SUFFIX = "manifest.yaml"
EXAMPLES = 3


def seeds() -> list[Path]:
    return [rows.seed("manifest.yaml")]


def read(path: Path) -> None:
    """The users of what the reader takes: it may be in form, and yet nothing that a command can work with."""
    rows.use("manifest.yaml", path.read_bytes())
