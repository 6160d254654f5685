"""The kinds of sources that a recipe can name, one file each."""

from __future__ import annotations

from harness.recipes.generate.causal import CausalRecipe
from harness.recipes.generate.recipe import Recipe
from harness.recipes.generate.seq2seq import Seq2SeqRecipe
from harness.recipes.generate.server import ServerRecipe


def kinds() -> dict[str, type[Recipe]]:
    return {"causal": CausalRecipe, "seq2seq": Seq2SeqRecipe, "server": ServerRecipe}
