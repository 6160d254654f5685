"""Recipes by name or path, of the kinds of sources that there are, one file each."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from harness.errors import Finding, InvalidInput, unknown_name
from harness.files.toml_records import checked, read_toml
from harness.recipes.generate.causal import CausalRecipe
from harness.recipes.generate.recipe import Recipe
from harness.recipes.generate.seq2seq import Seq2SeqRecipe
from harness.recipes.generate.server import ServerRecipe


@dataclass(frozen=True)
class LoadedRecipe:
    recipe: Recipe
    folder: Path


def recipe_names() -> list[str]:
    folder = resources.files("systems").joinpath("generators")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_recipe(name: str) -> LoadedRecipe:
    """A recipe by the name it ships under, or by its path. Raises ``WrongUsage`` or ``InvalidInput`` with all faults."""
    if name.endswith(".toml"):
        path = Path(name)
    elif name in recipe_names():
        path = Path(str(resources.files("systems").joinpath("generators", f"{name}.toml")))
    else:
        raise unknown_name("recipe", name, recipe_names(), "or the path of a recipe's TOML file")
    data = read_toml(path)
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in kinds():
        what = f"{kind!r:.80}" if "kind" in data else "missing"
        finding = Finding("error", f"{path}: kind", what, f"one of {', '.join(kinds())}")
        raise InvalidInput(f"{path} is not in order", [finding])
    return LoadedRecipe(checked(kinds()[kind], data, str(path)), path.parent)


def kinds() -> dict[str, type[Recipe]]:
    """Named by the key ``kind`` of a recipe."""
    return {"causal": CausalRecipe, "seq2seq": Seq2SeqRecipe, "server": ServerRecipe}
