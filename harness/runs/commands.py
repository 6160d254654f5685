"""Our command lines as they are printed, in messages and on pages: typed in the current folder, they do as they are said to."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.adapters.card import Card
    from harness.runs.provenance import Execution
    from harness.tracks import Part, Track

DEFAULT_RUNS = Path("runs")
OWN_FILES = "system"
"""The folder of a run that holds the card and the files beside it, where the run was submitted with them."""


def _consent(brings_code: bool) -> list[str]:
    return ["--allow-code"] if brings_code else []


@dataclass(frozen=True)
class Commands:
    """Commands about one track's runs in a folder; ``public``: they stand on a page, which tells nothing of this machine."""

    track: Track
    runs: Path = DEFAULT_RUNS
    public: bool = False

    def leaderboard(self, *options: str) -> str:
        return self._of_track("leaderboard", *options)

    def submit(self, *words: str) -> str:
        return self._of_track("submit", *words)

    def run(self, system: str) -> str:
        return self._of_track("run", system)

    def run_again(self, system: str) -> str:
        """Runs the card that lies beside the recorded run, else the shipped one; empty where there is neither."""
        from harness.adapters.card import CARD_FILE, card_names, load_card
        from harness.adapters.loading import brings_code

        own = self.runs / self.track.name / system / OWN_FILES
        if (own / CARD_FILE).is_file():
            consent = _consent(brings_code(load_card(str(own)).card.adapter) and not self.track.brings_code)
            return self._of_track("run", self._shown(own), "--again", *consent)
        return self._of_track("run", system, "--again") if system in card_names() else ""

    def read(self, *options: str) -> str:
        """Reads all runs of the track; READER stands for the folder of a reader."""
        folder = f"{self._shown(self.runs)}/{self.track.name}"
        consent = _consent(self.track.brings_code)
        return line("read", folder, "READER", *options, *self._track_option(), *consent)

    def score(self) -> str:
        return self._of_track("score")

    def reproduce(self, system: str, card: Card, execution: Execution) -> str:
        """``card`` and ``execution`` are those of the manifest: they tell what the operator has to consent to."""
        from harness.adapters.loading import brings_code

        consent = _consent(brings_code(card.adapter) or self.track.brings_code)
        if execution.remote_code:
            consent += ["--trust-remote-code", execution.remote_code]
        return line("reproduce", self.run_folder(system), *self._track_option(), *consent)

    def export_predictions(self, system: str, predictions: str, questions: str) -> str:
        return line("export", self.run_folder(system), predictions, "--questions", questions, *self._track_option())

    def export_data(self, part: Part, folder: str) -> str:
        return line("data", "export", self._dataset(part), folder)

    def run_folder(self, system: str) -> str:
        return f"{self._shown(self.runs)}/{self.track.name}/{system}"

    def _of_track(self, command: str, *words: str) -> str:
        where = [] if self.runs == DEFAULT_RUNS else ["--runs", self._shown(self.runs)]
        return line(command, self._track(), *words, *where, *_consent(self.track.brings_code))

    def _track(self) -> str:
        return self._shown(self.track.file) if self.track.file else self.track.name

    def _track_option(self) -> list[str]:
        return ["--track", self._track()] if self.track.file else []

    def _dataset(self, part: Part) -> str:
        if not part.location:
            return part.dataset
        kind, _, path = part.location.partition(":")
        return f"{kind}:{self._shown(Path(path))}"

    def _shown(self, path: Path) -> str:
        """Relative to the current folder where it lies below; else as it is, on a page its last name."""
        absolute = Path(os.path.abspath(path))  # noqa: PTH100 - links are kept as they were named
        if absolute.is_relative_to(Path.cwd()):
            return absolute.relative_to(Path.cwd()).as_posix()
        return path.name if self.public else str(path)


def line(*words: str) -> str:
    """A call of ``xdr`` for a shell."""
    return shlex.join(["xdr", *words])
