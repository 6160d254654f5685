"""Teachers from nothing but their sizes, trained on a few labels: a generator by its recipe, a cross-encoder by its library."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.files.writing import sha256_of_file, write_text
from harness.progress import Progress
from harness.recipes.rows import Row, write_rows
from harness.recipes.train.data import read_pairs
from harness.recipes.train.kinds import RandomWeights, TransformerModel
from harness.recipes.train.outputs import quiet
from harness.recipes.train.runner import train
from harness.recipes.train.sources import SourceRecipe, TokenizerRecipe
from harness.recipes.train.starts import write_new_network
from harness.recipes.train.tokenizer import train_tokenizer

RATES = (1e-3, 3e-3)
TEACHER_STEPS, BATCH = 100, 16
LAYERS, HIDDEN, HEADS = 1, 64, 4
PASSAGE, QUESTION = 48, 16
"""Tokens that the generator reads and writes; the cross-encoder reads both together."""
VOCABULARY, SAMPLE = 3000, 6000
ROWS = "labels.jsonl.gz"
GENERATOR = """schema_version = 2
name = "generator"
title = "generator"
seed = {seed}
transductive = ["xdr-mini"]

[tokenizer]
vocabulary = {vocabulary}
sample = {sample}
sources = [{{ kind = "ntrex", languages = {languages} }}]

[model]
kind = "seq2seq"
random = {{ layers = {layers}, hidden = {hidden}, heads = {heads} }}
source_length = {passage}
target_length = {question}

[[stages]]
name = "questions"
objective = "generate"
prompt = "{{language}} {{title}} {{passage}}"
steps = {steps}
batch_size = {batch}
optimizer = {{ learning_rate = {rate}, warmup = 0.1 }}
sources = [{{ kind = "rows", path = "{rows}" }}]
"""


class Labels(NamedTuple):
    rows: Sequence[Row]
    seed: int
    languages: Sequence[str]


def taught(kind: str, labels: Labels, rate: float, folder: Path, progress: Progress) -> tuple[Path, float]:
    """The model's folder, and the seconds that its training took; what was trained of the same labels is taken as it is."""
    place = folder / f"{kind}-{len(labels.rows)}-{labels.seed}-{rate}"
    place.mkdir(parents=True, exist_ok=True)
    write_rows(place / ROWS, labels.rows)
    known = {"rows": sha256_of_file(place / ROWS), "steps": TEACHER_STEPS, "languages": list(labels.languages)}
    done = place / "done.json"
    if done.is_file() and (found := json.loads(done.read_text("utf-8")))["of"] == known:
        return place / "model", float(found["seconds"])
    shutil.rmtree(place / "model", ignore_errors=True)
    began = time.perf_counter()
    (_generator if kind == "generator" else _cross_encoder)(labels, rate, place, progress)
    seconds = time.perf_counter() - began
    write_text(done, json.dumps({"of": known, "seconds": seconds}))
    return place / "model", seconds


def _generator(labels: Labels, rate: float, place: Path, progress: Progress) -> None:
    recipe = GENERATOR.format(
        seed=labels.seed,
        rate=rate,
        languages=json.dumps(list(labels.languages)),
        rows=ROWS,
        vocabulary=VOCABULARY,
        sample=SAMPLE,
        layers=LAYERS,
        hidden=HIDDEN,
        heads=HEADS,
        passage=PASSAGE,
        question=QUESTION,
        steps=TEACHER_STEPS,
        batch=BATCH,
    )
    write_text(place / "recipe.toml", recipe)
    train(place / "recipe.toml", place / "model", progress)


def _cross_encoder(labels: Labels, rate: float, place: Path, progress: Progress) -> None:
    """Of each question its own passage against those of four others of the batch, by the loss of sentence-transformers."""
    from datasets import Dataset
    from sentence_transformers.cross_encoder import (
        CrossEncoder,
        CrossEncoderTrainer,
        CrossEncoderTrainingArguments,
        losses,
    )

    quiet()
    _write_bert(labels, place / "start")
    model = CrossEncoder(str(place / "start"), num_labels=1, max_length=PASSAGE + QUESTION, device="cpu")
    columns: dict[str, list[str]] = {
        "question": [row.query for row in labels.rows],
        "passage": [row.positives[0].default_text() for row in labels.rows],
    }
    options: dict[str, Any] = {"save_strategy": "no", "logging_strategy": "no", "report_to": [], "disable_tqdm": True}
    arguments = CrossEncoderTrainingArguments(
        output_dir=str(place / "work"),
        max_steps=TEACHER_STEPS,
        per_device_train_batch_size=BATCH,
        learning_rate=rate,
        warmup_steps=round(0.1 * TEACHER_STEPS),
        seed=labels.seed,
        use_cpu=True,
        dataloader_pin_memory=False,
        **options,
    )
    loss = losses.MultipleNegativesRankingLoss(model, num_negatives=4)
    with progress.task("train cross-encoder", 1, "models") as advance:
        CrossEncoderTrainer(model=model, args=arguments, train_dataset=Dataset.from_dict(columns), loss=loss).train()
        advance(1)
    model.save_pretrained(str(place / "model"))
    shutil.rmtree(place / "start")


def _write_bert(labels: Labels, folder: Path) -> None:
    """Of the generator's sizes and pieces; the head is drawn by the seed when the model is opened."""
    import torch

    source = SourceRecipe(kind="ntrex", languages=tuple(labels.languages))
    tokenizer_recipe = TokenizerRecipe(vocabulary=VOCABULARY, sample=SAMPLE, sources=(source,))
    pairs = read_pairs(source, labels.seed)
    texts = list(dict.fromkeys(side.text for pair in pairs for side in (pair.anchor, pair.positive)))
    sizes = RandomWeights(layers=LAYERS, hidden=HIDDEN, heads=HEADS)
    lengths = {"query_length": QUESTION, "passage_length": PASSAGE + QUESTION}
    model = TransformerModel.model_validate({"kind": "transformer", "random": sizes, "pooling": "cls", **lengths})
    folder.mkdir(parents=True, exist_ok=True)
    write_new_network(model, train_tokenizer(texts, tokenizer_recipe, labels.seed), labels.seed, folder)
    torch.manual_seed(labels.seed)
