"""Answers, tables and figures of a recorded study (``runs/TRACK/study.json``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.adapters.card import load_card
from harness.compare.contrasts import Interaction
from harness.compare.records import MACRO, Bounds
from harness.leaderboard.findings.records import Answer, Figure, Table, Verdict
from harness.numbers import interval, percent, probability
from harness.submissions.study.records import Contrasted, Result, StudyResult, StudyRow

SEEN = " †"
SEEN_MEANS = "† the encoder's training may have held the collection, as its card says."
_CONTROLS = ("self-copy", "questions-shuffled", "passages-shuffled")


def answers_of(
    study: StudyResult, question: str, about: str, found: Sequence[Contrasted] | None = None
) -> Iterator[Answer]:
    """One for each declared contrast of the question, from the encoders that have certainly not seen the collection.

    The others' results are told in the same sentence, marked, and decide nothing. An encoder that was declared and not run is
    named as missing. ``found``: the tests, by default those of the primary measure.
    """
    found = study.results if found is None else found
    for contrast in study.declared.contrasts:
        if contrast.question != question:
            continue
        results = [own for own in found if own.name == contrast.name]
        unseen = [own for own in results if not own.may_have_seen]
        told = "; ".join(_told(own) for own in [*unseen, *(own for own in results if own not in unseen)])
        missing = [name for name in study.declared.encoders if name not in {own.encoder for own in results}]
        left = f" Not run: {', '.join(missing)}." if missing else ""
        short = f"{_collection(about)}, {contrast.name.replace('-', ' ')}"
        yield Answer(f"{about}, {contrast.title}", short, verdict_of(unseen), f"{told}.{left}".removeprefix(". "))


def _collection(about: str) -> str:
    """Of "XQuAD, texts by people" the first."""
    return about.partition(",")[0]


def verdict_of(results: Sequence[Contrasted]) -> Verdict:
    """Yes (more) or no (less) where every encoder's difference is significant, with its sign in five of seven languages.

    "It depends" where some encoder's is and not all agree; "not shown" where none is; "not answered" where there is none.
    """
    if not results:
        return "not answered"
    signs = {_sign(found) for found in results}
    if signs == {1}:
        return "yes"
    if signs == {-1}:
        return "no"
    return "not shown" if signs == {0} else "it depends"


def _sign(found: Contrasted) -> int:
    macro, *parts = found.tests
    agrees = has_most_signs(macro.difference, [test.difference for test in parts])
    return (1 if macro.difference > 0 else -1) if macro.significant and agrees else 0


def has_most_signs(difference: float, parts: Sequence[float]) -> bool:
    """Whether five of seven of the languages' differences have the sign of their average."""
    return 7 * sum(own * difference > 0 for own in parts) >= 5 * len(parts)


def _told(found: Contrasted) -> str:
    macro, *parts = found.tests
    mark = SEEN if found.may_have_seen else ""
    figures = (
        f"{_points(macro.difference)} points {interval(macro.interval)}, adjusted p {probability(macro.p_adjusted)}"
    )
    if macro.undecided:
        figures += " (so near its level that other draws might decide otherwise)"
    higher = sum(test.difference > 0 for test in parts)
    said = f"{found.encoder}{mark} {figures}, positive in {higher} of {len(parts)} languages"
    if macro.significant:
        return said + ", too few for a yes or a no" * (_sign(found) == 0)
    if macro.interval is None or not macro.interval.lower < 0 < macro.interval.upper:
        return f"{said}, not shown"
    above, below = (percent(value) for value in (macro.interval.upper, -macro.interval.lower))
    return f"{said}, not shown: more than {above} points more or {below} less is excluded"


def tests_table(study: StudyResult, question: str) -> Table:
    parts = [test.column for test in study.results[0].tests if test.column != MACRO] if study.results else []
    rows = [
        (
            f"{found.first} − {found.second}",
            found.encoder + (SEEN if found.may_have_seen else ""),
            _points(found.tests[0].difference) + "*" * bool(found.tests[0].significant),
            interval(found.tests[0].interval),
            probability(found.tests[0].p_adjusted),
            *(_points(test.difference) + "*" * bool(test.significant) for test in found.tests[1:]),
            _points(found.at_equal_weight.difference),
            *(_points(test.difference) for test in found.beside.values()),
        )
        for found in study.results
        if found.question == question
    ]
    beside = list(study.results[0].beside) if study.results else []
    weight = f"at weight {study.declared.equal_weight:g}"
    head = ("difference", "encoder", study.primary, "95%", "adjusted p", *parts, weight, *beside)
    caption = (
        f"Points of {study.primary}, macro average and by language; * significant in the declared family (Holm, "
        f"{100 * study.alpha:g}%: macro averages one family, languages another). At equal weight, and the other measures: "
        "exploratory. " + (SEEN_MEANS if any(found.may_have_seen for found in study.results) else "")
    )
    return Table(caption.strip(), head, tuple(rows))


def rows_table(study: StudyResult) -> Table:
    titles = {"none": "no texts", **{kind.name: kind.title for kind in study.declared.kinds}}
    caption = (
        f"All rows, macro averages; {study.questions:,} questions. Weights and title handling are chosen in each of two folds "
        f"of articles ({study.articles[0]} and {study.articles[1]}) on the other, of {len(study.declared.weights)} weights. "
        "Texts: how many, and tokens, of all passages (of a part, where they depend on the asker's language)."
    )
    return _rows_table(study, study.rows, titles, caption, "passage")


