"""Runs as people have them at hand, checked as files are: everything that is invalid in one report."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.api.forms import is_frame, is_path, number, path_of, rows_of, with_usual_names
from harness.collections.formats.json_rows import id_of
from harness.errors import Finding, InvalidInput, reported
from harness.runs.trec import Expected, Run, checked_run, read_run

ANY_DEPTH = sys.maxsize
"""Where nobody said how deep a ranking should be."""

Pair = tuple[str, Any]
"""A document and its score, which is checked later."""


def run_of(run: Any, name: str, expected: Expected) -> tuple[Run, list[Finding]]:
    """A run in any of the forms that ``score`` takes, and its warnings. Raises ``InvalidInput`` as ``read_run`` does."""
    if is_path(run):
        return read_run(path_of(run), expected)
    if isinstance(run, Run):
        run = {query_id: dict(zip(*ranked, strict=True)) for query_id, ranked in run.rankings.items()}
    faults: list[Finding] = []
    pairs: dict[str, list[tuple[str, float]]] = {}
    for place, query_id, found in _rankings(run, name, faults):
        try:
            own = pairs.setdefault(id_of({"query_id": query_id}, "query_id"), [])
            own += [(id_of({"doc_id": doc_id}, "doc_id"), number(score, "score")) for doc_id, score in found]
        except (TypeError, ValueError) as error:
            faults.append(Finding("error", place, str(error)))
    if faults:
        raise InvalidInput(f"{name} is not a valid run", reported(faults, name))
    return checked_run(pairs, name, expected)


def _rankings(run: Any, name: str, faults: list[Finding]) -> Iterator[tuple[str, Any, Iterable[Pair]]]:
    """Query by query, with the place in words; a query may come several times, a document at a time."""
    if isinstance(run, Mapping):
        for query_id, found in run.items():
            place = f"{name}[{query_id!r:.80}]"
            pairs = _pairs(found)
            if pairs is None:
                expected = "{document id: score}, or a list of document ids, best first"
                faults.append(Finding("error", place, f"type {type(found).__name__}", expected))
            else:
                yield place, query_id, pairs
        return
    if not is_frame(run) and isinstance(run, Iterable):
        run = list(run)
        if run and all(hasattr(item, "doc_ids") and hasattr(item, "scores") for item in run):
            for item in run:  # what a system's search yields
                yield f"query {item.query_id}", item.query_id, zip(item.doc_ids, item.scores, strict=True)
            return
    for place, row in rows_of(run, name, faults):
        usual = with_usual_names({key: row[key] for key in row if key != "score"}, "query_id", "doc_id")
        missing = [key for key in ("query_id", "doc_id") if key not in usual] + ["score"] * ("score" not in row)
        if missing:
            faults.append(Finding("error", place, f"no {', '.join(missing)}", "query_id, doc_id and score"))
            if is_frame(run):
                return  # every row lacks the column
        else:
            yield place, usual["query_id"], [(usual["doc_id"], row["score"])]


def _pairs(found: Any) -> Iterable[Pair] | None:
    """Documents with scores, of a mapping, a list of pairs or of hits; of a list of ids, whose order is the ranking."""
    if isinstance(found, Mapping):
        return found.items()
    if isinstance(found, str | bytes) or not isinstance(found, Iterable):
        return None
    items = list(found)
    if all(hasattr(item, "doc_id") and hasattr(item, "score") for item in items):
        return [(item.doc_id, item.score) for item in items]
    if all(isinstance(item, tuple | list) and len(item) == 2 for item in items):
        return [(item[0], item[1]) for item in items]
    return [(item, len(items) - place) for place, item in enumerate(items)]
