"""The score file: per-query scores of one system in Parquet, tidy, with all that its numbers depend on."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any, cast

import numpy as np

from harness.errors import InvalidInput, WrongUsage
from harness.files.limits import SCORE_BYTES, SCORE_ROWS
from harness.files.migrations import CURRENT, migrated
from harness.files.reading import check_regular, parse_json
from harness.files.writing import atomic_write
from harness.files.yaml_records import canonical_json
from harness.runs.per_query import (
    PartUnits,
    PerQuery,
    QueryIds,
    UnitsByQuery,
    part_units,
    per_query,
    query_ids,
    units_by_query,
)

SCHEMA_VERSION = CURRENT["scores"]
FILE_NAME = "scores.parquet"
_ROWS_AT_ONCE = 1 << 14
COLUMNS = ("part", "lang", "query_id", "topic", "unit", "measure", "value")


@dataclass(frozen=True)
class ScoreFile:
    """Scores of one system: ``values[part, measure]`` is {query id: value}; ``context`` is what they depend on.

    ``units`` gives for every (part, query id) the topic and the unit that tests flip as one. ``corrected`` says what was
    wrong with the file that lay beside the run, where there was one with other numbers. Mappings that
    ``values`` and ``units`` are given as are kept as arrays over ids that all systems share (``per_query.py``).
    """

    system: str
    values: Mapping[tuple[str, str], Mapping[str, float]]
    units: Mapping[tuple[str, str], tuple[str, str]]
    langs: Mapping[str, str]
    context: Mapping[str, Any]
    corrected: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", {key: per_query(own) for key, own in self.values.items()})
        object.__setattr__(self, "units", units_by_query(self.units))

    def scored(self, part: str, measure: str) -> PerQuery | None:
        """The values of a part; None where it has none."""
        found = self.values.get((part, measure))
        return cast("PerQuery", found) if found else None

    def named(self, part: str, queries: QueryIds) -> PartUnits:
        """Topics and units of these queries of a part, in their order. Raises ``KeyError`` where one of them has none."""
        return cast("UnitsByQuery", self.units).parts[part].of(queries)

    @property
    def parts(self) -> list[str]:
        return list(self.langs)

    @property
    def judged(self) -> Mapping[str, Mapping[str, float]]:
        """By part, the means of Judged@k for the cutoffs of the measures from qrels."""
        return dict(self.context.get("judged", {}))

    @property
    def notes(self) -> list[str]:
        """What was found in the runs, those of one kind told together; part by part in files of earlier versions."""
        if "notes" in self.context:
            return list(self.context["notes"])
        return [f"{part}: {text}" for part, texts in self.context["warnings"].items() for text in texts]

    @property
    def lacking(self) -> Mapping[str, str]:
        """By part that the run was never asked, since the track got it, or changed it, later: why."""
        return dict(self.context.get("lacking", {}))

    def mean(self, part: str, measure: str) -> float | None:
        values = self.scored(part, measure)
        return None if values is None else float(np.mean(values.array))

    def macro(self, parts: Sequence[str], measure: str) -> float | None:
        """Mean over the parts; a dash, not an average over what happened to be there, when one of them is missing."""
        means = [self.mean(part, measure) for part in parts]
        complete = [value for value in means if value is not None]
        return math.fsum(complete) / len(complete) if complete and len(complete) == len(means) else None


def write_scores(path: Path, scores: ScoreFile) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: list[list[Any]] = [[] for _ in COLUMNS]
    for part, measure in scores.values:
        if (values := scores.scored(part, measure)) is None:
            continue
        named, count = scores.named(part, values.queries), len(values)
        same = ([part] * count, [scores.langs[part]] * count, [measure] * count)
        added = (*same[:2], values.queries.ids, named.topics, named.units, same[2], values.array.tolist())
        for column, more in zip(columns, added, strict=True):
            column.extend(more)
    text = pa.dictionary(pa.int32(), pa.string())
    arrays = [pa.array(column, pa.string()).cast(text) for column in columns[:-1]]
    table = pa.table([*arrays, pa.array(columns[-1], pa.float64())], names=list(COLUMNS))
    context = {**scores.context, "rows": _digest_of_rows(columns)}
    table = table.replace_schema_metadata({"xdr": json.dumps(context, sort_keys=True, ensure_ascii=False)})
    with atomic_write(path) as file:
        pq.write_table(table, file, compression="zstd", write_statistics=False)


def read_scores(path: Path) -> ScoreFile:
    """Raises ``InvalidInput`` when the file is not a score file of this schema version."""
    import pyarrow as pa

    try:
        check_regular(path)
        columns, context = _read_columns(path)
        recorded_rows = context.pop("rows")
    except (WrongUsage, OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise InvalidInput(f"{path} is not a score file; score the run again") from error
    context = {"judged": {}, **migrated("scores", context, str(path))}
    missing = [name for name, kind in _CONTEXT.items() if not isinstance(context.get(name), kind)]
    if missing:
        raise InvalidInput(f"{path} is not a score file (it lacks {', '.join(missing)}); score the run again")
    if _digest_of_rows(columns) != recorded_rows:
        raise InvalidInput(f"{path} is not as it was written; score the run again")
    values, units, langs = _gathered(columns)
    # A part without any scored question has no rows.
    return ScoreFile(context["system"], values, units, {**langs, **context["languages"]}, context)


def _gathered(
    columns: Sequence[Sequence[Any]],
) -> tuple[dict[tuple[str, str], PerQuery], UnitsByQuery, dict[str, str]]:
    """Values, units and languages of all rows; those of one part and measure stand together in the files that we write."""
    parts, part_langs, ids, topics, units, measures, numbers = columns
    values: dict[tuple[str, str], PerQuery] = {}
    named: dict[str, PartUnits] = {}
    langs: dict[str, str] = {}
    first = 0
    for (part, measure), rows in groupby(zip(parts, measures, strict=True)):
        stop = first + sum(1 for _ in rows)
        # Of a query that stands there twice the last row counts, as in files of before.
        places = dict(zip(ids[first:stop], range(first, stop), strict=True))
        queries = query_ids(places)
        own = PerQuery(queries, np.array([numbers[place] for place in places.values()], dtype=np.float64))
        names = part_units(queries, *([column[place] for place in places.values()] for column in (topics, units)))
        values[part, measure] = values[part, measure].merged(own) if (part, measure) in values else own
        named[part] = named[part].merged(names) if part in named else names
        langs[part] = part_langs[stop - 1]
        first = stop
    return values, UnitsByQuery(named), langs


def _digest_of_rows(columns: Sequence[Sequence[Any]]) -> str:
    """``digest_of`` all rows, some at a time: their JSON is several times as large as they are."""
    digest, rows, before = hashlib.sha256(b"["), zip(*columns, strict=True), ""
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        digest.update((before + canonical_json(some)[1:-1]).encode())
        before = ","
    digest.update(b"]")
    return digest.hexdigest()


_CONTEXT = {
    "schema_version": int,
    "key": str,
    "system": str,
    "track": dict,
    "measures": dict,
    "data": dict,
    "languages": dict,
    "warnings": dict,
    "ties": dict,
    "judged": dict,
}


def _read_columns(path: Path) -> tuple[list[list[Any]], dict[str, Any]]:
    """The columns and the context of a Parquet file, after a look at how large it says it is."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        size = max(path.stat().st_size, sum(group.total_byte_size for group in groups))
        # Memory is taken for as many rows as a group says that it has.
        rows = [group.num_rows for group in groups]
        if size > SCORE_BYTES or min(rows, default=0) < 0 or not sum(rows) == file.metadata.num_rows <= SCORE_ROWS:
            raise ValueError("larger than any score file")
        if tuple(file.schema_arrow.names) != COLUMNS:
            raise ValueError("other columns")
        table = file.read()
    texts, values = table.select(COLUMNS[:-1]).columns, table.column(COLUMNS[-1])
    columns = [list(chain.from_iterable(map(_texts, column.chunks))) for column in texts]
    numbers = values.to_pylist()
    # A damaged file may hold anything that its types allow, nulls and lone surrogates among them.
    if not pa.types.is_float64(values.type) or None in chain(numbers, *columns) or not all(map(math.isfinite, numbers)):
        raise ValueError("a value that no score file has")
    return [*columns, numbers], dict(parse_json(table.schema.metadata[b"xdr"]))


def _texts(chunk: Any) -> list[str | None]:
    """The strings of a piece of a column, as a dictionary or as they are. Raises ``ValueError`` where it holds others.

    By hand: casts and conversions to NumPy make pyarrow load its computing kernels and pandas, which takes longer than all
    else that a command does with scores.
    """
    import pyarrow as pa

    if pa.types.is_dictionary(chunk.type):
        known, places = _texts(chunk.dictionary), chunk.indices.to_pylist()
        if places and (None in places or not 0 <= min(places) <= max(places) < len(known)):
            raise ValueError("a value that no score file has")
        return [known[place] for place in places]
    if not pa.types.is_string(chunk.type):
        raise ValueError("a column that no score file has")
    return list(chunk.to_pylist())
