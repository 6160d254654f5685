"""One stage of a recipe, from its pairs to its record; what was finished before a training was killed is not done again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace

from harness.files.reading import parse_json
from harness.files.writing import write_text
from harness.recipes.train.batches import bucketed
from harness.recipes.train.columns import Columns, teacher_texts
from harness.recipes.train.encoding import Stage, encoder_job
from harness.recipes.train.loop import WEIGHTS, Operating, StageJob, load_tensors, run_stage, trained_tensors
from harness.recipes.train.masked import Masked, masked_job
from harness.recipes.train.multi_vector import MultiVectorNetwork
from harness.recipes.train.networks import Prepared
from harness.recipes.train.pair_teachers import PairTeacher, load_pair_teacher, scored
from harness.recipes.train.pairs import Pair
from harness.recipes.train.reading import Read
from harness.recipes.train.recipe import LoadedRecipe
from harness.recipes.train.record import StageRecord
from harness.recipes.train.sequences import GeneratorNetwork
from harness.recipes.train.spans import ReaderNetwork
from harness.recipes.train.stages import (
    AlignStage,
    ContrastiveStage,
    DistilStage,
    GenerateStage,
    MaskedStage,
    ReadStage,
    SelfTeachStage,
)
from harness.recipes.train.static import StaticNetwork
from harness.recipes.train.teachers import Teacher, TeacherVectors, load_teacher, vectors_of
from harness.recipes.train.transductive import check_inherited
from harness.recipes.train.transformer import TransformerNetwork


def trained_stage(
    loaded: LoadedRecipe, number: int, data: Read, found: Prepared, operating: Operating
) -> tuple[StageRecord, int]:
    """Train one stage, or load what it had come to; its record, and how often it was gone on with.

    Raises ``InvalidInput`` for pairs that lack what the objective needs, and for a loss that is none.
    """
    from safetensors.torch import load_file, save_file

    work = operating.work / f"stage-{number}"
    done, weights = work / "done.json", work / WEIGHTS
    if done.is_file():
        load_tensors(found.network.trained, load_file(weights))
        known = parse_json(done.read_bytes())
        return StageRecord.model_validate(known["record"]), int(known["interruptions"])
    stage = loaded.recipe.stages[number]
    sources = data.of_stage(stage)
    here = replace(operating, work=work)
    job, teacher = job_of(loaded, number, sources, found, here)
    ledger = run_stage(job, here)
    record = StageRecord(
        name=stage.name,
        objective=stage.objective,
        pairs=sum(map(len, sources)),
        rows_per_epoch=job.batches.rows_per_epoch(),
        steps=ledger.steps,
        seconds=round(ledger.seconds, 1),
        mean_loss=round(ledger.loss / max(1, ledger.steps), 4),
        candidates_per_query=round(ledger.candidates / ledger.steps, 1) if ledger.candidates else None,
        tokens=ledger.tokens,
        peak_memory_bytes=ledger.peak,
        device_memory_bytes=ledger.device_peak,
        teacher=teacher.digest if teacher else None,
        inherited=teacher.seen if teacher else (),
    )
    if operating.share.number == 0:
        work.mkdir(parents=True, exist_ok=True)
        save_file(trained_tensors(found.network.trained), weights)
        content = {"record": record.model_dump(mode="json"), "interruptions": ledger.interruptions}
        write_text(done, json.dumps(content))
        for left in [*work.glob("checkpoint-*"), *work.glob("states.*")]:
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    return record, ledger.interruptions


def job_of(
    loaded: LoadedRecipe, number: int, sources: Sequence[Sequence[Pair]], found: Prepared, operating: Operating
) -> tuple[StageJob, Teacher | PairTeacher | None]:
    """The stage's work, and its teacher if it has one. What does not go together the recipe's check refuses."""
    recipe, stage, network = loaded.recipe, loaded.recipe.stages[number], found.network
    seed = recipe.seed + number
    if isinstance(stage, ReadStage) and isinstance(network, ReaderNetwork):
        return network.job(recipe, stage, sources, seed, operating), None
    if isinstance(stage, MaskedStage) and isinstance(network, TransformerNetwork):
        return masked_job(recipe, network, Masked(stage, sources, seed), operating), None
    buckets = bucketed(sources, [source.weight for source in stage.sources], stage.batches)
    if isinstance(stage, GenerateStage) and isinstance(network, GeneratorNetwork):
        return network.job(recipe, stage, buckets, seed, operating), None
    assert isinstance(stage, ContrastiveStage | AlignStage | DistilStage | SelfTeachStage)
    assert isinstance(network, StaticNetwork | TransformerNetwork | MultiVectorNetwork)
    teacher: Teacher | PairTeacher | None = None
    vectors: TeacherVectors | None = None
    if isinstance(stage, AlignStage | DistilStage) and stage.teacher.card is not None:
        teacher = encoder = load_teacher(stage.teacher.card, loaded.folder, operating.device)
        check_inherited(f"the teacher {stage.teacher.card}", teacher.transductive, recipe)
        vectors = vectors_of(encoder, teacher_texts(stage, buckets.pairs), operating.progress)
        if isinstance(stage, AlignStage) and stage.teacher.whitening is not None:
            vectors = vectors.whitened(stage.teacher.whitening)
    elif isinstance(stage, DistilStage) and (
        reader := load_pair_teacher(stage.teacher, loaded.folder, operating.device)
    ):
        teacher = reader
        check_inherited(f"the teacher {stage.teacher.name}", reader.transductive, recipe)
        buckets = buckets._replace(pairs=scored(reader, stage, buckets.pairs, seed, operating.progress))
    columns = Columns(stage, buckets.pairs, seed, vectors)
    job = encoder_job(recipe, network, Stage(stage, buckets, columns, seed), operating)
    return job, teacher
