"""Training of small encoders by recipe: ``train(recipe_path, output, progress)``."""

from harness.recipes.train.record import TrainingRecord
from harness.recipes.train.runner import train

__all__ = ["TrainingRecord", "train"]
