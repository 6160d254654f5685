from pathlib import Path

from harness.manifest import read_manifest, write_manifest

SUFFIX = "manifest.yaml"


def read(path: Path) -> None:
    folder = path.parent
    manifest = read_manifest(folder)
    write_manifest(folder, manifest)
    assert read_manifest(folder) == manifest
