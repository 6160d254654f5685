"""A model as the difference from what its training began with: the tensors that were trained, and two digests."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.errors import InvalidInput, WrongUsage
from harness.files.limits import RECORD_BYTES
from harness.files.reading import parse_json, read_bytes
from harness.files.toml_records import Record, checked
from harness.files.writing import explained_write_errors, sha256_of_file, write_text
from harness.progress import Progress
from harness.recipes.train import record
from harness.recipes.train.loop import load_tensors, trained_tensors
from harness.recipes.train.networks import Prepared, prepared
from harness.recipes.train.outputs import WORK, check_libraries, check_output, move_files
from harness.recipes.train.recipe import checked_recipe
from harness.recipes.train.record import TrainingRecord

if TYPE_CHECKING:
    import torch

TENSORS, RECORD = "delta.safetensors", "delta.json"


class DeltaRecord(Record):
    """``start``: SHA-256 of the files that it is added to; ``whole``: SHA-256 of all weights of the model that comes out."""

    schema_version: Literal[1]
    start: str
    whole: str


def write_delta(found: Prepared, folder: Path) -> None:
    from safetensors.torch import save_file

    save_file(trained_tensors(found.network.trained), folder / TENSORS)
    said = DeltaRecord(schema_version=1, start=found.start or "", whole=weights_digest(found.network.trained))
    write_text(folder / RECORD, json.dumps(said.model_dump(mode="json"), indent=1) + "\n")


def assemble(recipe_path: Path, delta: Path, output: Path, progress: Progress) -> TrainingRecord:
    """Write the whole model of a recipe into ``output``, from its start and the folder of a delta.

    Raises ``WrongUsage`` for a folder without a delta, ``InvalidInput`` where the start is another one than the delta was
    made from, or what comes out is not what was trained.
    """
    from safetensors.torch import load_file

    if not all((delta / name).is_file() for name in (TENSORS, RECORD, record.FILE_NAME)):
        raise WrongUsage(f"{delta} holds no delta: expected {TENSORS}, {RECORD} and {record.FILE_NAME} in it")
    loaded = checked_recipe(recipe_path)
    check_output(output)
    check_libraries()
    said = checked(DeltaRecord, parse_json(read_bytes(delta / RECORD, RECORD_BYTES)), str(delta / RECORD))
    training = checked(
        TrainingRecord, parse_json(read_bytes(delta / record.FILE_NAME, RECORD_BYTES)), str(delta / record.FILE_NAME)
    )
    if training.recipe != loaded.recipe:
        raise InvalidInput(f"{delta} was trained by another recipe than {recipe_path} is now")
    with explained_write_errors(output):
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output, prefix=WORK) as name:
            found = prepared(loaded, list, Path(name) / "start", "cpu", progress)
            if found.start != said.start:
                raise InvalidInput(f"{delta} is the difference from another model than the recipe's start is here")
            load_tensors(found.network.trained, load_file(delta / TENSORS))
            if weights_digest(found.network.trained) != said.whole:
                raise InvalidInput(
                    f"{delta} and the recipe's start do not make the model that was trained: it is damaged"
                )
            whole = Path(name) / "whole"
            found.network.save(whole)
            written = move_files(whole, output)
    files = {file: sha256_of_file(output / file) for file in written}
    made = training.model_copy(update={"model_files": files})
    record.write_record(made, output)
    return made


def weights_digest(model: torch.nn.Module) -> str:
    """SHA-256 over names, shapes and float32 values of all parameters, whatever library wrote them."""
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        digest.update(f"{name} {tuple(parameter.shape)}\n".encode())
        digest.update(parameter.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()
