"""Any folder as a collection: ``folder:PATH`` with passages, questions, and optionally judgements and answers.

    docs.jsonl     {"doc_id": "d1", "title": "optional", "text": "..."}
    queries.jsonl  {"query_id": "q1", "text": "...", "lang": "optional", "topic": "optional"}
    qrels.txt      q1 0 d1 1                       (TREC: query, iteration, document, relevance)
    answers.jsonl  {"query_id": "q1", "answers": ["...", "..."]}

``xdr data export`` writes this form. ``folder(ar):PATH`` takes the queries of one language alone. Each file may be gzip, with
``.gz`` at the end of its name. BEIR's folders are read as well: corpus.jsonl, ``_id`` for both ids, and qrels/SPLIT.tsv; the
split is "test", the only one, or that of ``folder/dev:PATH``, and, as in BEIR, only its questions are asked.
"""

from __future__ import annotations

import functools
import heapq
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from harness.collections.editable import files_of
from harness.collections.formats.json_rows import id_of, object_of, text_of, texts_of
from harness.collections.formats.qrels import Judgement, read_qrels
from harness.collections.handlers import AnswerStrings, Dataset, Docs, Qrels, Queries
from harness.errors import Finding, InvalidInput, WrongUsage, reported
from harness.files.limits import COLLECTION_BYTES, FAULTS, LINE_BYTES
from harness.files.reading import decoded_lines, parse_json, read_lines
from harness.files.stamps import Look, look_at
from harness.languages import canonical_language
from harness.records import Answers, Doc, Query

PATTERN = r"^folder(?:/([A-Za-z0-9_.-]+))?(?:\(([^()]*)\))?:(.+)$"
BIBTEX = LICENCE = ""  # whose files they are knows that
_RELEVANCE = {0: "not relevant", 1: "relevant"}
_FILES = {
    "docs": ("docs.jsonl", "corpus.jsonl"),
    "queries": ("queries.jsonl",),
    "qrels": ("qrels.txt", "qrels.tsv"),
    "answers": ("answers.jsonl",),
}
_USUAL_SPLIT = "test"


def ids() -> list[str]:
    return []


class Folder:
    """The records of one folder, each file read and checked once, when it is first asked for.

    ``split``: which of the files in ``qrels/`` is meant; the empty text for the only one, or "test". ``look``: the files when
    it was made.
    """

    def __init__(self, path: Path, split: str = "") -> None:
        if not path.is_dir():
            raise WrongUsage(f"{path} is not a folder")
        self.path = path
        self.look = Look((), 0)
        self._split = split

    def file(self, kind: str) -> Path | None:
        """The file of a kind of records. Raises ``InvalidInput`` where there are two, ``WrongUsage`` for an unknown split."""
        if kind == "qrels" and self.has_splits:
            return self._split_file()
        names = [f"{name}{ending}" for name in _FILES[kind] for ending in ("", ".gz")]
        found = [self.path / name for name in names if (self.path / name).is_file()]
        if len(found) > 1:
            raise InvalidInput(
                f"{self.path} has {found[0].name} and {found[1].name}, which of them is meant nobody can tell; remove one"
            )
        return found[0] if found else None

    @property
    def has_splits(self) -> bool:
        return (self.path / "qrels").is_dir()

    def _split_file(self) -> Path:
        files = {
            path.name.removesuffix(".gz").removesuffix(".tsv"): path
            for path in sorted((self.path / "qrels").iterdir())
            if path.name.removesuffix(".gz").endswith(".tsv")
        }
        wanted = self._split or (_USUAL_SPLIT if len(files) != 1 else next(iter(files)))
        if wanted not in files:
            has = ", ".join(files) or "no SPLIT.tsv at all"
            raise WrongUsage(f"{self.path / 'qrels'} has no {wanted}.tsv; it has {has} (folder/SPLIT:PATH names one)")
        return files[wanted]

    def _required(self, kind: str) -> Path:
        return self.file(kind) or self.path / _FILES[kind][0]

    @functools.cached_property
    def docs(self) -> list[Doc]:
        return read_records(self._required("docs"), doc_of, lambda doc: doc.doc_id)

    @functools.cached_property
    def docs_handler(self) -> Docs:
        """The same for all languages: passages are shared by whoever has one handler of them."""
        return Docs(lambda: self.docs, None)

    @functools.cached_property
    def queries(self) -> list[Query]:
        """The questions that are asked: all; in a folder with splits those that the split judges, as far as any is."""
        if not self.has_splits:
            return self.all_queries
        judged = {query_id for query_id, _, _ in self.qrels}
        return [query for query in self.all_queries if query.query_id in judged] or self.all_queries

    @functools.cached_property
    def all_queries(self) -> list[Query]:
        return read_records(self._required("queries"), query_of, lambda query: query.query_id)

    @functools.cached_property
    def answers(self) -> list[Answers]:
        return read_records(self._required("answers"), answers_of, lambda answers: answers.query_id)

    @functools.cached_property
    def qrels(self) -> list[Judgement]:
        return read_qrels(self._required("qrels"))

    def queries_in(self, lang: str) -> list[Query]:
        """The questions in one language. Raises ``InvalidInput`` where there are none."""
        found = self._queries_by_lang.get(lang)
        if not found:
            counts = Counter(query.lang or "no language that is said" for query in self.queries)
            have = ", ".join(f"{name} ({count})" for name, count in sorted(counts.items())) or "none at all"
            raise InvalidInput(
                f"{self._required('queries')} has no question in {lang!r}; it has questions in: {have}. Questions that do not "
                'say their "lang" are asked by folder:PATH, in the language of the part'
            )
        return found

    @functools.cached_property
    def _queries_by_lang(self) -> dict[str, list[Query]]:
        found: dict[str, list[Query]] = {}
        for query in self.queries:
            found.setdefault(query.lang, []).append(query)
        return found

    def qrels_of(self, lang: str) -> Iterator[Judgement]:
        """The judgements of the questions in one language, or of all that are asked where it is empty. See ``_said_of``."""
        return _said_of(self._qrels_by_lang, lang)

    def answers_of(self, lang: str) -> Iterator[Answers]:
        return _said_of(self._answers_by_lang, lang)

    @functools.cached_property
    def _qrels_by_lang(self) -> _ByLang[Judgement]:
        return self._by_lang(self.qrels, lambda row: row[0])

    @functools.cached_property
    def _answers_by_lang(self) -> _ByLang[Answers]:
        return self._by_lang(self.answers, lambda row: row.query_id)

    def _by_lang(self, rows: Sequence[Said], query_of: Callable[[Said], str]) -> _ByLang[Said]:
        """Rows with their places by the language of their questions, looked through once for all languages.

        Those of questions that the folder does not have stand under None, those of questions that its split does not ask
        nowhere.
        """
        asked = {query.query_id: query.lang for query in self.queries}
        others = {query.query_id for query in self.all_queries} - asked.keys()
        found: _ByLang[Said] = {}
        for place, row in enumerate(rows):
            if (query_id := query_of(row)) not in others:
                found.setdefault(asked.get(query_id), []).append((place, row))
        return found


