from pathlib import Path

from harness.files.yaml_records import digest_of
from harness.runs.manifest import read_manifest

SUFFIX = "manifest.yaml"


def read(path: Path) -> None:
    manifest = read_manifest(path.parent)
    digest_of([manifest.card, manifest.model_dump(mode="json")])
