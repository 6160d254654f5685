"""Runs tasks, each in a process of its own, forked from one that loaded libraries alone: ``python processes.py TASKS.json``.

A task is a list of jobs for one process: ``{"card": PATH, "runs": DIR, "place": DIR}`` runs a card on the track, ``{"xdr":
[WORDS], "output": FILE}`` is a command, ``{"ablations": FILE, ...}`` measures a plan.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

# What takes long to import, and is not ours.
LIBRARIES = (
    "bm25s",
    "faiss",
    "ir_datasets",
    "ir_measures",
    "numpy",
    "pyarrow",
    "repro_eval",
    "sentence_transformers",
    "typer",
)


def main(path: Path) -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
    content = json.loads(path.read_text())
    for task in content["tasks"]:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for job in task:
                    do(content["track"], job)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        if status:
            sys.exit(f"a task failed: {task}")


def do(track: str, job: dict[str, Any]) -> None:
    from harness.adapters.consent import Consent
    from harness.adapters.contract import Context
    from harness.tracks import load_track

    if "xdr" in job:
        from harness.cli import main as command

        sys.argv = ["xdr", *job["xdr"]]
        with (
            Path(job["output"]).open("w") as output,
            contextlib.redirect_stdout(output),
            contextlib.suppress(SystemExit),
        ):
            command()
        return
    place = Path(job["place"])
    context = Context(cache=place / "cache", work=place / "work", consent=Consent(code=True))
    if "ablations" in job:
        from harness.compare import ablations
        from harness.files.toml_records import checked, read_toml

        plan = checked(ablations.Plan, read_toml(Path(job["ablations"])), "plan")
        from harness.runs.track_runs import TrackRuns

        ablations.load_plan = lambda track: plan  # that of a track outside the package
        ablations.measure_ablations(TrackRuns(load_track(track), Path(job["runs"])), context)
        return
    from harness.adapters.card import load_card
    from harness.runs.execute import run_system
    from harness.runs.track_runs import TrackRuns

    run_system(TrackRuns(load_track(track), Path(job["runs"])), load_card(job["card"]), context)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
