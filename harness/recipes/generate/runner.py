"""From a collection and a recipe to generated text on the disk, with a manifest of all that it depends on.

``NAME.jsonl`` is one file of lines with doc_id, lang, text, source. Any other name is a folder of shards in the format of the
published data set of the xQG paper, read passage by passage, for collections whose texts do not fit in memory.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.collections.view import load
from harness.compute.jobs import Engine, LocalEngine
from harness.compute.platform import library_versions
from harness.errors import InvalidInput, WrongUsage
from harness.files.limits import TEXT_BYTES
from harness.files.writing import exclusive, explained_write_errors, sha256_of_file, write_text
from harness.files.yaml_records import digest_of, without_absolute_paths
from harness.numbers import size
from harness.progress import Progress
from harness.recipes.generate.answers import FILE_NAME as ANSWERS
from harness.recipes.generate.load import LoadedRecipe
from harness.recipes.generate.manifest import (
    MANIFEST,
    GenerationManifest,
    manifest_beside,
    read_manifest,
    written_manifest,
)
from harness.recipes.generate.recipe import Operator, Written
from harness.recipes.generate.text_shards import LOCK, TextShards, clear_traces, differences
from harness.records import Doc, Passages

BLOCK_PASSAGES = 64
"""Passages of a task, in the order of their ids. Part of what fixes the batches, and so the texts: never an option."""

_LINE_BYTES = 256
"""What a line of a text takes at most on average, of questions of 32 tokens in scripts of three bytes a sign."""


@dataclass(frozen=True)
class Generated:
    """``reused``: the finished output was there already; ``resumed``: passages that a killed command had finished."""

    path: Path
    manifest: GenerationManifest
    reused: bool
    resumed: int


@dataclass(frozen=True)
class Job:
    """What is asked for, before anything is loaded or generated: how much it is can be told from it alone."""

    loaded: LoadedRecipe
    collection: str
    docs: Passages
    out: Path

    @property
    def texts(self) -> int:
        recipe = self.loaded.recipe
        return len(self.docs) * len(recipe.languages) * recipe.per_language

    @property
    def is_one_file(self) -> bool:
        return self.out.suffix == ".jsonl"

    def blocks(self) -> Iterator[tuple[int, int]]:
        for start in range(0, len(self.docs), BLOCK_PASSAGES):
            yield start, min(start + BLOCK_PASSAGES, len(self.docs))


def job_of(collection: str, loaded: LoadedRecipe, out: Path) -> Job:
    """Raises ``WrongUsage`` or ``InvalidInput`` where there is nothing to generate for, or one file would be too large."""
    docs = load(collection).docs
    if not len(docs):
        raise InvalidInput(f"{collection} has no passages to generate texts for")
    job = Job(loaded, collection, docs, out)
    if job.is_one_file and job.texts * _LINE_BYTES > TEXT_BYTES:
        raise WrongUsage(
            f"{job.texts:,} texts are more than what is read from one file ({size(TEXT_BYTES)}, some "
            f"{TEXT_BYTES // _LINE_BYTES:,} texts); give a folder, --out {out.with_suffix('')}"
        )
    return job


def generate(
    job: Job, operator: Operator, shard_bytes: int, progress: Progress, engine: Engine | None = None
) -> Generated:
    """Generate all texts of a job, unless they are there; what a killed command had finished is kept, of a server every answer.

    Raises ``WrongUsage`` when something else is in the place of the output, ``InvalidInput`` for a faulty model or server.
    """
    unfinished = job.out.with_name(f"{job.out.name}.partial")
    source = job.loaded.recipe.source(job.loaded.folder, replace(operator, answers=unfinished / ANSWERS))
    description = without_absolute_paths(_description(job, source.provenance()))
    key = digest_of(description)
    if job.out.exists():
        return _already_there(job, unfinished, description)
    with exclusive(unfinished / LOCK):
        # Another process may have finished it meanwhile.
        if job.out.exists():
            return _already_there(job, unfinished, description)
        shards = TextShards(unfinished, description)
        resumed = shards.passages
        blocks = list(job.blocks())
        todo = blocks[len(shards.blocks) :]
        tag = f"{job.loaded.recipe.name}@{key[:16]}"
        with progress.task(f"generate: {job.loaded.recipe.name}", total=len(job.docs)) as advance:
            advance(resumed)
            tasks = (job.docs[start:end] for start, end in todo)
            results = (engine or LocalEngine()).results(source, tasks)
            for (start, end), written in zip(todo, results, strict=True):
                data, counts = _lines(job, job.docs[start:end], written, tag)
                if job.is_one_file and shards.size_bytes + len(data) > TEXT_BYTES:
                    raise InvalidInput(
                        f"the texts are longer than expected, and more than one file may hold ({size(TEXT_BYTES)}); "
                        "begin anew with a folder as --out"
                    )
                shards.append(data, end - start, counts, TEXT_BYTES if job.is_one_file else shard_bytes)
                advance(end - start)
        manifest = _finish(job, shards, key, description)
        _clear(job, unfinished)
    return Generated(job.out, manifest, reused=False, resumed=resumed)


def _description(job: Job, provenance: Any) -> dict[str, Any]:
    """All that the texts depend on."""
    return {
        "recipe": job.loaded.recipe.model_dump(mode="json"),
        "docs": job.docs.digest,
        "block passages": BLOCK_PASSAGES,
        "format": "lines" if job.is_one_file else "published",
        "harness": library_versions(("xdr-bench",)).get("xdr-bench", ""),
        **provenance,
    }


def _lines(job: Job, docs: Sequence[Doc], written: Written, tag: str) -> tuple[bytes, Counter[str]]:
    """The lines of a block, and what was counted."""
    languages = job.loaded.recipe.languages
    counts = Counter(written.counts)
    lines: list[dict[str, Any]] = []
    for doc, by_language in zip(docs, written.texts, strict=True):
        texts = dict(zip(languages, by_language, strict=True))
        counts.update({f"texts in {lang}": len(own) for lang, own in texts.items()})
        if job.is_one_file:
            lines += [
                {"doc_id": doc.doc_id, "lang": lang, "text": text, "source": tag}
                for lang, own in texts.items()
                for text in own
            ]
        else:
            lines.append(
                {"docid": doc.doc_id, "title": doc.title, "text": doc.text, "generated_queries": texts, "source": tag}
            )
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode(), counts


def _finish(job: Job, shards: TextShards, key: str, description: dict[str, Any]) -> GenerationManifest:
    """Put the output in its place; it has its name when, and only when, it is whole."""
    paths = shards.close()
    manifest = GenerationManifest(
        schema_version=1,
        key=key,
        collection=str(without_absolute_paths(job.collection)),
        passages=shards.passages,
        counts=dict(sorted(shards.counts().items())),
        files={job.out.name if job.is_one_file else path.name: sha256_of_file(path) for path in paths},
        description=description,
    )
    text = written_manifest(manifest)
    write_text(manifest_beside(job.out) if job.is_one_file else shards.folder / MANIFEST, text)
    with explained_write_errors(job.out):
        (paths[0] if job.is_one_file else shards.folder).replace(job.out)
    return manifest


def _clear(job: Job, unfinished: Path) -> None:
    shutil.rmtree(unfinished, ignore_errors=True)
    if not job.is_one_file:
        clear_traces(job.out)


def _already_there(job: Job, unfinished: Path, description: dict[str, Any]) -> Generated:
    manifest = _checked_output(job, description)
    _clear(job, unfinished)
    return Generated(job.out, manifest, reused=True, resumed=0)


def _checked_output(job: Job, description: dict[str, Any]) -> GenerationManifest:
    """The manifest of a finished output. Raises ``WrongUsage`` when what is there is not the output of this job."""
    path = manifest_beside(job.out) if job.is_one_file else job.out / MANIFEST
    fault = "it is not from this command"
    if path.is_file():
        manifest = read_manifest(path)
        folder = path.parent
        fault = "; ".join(differences(manifest.description, description)[:5])
        if not fault and all(
            (folder / name).is_file() and sha256_of_file(folder / name) == digest
            for name, digest in manifest.files.items()
        ):
            return manifest
        fault = fault or "its files are not those that its manifest describes"
    raise WrongUsage(f"{job.out} is there already, and {fault}; remove it or choose another --out")
