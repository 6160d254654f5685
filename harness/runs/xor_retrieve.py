"""The prediction file of XOR-Retrieve, as the official evaluation script and leaderboard take it.

A JSON list of ``{"id": question id, "lang": its language, "ctxs": [passage text, in rank order]}`` (AkariAsai/XORQA at
c894f529b3, evals/eval_xor_retrieve.py). The passages are text alone: the official pipeline writes no titles, and they
would use up tokens of the budget.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.collections.view import Collection
from harness.errors import Finding, InvalidInput
from harness.files.findings import Findings
from harness.files.limits import TEXT_BYTES
from harness.files.reading import NotText, parse_json, read_bytes
from harness.files.writing import atomic_write
from harness.records import Query
from harness.runs.run_folder import RunFolder
from harness.runs.score import expected_of
from harness.runs.trec import Run
from harness.tracks import Track


@dataclass(frozen=True)
class Prediction:
    """One question's passages, best first."""

    query_id: str
    lang: str
    passages: tuple[str, ...]


@dataclass(frozen=True)
class RankedPart:
    """One part to be written: its questions and passages, its run, the language for questions that name none."""

    collection: Collection
    run: Run
    lang: str
    depth: int


def export_predictions(folder: RunFolder, target: Path) -> int:
    """Write a system's run to ``target``; returns the number of questions.

    Parts that the card declares but that were not run are written without passages: they count 0 in our scores too.
    Raises ``InvalidInput`` when the run is not valid, or is of other data than the track has today.
    """
    track, manifest = folder.track, folder.manifest
    folder.check_definition()

    def parts() -> Iterator[RankedPart]:
        for part in folder.scored_parts:
            collection, run = part.collection, Run(manifest.tag, {})
            if part.name in manifest.data:
                run, _ = folder.parse(part.name, expected_of(collection, track))
            yield RankedPart(collection, run, part.lang, track.depth)

    return write_predictions(target, parts())


def export_questions(track: Track, target: Path) -> int:
    """Write the track's questions with answers as the official script reads them; returns their number.

    One JSON object a line, with the keys of ``xor_dev_retrieve_eng_span_v1_1.jsonl``. Questions without any answer are left
    out: no procedure scores them. Raises ``InvalidInput`` when a question id stands in two parts, as for predictions.
    """
    written: set[str] = set()
    with atomic_write(target) as file:
        for part in track.parts:
            collection = part.collection
            for query in collection.queries:
                answers = (collection.answers or {}).get(query.query_id, ())
                if not answers:
                    continue
                _check_new(query.query_id, written)
                lang = query.lang or part.lang
                row = {
                    "id": query.query_id,
                    "question": query.text,
                    "lang": lang,
                    "answers": list(answers),
                    "split": "dev",
                }
                file.write(json.dumps(row).encode("ascii") + b"\n")
    return len(written)


def _check_new(query_id: str, written: set[str]) -> None:
    if query_id in written:
        finding = Finding("error", f"question {query_id}", "is a duplicate", "ids of their own")
        raise InvalidInput("the official files cannot hold parts that share question ids", [finding])
    written.add(query_id)


def write_predictions(path: Path, parts: Iterable[RankedPart]) -> int:
    """Write the parts, one question a line, atomically; returns the number of questions.

    A question that is missing from its run is written without passages, so that the official script counts a miss, as
    we do; it would forget a question that is left out. Passages stand in the fixed order of ``harness.runs.trec``, cut at
    the part's depth, as our measures see them. One part is held in memory at a time. Raises ``InvalidInput`` when a
    question id stands in two parts (parallel collections): the official script knows questions by their id alone.
    """
    written: set[str] = set()
    with atomic_write(path) as file:
        for prediction in (prediction for part in parts for prediction in predictions_of(part)):
            first = not written
            _check_new(prediction.query_id, written)
            entry = {"id": prediction.query_id, "lang": prediction.lang, "ctxs": list(prediction.passages)}
            # ASCII, because the official script opens the file in whatever encoding its user's locale has.
            file.write(("[\n" if first else ",\n").encode() + json.dumps(entry).encode("ascii"))
        file.write(b"\n]\n" if written else b"[]\n")
    return len(written)


def predictions_of(part: RankedPart) -> Iterator[Prediction]:
    """The part's questions in their own order, each with the text of its passages."""
    docs = part.collection.docs
    for query in part.collection.queries:
        ranked = part.run.rankings.get(query.query_id)
        doc_ids = ranked.doc_ids[: part.depth] if ranked is not None else ()
        yield Prediction(query.query_id, query.lang or part.lang, tuple(docs.get(doc_id).text for doc_id in doc_ids))