Said = TypeVar("Said")
_ByLang: TypeAlias = "dict[str | None, list[tuple[int, Said]]]"


def _said_of(rows: _ByLang[Said], lang: str) -> Iterator[Said]:
    """In the order of the file; with what is said of questions that there are not: whoever loads the dataset counts it."""
    chosen = [rows.get(lang, []), rows.get(None, [])] if lang else list(rows.values())
    return (row for _, row in heapq.merge(*chosen, key=lambda placed: placed[0]))


def read_records(path: Path, parse: Callable[[dict[str, Any]], Any], key: Callable[[Any], str]) -> list[Any]:
    """Parse every line, noting all faults; ids must be new, free of white space, and not empty."""
    records: list[Any] = []
    findings: list[Finding] = []
    first_line: dict[str, int] = {}
    for number, line in decoded_lines(read_lines(path, COLLECTION_BYTES, LINE_BYTES), str(path)):
        place = f"{path}:{number}"
        if len(findings) == FAULTS:
            break
        try:
            record = parse(object_of(parse_json(line)))
        except (ValueError, TypeError) as error:
            findings.append(Finding("error", place, str(error) or "not JSON"))
            continue
        name = key(record)
        if not name or name.split() != [name]:
            findings.append(Finding("error", place, f"id {name!r:.80}", "an id without white space, as TREC runs need"))
        elif name in first_line:
            findings.append(
                Finding("error", place, f"id {name!r:.80} stands in line {first_line[name]} too", "unique ids")
            )
        first_line.setdefault(name, number)
        records.append(record)
    if findings:
        raise InvalidInput(f"{path} is invalid", reported(findings, str(path)))
    return records


def doc_of(row: Mapping[str, Any]) -> Doc:
    return Doc(id_of(row, "doc_id", "_id"), text_of(row, "title", ""), text_of(row, "text"))


def query_of(row: Mapping[str, Any]) -> Query:
    query_id = id_of(row, "query_id", "_id")
    lang = text_of(row, "lang", "")
    topic = query_id if row.get("topic") is None else id_of(row, "topic")
    return Query(query_id, text_of(row, "text"), canonical_language(lang) if lang else "", topic)


def answers_of(row: Mapping[str, Any]) -> Answers:
    return Answers(id_of(row, "query_id", "_id"), texts_of(row, "answers"))


def dataset_of(folder: Folder, lang: str = "") -> Any:
    """An ir_datasets dataset of a folder, of the queries in one language or of all."""
    return Dataset(
        folder.docs_handler if folder.file("docs") else None,
        Queries(lambda: folder.queries_in(lang) if lang else folder.queries, lang or None),
        Qrels(lambda: folder.qrels_of(lang), _RELEVANCE) if folder.file("qrels") else None,
        AnswerStrings(lambda: folder.answers_of(lang)) if folder.file("answers") else None,
    )


def language_in(dataset_id: str, tag: str | None) -> str:
    """The language that an id names in brackets, in canonical form. Raises ``WrongUsage`` for what is no tag."""
    try:
        return canonical_language(tag) if tag is not None else ""
    except ValueError as error:
        raise WrongUsage(f"{dataset_id}: {error}") from None


def dataset(dataset_id: str, groups: tuple[str, ...]) -> Any:
    split, tag, path = groups
    return dataset_of(_shared(Path(path), split or ""), language_in(dataset_id, tag))


def _shared(path: Path, split: str) -> Folder:
    """The folder of all languages that are asked of it: as long as its files are the same, they are read once."""
    look = look_at(files_of(path))
    known = _known.get((path, split))
    if known is None or not known.look.holds(look):
        known = _known[path, split] = Folder(path, split)
        known.look = look
    return known


_known: weakref.WeakValueDictionary[tuple[Path, str], Folder] = weakref.WeakValueDictionary()
