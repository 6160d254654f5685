from pathlib import Path

from harness.recipes.generate.manifest import read_manifest, written_manifest

SUFFIX = ".yaml"


def read(path: Path) -> None:
    manifest = read_manifest(path)
    path.write_text(written_manifest(manifest), "utf-8")
    assert read_manifest(path) == manifest
