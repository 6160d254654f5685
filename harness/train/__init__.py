"""Training of small encoders by recipe: ``train(recipe_path, output, progress)``."""

from harness.train.record import TrainingRecord
from harness.train.runner import train

__all__ = ["TrainingRecord", "train"]
