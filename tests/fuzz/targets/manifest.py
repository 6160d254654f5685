from pathlib import Path

from harness.manifest import read_manifest
from harness.yaml_records import digest_of

SUFFIX = "manifest.yaml"


def read(path: Path) -> None:
    manifest = read_manifest(path.parent)
    digest_of([manifest.card, manifest.model_dump(mode="json")])
