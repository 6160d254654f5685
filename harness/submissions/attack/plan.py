"""What is to be attacked, with which edits, and all that can be known to be wrong with it before anything is asked."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.collections.perturbed.content import Content
from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files.yaml_records import digest_of
from harness.runs.prepared import Prepared
from harness.submissions.attack.search import Edits
from harness.tracks import Part, Track


@dataclass(frozen=True)
class Plan:
    """``folder``: where it is written; ``to``: the systems that its track declares for transfer."""

    run: Prepared
    edits: Edits
    folder: Path
    to: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is attacked: the clean parts that the system serves."""
        return tuple(part for part in self.run.parts if not part.clean)

    @property
    def perturbation(self) -> str:
        return f"{self.edits.stem}-worst-of-{self.edits.budget}"

    @functools.cached_property
    def attack(self) -> dict[str, Any]:
        """All that the chosen questions depend on."""
        run, edits, identity = self.run, self.edits, self.run.today.identity
        digests = {part.name: run.collections[part.name].digests for part in self.parts}
        system = identity.model_dump(
            mode="json", include={"adapter", "versions", "parameters", "inputs", "files", "seed"}
        )
        return {
            "track": {"name": run.track.name, "version": run.track.version, "depth": run.track.depth},
            "system": {"name": run.name, **system},
            "recipe": {"name": edits.stem, "digest": edits.recipe.digest},
            "budget": edits.budget,
            "seeds": [edits.seeds[0], edits.seeds[-1]],
            "objective": "score of the first judged passage less that of the best other one",
            "parts": {
                part.name: [part.lang, digests[part.name].docs, digests[part.name].queries] for part in self.parts
            },
        }

    @property
    def key(self) -> str:
        return digest_of(self.attack)


def check_track(track: Track) -> None:
    """Raise ``WrongUsage`` where a track cannot be written anew: its measures are code that lies beside it."""
    if track.brings_code:
        raise WrongUsage(
            f"track {track.name} brings measures of its own, which the track of an attack would not find; attack a track "
            "without them"
        )


def check_parts(plan: Plan) -> None:
    """Raise ``InvalidInput`` with all that would make the found questions useless, once they had been paid for."""
    findings = [*_unjudged(plan), *_asked_twice(plan), *_unedited(plan)]
    if not set(plan.run.track.macro_parts) & {part.name for part in plan.parts}:
        what = f"{plan.run.name} serves none of the parts of its macro average"
        findings.append(Finding("error", f"track {plan.run.track.name}", what, "one of them, to test transfer on"))
    if findings:
        raise InvalidInput(f"{plan.run.track.name} cannot be attacked so; nothing was asked", findings)


def _unjudged(plan: Plan) -> Iterator[Finding]:
    for part in plan.parts:
        if plan.run.collections[part.name].qrels is None:
            what = f"{part.dataset} has no judgements, so that nobody can tell what is worse for a question"
            yield Finding("error", f"part {part.name}", what)


def _asked_twice(plan: Plan) -> Iterator[Finding]:
    """What is found is kept by language and id, and two parts with other passages may have another worst text."""
    asked: dict[tuple[str, str], str] = {}
    twice: Counter[tuple[str, str]] = Counter()
    for part in plan.parts:
        for query in plan.run.collections[part.name].queries:
            other = asked.setdefault((query.lang, query.query_id), part.name)
            twice[other, part.name] += other != part.name
    for (one, two), count in twice.items():
        if count:
            what = f"{count} of its questions have the language and id of one of part {one}"
            hint = 'attack a track with one of these parts, or let the questions of a folder say their "lang"'
            yield Finding("error", f"part {two}", what, "each language and id in one part", hint)


def _unedited(plan: Plan) -> Iterator[Finding]:
    recipe = plan.edits.recipe
    for part in plan.parts:
        clean = plan.run.collections[part.name]
        drawn = (Content(clean, recipe, seed).queries for seed in plan.edits.seeds)
        try:
            if not any(one.text != two.text for own in drawn for one, two in zip(own, clean.queries, strict=True)):
                yield Finding("error", f"part {part.name}", "no draw of the recipe changes any of its questions")
        except InvalidInput as error:
            yield Finding("error", f"part {part.name}", str(error))
