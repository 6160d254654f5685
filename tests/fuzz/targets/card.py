from pathlib import Path

from harness.adapters.card import load_card
from harness.files.yaml_records import digest_of, without_absolute_paths

SUFFIX = ".toml"


def read(path: Path) -> None:
    card = load_card(str(path)).card
    digest_of(without_absolute_paths(card.model_dump(mode="json")))
