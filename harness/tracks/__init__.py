"""What is asked: a track is an ordered list of parts with measures, families of tests and a version, in TOML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field, PrivateAttr, ValidationInfo, model_validator

from harness.adapters.consent import NOTHING, Consent
from harness.errors import Finding, InvalidInput, WrongUsage, unknown_name
from harness.files.dataset_paths import map_paths, paths_in
from harness.files.limits import RANKING_DEPTH
from harness.files.migrations import migrated
from harness.files.toml_records import PartName, Record, Reference, Text, Title, checked, read_toml
from harness.files.two_values import in_words
from harness.languages import LanguageTag
from harness.measures import Measure, identity, parse
from harness.registry import Plugins
from harness.tracks import own_measures, perturbed_parts
from harness.tracks.own_measures import OwnMeasures
from harness.tracks.perturbed_parts import Attack
from harness.tracks.study import Study

if TYPE_CHECKING:
    from harness.collections.view import Collection


class Part(Record):
    """One query language of a track: a dataset, as ir_datasets names it, and the language of its questions.

    Where the part was made of a collection that is at hand, ``dataset`` is that collection's name, and nothing is looked up.
    """

    model_config = ConfigDict(populate_by_name=True)  # ``of``, the key in files, is what makes a part of a collection

    name: PartName
    dataset: Reference
    lang: LanguageTag
    location: str = Field(default="", description="the dataset id to load, where a relative path was resolved")
    clean: str = Field(default="", alias="of", description="the clean part that this one is a perturbed form of")
    perturbation: Title | Literal[""] = Field(
        default="", description="what was done to it, where its dataset does not say"
    )
    _at_hand: Collection | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, collection: Collection, name: str, lang: str) -> Part:
        """A part of a collection that is at hand. Raises ``InvalidInput`` for a name or language that parts cannot have."""
        part = checked(cls, {"name": name, "dataset": collection.dataset_id, "lang": lang}, f"part {name}")
        part._at_hand = collection
        return part

    @property
    def dataset_id(self) -> str:
        return self.location or self.dataset

    @property
    def collection(self) -> Collection:
        """Its passages, questions, judgements and answers, each read when it is first asked for.

        The same object each time, unless files that a person may edit have changed. Raises ``WrongUsage`` where no dataset
        of this id is known.
        """
        from harness.collections.view import load

        return self._at_hand or load(self.dataset_id)


class Tolerance(Record):
    """How far a run made again may lie from the recorded one, on every part, and still be called equivalent.

    ``rmse`` is in the measure's own units. Where a query is hit or missed, k of n queries that change sides give the root
    of k/n, so that the default of 0.01 lets one query in 10,000 change: a small track says how many it grants.
    """

    rank_biased_overlap: float = Field(default=0.99, ge=0, le=1, description="mean over queries, at least")
    kendall_tau: float = Field(default=0.95, ge=-1, le=1, description="mean over queries, at least")
    rmse: float = Field(default=0.01, ge=0, description="of per-query scores, primary measure, at most")


class Families(Record):
    """The declared families of tests: each ranked system against the baseline, primary measure."""

    alpha: float = Field(default=0.05, gt=0, lt=1)
    correction: Literal["holm", "bonferroni", "benjamini-hochberg"] = "holm"
    resamples: int = Field(default=100_000, ge=1000)
    all_pairs_resamples: int = Field(default=10_000, ge=1000, description="for all pairs, and for bootstrap intervals")
    seed: int = 20230723


Purpose = Literal["benchmark", "experiment", "demonstration", "development"]


class Track(Record):
    """See docs/tracks.md for the file's keys; a change of measures, parts or data makes a new ``version``."""

    schema_version: Literal[1]
    name: PartName
    version: int = Field(ge=1)
    title: Title
    description: Text
    parts: tuple[Part, ...] = Field(min_length=1)
    macro: tuple[str, ...] = Field(
        default=(), description="parts of the macro average; default: all that are not perturbed"
    )
    measures: tuple[str, ...] = Field(min_length=1)
    primary: str
    depth: int = Field(ge=1, le=RANKING_DEPTH, description="stored depth: passages per query in a run")
    exclude_own_document: bool = Field(
        default=False, description="leave the passage that has the query's own id out of rankings"
    )
    baseline: str
    unit: Literal["topic", "relevant passage"] = Field(
        default="topic", description="what is flipped and resampled as one, see harness/tracks/units.py"
    )
    systems: tuple[str, ...] = Field(default=(), description="cards that `xdr leaderboard` runs")
    published: Literal["dev", "test"] | None = Field(
        default=None, description="split of XOR-Retrieve whose published results stand beside this track's own"
    )
    purpose: Purpose = Field(
        default="benchmark", description="how much a result means; pages say it, and show benchmarks first"
    )
    families: Families = Families()
    attacks: tuple[Attack, ...] = Field(default=(), description="perturbations that were chosen against a system")
    study: Study | None = Field(default=None, description="what is declared of generated texts, for `xdr study`")
    tolerance: Tolerance = Tolerance()
    _file: Path | None = PrivateAttr(default=None)
    _folder: Path = PrivateAttr(default=Path())
    _own: OwnMeasures | None = PrivateAttr(default=None)
    _is_checked: bool = PrivateAttr(default=False)
    _loaded: dict[str, own_measures.Loaded] = PrivateAttr(default_factory=dict)

    @classmethod
    def of(cls, name: str, parts: Sequence[Part], measures: Sequence[str], **fields: Any) -> Track:
        """A track of parts that are at hand, such as those of ``Part.of``; ``fields``: all others that a track's file has.

        Without them it is version 1, its primary measure is the first one, and its depth the largest of the measures'
        cutoffs, at least 100. Raises ``InvalidInput`` that names all that a track's file could not say either.
        """
        cutoffs = [parse(measure).cutoff or 0 for measure in measures]
        usual = {"schema_version": 1, "version": 1, "title": name, "description": "", "primary": measures[0]}
        given = {"name": name, "parts": tuple(parts), "measures": tuple(measures), "depth": max(100, *cutoffs)}
        return checked(cls, {**usual, **given, **fields}, f"track {name}")

    @classmethod
    def recorded(cls, data: Mapping[str, Any]) -> Track:
        """A track as it stands in a record: what its measures are is not asked, nor whether they are still installed.

        Raises ``ValueError`` where it is no track.
        """
        return cls.model_validate(data, context={"recorded": True})

    @property
    def is_at_hand(self) -> bool:
        """Whether it was made in a program of what was at hand there, so that no command can name it."""
        return any(part._at_hand is not None for part in self.parts)

    @property
    def file(self) -> Path | None:
        """Where it was read from, as its user named it; None for a track of this package."""
        return self._file

    @property
    def folder(self) -> Path:
        """What relative paths of a study's texts are relative to: the folder of its own file."""
        return self._folder

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Track:
        if self._is_checked:  # it is put into another record, as it is
            return self
        names = [part.name for part in self.parts]
        if twins := sorted(name for name, times in Counter(names).items() if times > 1):
            raise ValueError(f"two parts have the same name: {', '.join(twins[:5])}{', ...' if len(twins) > 5 else ''}")
        if strangers := set(self.macro) - set(names):
            raise ValueError(f"macro names unknown parts: {', '.join(sorted(strangers))}")
        if faults := list(perturbed_parts.faults_of(self.parts, self.macro)):
            raise ValueError("; ".join(faults))
        draws = {name: {kind: len(own) for kind, own in self.draws_of(name).items()} for name in self.macro_parts}
        if faults := list(perturbed_parts.faults_of_attacks(self.attacks, draws)):
            raise ValueError("; ".join(faults))
        if reserved := {"macro", "micro", "index", "ablations"} & set(names):
            raise ValueError(
                f"a part cannot be called {', '.join(sorted(reserved))}: pages and columns have these names"
            )
        for key, values in (("macro", self.macro), ("measures", self.measures), ("systems", self.systems)):
            if len(set(values)) < len(values):
                raise ValueError(f"{key} names one twice")
        if self.study and (strangers := set(self.study.low_resource) - {part.lang for part in self.parts}):
            raise ValueError(
                f"study.low_resource: no part is in {', '.join(sorted(strangers))}; remove it, or add a part"
            )
        if self.primary not in self.measures:
            raise ValueError(f"primary {self.primary!r} is not among the measures")
        context = info.context or {}
        self._own = context.get("own measures")
        own = self._own.files if self._own is not None else {}
        for measure in self.measures:
            if measure not in own and not context.get("recorded"):
                parse(measure)
        self._is_checked = True
        return self

    @property
    def brings_code(self) -> bool:
        """Whether some of its measures are in Python files beside it, which the operator has to consent to."""
        return self._own is not None and bool(self._own.files)

    def measure(self, name: str) -> Measure:
        """One of its measures, or any other that has a name here.

        Raises ``WrongUsage`` where it is the track's own code, and the operator did not consent to that.
        """
        if self._own is None or name not in self._own.files:
            return parse(name)
        if name not in self._loaded:
            self._loaded[name] = self._own.load(name)
        return self._loaded[name].measure

    def measure_versions(self) -> dict[str, str]:
        """By name, what the values of each measure depend on."""
        measures = {name: self.measure(name) for name in self.measures}
        return {
            name: own_measures.identity(self._loaded[name]) if name in self._loaded else identity(measure)
            for name, measure in measures.items()
        }

    def definition(self) -> dict[str, Any]:
        """The fields that runs, scores and averages depend on, each part by its name.

        The others are prose, or say how tests are made. Where a dataset that is a path lies is no part of it.
        """
        names = ("primary", "depth", "unit", "exclude_own_document")
        parts = {
            f"part {part.name}": ", ".join(filter(None, (part.dataset, part.lang, part.clean, part.perturbation)))
            for part in self.parts
        }
        averaged = {"macro": sorted(self.macro_parts), "measures": sorted(self.measures)}
        return {**{name: getattr(self, name) for name in names}, **averaged, **parts}

    @property
    def macro_parts(self) -> tuple[str, ...]:
        return self.macro or tuple(part.name for part in self.clean_parts)

    @property
    def clean_parts(self) -> tuple[Part, ...]:
        """The columns of tables: the parts that are no perturbed forms of others."""
        return tuple(part for part in self.parts if not part.clean)

    def draws_of(self, clean: str) -> dict[str, list[Part]]:
        """The perturbed forms of a clean part, by what was done to it."""
        found: dict[str, list[Part]] = {}
        for part in self.parts:
            if part.clean == clean:
                found.setdefault(perturbed_parts.perturbation_of(part, self.part(clean)), []).append(part)
        return found

    def part(self, name: str) -> Part:
        """Raises ``WrongUsage`` with the closest names where there is none of that name."""
        for part in self.parts:
            if part.name == name:
                return part
        raise unknown_name(f"part of track {self.name}", name, [part.name for part in self.parts])


