from pathlib import Path

from harness.tracks import load_track
from harness.yaml_records import digest_of

SUFFIX = ".toml"


def read(path: Path) -> None:
    digest_of(load_track(str(path)).model_dump(mode="json"))
