"""Collections by name, of files, and of records at hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.api.forms import is_frame, is_path, made, path_of, rows_of, whole_number, with_usual_names
from harness.collections.formats.folder import answers_of, doc_of, query_of, read_records
from harness.collections.formats.json_rows import id_of
from harness.collections.formats.qrels import read_qrels
from harness.collections.in_memory import collection_of, record_faults
from harness.collections.view import Collection, Docs, load
from harness.errors import Finding, InvalidInput, reported
from harness.languages import canonical_language
from harness.records import Doc, Passages, Query

Qrels = dict[str, dict[str, int]]
Answers = dict[str, tuple[str, ...]]


def load_collection(name: Any) -> Collection:
    """A collection by its name, or of a folder by its path.

    Parameters
    ----------
    name
        The id of any dataset that ``ir_datasets`` knows, this project's included (``"xdr-mini/fi"``, ``"miracl/sw/dev"``; ``xdr
        list collections`` names ours), or ``"folder:PATH"``, ``"squad:PATH"``; a ``pathlib.Path`` is a folder in the form that
        ``xdr data export`` writes, or in BEIR's.

    Raises
    ------
    WrongUsage
        When there is no dataset of that name.
    InvalidInput
        When its files are invalid, or not to be had. Records are read when they are first asked for, so this may come
        later.
    """
    return load(name if isinstance(name, str) else f"folder:{path_of(name)}")


def make_collection(
    docs: Any,
    queries: Any,
    qrels: Any = None,
    answers: Any = None,
    *,
    lang: str = "",
    name: str = "in-memory",
) -> Collection:
    """A collection of what is at hand. Each argument may be the path of a file as well.

    Parameters
    ----------
    docs
        Passages: ``{doc_id: text}``, ``{doc_id: {"title": ..., "text": ...}}`` as BEIR has them, a pandas frame with columns
        ``doc_id``, ``text`` and perhaps ``title``, records with such fields (mappings, named tuples of ``ir_datasets``), or
        the path of a ``docs.jsonl``.
    queries
        Questions: ``{query_id: text}``, a frame or records with ``query_id``, ``text`` and perhaps ``lang`` and ``topic``
        (shared by the versions of one question in several languages; the query's own id by default), or the path of a
        ``queries.jsonl``.
    qrels
        Judgements: ``{query_id: {doc_id: relevance}}``, a frame or records with ``query_id``, ``doc_id``, ``relevance`` (such
        as those of ``ir_measures.read_trec_qrels``), or the path of a file.
    answers
        Accepted answer strings for R@kt and AnswerRecall@k: ``{query_id: [text, ...]}``, a frame or records with ``query_id``
        and ``answers``, or the path of an ``answers.jsonl``.
    lang
        The language of questions that do not say theirs, as a BCP 47 tag.
    name
        What it is called in messages and tables.

    Raises
    ------
    InvalidInput
        With everything in the arguments that is invalid, in one report.
    """
    faults: list[Finding] = []
    tag = _language(lang, faults)
    passages = passages_of(docs, faults)
    asked = [query if query.lang else query._replace(lang=tag) for query in queries_of(queries, faults)]
    judgements = None if qrels is None else qrels_of(qrels, faults)
    accepted = None if answers is None else accepted_of(answers, faults)
    raise_all(faults, f"collection {name} is invalid", name)
    return collection_of(passages, asked, qrels=judgements, answers=accepted, name=name)


def raise_all(faults: list[Finding], message: str, where: str) -> None:
    """Raise ``InvalidInput`` where there are any."""
    if faults:
        raise InvalidInput(message, reported(faults, where))


def qrels_of(qrels: Any, faults: list[Finding]) -> Qrels:
    """Grades by query and document; what is invalid goes to ``faults``."""
    if is_path(qrels):
        rows: Iterable[tuple[str, Any]] = (
            ("", {"query_id": query_id, "doc_id": doc_id, "relevance": grade})
            for query_id, doc_id, grade in read_qrels(path_of(qrels))
        )
    elif isinstance(qrels, Mapping):
        rows = _nested(qrels, "qrels", "relevance", faults)
    else:
        rows = rows_of(qrels, "qrels", faults)
    found: Qrels = {}
    for query_id, doc_id, grade in made(rows, _judgement, faults):
        if doc_id in found.setdefault(query_id, {}):
            faults.append(Finding("error", "qrels", f"a second judgement of {query_id} {doc_id}", "one"))
        found[query_id][doc_id] = grade
    return found


def accepted_of(answers: Any, faults: list[Finding]) -> Answers:
    """Answers by query; what is invalid goes to ``faults``."""
    if is_path(answers):
        return {
            row.query_id: row.answers for row in read_records(path_of(answers), answers_of, lambda row: row.query_id)
        }
    if isinstance(answers, Mapping):
        rows: Iterable[tuple[str, Any]] = (
            (f"answers[{query_id!r:.80}]", {"query_id": query_id, "answers": own}) for query_id, own in answers.items()
        )
    else:
        rows = rows_of(answers, "answers", faults)
    return {row.query_id: row.answers for row in made(rows, lambda row: answers_of(_with_list(row)), faults)}


def passages_of(docs: Any, faults: list[Finding]) -> Passages:
    """Passages as they are, or of any form that ``make_collection`` takes; what is invalid goes to ``faults``."""
    if not is_frame(docs) and isinstance(getattr(docs, "digest", None), str):
        passages: Passages = docs
        return passages
    found = _docs_of(docs, faults)
    faults += record_faults("passage", found)
    return Docs(found)


def _docs_of(docs: Any, faults: list[Finding]) -> list[Doc]:
    if is_path(docs):
        return read_records(path_of(docs), doc_of, lambda doc: doc.doc_id)
    if isinstance(docs, Mapping):
        return list(made(_by_id(docs, "docs", "doc_id"), doc_of, faults))
    rows = rows_of(docs, "docs", faults)
    return list(made(rows, lambda row: doc_of(with_usual_names(row, "doc_id", "text")), faults))


def queries_of(queries: Any, faults: list[Finding]) -> list[Query]:
    """Queries of any form that ``make_collection`` takes; what is invalid goes to ``faults``."""
    if is_path(queries):
        return read_records(path_of(queries), query_of, lambda query: query.query_id)
    if isinstance(queries, Mapping):
        found = list(made(_by_id(queries, "queries", "query_id"), query_of, faults))
    else:
        rows = rows_of(queries, "queries", faults)
        found = list(made(rows, lambda row: query_of(with_usual_names(row, "query_id", "text")), faults))
    faults += record_faults("query", found)
    return found


def _by_id(values: Mapping[Any, Any], what: str, key: str) -> Iterable[tuple[str, Any]]:
    for own_id, value in values.items():
        row = value if isinstance(value, Mapping) else {"text": value}
        yield f"{what}[{own_id!r:.80}]", {**row, key: own_id}


def _nested(values: Mapping[Any, Any], what: str, key: str, faults: list[Finding]) -> Iterable[tuple[str, Any]]:
    """Rows of ``{query_id: {doc_id: value}}``."""
    for query_id, own in values.items():
        if not isinstance(own, Mapping):
            place, expected = f"{what}[{query_id!r:.80}]", "{document id: grade}"
            faults.append(Finding("error", place, f"type {type(own).__name__}", expected))
            continue
        for doc_id, value in own.items():
            place = f"{what}[{query_id!r:.80}][{doc_id!r:.80}]"
            yield place, {"query_id": query_id, "doc_id": doc_id, key: value}


def _judgement(row: Mapping[str, Any]) -> tuple[str, str, int]:
    usual = with_usual_names(row, "query_id", "doc_id", "relevance")
    grade = whole_number(usual.get("relevance"), "relevance")
    return id_of(usual, "query_id"), id_of(usual, "doc_id"), grade


def _with_list(row: Mapping[str, Any]) -> dict[str, Any]:
    """A tuple or an array of texts is as good as a list; a single text is not."""
    usual = with_usual_names(row, "query_id")
    texts = usual.get("answers")
    return usual if texts is None or isinstance(texts, str | bytes) else {**usual, "answers": list(texts)}


def _language(lang: str, faults: list[Finding]) -> str:
    try:
        return canonical_language(lang) if lang else ""
    except ValueError as error:
        faults.append(Finding("error", "lang", str(error)))
        return ""
