"""Any executable as a system: ``COMMAND docs.jsonl queries.jsonl DEPTH``, a TREC run on its standard output.

    docs.jsonl     {"doc_id": ..., "title": ..., "text": ...}
    queries.jsonl  {"query_id": ..., "text": ..., "lang": ...}

Where bubblewrap works, the command sees the system's programs, the card's folder and its request folder, all read-only, an
empty /tmp, and no network; the manifest says ``isolation: bwrap`` or ``none``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, ValidationInfo, model_validator

from harness.config import Record
from harness.errors import InvalidInput
from harness.files import atomic_write, explained_write_errors
from harness.records import Ranking
from harness.runs import Expected, Ranked, read_run
from harness.system import Context, Request

_STDERR_SHOWN = 2000


class Command:
    class Parameters(Record):
        """``command``: program and arguments; a first word that is a file in the card's folder is taken from there."""

        command: tuple[str, ...] = Field(min_length=1)
        timeout_seconds: float = Field(default=3600, gt=0)
        folder: Path = Path()

        @model_validator(mode="before")
        @classmethod
        def _remember_the_card_folder(cls, data: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
            return {**data, "folder": Path((info.context or {}).get("folder", Path())).resolve()}

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters

    def inputs(self) -> Mapping[str, Path]:
        """The files beside the card, which the command can read, and words of the command that are files below it."""
        folder = self._parameters.folder
        beside = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
        named = {word: folder / word for word in self._parameters.command if (folder / word).is_file()}
        return beside | named

    def search(self, request: Request, context: Context) -> Iterator[Ranking]:
        folder = (context.work / "request").resolve()
        with explained_write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        _write_lines(
            folder / "docs.jsonl", ({"doc_id": d.doc_id, "title": d.title, "text": d.text} for d in request.docs)
        )
        queries = ({"query_id": q.query_id, "text": q.text, "lang": q.lang} for q in request.queries)
        _write_lines(folder / "queries.jsonl", queries)
        output = context.work / "output.trec"
        with context.record.stage("command"):
            self._run(folder, output, request.depth, context)
        expected = Expected([query.query_id for query in request.queries], request.docs, request.depth)
        run, _ = read_run(output, expected)
        output.unlink()
        nothing = Ranked((), np.empty(0, np.float32))
        for query in request.queries:
            ranked = run.rankings.get(query.query_id, nothing)
            yield Ranking(query.query_id, ranked.doc_ids[: request.depth], ranked.scores[: request.depth])

    def _run(self, folder: Path, output: Path, depth: int, context: Context) -> None:
        first, *others = self._parameters.command
        own = self._parameters.folder / first
        arguments = [str(self._word(word)) for word in others]
        command = [str(own) if own.is_file() else first, *arguments, "docs.jsonl", "queries.jsonl", str(depth)]
        wrapper = _bubblewrap(self._parameters.folder, folder)
        context.record.facts["isolation"] = "bwrap" if wrapper else "none"
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
        with explained_write_errors(output), output.open("wb") as stdout:
            try:
                process = subprocess.Popen(
                    [*wrapper, *command],
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
                said = _stderr_of(process, self._parameters.timeout_seconds)
            except subprocess.TimeoutExpired:
                raise InvalidInput(
                    f"{first} ran longer than {self._parameters.timeout_seconds:g} s; raise `timeout_seconds` in the card"
                ) from None
            except OSError as error:
                raise InvalidInput(f"{first} cannot be started: {error.strerror}") from None
        if process.returncode != 0:
            shown = said.decode("utf-8", "replace").strip()[-_STDERR_SHOWN:]
            raise InvalidInput(
                f"{first} ended with exit status {process.returncode}" + (f":\n{shown}" if shown else "")
            )

    def _word(self, word: str) -> str | Path:
        path = self._parameters.folder / word
        return path if path.is_file() else word


def _stderr_of(process: subprocess.Popen[bytes], timeout_seconds: float) -> bytes:
    """Wait for the process; whatever ends the wait early ends the process with all that it started."""
    with process:
        try:
            return process.communicate(timeout=timeout_seconds)[1]
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise


def _write_lines(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    with atomic_write(path) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")


def _bubblewrap(card_folder: Path, request_folder: Path) -> list[str]:
    """The words that put a command under bubblewrap, or none where that is not installed or not permitted."""
    program = shutil.which("bwrap")
    if program is None:
        return []
    wrapper = [program, "--unshare-all", "--die-with-parent", "--new-session", "--proc", "/proc", "--dev", "/dev"]
    for path in ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/etc/alternatives", "/etc/ld.so.cache", "/opt"):
        wrapper += ["--ro-bind-try", path, path]
    wrapper += ["--tmpfs", "/tmp"]
    for path in {sys.prefix, sys.base_prefix, str(card_folder), str(request_folder)}:
        wrapper += ["--ro-bind", path, path]
    wrapper += ["--chdir", str(request_folder)]
    works = subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode == 0
    return wrapper if works else []
