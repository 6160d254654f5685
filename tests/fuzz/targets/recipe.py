from pathlib import Path

from harness.generate.recipe import load_recipe
from harness.yaml_records import digest_of

SUFFIX = ".toml"


def read(path: Path) -> None:
    digest_of(load_recipe(str(path)).recipe.model_dump(mode="json"))
