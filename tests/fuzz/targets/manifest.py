from pathlib import Path

from harness.manifest import digest_of, read_manifest

SUFFIX = "manifest.yaml"


def read(path: Path) -> None:
    manifest = read_manifest(path.parent)
    digest_of([manifest.card, manifest.model_dump(mode="json")])
