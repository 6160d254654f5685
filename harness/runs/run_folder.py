"""A run as it lies in runs/TRACK/SYSTEM: its files by name, each read and held against the manifest once."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.adapters.consent import NOTHING, Consent
from harness.errors import Finding, InvalidInput
from harness.files.limits import RUN_BYTES
from harness.files.reading import read_bytes
from harness.files.writing import folder_lock
from harness.runs.commands import OWN_FILES
from harness.runs.definition import check_definition, lacking_parts
from harness.runs.manifest import FILE_NAME as MANIFEST
from harness.runs.manifest import Manifest, read_manifest, run_file
from harness.runs.score_file import FILE_NAME as SCORES
from harness.runs.trec import Expected, Run, read_run
from harness.runs.trec_columns import Columns, read_columns
from harness.runs.withdrawal import FILE_NAME as WITHDRAWN
from harness.runs.withdrawal import Withdrawal, read_withdrawal
from harness.tracks import Part, Track, load_track_of

REPRODUCTIONS = "reproductions"
"""The folder of a run that holds the records of who made it again."""


class Room:
    """How many more lines of run files may be kept in memory, of all runs together; a line takes 8 bytes, and its id."""

    def __init__(self, lines: int = 4_000_000) -> None:
        self._left = lines

    def take(self, lines: int) -> bool:
        if lines > self._left:
            return False
        self._left -= lines
        return True


class RunFolder:
    """One system's run of a track. What was read is kept for as long as this object: it serves one command.

    Nothing is written by it; whoever does so goes through ``writing``, after which everything is read anew. With ``room``, a
    run file that is opened for its digest is parsed on the way, and its lines are kept as far as there is room.
    """

    def __init__(self, track: Track, path: Path, room: Room | None = None) -> None:
        self.track, self.path = track, path
        self._room = room
        self._digests: dict[str, str] = {}
        self._columns: dict[str, Columns] = {}

    def __repr__(self) -> str:
        return f"RunFolder({self.path})"

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def manifest_file(self) -> Path:
        return self.path / MANIFEST

    @property
    def scores_file(self) -> Path:
        return self.path / SCORES

    @property
    def withdrawal_file(self) -> Path:
        return self.path / WITHDRAWN

    @property
    def own_files(self) -> Path:
        return self.path / OWN_FILES

    @property
    def reproductions(self) -> Path:
        return self.path / REPRODUCTIONS

    def run_file(self, part: str) -> Path:
        return run_file(self.path, part)

    @property
    def is_recorded(self) -> bool:
        return self.manifest_file.exists()

    @functools.cached_property
    def manifest(self) -> Manifest:
        """Raises ``InvalidInput`` where there is none, it is not valid, or the folder holds symbolic links."""
        return read_manifest(self.path)

    @functools.cached_property
    def withdrawal(self) -> Withdrawal | None:
        """Raises ``InvalidInput`` on a faulty file."""
        return read_withdrawal(self.path)

    def check_definition(self) -> None:
        """Raise ``InvalidInput`` where it was made for another definition under the track's name and version."""
        check_definition(self.track, self.manifest)

    @functools.cached_property
    def lacking(self) -> Mapping[str, str]:
        """Parts that the track got, or changed, after the run was made; why, by part."""
        return lacking_parts(self.track, self.manifest)

    @property
    def scored_parts(self) -> list[Part]:
        """The parts that were run, and those that the card declares but that have no run: they count 0.

        A part that came later, or that has changed since the run was made, is not scored: for this run it is a dash.
        """
        data, serves = self.manifest.data, self.manifest.card.serves
        parts = [part for part in self.track.parts if part.name not in self.lacking]
        return [part for part in parts if part.name in data or serves(part.lang)]

    def check_files(self) -> None:
        """Raise ``InvalidInput`` where the run files are not those that the manifest describes."""
        findings = []
        if self.manifest.tag != self.name:
            what = f"tag {self.manifest.tag!r}"
            findings.append(Finding("error", "manifest.yaml", what, f"{self.name!r}, the folder's name"))
        for part in self.manifest.data:
            findings += self._digest_findings(part)
        if findings:
            raise self._not_as_described(findings)

    def read(self, part: str, expected: Expected | None = None) -> tuple[Run, list[Finding]]:
        """The run of a part that the manifest lists, with its warnings; the very bytes that the manifest describes.

        Raises as ``read_run`` does, and ``InvalidInput`` where the file is another one.
        """
        columns = self._columns_of(part)
        if findings := self._digest_findings(part):
            raise self._not_as_described(findings)
        return read_run(self.run_file(part), expected, columns)

    def parse(self, part: str, expected: Expected | None = None) -> tuple[Run, list[Finding]]:
        """The run of a part, whatever the manifest says of it; raises as ``read_run`` does."""
        return read_run(self.run_file(part), expected, self._columns_of(part))

    def heads(self, part: str, length: int) -> Mapping[str, Sequence[str]]:
        """The first passages of each ranking by query id; none where the part was not run: such a language counts 0."""
        if part not in self.manifest.data:
            return {}
        return {query_id: ranked.doc_ids[:length] for query_id, ranked in self.read(part)[0].rankings.items()}

    @contextlib.contextmanager
    def writing(self) -> Iterator[Path]:
        """The folder, made where it is not there, held against all other processes for the block."""
        try:
            with folder_lock(self.path):
                yield self.path
        finally:
            self.forget()

    def forget(self) -> None:
        """What was read is read anew when it is asked for again."""
        for name in ("manifest", "withdrawal", "lacking"):
            self.__dict__.pop(name, None)
        self._digests.clear()
        self._columns.clear()

    def _digest_findings(self, part: str) -> list[Finding]:
        found, described = self._digest_of(part), self.manifest.data[part].ranking
        if found == described:
            return []
        what, expected = f"its digest is {found[:16]}...", f"{described[:16]}..."
        return [Finding("error", self.run_file(part).name, what, expected)]

    def _not_as_described(self, findings: Sequence[Finding]) -> InvalidInput:
        hint = "run the system again with `xdr run`, or restore the files"
        return InvalidInput(f"{self.path} is not the run that its manifest describes; {hint}", findings)

    def _digest_of(self, part: str) -> str:
        if part not in self._digests and self._room is not None:
            self._columns_of(part)
        if part not in self._digests:
            content = read_bytes(self.run_file(part), RUN_BYTES)
            self._digests[part] = hashlib.sha256(content).hexdigest()
        return self._digests[part]

    def _columns_of(self, part: str) -> Columns | None:
        """The lines of a part's file, whose digest is taken on the way; None where only the careful reader reads it."""
        if part in self._columns:
            return self._columns[part]
        self._digests.pop(part, None)
        digest = hashlib.sha256()
        columns = read_columns(self.run_file(part), digest)
        if columns is not None:
            self._digests[part] = digest.hexdigest()
            if self._room is not None and self._room.take(len(columns.docs)):
                self._columns[part] = columns
        return columns


def recorded_run(path: Path, track: str = "", consent: Consent = NOTHING) -> RunFolder:
    """The run in a folder, of the track that its manifest names, or of the file or name that ``track`` is.

    Raises ``InvalidInput`` where there is no valid manifest, ``WrongUsage`` where the track is not known here.
    """
    manifest = read_manifest(path)
    found = RunFolder(load_track_of(path, manifest.track.name, track, consent), path)
    found.manifest = manifest
    return found
