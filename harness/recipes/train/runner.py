"""From a recipe to a model folder: data, tokenizer, stages, saved files, record."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.compute.platform import library_versions
from harness.dense.encoder import resolved_device
from harness.errors import InvalidInput
from harness.files.reading import parse_json
from harness.files.writing import explained_write_errors, folder_lock, sha256_of_file, write_text
from harness.files.yaml_records import digest_of
from harness.progress import Progress
from harness.recipes.train import record
from harness.recipes.train.batches import Share
from harness.recipes.train.delta import write_delta
from harness.recipes.train.kinds import ReaderModel, StaticModel, TransformerModel
from harness.recipes.train.loop import Operating
from harness.recipes.train.networks import THREADS, Prepared, prepared
from harness.recipes.train.outputs import WORK, check_libraries, check_output, move_files
from harness.recipes.train.reading import Read
from harness.recipes.train.recipe import LoadedRecipe, load_recipe
from harness.recipes.train.record import StageRecord, TrainingRecord
from harness.recipes.train.staging import trained_stage


@dataclass(frozen=True)
class Operator:
    """What the operator of the command chooses. ``device`` "auto": a GPU where there is one and the model is no static one."""

    device: str = "auto"
    checkpoint_seconds: float = 300.0


def train(recipe_path: Path, output: Path, progress: Progress, operator: Operator = Operator()) -> TrainingRecord:
    """Train the model of a recipe into the folder ``output`` and write its record there.

    A training that was killed goes on from its last checkpoint, to the same bytes. Files of an earlier training in
    ``output`` are replaced, others, such as a model card, are left. Raises ``WrongUsage`` for a recipe that is not there, a
    missing extra, or a folder that holds something else; ``InvalidInput`` for a faulty recipe or data.
    """
    start = time.perf_counter()
    loaded = load_recipe(recipe_path)
    check_output(output)
    check_libraries()
    device, share = device_of(loaded, operator), share_of_this_process()
    data = Read(loaded, progress)
    with _work_folder(output, share) as work:
        found = prepared(loaded, data.tokenizer_texts, work / "start", device, progress)
        identity = _identity(loaded, data, found, device, share)
        _check_identity(work, identity, share)
        operating = Operating(device, work, progress, operator.checkpoint_seconds, share)
        stages, interruptions = _run_stages(loaded, data, found, operating)
        written: list[str] = []
        if share.number == 0:
            with explained_write_errors(output), tempfile.TemporaryDirectory(dir=output, prefix=WORK) as name:
                _save(loaded, found, Path(name))
                written = move_files(Path(name), output)
    finished = TrainingRecord(
        schema_version=2,
        recipe=loaded.recipe,
        seed=loaded.recipe.seed,
        threads=THREADS,
        device=device,
        processes=share.processes,
        start=found.start,
        start_revision=found.revision,
        files=data.files,
        overlap=data.compared.model_copy(update={"inherited": _inherited(found, stages)}),
        rows=record.row_counts(data.used, data.dropped),
        stages=tuple(stages),
        seconds=round(time.perf_counter() - start, 1),
        interruptions=interruptions,
        libraries=library_versions(record.LIBRARIES),
        model_files={file: sha256_of_file(output / file) for file in written},
    )
    if share.number == 0:
        record.write_record(finished, output)
    return finished


def device_of(loaded: LoadedRecipe, operator: Operator) -> str:
    """A static model's few sums are not worth a GPU, whose bytes are other ones.

    Raises ``InvalidInput`` for a precision that the device does not compute in.
    """
    is_static = operator.device == "auto" and isinstance(loaded.recipe.model, StaticModel)
    device = "cpu" if is_static else resolved_device(operator.device)
    if device == "cpu" and loaded.recipe.precision == "float16":
        raise InvalidInput('precision = "float16" needs a GPU: say "bfloat16" or "float32", or --device cuda')
    return device


def share_of_this_process() -> Share:
    """As torchrun and accelerate launch say it in the environment."""
    return Share(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


def _run_stages(
    loaded: LoadedRecipe, data: Read, found: Prepared, operating: Operating
) -> tuple[Sequence[StageRecord], int]:
    stages, interruptions = [], 0
    for number in range(len(loaded.recipe.stages)):
        stage, times = trained_stage(loaded, number, data, found, operating)
        stages.append(stage)
        interruptions += times
    return stages, interruptions


def _inherited(found: Prepared, stages: Sequence[StageRecord]) -> tuple[str, ...]:
    return tuple(sorted({*found.seen, *(name for stage in stages for name in stage.inherited)}))


def _save(loaded: LoadedRecipe, found: Prepared, folder: Path) -> None:
    model = loaded.recipe.model
    if isinstance(model, TransformerModel | ReaderModel) and model.saved == "delta":
        write_delta(found, folder)
    else:
        found.network.save(folder)


@contextlib.contextmanager
def _work_folder(output: Path, share: Share) -> Iterator[Path]:
    """The folder of checkpoints, held by the first process for all; deleted when the block ends well."""
    work = output / WORK
    with contextlib.ExitStack() as stack:
        if share.number == 0:
            with explained_write_errors(output):
                output.mkdir(parents=True, exist_ok=True)
            stack.enter_context(folder_lock(work, wait=False))
        yield work
        if share.number == 0:
            shutil.rmtree(work, ignore_errors=True)


def _identity(loaded: LoadedRecipe, data: Read, found: Prepared, device: str, share: Share) -> str:
    """Digest of all that the weights depend on: what another training has left is not gone on from."""
    return digest_of(
        {
            "recipe": loaded.recipe.model_dump(mode="json"),
            "files": data.files,
            "compared": data.compared.model_dump(mode="json"),
            "start": found.start,
            "device": device,
            "processes": share.processes,
            "threads": THREADS,
            "libraries": library_versions(record.LIBRARIES),
        }
    )


def _check_identity(work: Path, identity: str, share: Share) -> None:
    if share.number == 0:
        file = work / "identity.json"
        try:
            known = parse_json(file.read_bytes())["identity"]
        except (OSError, ValueError, KeyError, TypeError):
            known = None
        if known != identity:
            for left in work.glob("stage-*"):
                shutil.rmtree(left)
            write_text(file, f'{{"identity": "{identity}"}}\n')
    if share.processes > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()
