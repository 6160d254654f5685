"""The two ways in which large collections are written: DPR's TSV of passages, and JSON lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

from harness.collections.storage.docstore import SourceRecord
from harness.files.limits import LINE_BYTES
from harness.files.reading import parse_json
from harness.numbers import size
from harness.records import Doc

_LONGEST_FIELD = LINE_BYTES
_TOO_LONG = f"the line is too long; expected at most {size(LINE_BYTES)}"


class DprTsv:
    r"""``id \t text \t title`` with a header ``id text title`` or none, quoted as Python's ``csv`` module quotes by default.

    Read as DPR reads psgs_w100.tsv and CORA its own corpora, ``csv.reader(file, delimiter="\t")``: a field that begins with a
    quotation mark is quoted, doubled marks in it stand for one, and it may hold tabs and ends of lines. A quotation that
    never ends is an error here: it is how a file ends that was cut off.
    """

    name = "dpr-tsv 1"

    def records(self, file: BinaryIO) -> Iterator[SourceRecord]:
        lines = _Lines(file)
        first = lines.end == 0
        while True:
            try:
                row = lines.row()
            except ValueError as error:
                yield SourceRecord(None, lines.end, lines.number, str(error))
                continue
            if row is None:
                return
            skipped = not row or (first and row == ["id", "text", "title"])
            first = False
            fault = "" if skipped or len(row) == 3 else f"{len(row)} columns; expected 3: id, text, title"
            doc = None if skipped or fault else Doc(row[0], row[2], row[1])
            yield SourceRecord(doc, lines.end, lines.number, fault)

    def parse(self, data: bytes) -> Doc:
        row = _Lines(io.BytesIO(data)).row() or []
        if len(row) != 3:
            raise ValueError(f"{len(row)} columns")
        return Doc(row[0], row[2], row[1])


class JsonLines:
    """One JSON object per line: ``{"doc_id": ..., "title": ..., "text": ...}``, the title optional."""

    name = "json-lines 1"

    def records(self, file: BinaryIO) -> Iterator[SourceRecord]:
        return json_line_records(file, self.parse)

    def parse(self, data: bytes) -> Doc:
        row = parse_json(data)
        fields = [row.get("doc_id"), row.get("title", ""), row.get("text")] if isinstance(row, dict) else []
        texts = [field for field in fields if isinstance(field, str)]
        if len(texts) != 3:
            raise ValueError("not an object with texts doc_id, text and, optionally, title")
        return Doc(*texts)


def json_line_records(file: BinaryIO, parse: Callable[[bytes], Doc]) -> Iterator[SourceRecord]:
    """One record per line that is not blank; ``parse`` raises ``ValueError`` for what is none."""
    end = file.tell()
    lines = iter(lambda: file.readline(LINE_BYTES + 1), b"")
    for number, line in enumerate(lines, 1):
        end += len(line)
        if len(line) > LINE_BYTES:
            yield SourceRecord(None, end, number, _TOO_LONG)
            return
        if not line.strip():
            yield SourceRecord(None, end, number)
            continue
        try:
            yield SourceRecord(parse(line), end, number)
        except (ValueError, RecursionError) as error:
            yield SourceRecord(None, end, number, str(error))


class _Lines:
    """Lines for a csv reader that takes as many as a row needs, so that it is known where the row ends."""

    def __init__(self, file: BinaryIO) -> None:
        csv.field_size_limit(_LONGEST_FIELD)
        self._file = file
        self.end = file.tell()
        self.number = 0
        self._taken = 0
        self._ended = False

    def row(self) -> list[str] | None:
        """The next row, or None at the end. Raises ``ValueError`` for a row that is no CSV, or not UTF-8."""
        self._taken = 0
        try:
            row = next(csv.reader(self, delimiter="\t"), None)
        except csv.Error as error:
            raise ValueError(str(error)) from error
        if self._ended and self._taken:
            raise ValueError("the file ends inside a quotation: it was cut off, or a mark is missing")
        return row

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(LINE_BYTES + 1)
        if not line:
            self._ended = True
            raise StopIteration
        self.end += len(line)
        self.number += 1
        self._taken += 1
        if len(line) > LINE_BYTES:
            raise ValueError(_TOO_LONG)
        return line.decode("utf-8")
