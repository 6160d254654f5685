from pathlib import Path

from harness.recipes.rows.manifest import read_manifest

SUFFIX = ".manifest.yaml"


def read(path: Path) -> None:
    rows = path.with_name(path.name.removesuffix(SUFFIX) + ".jsonl")
    rows.write_bytes(b"")
    read_manifest(rows)
