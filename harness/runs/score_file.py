"""The score file: per-query scores of one system in Parquet, tidy, with all that its numbers depend on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import InvalidInput, WrongUsage
from harness.files.limits import RESULT_BYTES, SCORE_ROWS
from harness.files.migrations import CURRENT, migrated
from harness.files.reading import check_regular, parse_json
from harness.files.writing import atomic_write
from harness.files.yaml_records import digest_of

SCHEMA_VERSION = CURRENT["scores"]
FILE_NAME = "scores.parquet"
COLUMNS = ("part", "lang", "query_id", "topic", "unit", "measure", "value")


@dataclass(frozen=True)
class ScoreFile:
    """Scores of one system: ``values[part, measure]`` is {query id: value}; ``context`` is what they depend on.

    ``units`` gives for every (part, query id) the topic and the unit that tests flip as one. ``corrected`` says what was
    wrong with the file that lay beside the run, where there was one with other numbers.
    """

    system: str
    values: Mapping[tuple[str, str], Mapping[str, float]]
    units: Mapping[tuple[str, str], tuple[str, str]]
    langs: Mapping[str, str]
    context: Mapping[str, Any]
    corrected: str = ""

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
        values = self.values.get((part, measure))
        return float(np.mean(list(values.values()))) if values else None

    def macro(self, parts: Sequence[str], measure: str) -> float | None:
        """Mean over the parts; a dash, not an average over what happened to be there, when one of them is missing."""
        means = [self.mean(part, measure) for part in parts]
        complete = [value for value in means if value is not None]
        return math.fsum(complete) / len(complete) if complete and len(complete) == len(means) else None


def write_scores(path: Path, scores: ScoreFile) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        (part, scores.langs[part], query_id, *scores.units[part, query_id], measure, value)
        for (part, measure), values in scores.values.items()
        for query_id, value in values.items()
    ]
    text = pa.dictionary(pa.int32(), pa.string())
    columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    arrays = [pa.array(column, pa.string()).cast(text) for column in columns[:-1]]
    table = pa.table([*arrays, pa.array(columns[-1], pa.float64())], names=list(COLUMNS))
    context = {**scores.context, "rows": digest_of(rows)}
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
    if digest_of(list(zip(*columns, strict=True))) != recorded_rows:
        raise InvalidInput(f"{path} is not as it was written; score the run again")
    values: dict[tuple[str, str], dict[str, float]] = {}
    units: dict[tuple[str, str], tuple[str, str]] = {}
    langs: dict[str, str] = {}
    for part, lang, query_id, topic, unit, measure, value in zip(*columns, strict=True):
        values.setdefault((part, measure), {})[query_id] = value
        units[part, query_id] = (topic, unit)
        langs[part] = lang
    # A part without any scored question has no rows.
    return ScoreFile(context["system"], values, units, {**langs, **context["languages"]}, context)


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
        if size > RESULT_BYTES or min(rows, default=0) < 0 or not sum(rows) == file.metadata.num_rows <= SCORE_ROWS:
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
