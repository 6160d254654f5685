"""``xdr study``: what do generated texts of one kind give that those of another do not?"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import Runs, note, progress, say
from harness.cli.operator_options import Operator, with_operator_options
from harness.cli.tables import say_table
from harness.runs.commands import DEFAULT_RUNS

if TYPE_CHECKING:
    from harness.submissions.study.reading import Source
    from harness.submissions.study.records import Contrasted, StudyResult


# A study writes no stores of vectors, and its encoders, all of the adapter dense, ask no server.
_UNUSED = (
    "shard_size",
    "server",
    "api_key_variable",
    "timeout",
    "requests_per_minute",
    "price_per_million_tokens",
)
_OPEN = ", too near its level for the draws to decide"


@functools.partial(with_operator_options, without=_UNUSED)
def study(
    track: Annotated[str, typer.Argument(help="A track with [study] in its file: a name or a TOML file.")],
    runs: Runs = DEFAULT_RUNS,
    encoder: Annotated[
        list[str] | None, typer.Option(help="Only this of the declared encoders; again for another.")
    ] = None,
    reader: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="Folder of an extractive reader, for exact match; or the name of one whose answers are recorded.",
        ),
    ] = "",
    english: Annotated[
        str,
        typer.Option(
            metavar="ID", help="Give the reader the questions in English: a parallel collection, such as xquad/en."
        ),
    ] = "",
    languages: Annotated[
        str,
        typer.Option(
            metavar="LANG,LANG", help="Ask further languages that the track names instead, with texts in these."
        ),
    ] = "",
    *,
    operator: Operator,
) -> None:
    """Fuse every declared kind of texts at every weight, choose by cross-fitting, test what the track has declared."""
    from harness.files.writing import gzip_bytes, write_together
    from harness.runs.track_runs import TrackRuns
    from harness.submissions.study.continued import check_continues, continued
    from harness.submissions.study.further import further_study
    from harness.submissions.study.reading import lines_of, spans_file
    from harness.submissions.study.records import read_study, study_text
    from harness.submissions.study.runner import make_study
    from harness.tracks import load_track

    loaded = load_track(track, operator.consent())
    path = TrackRuns(loaded, runs).study_file
    if languages:
        named = [lang.strip() for lang in languages.split(",")]
        loaded, left_out = further_study(loaded, named)
        path = path.with_name(f"{path.stem}-{'-'.join(named)}{path.suffix}")
        note(*(f"left out, there are no texts in {', '.join(named)}: {title}" for title in left_out))
    recorded = read_study(path)
    if recorded is not None:
        check_continues(recorded, loaded, path)
    source = _source(reader, english, recorded, path, operator)
    made = make_study(loaded, operator.context(operator.consent()), encoder or (), source)
    if recorded is not None:
        made = continued(recorded, made, loaded, path)
    files = [(spans_file(path, name), gzip_bytes(lines_of(own))) for name, own in made.spans.items()]
    write_together([*files, (path, study_text(made.result).encode())])
    _say_rows(made.result)
    for line in _tests(made.result):
        say(line)
    note(f"written to {path}")


def _source(reader: str, english: str, recorded: StudyResult | None, path: Path, operator: Operator) -> Source | None:
    """A reader's folder, or the answers of one that are recorded. Raises ``WrongUsage`` where the name is neither's."""
    from harness.dense.encoder import resolved_device
    from harness.errors import WrongUsage
    from harness.recipes.reading import ReaderSettings
    from harness.recipes.reading.kept import KeptReader
    from harness.submissions.study.reading import ReaderAtHand, RecordedReader, spans_file

    if not reader:
        if english:
            raise WrongUsage("--english says what a reader is given: name one with --reader FOLDER")
        return None
    if Path(reader).is_dir():
        settings = ReaderSettings(Path(reader), resolved_device(operator.device))
        return ReaderAtHand(KeptReader(settings, operator.workers), progress(), english)
    known = {own.reading: own for own in recorded.readings} if recorded is not None else {}
    if reader not in known:
        names = ", ".join(known) or "none"
        raise WrongUsage(
            f"--reader {reader}: no such folder, and no reader whose answers are recorded (those are: {names})"
        )
    if english:
        raise WrongUsage(f"--english: {reader} is a recorded reading, whose questions are those that it was given")
    return RecordedReader(known[reader], spans_file(path, reader))


def _say_rows(result: StudyResult) -> None:
    from harness.compare.records import MACRO
    from harness.numbers import percent

    weights = [f"{weight:g}" for weight in result.declared.weights]
    answers = [f"AnswerRecall@{own.cutoff}" for own in result.declared.answers]
    rows = []
    for row in (*result.rows, *result.expansions):
        used = ", ".join(f"{weight:g}" for weight in dict.fromkeys(row.weights))
        curve = [percent(point.macro) for point in row.curve] or [""] * len(weights)
        values = [percent(row.values.get(name, {}).get(MACRO)) for name in (result.primary, *answers)]
        rows.append([row.encoder, row.kind, *values, used, *curve])
    say_table(["encoder", "texts", result.primary, *answers, "chosen", *weights], rows)


def _tests(result: StudyResult) -> Iterator[str]:
    from harness.numbers import interval, percent, probability

    for measure, found in _contrasted(result):
        for test in found.tests:
            mark = "*" if test.significant else ""
            where = f"{found.name}, {found.encoder}, {test.column}" + f", {measure}" * (measure != result.primary)
            p = probability(test.p_adjusted if test.p_adjusted is not None else test.p)
            between = interval(test.interval)
            yield (
                f"{where:<48} {percent(test.difference, signed=True):>6} {between}  adjusted p {p}{mark}"
                + _OPEN * bool(test.undecided)
            )
    for own in result.readings:
        yield f"{own.reading}: exact match with the relevant passages alone {percent(own.exact_match)}"
    for one in result.drop_differences:
        where = f"drop, {one.system} less {one.against}, {one.perturbation}"
        between, mark = interval(one.interval, 2), "*" if one.significant else ""
        p = probability(one.p_adjusted)
        yield f"{where:<48} {percent(one.difference, 2, signed=True):>6} {between}  adjusted p {p}{mark}"
    for family in result.drop_families:
        if family.undecided:
            yield f"{family.name}: {family.undecided} of {family.size} tests{_OPEN}"


def _contrasted(result: StudyResult) -> Iterator[tuple[str, Contrasted]]:
    yield from ((result.primary, found) for found in result.results)
    yield from ((found.measure, found) for found in result.answers)
    yield from ((found.measure, found) for own in result.readings for found in own.results)
