"""From a run and a labeller to a file of rows, with a manifest of all that the rows depend on."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.compute.platform import library_versions
from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files.writing import exclusive, explained_write_errors, sha256_of_file
from harness.files.yaml_records import digest_of, without_absolute_paths
from harness.measures import parse
from harness.progress import Progress
from harness.recipes.generate.text_shards import differences
from harness.recipes.mine.counts import Tally
from harness.recipes.mine.english import English
from harness.recipes.mine.labellers import Labels, labeller_of
from harness.recipes.mine.negatives import chosen_negatives
from harness.recipes.mine.questions import MinedRun, Question, questions_of
from harness.recipes.mine.settings import MineSettings
from harness.recipes.reading import ReaderSettings
from harness.recipes.reading.kept import LIBRARIES as READER_LIBRARIES
from harness.recipes.reading.kept import KeptReader
from harness.recipes.reading.reader import identity_of
from harness.recipes.rows import Passage, Row, write_rows, write_rows_by_id
from harness.recipes.rows.manifest import (
    RowsManifest,
    check_manifest_is_free,
    manifest_beside,
    read_manifest,
    write_manifest,
)
from harness.recipes.rows.writing import check_name

VERSION = 2
"""Raised when the same run, data and settings make other rows than before."""


@dataclass(frozen=True)
class Job:
    """What is asked for. ``corpus``: a file that is to hold the passages, where rows are to name them by id alone.

    ``english``: questions in English, for ``query_en`` of the rows, and for the reader to read in the question's place.
    """

    run: MinedRun
    settings: MineSettings
    out: Path
    corpus: Path | None = None
    reader: ReaderSettings | None = None
    english: English | None = None

    def __post_init__(self) -> None:
        """Raises ``WrongUsage`` where the settings ask for what is not given or not there.

        ``InvalidInput`` where no question of the run is among the English ones.
        """
        check_asked(self.settings, self.reader is not None, self.out, self.corpus)
        for part in self.run.parts:
            collection, settings = part.collection, self.settings
            if collection.qrels is None and (settings.knows_gold or "qrels" in settings.exclude):
                raise WrongUsage(f"{collection.dataset_id} has no judgements, which this labeller or exclusion needs")
            if collection.answers is None and settings.looks_for_answers:
                raise WrongUsage(f"{collection.dataset_id} has no answers, which this labeller or exclusion needs")
        asked = (query for part in self.run.parts for query in part.collection.queries)
        if self.english is not None and not any(self.english.of(query).strip() for query in asked):
            raise InvalidInput(
                f"{self.english.name} has none of the run's questions in English; name a collection with the same topics"
            )

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.out,) if self.corpus is None else (self.out, self.corpus)


def check_asked(settings: MineSettings, has_reader: bool, out: Path, corpus: Path | None) -> None:
    """What can be said before any run is read. Raises ``WrongUsage`` where the settings ask for what is not given."""
    for path in (out, corpus):
        if path is not None:
            check_name(path)
    if corpus is not None and out.name == corpus.name:
        raise WrongUsage(
            "rows and passages are written to two files, which the manifest knows by their names; give two names"
        )
    if settings.reads and not has_reader:
        raise WrongUsage(f"the labeller {settings.labeller} needs a reader's folder, --reader DIR")
    if has_reader and not settings.reads:
        raise WrongUsage(f"the labeller {settings.labeller} asks no reader; leave --reader out")


@dataclass(frozen=True)
class Mined:
    """``reused``: the finished file was there already; ``read`` and ``kept``: passages that the reader read, and had read."""

    manifest: RowsManifest
    reused: bool
    read: int = 0
    kept: int = 0


def mine(job: Job, progress: Progress, workers: int = 1) -> Mined:
    """Write the rows of a job and their manifest, unless they are there; what a reader has read is kept in the cache.

    Raises ``WrongUsage`` where something else is in the place of the output, ``InvalidInput`` for a faulty reader, or where no
    question makes a row.
    """
    description = without_absolute_paths(_description(job))
    if job.out.exists():
        return Mined(_checked_output(job, description), reused=True)
    if job.corpus is not None and job.corpus.exists():
        raise WrongUsage(f"{job.corpus} is there already; remove it or choose another file for the passages")
    check_manifest_is_free(job.out)
    unfinished = job.out.with_name(f"{job.out.name}.partial")
    with exclusive(unfinished / "lock"), contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, unfinished, ignore_errors=True)
        # Another process may have finished it meanwhile.
        if job.out.exists():
            return Mined(_checked_output(job, description), reused=True)
        reader = KeptReader(job.reader, workers) if job.reader is not None else None
        if reader is not None:
            stack.enter_context(reader.opened())
        manifest = _finished(job, _Mining(job, digest_of(description), reader), unfinished, description, progress)
    return Mined(manifest, reused=False, read=reader.read if reader else 0, kept=reader.kept if reader else 0)


def _finished(
    job: Job, mining: _Mining, unfinished: Path, description: dict[str, Any], progress: Progress
) -> RowsManifest:
    """All rows, mined and put in their place with their manifest."""
    arriving = [unfinished / file.name for file in job.files]
    with progress.task(f"mine: {job.settings.labeller}", job.run.questions, "questions") as advance:
        rows = mining.rows(advance)
        count = (
            write_rows(arriving[0], rows)
            if job.corpus is None
            else write_rows_by_id(arriving[0], unfinished / job.corpus.name, rows)
        )
    if not count:
        raise InvalidInput(f"no question of {job.run.name} makes a row", mining.why_none())
    manifest = RowsManifest(
        schema_version=1,
        key=mining.key,
        rows=count,
        files={file.name: sha256_of_file(file) for file in arriving},
        questions_of=tuple(dict.fromkeys(part["dataset"] for part in description["parts"].values())),
        counts=mining.counts(),
        description=description,
    )
    write_manifest(manifest, job.out)
    # The rows come last: they have their name when all is there.
    for arrived, file in reversed(list(zip(arriving, job.files, strict=True))):
        with explained_write_errors(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            arrived.replace(file)
    return manifest


class _Mining:
    """One pass over the questions: rows as they come, and what is counted on the way."""

    def __init__(self, job: Job, key: str, reader: KeptReader | None) -> None:
        self.key, self._job, self._reader = key, job, reader
        self._source = f"{job.run.name}/{job.settings.labeller}@{key[:16]}"
        self._label = labeller_of(job.settings.labeller, job.settings.seed, self._read)
        self._tallies: dict[str, Tally] = {}

    def rows(self, advance: Any) -> Iterator[Row]:
        job = self._job
        for question in questions_of(job.run, job.settings.top, job.english):
            labels = self._labels(question)
            negatives, removed = chosen_negatives(question, labels, job.settings)
            self._tallies.setdefault(question.lang, Tally()).add(question, labels, negatives, removed)
            if not labels.skipped:
                yield self._row(question, labels, negatives)
            advance()

    def counts(self) -> dict[str, Any]:
        holds = not self._job.settings.knows_gold
        return {lang: tally.as_dict(holds) for lang, tally in sorted(self._tallies.items())}

    def why_none(self) -> list[Finding]:
        return [
            Finding("error", lang or "questions without a language", f"{count} skipped: {reason}")
            for lang, tally in sorted(self._tallies.items())
            for reason, count in sorted(tally.skipped.items())
        ]

    def _labels(self, question: Question) -> Labels:
        if not question.text.strip():
            return Labels(skipped="the question is blank")
        if not question.scores:
            return Labels(skipped="no ranking")
        if self._job.settings.reads and self._job.english is not None and not question.english.strip():
            return Labels(skipped="no English question")
        return self._label(question)

    def _read(self, question: Question, texts: Sequence[str]) -> list[str]:
        assert self._reader is not None  # a job that needs one has one
        asked = question.english if self._job.english is not None else question.text
        return [answer.text for answer in self._reader.answers([(asked, text) for text in texts])]

    def _row(self, question: Question, labels: Labels, negatives: tuple[str, ...]) -> Row:
        settings = self._job.settings
        label = "fallback" if labels.is_fallback else "gold" if settings.knows_gold else "mined"
        sides = [tuple(self._passage(question, doc_id) for doc_id in ids) for ids in (labels.positives, negatives)]
        return Row(
            query_id=question.query_id,
            query=question.text,
            positives=sides[0],
            negatives=sides[1],
            lang=question.lang,
            source=self._source,
            label=label,
            query_en=question.english,
            answers=question.answers,
        )

    def _passage(self, question: Question, doc_id: str) -> Passage:
        doc = question.doc(doc_id)
        return Passage(
            doc.doc_id, doc.title, doc.text, question.scores.get(doc_id) if self._job.settings.scores else None
        )


def _description(job: Job) -> dict[str, Any]:
    """All that the rows depend on."""
    settings = job.settings
    libraries = ("xdr-bench", *(READER_LIBRARIES if settings.reads else ()))
    return {
        "version": VERSION,
        "run": {"name": job.run.name, "track": job.run.track},
        "settings": {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()
        },
        "parts": {
            part.name: {
                "dataset": part.collection.dataset_id,
                "ranking": part.digest,
                **part.collection.digests.as_dict(),
            }
            for part in job.run.parts
        },
        "form": "passages" if job.corpus is None else "ids",
        "answers are found by": parse("AnswerRecall@1").version if settings.looks_for_answers else "",
        "reader": {"name": job.reader.path.name, **identity_of(job.reader)} if job.reader is not None else {},
        "english": job.english.identity() if job.english is not None else {},
        "libraries": library_versions(libraries),
    }


def _checked_output(job: Job, description: dict[str, Any]) -> RowsManifest:
    """The manifest of a finished output. Raises ``WrongUsage`` when what is there is not the output of this job."""
    fault = f"it has no {manifest_beside(job.out).name}, so that nobody can say of what it was made"
    try:
        manifest = read_manifest(job.out)
    except InvalidInput as error:
        manifest, fault = None, error.message
    if manifest is not None:
        fault = "; ".join(differences(manifest.description, description)[:5])
        lacking = [
            file.name
            for file in job.files
            if not file.is_file() or manifest.files.get(file.name) != sha256_of_file(file)
        ]
        if not fault and not lacking:
            return manifest
        fault = fault or f"{', '.join(lacking)} beside it is not the file that its manifest describes"
    raise WrongUsage(f"{job.out} is there already, and {fault}; remove it or choose another --out")
