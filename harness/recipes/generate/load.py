"""Recipes by name or path, of the kinds of sources that there are, one file each."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from harness.errors import Finding, InvalidInput, unknown_name
from harness.files.toml_records import checked, read_toml
from harness.recipes.generate.causal import CausalRecipe
from harness.recipes.generate.recipe import Recipe
from harness.recipes.generate.seq2seq import Seq2SeqRecipe
from harness.recipes.generate.server import ServerRecipe
from harness.registry import Plugins

PLUGINS = Plugins("kind of recipe", "xdr.generators")


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
    found = _kind(kind) if isinstance(kind, str) else None
    if found is None:
        what = f"{kind!r:.80}" if "kind" in data else "missing"
        known = dict.fromkeys([*kinds(), *PLUGINS.outside()])
        finding = Finding("error", f"{path}: kind", what, f"one of {', '.join(known)}")
        raise InvalidInput(f"{path} is invalid", [finding])
    return LoadedRecipe(checked(found, data, str(path)), path.parent)


def _kind(name: str) -> type[Recipe] | None:
    """The recipes of that kind; None where there is none. Raises as ``Plugins.find``."""
    found = PLUGINS.find(name, own=name in kinds())
    if name in kinds():
        return kinds()[name]
    if found is not None and not (inspect.isclass(found) and issubclass(found, Recipe)):
        raise PLUGINS.broken(name, f"{found!r:.80} is no class that is a harness.recipes.generate.recipe.Recipe")
    if lacking := sorted(getattr(found, "__abstractmethods__", ())):
        raise PLUGINS.broken(name, f"it lacks {', '.join(lacking)}")
    return found


def kinds() -> dict[str, type[Recipe]]:
    """This package's own, by the key ``kind`` of a recipe."""
    return {"causal": CausalRecipe, "seq2seq": Seq2SeqRecipe, "server": ServerRecipe}
