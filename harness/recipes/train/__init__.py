"""Training of models by recipe: ``train(recipe_path, output, progress)``."""

from harness.recipes.train.delta import assemble
from harness.recipes.train.kept import train_into_cache
from harness.recipes.train.plan import planned
from harness.recipes.train.record import TrainingRecord
from harness.recipes.train.runner import Operator, train

__all__ = ["Operator", "TrainingRecord", "assemble", "planned", "train", "train_into_cache"]
