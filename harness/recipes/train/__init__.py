"""Training of models by recipe: ``train(recipe_path, output, progress)``."""

from harness.recipes.train.record import TrainingRecord
from harness.recipes.train.runner import Operator, train

__all__ = ["Operator", "TrainingRecord", "train"]
