"""PAWS-X as adversarial cross-lingual retrieval: find the English original of a sentence among sentences of the same words.

PAWS-X holds pairs of sentences with nearly the same words, labelled as paraphrases or not, in parallel in seven languages.
A pair is no retrieval task: its first sentence would have one candidate. What is asked here follows from the parallel rows.
The query of ``paws-x/de`` is the German first sentence of a row; the passages are all English sentences of the file.
Relevant are the English first sentence and those labelled as paraphrases of it; judged not relevant are those labelled as
no paraphrases: the same words in another order or with another name. Only rows with such an adversary are asked.

- The German sentences of the development set are translations by people, of rows whose English is the original.
- Rows with "NS" (no sentence) in either language, or on whose label the two languages disagree, are left out.
- Equal English sentences are one passage. A pair that is labelled both ways is judged relevant.

``paws-x/de/clean`` asks the same, with other sentences in place of the adversaries: as many of the English passages of TyDi QA
(``tydiqa-goldp/en``, Wikipedia as well), which are about as long. An adversary that is relevant to another query has to stay;
how many do is among the collection's remarks, and those that stay are judged as before.

``paws-x/sample/de`` and ``paws-x/sample/de/clean`` ask a sample in German, French and Korean, see ``sample.py``.

Source: Yang et al. 2019, github.com/google-research-datasets/paws, free use with attribution to Google.
"""

from __future__ import annotations

import csv
import functools
import io
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness.collections import tydiqa_goldp
from harness.collections.formats.archives import read_member
from harness.collections.handlers import Dataset, Docs, Qrels, Queries, Remarks
from harness.collections.perturbed.draws import Draws
from harness.collections.perturbed.passages import sentences_of
from harness.collections.plugins import GeneratedTexts
from harness.collections.storage.pinned import verified_path
from harness.errors import Finding, InvalidInput
from harness.files.yaml_records import digest_of
from harness.records import Doc, Query

LANGUAGES = ("de", "es", "fr", "ja", "ko", "zh")
BIBTEX = """
@inproceedings{yang2019pawsx,
  author = {Yang, Yinfei and Zhang, Yuan and Tar, Chris and Baldridge, Jason},
  title = {{PAWS-X}: A Cross-lingual Adversarial Dataset for Paraphrase Identification},
  booktitle = {Proceedings of the 2019 Conference on Empirical Methods in Natural Language Processing},
  year = {2019},
  eprint = {1908.11828},
  archiveprefix = {arXiv}
}
"""
LICENCE = "free use with attribution to Google"
PATTERN = rf"^paws-x/(sample/)?({'|'.join(LANGUAGES)})(/clean)?$"
RELEVANCE = {1: "the sentence itself in English, or a paraphrase of it", 0: "nearly the same words, another meaning"}
# These languages' files are known one by one (sentence1, sentence2, label); the others are in the publisher's archive.
_SINGLE_FILES = ("de", "fr", "ko")
_ARCHIVE = "paws-x-archive/x-final.tar.gz"
_HEADER = ["id", "sentence1", "sentence2", "label"]
_MISSING = "NS"
_WORDS = range(8, 41)
"""So many words have the sentences that stand in for adversaries; those of PAWS-X have 21 on average, and so have these."""


def ids() -> list[str]:
    """Those with adversaries: the questions of the others are the same."""
    return [*(f"paws-x/{lang}" for lang in LANGUAGES), *(f"paws-x/sample/{lang}" for lang in _SINGLE_FILES)]


class Row(NamedTuple):
    first: str
    second: str
    label: str


@dataclass(frozen=True)
class Task:
    docs: tuple[Doc, ...]
    queries: tuple[Query, ...]
    qrels: tuple[tuple[str, str, int], ...]


def read_rows(data: bytes, where: str) -> dict[str, Row]:
    """Rows by id, or by number where the file has no ids. Raises ``InvalidInput`` with all rows of another shape."""
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), delimiter="\t"))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{where} is not a TSV file in UTF-8: {error}") from error
    named = bool(rows) and rows[0] == _HEADER
    found: dict[str, Row] = {}
    findings = []
    for number, row in enumerate(rows[1:] if named else rows, 1):
        row_id, fields = (row[0], row[1:]) if named and row else (str(number), row)
        if len(fields) != 3 or fields[2] not in ("0", "1") or row_id in found:
            expected = "a new id, " * named + "two sentences and 0 or 1, between tabs"
            findings.append(Finding("error", f"{where}: row {number}", f"{row!r:.60}", expected))
        else:
            found[row_id] = Row(fields[0].strip(), fields[1].strip(), fields[2])
    if findings:
        raise InvalidInput(f"{where} is not in PAWS-X's format", findings[:50])
    return found


