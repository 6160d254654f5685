from pathlib import Path

from harness.files.yaml_records import digest_of
from harness.recipes.generate.load import load_recipe

SUFFIX = ".toml"


def read(path: Path) -> None:
    digest_of(load_recipe(str(path)).recipe.model_dump(mode="json"))
