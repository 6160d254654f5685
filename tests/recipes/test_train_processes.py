"""A training by two processes, as torchrun launches them: each batch is parted, and what comes out is what one makes of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from tiny_training import CONTRASTIVE, STATIC, recipe

from harness.progress import SilentProgress
from harness.recipes.train import train

ROOT = Path(__file__).parents[2]
DISTIL = 'objective = "distil-scores"\ncandidates = 3\nteacher = { scores = "rows", temperature = 0.1 }'
SELF_TEACH = 'objective = "self-teach"\nsimilarity = "dot"\nnegatives = 1'


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_two_processes_have_the_losses_and_weights_of_one(xdr_home: Path, tmp_path: Path) -> None:
    model = f'{STATIC}dtype = "float32"\n'
    path = recipe(tmp_path, model, CONTRASTIVE, SELF_TEACH, DISTIL, steps=3)
    one = train(path, tmp_path / "one", SilentProgress())
    command = [sys.executable, "-m", "xdr_bench", "train", str(path), "--output", str(tmp_path / "two")]
    shared = {
        **os.environ, "PYTHONPATH": str(ROOT), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
    }  # fmt: skip
    processes = [
        subprocess.Popen(command, env={**shared, "RANK": str(n), "LOCAL_RANK": str(n)}, stderr=subprocess.PIPE)
        for n in range(2)
    ]
    said = [process.communicate(timeout=500)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said[0][-2000:] + said[1][-2000:]
    two = json.loads((tmp_path / "two" / "training.json").read_text("utf-8"))
    assert two["processes"] == 2
    for found, expected in zip(two["stages"], one.stages, strict=True):
        # Losses are recorded to four digits behind the point.
        assert abs(found["mean_loss"] - expected.mean_loss) <= 2e-4
        assert found["tokens"] == expected.tokens
        assert found["candidates_per_query"] == expected.candidates_per_query
    weights = [load_file(tmp_path / name / "model.safetensors")["embedding.weight"] for name in ("one", "two")]
    torch.testing.assert_close(weights[1], weights[0], rtol=0, atol=1e-3)
