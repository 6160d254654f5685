"""runs/TRACK: the systems that were run, and the tables that are made of them. Every path below it is known here alone."""

from __future__ import annotations

from pathlib import Path

from harness.errors import Finding, InvalidInput, WrongUsage
from harness.runs.commands import Commands
from harness.runs.definition import contradictions
from harness.runs.manifest import FILE_NAME as MANIFEST
from harness.runs.run_folder import Room, RunFolder
from harness.tracks import NEW_VERSION, Track

COMPARISON, ABLATIONS, STUDY = "comparison.json", "ablations.json", "study.json"


class TrackRuns:
    """The runs of a track below a folder, ``root``, for one command: a run is read once, see ``RunFolder``.

    ``keeps_lines``: the lines of run files are wanted as well as their digests, and are kept from the one reading of a file
    as far as they fit into memory. ``rows_in``: where the rows lie that systems stand on, where that is elsewhere.
    """

    def __init__(
        self, track: Track, root: Path, *, keeps_lines: bool = False, rows_in: TrackRuns | None = None
    ) -> None:
        self.track, self.root = track, root
        self._rows_in = rows_in
        self._room = Room() if keeps_lines else None
        self._runs: dict[str, RunFolder] = {}

    @property
    def folder(self) -> Path:
        return self.root / self.track.name

    @property
    def comparison_file(self) -> Path:
        return self.folder / COMPARISON

    @property
    def ablations_file(self) -> Path:
        return self.folder / ABLATIONS

    @property
    def study_file(self) -> Path:
        return self.folder / STUDY

    @property
    def commands(self) -> Commands:
        return Commands(self.track, self.root)

    def run(self, system: str) -> RunFolder:
        """The folder of a system's run, which need not be there yet; the same object each time."""
        if system not in self._runs:
            self._runs[system] = RunFolder(self.track, self.folder / system, self._room)
        return self._runs[system]

    def row(self, system: str) -> RunFolder:
        """The run of a row that another system stands on."""
        return (self._rows_in or self).run(system)

    def recorded(self) -> list[RunFolder]:
        """The runs that have a manifest, by the names of their systems."""
        return [self.run(path.parent.name) for path in sorted(self.folder.glob(f"*/{MANIFEST}"))]

    def check_definitions(self, but: frozenset[str] = frozenset()) -> None:
        """Raise ``InvalidInput`` where runs are recorded for another definition under the track's name and version.

        ``but``: systems whose runs are about to be replaced. Manifests that are not valid are left to whoever reads them.
        """
        findings: list[Finding] = []
        for run in self.recorded():
            if run.name in but:
                continue
            try:
                manifest = run.manifest
            except (InvalidInput, WrongUsage):
                continue
            findings += [
                Finding("error", f"{run.name}: {found.where}", found.what, found.expected)
                for found in contradictions(self.track, manifest)
            ]
        if findings:
            name, version = self.track.name, self.track.version
            raise InvalidInput(
                f"{self.folder} holds runs of another definition of track {name}, version {version}; "
                f"nothing was changed there: {NEW_VERSION}",
                findings,
            )
