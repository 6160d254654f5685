"""Mining: rows to train on, from a retrieval run and a labeller of what it found."""

from harness.recipes.mine.questions import AskedPart, MinedRun
from harness.recipes.mine.runner import Job, Mined, mine
from harness.recipes.mine.settings import EXCLUSIONS, LABELLERS, MineSettings

__all__ = ["EXCLUSIONS", "LABELLERS", "AskedPart", "Job", "MineSettings", "Mined", "MinedRun", "mine"]
