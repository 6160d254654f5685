"""Any executable as a system: ``COMMAND docs.jsonl queries.jsonl DEPTH``, a TREC run on its standard output.

    docs.jsonl     {"doc_id": ..., "title": ..., "text": ...}
    queries.jsonl  {"query_id": ..., "text": ..., "lang": ...}

Where bubblewrap works, the command runs as ``harness/adapters/box/sandbox.py`` says: no network, nothing of the machine but the
system's programs, the files that are part of the run's digests in ``/card``, and the current folder ``/request``, which it may
write. Elsewhere it has its limits and a clean environment only. The manifest says in
``isolation`` what was in force: ``bwrap, seccomp, process limit``, say, or ``none``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, ValidationInfo, model_validator

from harness import progress
from harness.adapters.box import sandbox
from harness.adapters.contract import Context, Request
from harness.errors import InvalidInput
from harness.files.toml_records import Record, read_toml
from harness.files.writing import atomic_write, explained_write_errors
from harness.records import Ranking
from harness.runs.trec import Expected, Ranked, read_output

_DOCS, _QUERIES = "docs.jsonl", "queries.jsonl"
_WEEK_SECONDS = 7 * 24 * 3600


class Command:
    version = 1

    class Parameters(Record):
        """``command``: program and arguments; a word that is a file in the card's folder is taken from there.

        ``files``: files and folders below the card's folder that it reads, beside those next to the card. The rest are
        limits: ``memory_gib`` of all its processes together, ``scratch_gib`` of what it writes into its folder.
        """

        command: tuple[str, ...] = Field(min_length=1)
        files: tuple[str, ...] = ()
        timeout_seconds: float = Field(default=3600, gt=0, le=_WEEK_SECONDS)
        memory_gib: float = Field(default=8, ge=0.1, le=4096)
        scratch_gib: float = Field(default=1, ge=0.001, le=4096)
        folder: Path = Path()

        @model_validator(mode="before")
        @classmethod
        def _remember_the_card_folder(cls, data: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
            return {**data, "folder": Path((info.context or {}).get("folder", Path())).resolve()}

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters

    def inputs(self) -> Mapping[str, Path]:
        """All that the command can read of the card's folder: files next to the card, its own words, its ``files``.

        Cards are not among them: what a row is called does not change its rankings. Raises ``InvalidInput`` for a name that
        leads out of the folder or to nothing.
        """
        folder = self._parameters.folder
        beside = {path.name: path for path in sorted(folder.iterdir()) if _counts(path, folder)}
        named = {_plain(word): folder / word for word in self._parameters.command if self._is_own(word)}
        further = {_plain(name): folder / name for name in self._parameters.files}
        for name, path in (named | further).items():
            if not path.exists():
                raise InvalidInput(f"`files` of the card names {name}, which is not in {folder}")
            if not _is_below(path, folder):
                raise InvalidInput(f"{name} is not a file or folder below that of the card, {folder}")
        return beside | named | further

    def search(self, request: Request, context: Context) -> Iterator[Ranking]:
        folder = (context.work / "request").resolve()
        with explained_write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with context.progress.task("write the passages for the program", len(request.docs), "passages") as advance:
            docs = progress.counted(request.docs, advance)
            _write_lines(folder / _DOCS, ({"doc_id": d.doc_id, "title": d.title, "text": d.text} for d in docs))
        queries = ({"query_id": q.query_id, "text": q.text, "lang": q.lang} for q in request.queries)
        _write_lines(folder / _QUERIES, queries)
        output = context.work / "output.trec"
        # How far it is, only the program knows.
        running = context.progress.task(f"{self._parameters.command[0]} is running", None)
        with context.record.stage("command"), running:
            self._run(folder, output, request, context)
        expected = Expected([query.query_id for query in request.queries], request.docs, request.depth)
        run, findings = read_output(output, expected)
        if findings:
            context.record.note(*(f"the program's output: {finding.what}" for finding in findings))
        output.unlink()
        nothing = Ranked((), np.empty(0, np.float32))
        for query in request.queries:
            ranked = run.rankings.get(query.query_id, nothing)
            yield Ranking(query.query_id, ranked.doc_ids[: request.depth], ranked.scores[: request.depth])

    def _run(self, folder: Path, output: Path, request: Request, context: Context) -> None:
        isolated = sandbox.why_not() == ""
        limits = self._limits(request)
        words = [*self._words(isolated), _DOCS, _QUERIES, str(request.depth)]
        asked = {name: folder / name for name in (_DOCS, _QUERIES)}
        files = sandbox.Files(self.inputs(), asked) if isolated else None
        context.record.facts["limits"] = {
            "seconds": limits.seconds,
            "memory bytes": limits.memory_bytes,
            "scratch bytes": limits.scratch_bytes,
        }
        first = self._parameters.command[0]
        try:
            with explained_write_errors(output), output.open("wb") as stdout:
                ended = sandbox.run(words, folder, limits, stdout, files)
        except OSError as error:
            raise InvalidInput(f"{first} cannot be started: {error.strerror}") from None
        context.record.facts["isolation"] = ended.isolation
        if ended.limit is not None:
            raise InvalidInput(f"{first} {_excess(ended.limit, limits)}")
        if ended.status != 0:
            said = ended.said.decode("utf-8", "replace").strip()
            where = (
                "\n(it ran under bubblewrap, without network and files from elsewhere; see docs/security.md)"
                if isolated
                else ""
            )
            raise InvalidInput(
                f"{first} ended with exit status {ended.status}" + (f":\n{said}" if said else "") + where
            )

    def _limits(self, request: Request) -> sandbox.Limits:
        """What the card asks for; and for the output several times what a run of this request can be."""
        longest = max((len(doc_id.encode()) for doc_id in request.docs.ids), default=0)
        longest += max((len(query.query_id.encode()) for query in request.queries), default=0)
        lines = len(request.queries) * request.depth
        return sandbox.Limits(
            seconds=self._parameters.timeout_seconds,
            memory_bytes=int(self._parameters.memory_gib * (1 << 30)),
            scratch_bytes=int(self._parameters.scratch_gib * (1 << 30)),
            output_bytes=(16 << 20) + 4 * lines * (longest + 100),
        )

    def _words(self, isolated: bool) -> list[str]:
        """The command with its own files where they are found: in the card's folder, or where the box shows that."""
        place = sandbox.CARD if isolated else self._parameters.folder
        return [str(place / _plain(word)) if self._is_own(word) else word for word in self._parameters.command]

    def _is_own(self, word: str) -> bool:
        return not Path(word).is_absolute() and (self._parameters.folder / word).is_file()


def _excess(limit: sandbox.Limit, limits: sandbox.Limits) -> str:
    return {
        "seconds": f"ran longer than {limits.seconds:g} s; raise `timeout_seconds` in the card",
        "memory": f"used more than {limits.memory_bytes / (1 << 30):g} GiB of memory; raise `memory_gib` in the card",
        "output": f"wrote more than {limits.output_bytes >> 20} MiB to its standard output, which no run of this request is",
        "processes": f"started more than {sandbox.MAX_PROCESSES} processes at once",
    }[limit]


def _plain(name: str) -> str:
    """A relative name without "./" and the like, as it stands in the card's folder."""
    return os.path.normpath(name)


def _counts(path: Path, folder: Path) -> bool:
    """Whether a file next to the card is one that the command can read."""
    return path.is_file() and _is_below(path, folder) and not _is_card(path)


def _is_card(path: Path) -> bool:
    try:
        return path.suffix == ".toml" and {"schema_version", "name", "adapter"} <= read_toml(path).keys()
    except InvalidInput:
        return False


def _is_below(path: Path, folder: Path) -> bool:
    return path.resolve() != folder and path.resolve().is_relative_to(folder)


def _write_lines(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    with atomic_write(path) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