def read_predictions(
    path: Path, queries: Sequence[Query] | None = None
) -> tuple[tuple[Prediction, ...], list[Finding]]:
    """Read a prediction file, plain or gzip, and validate it, against ``queries`` where they are given.

    Returns the predictions in the order of the file, and warnings: questions without an entry (the official script
    forgets them). Raises ``InvalidInput`` with all findings when there is any error: not UTF-8, not a JSON list, keys
    missing or of the wrong type, a question twice, an unknown question, a language that is not the question's (the
    official script groups by the file's languages). Keys besides ``id``, ``lang`` and ``ctxs`` are ignored, as there.
    """
    findings = Findings(path.name)
    known = None if queries is None else {query.query_id: query for query in queries}
    predictions: dict[str, Prediction] = {}
    for number, entry in enumerate(_entries(path, findings), 1):
        prediction = _checked(number, entry, findings)
        if prediction is None:
            continue
        query_id = prediction.query_id
        if query_id in predictions:
            what = f"entry {number}: question {query_id!r} is a duplicate"
            findings.add("error", 0, "duplicate", what, "one entry each")
        if known is not None:
            _check_against(number, prediction, known.get(query_id), findings)
        predictions[query_id] = prediction
    missing = [query_id for query_id in known or () if query_id not in predictions]
    if missing:
        what = f"{len(missing)} of {len(known or ())} questions have no entry (first: {missing[0]})"
        hint = "the official script leaves them out of its averages; here they score 0"
        findings.add("warning", 0, "missing questions", what, "an entry for each", hint)
    if findings.has_errors:
        raise InvalidInput(f"{path} is not a valid prediction file", findings.result())
    return tuple(predictions.values()), findings.result()


def _entries(path: Path, findings: Findings) -> list[Any]:
    shape = 'a JSON list of {"id": ..., "lang": ..., "ctxs": [passage texts]}'
    try:
        content = parse_json(read_bytes(path, TEXT_BYTES))
    except NotText as error:
        findings.add("error", 0, "encoding", error.at(0), "UTF-8", error.hint)
        return []
    except json.JSONDecodeError as error:
        hint = "put the lines into one list, with commas between them" if error.msg == "Extra data" else ""
        findings.add("error", error.lineno, "JSON", f"not JSON: {error.msg} (column {error.colno})", shape, hint)
        return []
    except ValueError as error:
        findings.add("error", 0, "JSON", f"not JSON that can be read: {error}", shape)
        return []
    if not isinstance(content, list):
        findings.add("error", 0, "shape", f"{_kind(content)} in JSON", shape)
        return []
    if not content:
        findings.add("error", 0, "empty", "no entries", shape)
    return content


def _checked(number: int, entry: Any, findings: Findings) -> Prediction | None:
    """The entry as a prediction, or None after all that is wrong with it has been noted."""
    if not isinstance(entry, dict):
        findings.add("error", 0, "entry", f"entry {number} is {_kind(entry)}", "an object with id, lang and ctxs")
        return None
    faults = []
    for key, kind in (("id", str), ("lang", str), ("ctxs", list)):
        expected = "a list of strings" if kind is list else "a string"
        if key not in entry:
            faults.append((f"{key!r} is missing", expected, ""))
        elif not isinstance(entry[key], kind):
            faults.append((f"{key!r} is {_kind(entry[key])}", expected, ""))
    passages = entry.get("ctxs")
    if isinstance(passages, list):
        for place, passage in enumerate(passages, 1):
            if not isinstance(passage, str):
                hint = "give the passage's text alone" if isinstance(passage, dict) else ""
                faults.append((f"passage {place} of 'ctxs' is {_kind(passage)}", "a string", hint))
                break  # the others are most probably the same
    for what, expected, hint in faults:
        findings.add("error", 0, "entry", f"entry {number}: {what}", expected, hint)
    return None if faults else Prediction(entry["id"], entry["lang"], tuple(entry["ctxs"]))


def _check_against(number: int, prediction: Prediction, query: Query | None, findings: Findings) -> None:
    if query is None:
        what = f"entry {number}: unknown question {prediction.query_id!r}"
        findings.add("error", 0, "unknown question", what, "ids of the collection's questions")
    elif query.lang and query.lang != prediction.lang:
        what = f"entry {number}: question {prediction.query_id!r} has the language {prediction.lang!r}"
        findings.add("error", 0, "language", what, repr(query.lang))


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
