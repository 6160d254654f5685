from pathlib import Path

from harness.files.yaml_records import digest_of
from harness.tracks import load_track

SUFFIX = ".toml"


def read(path: Path) -> None:
    digest_of(load_track(str(path)).model_dump(mode="json"))
