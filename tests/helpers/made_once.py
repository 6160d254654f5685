"""Folders that take long to make: made once for the tests of a file, and put back for each as they were."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class MadeOnce:
    """What was made in ``place``, cache included; it stands there again, since what is recorded may name its paths."""

    place: Path
    kept: Path

    def put_back(self, patch: pytest.MonkeyPatch) -> None:
        """As it was, and the folder and the cache in which commands are typed."""
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self.kept, self.place)
        patch.chdir(self.place)
        patch.setenv("XDR_HOME", str(self.place / "home"))


def made_once(folder: Path, make: Callable[[Path], None]) -> MadeOnce:
    """``make`` is given an empty folder, with the cache in ``home`` below it."""
    made = MadeOnce(folder / "place", folder / "kept")
    made.place.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDR_HOME", str(made.place / "home"))
        make(made.place)
    shutil.copytree(made.place, made.kept)
    return made