PLUGINS = Plugins("track", "xdr.tracks")


def own_track_names() -> list[str]:
    folder = resources.files("harness.tracks")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def track_names() -> list[str]:
    """Tracks that go by a name: this package's, and those of other distributions."""
    return sorted({*own_track_names(), *PLUGINS.outside()})


def _installed_file(name: str) -> Path:
    """The file of a track that goes by its name. Raises ``WrongUsage`` for an unknown one, and as ``Plugins.find``.

    An entry point of a track is a module whose folder holds ``NAME.toml``, or the path of the file.
    """
    is_own = name in own_track_names()
    found = PLUGINS.find(name, own=is_own)
    if is_own:
        return Path(str(resources.files("harness.tracks") / f"{name}.toml"))
    if found is None:
        raise unknown_name("track", name, track_names(), "xdr list tracks; or the path of a track's TOML file")
    place = getattr(found, "__file__", None)
    path = Path(place).parent / f"{name}.toml" if place is not None else found
    if not isinstance(path, Path | str) or not Path(path).is_file():
        raise PLUGINS.broken(name, f"there is no file {path}")
    return Path(path)


def load_track(name: str, consent: Consent = NOTHING) -> Track:
    """A track by its name, or from a TOML file by its path. Raises ``WrongUsage`` or ``InvalidInput``.

    ``consent``: without it the track can be looked at, and not scored where it brings measures of its own.
    """
    if name.endswith(".toml"):
        path = Path(name)
        track = _read(path, str(path), consent)
        track._file = path
        _check_not_another(track, path)
        return track
    if Path(name).is_dir():
        place = Path(name).resolve()
        is_run = (place / "manifest.yaml").is_file()
        hint = f"; give its track first, then the system: {place.parent.name} {place.name}" if is_run else ""
        raise WrongUsage(f"{name} is a folder; a track is given by its name or by the path of its TOML file{hint}")
    path = _installed_file(name)
    track = _read(path, f"track {name}", consent)
    if track.name != name:
        raise InvalidInput(f"track {name} calls itself {track.name} in {path}; an entry point has its track's own name")
    return track


