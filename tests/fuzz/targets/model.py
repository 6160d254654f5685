from pathlib import Path

from harness.dense.model_files import check_model_files, code_needed

SUFFIX = "config.json"


def read(path: Path) -> None:
    """A model's configuration, or, where it begins as a list, its modules."""
    if path.read_bytes().lstrip()[:1] == b"[":
        path = path.rename(path.with_name("modules.json"))
    try:
        check_model_files(path.parent)
        code_needed(path.parent)
    finally:
        path.unlink()