def expansions_table(study: StudyResult) -> Table:
    """The other side: the same fusion, of texts with the question."""
    caption = (
        "Texts fused with the question instead of the passage, macro averages: exploratory, tested by nothing. Versions of a "
        "question are oracles, translations by people. Weights are chosen as above, each in one fold on the other; at weight 1 "
        "the versions stand in the place of the question. Texts: how many, and tokens, of the questions of the first language."
    )
    titles = {"none": "no texts", **{own.name: own.title for own in study.declared.expansions}}
    encoders = {row.encoder for row in study.expansions}
    none = [row for row in study.rows if row.kind == "none" and row.encoder in encoders]
    rows = sorted([*none, *study.expansions], key=lambda row: study.declared.encoders.index(row.encoder))
    return _rows_table(study, rows, titles, caption, "question")


def _rows_table(
    study: StudyResult, found: Sequence[StudyRow], titles: Mapping[str, str], caption: str, side: str
) -> Table:
    measures = [study.primary, *dict.fromkeys(name for row in found for name in row.values if name != study.primary)]
    rows = []
    for row in found:
        used = row.used
        texts = f"{used.texts:,} / {used.tokens:,}" if used else ""
        weights = " and ".join(f"{weight:g}" for weight in dict.fromkeys(row.weights))
        cells = (percent(row.values.get(measure, {}).get(MACRO)) for measure in measures)
        rows.append((row.encoder, titles[row.kind], *cells, weights, texts))
    head = ("encoder", f"texts fused with the {side}", *measures, "weight", "texts / tokens")
    return Table(caption, head, tuple(rows))


def interaction_table(study: StudyResult) -> Table | None:
    """Whether a difference is another one in the languages of low resources."""
    found = [(result, result.interaction) for result in study.results if result.interaction is not None]
    if not found:
        return None
    low = ", ".join(study.declared.low_resource)
    rows = tuple(
        (
            f"{result.first} − {result.second}",
            result.encoder + (SEEN if result.may_have_seen else ""),
            _both(inner.points, inner.points_interval),
            _both(inner.share, inner.share_interval),
            "yes" if inner.claimed else "no",
        )
        for result, inner in found
    )
    caption = (
        f"The difference in {low}, grouped beforehand, less that in the other languages: in points, and as a share of what was "
        "missed without texts, difference / (1 − none), times 100. Claimed only where both intervals lie on one side of 0; "
        "they are corrected for nothing."
    )
    return Table(caption, ("difference", "encoder", "points", "share of what was missed", "claimed"), rows)


def interaction_answer(study: StudyResult, about: str) -> Answer | None:
    found: list[tuple[Result, Interaction]] = [
        (result, result.interaction) for result in study.results if result.interaction is not None
    ]
    if not found:
        return None
    unseen = [inner for result, inner in found if not result.may_have_seen]
    claimed = [inner for inner in unseen if inner.claimed]
    low = ", ".join(study.declared.low_resource)
    told = "; ".join(
        f"{result.encoder}{SEEN * result.may_have_seen}, {result.name}: {_both(inner.points, inner.points_interval)} points, "
        f"{_both(inner.share, inner.share_interval)} of what was missed"
        for result, inner in found
    )
    signs = {inner.points > 0 for inner in claimed}
    verdict: Verdict = "not shown" if unseen else "not answered"
    if claimed and len(claimed) == len(unseen) and len(signs) == 1:
        verdict = "yes" if signs == {True} else "no"
    elif claimed:
        verdict = "it depends"
    where = f"{about}, is the difference larger in {low} than in the other languages"
    return Answer(where, f"{_collection(about)}, larger in {low}", verdict, f"{told}; intervals corrected for nothing.")


def figures_of(study: StudyResult, kinds: Sequence[str]) -> Iterator[Figure]:
    """The whole range of weights, one figure for each encoder that was run."""
    titles: Mapping[str, str] = {kind.name: kind.title for kind in study.declared.kinds}
    for encoder in dict.fromkeys(row.encoder for row in study.rows):
        none = study.row(encoder, "none").values[study.primary][MACRO]
        series = [
            (
                titles[kind],
                (("0", none), *((f"{point.weight:g}", point.macro) for point in study.row(encoder, kind).curve)),
            )
            for kind in kinds
        ]
        yield Figure(
            f"{load_card(encoder).card.title}: {study.primary} by weight", "weight of the texts", tuple(series)
        )


def controls_of(study: StudyResult) -> Iterator[str]:
    known = {kind.name: kind.title for kind in study.declared.kinds}
    for name in _CONTROLS:
        if name not in known:
            continue
        told = []
        for encoder in dict.fromkeys(row.encoder for row in study.rows):
            none, row = study.row(encoder, "none"), study.row(encoder, name)
            gain = row.values[study.primary][MACRO] - none.values[study.primary][MACRO]
            largest = row.curve[-1]
            told.append(
                f"{encoder} {_points(gain)} at the chosen weight, {percent(largest.macro)} at {largest.weight:g}"
            )
        yield f"{known[name]}, against no texts: {'; '.join(told)}"


def _both(value: float, bounds: Bounds) -> str:
    return f"{_points(value)} {interval(bounds)}"


def _points(value: float) -> str:
    return percent(value, signed=True)
