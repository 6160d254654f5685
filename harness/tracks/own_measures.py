"""Measures that a track brings along: ``path/file.py:Name`` among its measures, relative to its own file.

``Name`` is the measure's name as tables have it, parameters and all; what stands before its first ``@`` or ``(`` is its class
in that file. So tracks, scores and pages have a name for the measure without running any of its code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.adapters.consent import NOTHING, Consent
from harness.adapters.loading import class_in_file
from harness.adapters.own_modules import OwnModules
from harness.errors import InvalidInput
from harness.files.yaml_records import digest_of
from harness.measures import Measure
from harness.measures.by_name import claimed_by, family_of, made_by

_REFERENCE = re.compile(r"(?P<file>[^:]+\.py):(?P<name>.+)", re.DOTALL)


class Loaded(NamedTuple):
    measure: Measure
    modules: OwnModules


@dataclass(frozen=True)
class OwnMeasures:
    """``files`` by the name of the measure, relative to ``folder``; ``track``: whose they are."""

    track: str
    folder: Path
    files: Mapping[str, str]
    consent: Consent

    def load(self, name: str) -> Loaded:
        """Raises ``WrongUsage`` where the operator did not consent, or there is no such class; else ``InvalidInput``."""
        file, family = self.files[name], family_of(name)
        where = f"the measure {name} in {self.folder / file}"
        self.consent.require_code(f"track {self.track}", f"{where}, run in this process with all your rights")
        kind, modules = class_in_file("measure", f"{file}:{family}", self.folder)
        try:
            return Loaded(made_by(kind, name), modules)
        except InvalidInput as error:
            raise InvalidInput(f"{where}: {error.message}") from error


def identity(loaded: Loaded) -> str:
    """The version of the measure, and a digest of all files that were loaded for it."""
    return f"{loaded.measure.version}, files {digest_of(loaded.modules.loaded())[:16]}"


def split(measure: str) -> tuple[str, str]:
    """The file, or nothing, and the name.

    >>> split("ours/title.py:Title@10"), split("RR@10")
    (('ours/title.py', 'Title@10'), ('', 'RR@10'))
    """
    match = _REFERENCE.fullmatch(measure)
    return (match["file"], match["name"]) if match else ("", measure)


def own_measures(track: str, folder: Path, measures: Sequence[str], consent: Consent = NOTHING) -> OwnMeasures:
    """Those of a track's measures that are in files. Raises ``InvalidInput`` where one has the name of an installed one."""
    files = {name: file for file, name in map(split, measures) if file}
    for name, file in files.items():
        if claimant := claimed_by(name):
            raise InvalidInput(
                f"track {track}: the measure {name} of {file} has the name of one of {claimant}, and a name belongs to one: "
                "give its class another name"
            )
    return OwnMeasures(track, folder, files, consent)
