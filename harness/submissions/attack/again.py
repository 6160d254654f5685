"""A recorded attack made again: the same system asked for the same draws of the same recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.adapters.card import load_card
from harness.adapters.contract import Context
from harness.collections.perturbed.recipe import load_recipe
from harness.errors import InvalidInput
from harness.files.scratch import scratch_folder
from harness.files.two_values import in_words
from harness.runs.prepared import prepared
from harness.runs.track_runs import TrackRuns
from harness.submissions.attack.files import AttackManifest, written_attack
from harness.submissions.attack.plan import Plan, check_parts, check_track
from harness.submissions.attack.search import FIRST_SEED, Edits, attacked
from harness.tracks import Track


def attack_again(path: Path, recorded: AttackManifest, track: Track, context: Context) -> AttackManifest:
    """What the attack of the manifest in ``path`` gives now; writes nothing that stays.

    The system is the card of the recorded name, the recipe the one that ships under its name. Raises ``InvalidInput`` where
    that recipe, or the track's version, is another one now.
    """
    check_track(track)
    said = recorded.attack
    name, digest = said["recipe"]["name"], said["recipe"]["digest"]
    recipe = load_recipe(name)
    now = {"version": track.version, "recipe": recipe.digest}
    before = {"version": said["track"]["version"], "recipe": digest}
    if now != before:
        raise InvalidInput(f"{path} is an attack by another recipe, or on another version: {in_words(before, now)}")
    first, last = said["seeds"]
    edits = Edits(name, recipe, last - first + 1, first // FIRST_SEED)
    with scratch_folder(context.cache, "reproduce-") as clean:
        own = replace(context, cache=clean / "cache", work=clean / "work", seed=said["system"]["seed"])
        run = prepared(TrackRuns(track, clean / "again"), load_card(said["system"]["name"]), own)
        plan = Plan(run, edits, clean / "attack")
        check_parts(plan)
        with attacked(run, edits, own, plan.key) as parts:
            return written_attack(plan, parts)