def _read(path: Path, where: str, consent: Consent) -> Track:
    data = perturbed_parts.with_perturbed_parts(migrated("track", read_toml(path), where), where)
    data = _resolve_paths(data, path)
    own = _own_measures(data, path, consent)
    track = checked(Track, data, where, {"own measures": own})
    track._folder = path.parent.resolve()
    return track


def _own_measures(data: dict[str, Any], path: Path, consent: Consent) -> OwnMeasures | None:
    """Leave the names of measures alone in ``data``, and return where those are that have a file of their own."""
    measures = data.get("measures")
    # What is no list of texts is left for the check of the track's own form to report.
    if not (isinstance(measures, list) and all(isinstance(measure, str) for measure in measures)):
        return None
    found = own_measures.own_measures(str(data.get("name")), path.parent, measures, consent)
    if not found.files:
        return None
    data["measures"] = [own_measures.split(measure)[1] for measure in measures]
    if isinstance(primary := data.get("primary"), str) and primary in measures:
        data["primary"] = own_measures.split(primary)[1]
    return found


NEW_VERSION = "give the changed track another version, or another name, in its file"


def check_same_definition(recorded: Track, now: Track, where: str) -> None:
    """Raise ``InvalidInput`` that names the fields in which two definitions under one name and version differ."""
    if (recorded.name, recorded.version) != (now.name, now.version):
        return
    one, two = recorded.definition(), now.definition()
    findings = [
        Finding("error", key, in_words(one.get(key), two.get(key)))
        for key in dict.fromkeys([*one, *two])
        if one.get(key) != two.get(key)
    ]
    if findings:
        raise InvalidInput(f"{where}; {NEW_VERSION}", findings)


