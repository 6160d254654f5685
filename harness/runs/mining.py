"""What is mined: a recorded run with its track, or a TREC file with a collection."""

from __future__ import annotations

import hashlib
from pathlib import Path

from harness.adapters.consent import NOTHING, Consent
from harness.collections.view import load
from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files.limits import RUN_BYTES
from harness.files.reading import read_bytes
from harness.recipes.mine.questions import AskedPart, MinedRun
from harness.records import Ranking
from harness.runs.run_folder import recorded_run
from harness.runs.score import expected_of
from harness.runs.trec import Expected, Run, read_run


def recorded(path: Path, track: str = "", consent: Consent = NOTHING) -> tuple[MinedRun, list[Finding]]:
    """The run in runs/TRACK/SYSTEM and what is to be known of it.

    Raises ``InvalidInput`` where it is not the run that its manifest describes, or the track's data have changed since.
    """
    run = recorded_run(path, track, consent)
    run.check_definition()
    run.check_files()
    if run.lacking:
        findings = [Finding("error", f"part {name}", reason) for name, reason in run.lacking.items()]
        raise InvalidInput(f"{path} is of another version of the track; run the system again", findings)
    warnings: list[Finding] = []
    parts = []
    for part in run.track.parts:
        if part.name not in run.manifest.data:
            continue
        found, own = run.read(part.name, expected_of(part.collection, run.track))
        warnings += own
        digest = run.manifest.data[part.name].ranking
        parts.append(AskedPart(part.name, part.collection, part.lang, _rankings(found), digest))
    return MinedRun(run.name, run.track.name, tuple(parts)), warnings


def of_file(path: Path, dataset_id: str) -> tuple[MinedRun, list[Finding]]:
    """A TREC file, gzip or plain, of a collection's questions; errors as in ``read_run``."""
    collection = load(dataset_id)
    if not collection.queries:
        raise WrongUsage(f"{dataset_id} has no questions; name the collection whose questions the run answers")
    # A file has no depth to be held against.
    expected = Expected([query.query_id for query in collection.queries], collection.docs, depth=1)
    found, warnings = read_run(path, expected)
    digest = hashlib.sha256(read_bytes(path, RUN_BYTES)).hexdigest()
    name = path.name.removesuffix(".gz").removesuffix(".trec").removesuffix(".txt")
    part = AskedPart(name, collection, "", _rankings(found), digest)
    return MinedRun(name, "", (part,)), [warning for warning in warnings if warning.kind != "deep ranking"]


def _rankings(run: Run) -> dict[str, Ranking]:
    return {query_id: Ranking(query_id, ranked.doc_ids, ranked.scores) for query_id, ranked in run.rankings.items()}
