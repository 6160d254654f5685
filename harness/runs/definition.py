"""A track is its definition: runs and scores are held against the parts, depth and measures that they were made for.

Under one name and version there is one definition; another one is refused, with the fields that differ. A later version may
add, change and drop parts: what an older run was not asked is a dash for it, never a zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from harness.errors import Finding, InvalidInput
from harness.files.two_values import in_words
from harness.runs.manifest import Manifest, PartRecord
from harness.tracks import NEW_VERSION, Part, Track


class Asked(NamedTuple):
    """What a part asks: the digests of passages and questions, and the language that questions are taken for."""

    lang: str
    docs: str
    queries: str


def asked_by(part: Part) -> Asked:
    digests = part.collection.digests
    return Asked(part.lang, digests.docs, digests.queries)


def asked_of(record: PartRecord) -> Asked:
    return Asked(record.lang, record.docs, record.queries)


def check_definition(track: Track, manifest: Manifest) -> None:
    """Raise ``InvalidInput`` where a run was made for another definition under the track's name and version."""
    if findings := contradictions(track, manifest):
        raise InvalidInput(
            f"the run of {manifest.tag} was made for another definition of track {track.name}, version {track.version}; "
            f"{NEW_VERSION}, or run the system again with `--again`",
            findings,
        )


def contradictions(track: Track, manifest: Manifest) -> list[Finding]:
    """The fields in which a run's track is not this one, though it says so; none where it is of another version."""
    made = manifest.track
    if made.name != track.name:
        return [Finding("error", "track", f"{made.name!r} recorded", f"{track.name!r}")]
    if made.version != track.version:
        return []
    found = list(_of_track(track, manifest))
    for part in track.parts:
        record = manifest.data.get(part.name)
        if record is None:
            if made.parts is None and manifest.is_made_here and manifest.card.serves(part.lang):
                found.append(Finding("error", f"part {part.name}", "the track had it not when the run was made"))
            continue
        one, two = asked_of(record), asked_by(part)
        found += [
            Finding("error", f"part {part.name}", f"{key}: {in_words(before, now)}")
            for key, before, now in zip(Asked._fields, one, two, strict=True)
            if before != now
        ]
    return found


def _of_track(track: Track, manifest: Manifest) -> Iterator[Finding]:
    made = manifest.track
    names = [part.name for part in track.parts]
    pairs: list[tuple[str, Any, Any]] = [
        ("depth", made.depth, track.depth),
        ("exclude_own_document", made.exclude_own_document, track.exclude_own_document),
    ]
    if made.measures:
        pairs.append(("measures", sorted(made.measures), sorted(track.measures)))
    if made.parts is not None:
        pairs.append(("parts", sorted(made.parts), sorted(names)))
    else:
        pairs += [(f"part {name}", "run", "not in the track") for name in manifest.data if name not in names]
    yield from (Finding("error", field, in_words(before, now)) for field, before, now in pairs if before != now)


def lacking_parts(track: Track, manifest: Manifest) -> dict[str, str]:
    """Parts that the track has, and had not, or not in this form, when the run was made; why, by part.

    Of parts that the card declares or that were run; where the version is the same, the definition is, and none is lacking.
    """
    made = manifest.track
    if made.version == track.version:
        return {}
    before = f"the run was made for version {made.version} of the track"
    found = {}
    for part in track.parts:
        record = manifest.data.get(part.name)
        if record is None and not manifest.card.serves(part.lang):
            continue
        if record is None and (made.parts is None or part.name not in made.parts):
            found[part.name] = f"{before}, which had no {part.name}"
        elif record is not None and asked_of(record) != asked_by(part):
            found[part.name] = f"{before}, whose {part.name} had other passages or questions"
        elif made.depth < track.depth:
            found[part.name] = f"{before}, with a depth of {made.depth} instead of {track.depth}"
        elif made.exclude_own_document != track.exclude_own_document:
            found[part.name] = f"{before}, which treated a query's own document in another way"
    return found
