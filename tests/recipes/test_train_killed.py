"""A training that is killed with signal 9 goes on from its last whole checkpoint, to the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_training import CONTRASTIVE, STATIC, TRANSFORMER, recipe

from harness.progress import SilentProgress
from harness.recipes.train import Operator, train

ROOT = Path(__file__).parents[2]
SELF_TEACH = 'objective = "self-teach"'
DROPOUT = f"{CONTRASTIVE}\ntoken_dropout = 0.2"
# Kills itself while it writes the n-th checkpoint: all of it is there but what says that it is whole.
KILLED = """
import os, signal, sys
from pathlib import Path
from harness.progress import SilentProgress
from harness.recipes.train import Operator, loop, train

left, write = int(sys.argv[3]), loop.write_text

def killing(*arguments):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    write(*arguments)

loop.write_text = killing
train(Path(sys.argv[1]), Path(sys.argv[2]), SilentProgress(), Operator(checkpoint_seconds=0))
"""


@pytest.mark.parametrize(
    ("model", "first", "written"),
    [(STATIC, DROPOUT, 12), (TRANSFORMER, CONTRASTIVE, 12), (TRANSFORMER, CONTRASTIVE, 13)],
    ids=["static", "transformer", "transformer at the end of an epoch"],
)
def test_a_killed_training_goes_on_to_the_same_bytes(
    xdr_home: Path, tmp_path: Path, model: str, first: str, written: int
) -> None:
    path = recipe(tmp_path, model, first, SELF_TEACH)
    whole = train(path, tmp_path / "whole", SilentProgress(), Operator(checkpoint_seconds=3600))

    killed = tmp_path / "killed"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, "-c", KILLED, str(path), str(killed), str(written)]
    done = subprocess.run(arguments, env=environment, capture_output=True, check=False, timeout=600)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    checkpoint = killed / ".training" / "stage-1" / f"checkpoint-{written - 8}"
    assert (checkpoint / "optimizer.pt").is_file()
    assert not (checkpoint / "ledger-0.json").exists()
    assert not (killed / "training.json").exists()

    resumed = train(path, killed, SilentProgress(), Operator(checkpoint_seconds=3600))
    assert resumed.model_files == whole.model_files
    assert resumed.interruptions == 1
    assert whole.interruptions == 0
    for one, other in zip(resumed.stages, whole.stages, strict=True):
        assert (one.mean_loss, one.tokens, one.steps) == (other.mean_loss, other.tokens, other.steps)
        assert one.candidates_per_query == other.candidates_per_query
    assert sorted(entry.name for entry in killed.iterdir()) == sorted(
        entry.name for entry in (tmp_path / "whole").iterdir()
    )


def test_what_another_recipe_has_left_is_not_gone_on_from(xdr_home: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    fresh = train(recipe(tmp_path, STATIC, CONTRASTIVE, steps=2), tmp_path / "fresh", SilentProgress())
    (output / ".training" / "stage-0").mkdir(parents=True)
    (output / ".training" / "stage-0" / "done.json").write_text("{}", "utf-8")
    (output / ".training" / "identity.json").write_text('{"identity": "that of another"}', "utf-8")
    found = train(tmp_path / "recipe.toml", output, SilentProgress())
    assert found.model_files == fresh.model_files
    assert not (output / ".training").exists()
