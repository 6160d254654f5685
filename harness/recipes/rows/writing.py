"""Writing of row files, whole or not at all, so that Tevatron's loader reads them.

It reads lines by way of Arrow, which takes columns and their types from the first lines: scores are always written as
fractions, ids as texts. A title is always written, since its loader adds it to a text without asking whether it is null.
"""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

from harness.errors import InvalidInput, WrongUsage
from harness.files.writing import atomic_write
from harness.recipes.rows.record import Passage, Row


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write rows with their passages to NAME.jsonl or NAME.jsonl.gz; the same rows give the same bytes. Returns how many.

    Raises ``WrongUsage`` for another name, ``InvalidInput`` where nothing can be written.
    """
    count = 0
    with _lines_to(path) as file:
        for row in rows:
            passages = {
                "positive_passages": [_as_json(passage) for passage in row.positives],
                "negative_passages": [_as_json(passage) for passage in row.negatives],
            }
            file.write(_line({"query_id": row.query_id, "query": row.query} | passages | _own(row)))
            count += 1
    return count


def write_rows_by_id(path: Path, corpus: Path, rows: Iterable[Row]) -> int:
    """Write rows that name their passages by id, and every passage once into ``corpus``; otherwise as ``write_rows``.

    The scores of passages, where there are any, are ``positive_scores`` and ``negative_scores``, which Tevatron does not know.
    Raises ``InvalidInput`` where two rows have different passages of one id.
    """
    count = 0
    known: dict[str, Passage] = {}
    with _lines_to(path) as file, _lines_to(corpus) as passages:
        for row in rows:
            for passage in row.passages:
                plain = passage._replace(score=None)
                if known.setdefault(plain.docid, plain) != plain:
                    raise InvalidInput(
                        f"two different passages have the id {plain.docid!r:.80}; a corpus has one of each"
                    )
            ids: dict[str, Any] = {}
            for side, own in (("positive", row.positives), ("negative", row.negatives)):
                ids[f"{side}_document_ids"] = [passage.docid for passage in own]
                if any(passage.score is not None for passage in own):
                    ids[f"{side}_scores"] = [passage.score for passage in own]
            file.write(_line({"query_id": row.query_id, "query_text": row.query} | ids | _own(row)))
            count += 1
        for passage in known.values():
            passages.write(_line(_as_json(passage)))
    return count


def check_name(path: Path) -> None:
    """Raises ``WrongUsage`` for a name that does not say what the file is."""
    if not path.name.endswith((".jsonl", ".jsonl.gz")):
        raise WrongUsage(f"{path}: rows are written to NAME.jsonl or NAME.jsonl.gz")


def _own(row: Row) -> dict[str, Any]:
    """Empty ones are written as well: Arrow's columns are those of the first lines."""
    own: dict[str, Any] = {"lang": row.lang, "source": row.source, "label": row.label, "query_en": row.query_en}
    return own | ({"answers": list(row.answers)} if row.answers else {})


def _as_json(passage: Passage) -> dict[str, Any]:
    own: dict[str, Any] = {"docid": passage.docid, "title": passage.title, "text": passage.text}
    return own if passage.score is None else own | {"score": float(passage.score)}


def _line(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n").encode()


@contextlib.contextmanager
def _lines_to(path: Path) -> Iterator[IO[bytes]]:
    check_name(path)
    with atomic_write(path) as file:
        if path.suffix != ".gz":
            yield file
            return
        # Without a time stamp or a name, so that equal rows give equal bytes.
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as stream:
            yield cast(IO[bytes], stream)