def make_task(asked: dict[str, Row], english: dict[str, Row], lang: str) -> Task:
    """The retrieval task of two files with parallel rows."""
    names: dict[str, str] = {}
    paraphrases: dict[str, set[str]] = defaultdict(set)
    adversaries: dict[str, set[str]] = defaultdict(set)
    for row_id, row in english.items():
        present = {"1": row.first, "2": row.second}
        for place, text in present.items():
            if text not in ("", _MISSING):
                names.setdefault(text, f"{row_id}.{place}")
        if not {row.first, row.second} & {"", _MISSING}:
            related = paraphrases if row.label == "1" else adversaries
            related[row.first].add(row.second)
            related[row.second].add(row.first)
    queries, qrels = [], []
    for row_id, row in asked.items():
        original = english.get(row_id)
        if original is None or original.label != row.label or {row.first, row.second} & {"", _MISSING}:
            continue
        relevant = {original.first} | paraphrases[original.first]
        others = adversaries[original.first] - relevant
        if original.first in names and others:
            queries.append(Query(row_id, row.first, lang, row_id))
            qrels += [(row_id, names[text], 1) for text in sorted(relevant)]
            qrels += [(row_id, names[text], 0) for text in sorted(others)]
    docs = tuple(Doc(doc_id, "", text) for text, doc_id in names.items())
    return Task(docs, tuple(queries), tuple(qrels))


def without_adversaries(task: Task, sentences: Iterable[str]) -> Task:
    """The task with as many of the sentences, drawn by their hashes, in place of the adversaries that no other query asks for.

    Raises ``InvalidInput`` where there are too few.
    """
    both = judged(task)
    gone = both[0] - both[1]
    known = {doc.text for doc in task.docs}
    others = Draws(0, "paws-x/clean", "").ordered((text for text in sentences if text not in known), "sentence")
    if len(others) < len(gone):
        raise InvalidInput(f"{len(others)} sentences cannot stand in for {len(gone)} adversaries")
    new = tuple(Doc(f"other.{digest_of(text)[:16]}", "", text) for text in others[: len(gone)])
    docs = (*(doc for doc in task.docs if doc.doc_id not in gone), *new)
    return Task(docs, task.queries, tuple(row for row in task.qrels if row[1] not in gone))


def judged(task: Task) -> tuple[set[str], set[str]]:
    """The sentences that are an adversary of some query, and those that are relevant to some."""
    zero, one = ({doc_id for _, doc_id, grade in task.qrels if grade == wanted} for wanted in (0, 1))
    return zero, one


def remarks_of(task: Task, clean: Task) -> list[Finding]:
    before, after = (judged(own)[0] for own in (task, clean))
    asked = {query_id for query_id, _, grade in clean.qrels if grade == 0}
    what = (
        f"{len(before) - len(after)} of {len(before)} adversaries are replaced; the others are relevant to other questions and "
        f"stay, so that {len(asked)} of {len(task.queries)} questions keep one"
    )
    return [Finding("warning", "paws-x/clean", what)] if after else []


@functools.cache
def _rows(lang: str, from_archive: bool) -> dict[str, Row]:
    if from_archive:
        name = f"{lang}/dev_2k.tsv"
        return read_rows(read_member(_ARCHIVE, name), f"{_ARCHIVE}:{name}")
    path = verified_path(f"paws-x/dev-{lang}.tsv")
    return read_rows(path.read_bytes(), str(path))


def rows_of(lang: str) -> dict[str, Row]:
    """The development rows of one of the languages that have a file of their own, or of English."""
    return _rows(lang, False)


@functools.cache
def task_of(lang: str) -> Task:
    from_archive = lang not in _SINGLE_FILES
    return make_task(_rows(lang, from_archive), _rows("en", from_archive), lang)


@functools.cache
def _docs(from_archive: bool) -> Docs:
    lang = next(lang for lang in LANGUAGES if (lang not in _SINGLE_FILES) == from_archive)
    return Docs(lambda: task_of(lang).docs, "en")


@functools.cache
def _clean(lang: str) -> Task:
    sentences = (text for doc in tydiqa_goldp.read("en").docs for text in sentences_of(doc.text))
    return without_adversaries(task_of(lang), (text for text in sentences if len(text.split()) in _WORDS))


def dataset(dataset_id: str, groups: tuple[str, ...]) -> Any:
    """Raises ``KeyError`` for a language that the sample does not have."""
    from harness.collections.paws_x import sample  # it draws from the tasks of this module

    drawn, lang, form = groups
    if drawn and lang not in sample.LANGUAGES:
        raise KeyError(dataset_id)
    if not drawn and not form:
        return Dataset(
            _docs(lang not in _SINGLE_FILES),
            Queries(lambda: task_of(lang).queries, lang),
            Qrels(lambda: task_of(lang).qrels, RELEVANCE),
        )

    def both() -> tuple[Task, Task]:
        return sample.tasks(lang) if drawn else (task_of(lang), _clean(lang))

    place = 1 if form else 0
    own = (
        Docs(lambda: both()[place].docs, "en"),
        Queries(lambda: both()[place].queries, lang),
        Qrels(lambda: both()[place].qrels, RELEVANCE),
    )
    return Dataset(Remarks(lambda: remarks_of(*both())), *own) if form else Dataset(*own)


def _generated() -> Path:
    return Path(__file__).with_name("generated.jsonl")


GENERATED = {"paws-x-sample": GeneratedTexts(_generated, _generated)}
