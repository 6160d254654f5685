"""A track's questions, passages, judgements and answers held against one another and against what the track asks of them.

Everything here is known before the first system runs, and would else be seen after hours, or not at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from harness.collections.view import Collection
from harness.errors import Finding, InvalidInput, errors_of
from harness.measures import Judged
from harness.tracks import Part, Track
from harness.tracks.perturbed_parts import unequal_questions


def check_track(track: Track, parts: Sequence[Part] | None = None) -> list[Finding]:
    """Warnings about the parts, default all; collections are opened for it.

    Raises ``InvalidInput`` with all errors and warnings where a part asks nothing, nothing of it can be scored by one of the
    measures, its files do not speak of one another, or a measure looks deeper than runs are stored.
    """
    parts = track.parts if parts is None else parts
    findings = [finding for part in parts for finding in _of_part(track, part)] + list(_depth(track, parts))
    if errors := errors_of(findings):
        warnings = [finding for finding in findings if finding not in errors]
        raise InvalidInput(f"track {track.name} cannot be scored as it is", [*errors, *warnings])
    return findings


def _of_part(track: Track, part: Part) -> Iterator[Finding]:
    where, collection = f"part {part.name}", part.collection
    yield from (Finding(found.severity, where, found.what, found.expected, found.hint) for found in collection.remarks)
    if not collection.queries:
        yield Finding("error", where, f"{part.dataset} has no questions", "some to ask")
        return
    yield from _languages(part, collection, where)
    if part.clean and (unequal := unequal_questions(part, track.part(part.clean))):
        yield unequal
    references = list(collection.references.findings(where))
    yield from references
    if not errors_of(references):
        yield from _measures(track, collection, where)


def _languages(part: Part, collection: Collection, where: str) -> Iterator[Finding]:
    """Regions and scripts are not looked at: a part in zh may have questions in zh-Hans."""
    others = Counter(
        query.lang for query in collection.queries if query.lang and _spoken(query.lang) != _spoken(part.lang)
    )
    if not others:
        return
    shown = ", ".join(f"{lang} ({count})" for lang, count in sorted(others.items()))
    total, count = len(collection.queries), sum(others.values())
    what = f"{count} of {total} questions are in another language: {shown}"
    yield Finding("error" if count == total else "warning", where, what, f"{part.lang}, the part's `lang`")


def _spoken(lang: str) -> str:
    return lang.partition("-")[0]


def _measures(track: Track, collection: Collection, where: str) -> Iterator[Finding]:
    judged = Judged(collection)
    for measure in map(track.measure, track.measures):
        if not measure.applies_to(judged):
            what = f"{collection.dataset_id} lacks the judgements or answers for {measure.name}"
            yield Finding(
                "error", where, what, "what the measure is computed from", "leave the measure out, or add them"
            )
        elif not measure.scored_queries(judged):
            what = f"no question has anything that {measure.name} could be computed from"
            yield Finding("error", where, what, "judgements or answers of its questions")


def _depth(track: Track, parts: Sequence[Part]) -> Iterator[Finding]:
    """A depth that holds all passages that there are is never too small."""
    passages = max((len(part.collection.docs) for part in parts), default=0)
    for measure in map(track.measure, track.measures):
        cutoff = measure.cutoff
        if cutoff is not None and track.depth < min(cutoff, passages):
            what = f"{measure.name} looks at {cutoff} passages, but runs are stored with depth = {track.depth}"
            yield Finding("error", f"track {track.name}", what, f"a depth of {cutoff} or more, or a smaller cutoff")