def _check_not_another(track: Track, path: Path) -> None:
    """A file with the name and version of a shipped track is that track, or it would take over its runs."""
    if track.name in track_names():
        where = f"{path} defines another track than the one of this package, {track.name} version {track.version}"
        check_same_definition(load_track(track.name), track, where)


def load_track_of(source: Path, name: str, given: str = "", consent: Consent = NOTHING) -> Track:
    """The track that a run was made for, by the name in its manifest or its folder's, unless another file is ``given``.

    Raises ``WrongUsage`` or ``InvalidInput``; it says that ``--track`` names the file of a track that is not installed.
    """
    if not given and name not in track_names():
        raise WrongUsage(
            f"{source}: no track {name!r:.80} is installed here; if it comes from a file, say where that lies: "
            f"--track FILE.toml (installed: {', '.join(track_names())})"
        )
    return load_track(given or name, consent)


def _resolve_paths(data: dict[str, Any], file: Path) -> dict[str, Any]:
    """Datasets that are relative paths are meant relative to the track's own file."""
    folder = file.parent
    parts = data.get("parts")
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, dict) and "location" in part:
            raise InvalidInput(f"{file}: parts have a dataset, and no key 'location'")
        dataset = str(part.get("dataset", "")) if isinstance(part, dict) else ""
        # What no path can hold is left for the check of the dataset's own form to report.
        if "\0" not in dataset and any(not Path(path).is_absolute() for path in paths_in(dataset)):
            part["location"] = map_paths(dataset, lambda path: str((folder / path).resolve()))
    return data
