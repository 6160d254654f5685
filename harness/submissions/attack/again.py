"""A recorded attack made again: the same system asked for the same draws of the same recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, model_validator

from harness.adapters.card import LoadedCard, load_card
from harness.adapters.contract import Context
from harness.collections.perturbed.recipe import Recipe, load_recipe
from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files.scratch import scratch_folder
from harness.files.toml_records import Record, checked
from harness.files.two_values import in_words
from harness.files.yaml_records import digest_of
from harness.runs.prepared import prepared
from harness.runs.track_runs import TrackRuns
from harness.submissions.attack.files import AttackManifest, written_attack
from harness.submissions.attack.plan import Plan, check_parts, check_track
from harness.submissions.attack.search import FIRST_SEED, Edits, attacked
from harness.tracks import Track


class _Part(Record):
    """Of what a manifest says what is needed to make it again; the rest is held against it by its digest."""

    model_config = ConfigDict(extra="ignore")


class _Track(_Part):
    name: str
    version: int


class _System(_Part):
    name: str
    seed: int = Field(ge=0)


class _Recipe(_Part):
    name: str
    digest: str


class _Attack(_Part):
    track: _Track
    system: _System
    recipe: _Recipe
    budget: int = Field(ge=1, le=999)
    seeds: tuple[int, int]

    @property
    def number(self) -> int:
        return self.seeds[0] // FIRST_SEED

    @model_validator(mode="after")
    def _with_the_seeds_of_its_number(self) -> _Attack:
        first = FIRST_SEED * self.number + 1
        if not 1 <= self.number <= 9999 or self.seeds != (first, first + self.budget - 1):
            raise ValueError(f"seeds {list(self.seeds)} are not those of {self.budget} draws of an attack")
        return self


def attack_again(path: Path, recorded: AttackManifest, track: Track, context: Context) -> AttackManifest:
    """What the attack of the manifest in ``path`` gives now; writes nothing that stays.

    The system is the card of the recorded name, the recipe the one that ships under its name. Raises ``InvalidInput`` where
    there is none of that name, where that recipe or the track's version is another one now, and for a manifest that is not
    as an attack left it.
    """
    check_track(track)
    said = checked(_Attack, recorded.attack, f"{path}, attack")
    if digest_of(recorded.attack) != recorded.key:
        raise InvalidInput(f"{path} is not as an attack left it: its attack is not the one of its key")
    card, recipe = _shipped(path, said)
    now = {"version": track.version, "recipe": recipe.digest}
    before = {"version": said.track.version, "recipe": said.recipe.digest}
    if now != before:
        raise InvalidInput(f"{path} is an attack by another recipe, or on another version: {in_words(before, now)}")
    edits = Edits(said.recipe.name, recipe, said.budget, said.number)
    with scratch_folder(context.cache, "reproduce-") as clean:
        own = replace(context, cache=clean / "cache", work=clean / "work", seed=said.system.seed)
        run = prepared(TrackRuns(track, clean / "again"), card, own)
        plan = Plan(run, edits, clean / "attack")
        check_parts(plan)
        with attacked(run, edits, own, plan.key) as parts:
            return written_attack(plan, parts)


def _shipped(path: Path, said: _Attack) -> tuple[LoadedCard, Recipe]:
    found: list[Any] = []
    findings = []
    for load, what, name in ((load_card, "system", said.system.name), (load_recipe, "recipe", said.recipe.name)):
        try:
            found.append(load(name) if name == Path(name).name and not name.endswith(".toml") else None)
        except (WrongUsage, InvalidInput):
            found.append(None)
        if found[-1] is None:
            findings.append(Finding("error", what, f"{name!r:.80} does not ship with this package"))
    if findings:
        raise InvalidInput(
            f"{path} cannot be made again by this command; `xdr attack` with the same card, recipe, budget and seed writes a "
            "manifest to hold against it",
            findings,
        )
    card, recipe = found
    return card, recipe
