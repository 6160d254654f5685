"""Each system against the track's baseline: per language and on the macro average, with declared families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.compare.corrections import correct, resamples_needed, smallest_adjusted_p
from harness.compare.drops import drops_of
from harness.compare.estimates import means_of, with_estimates
from harness.compare.monte_carlo import Drawn, drawn_p_values, most_times, standard_error
from harness.compare.projections import Block, p_values_on
from harness.compare.records import MACRO, SCHEMA_VERSION, Comparison, Difference, Family
from harness.compare.signed_sums import Draws
from harness.compare.standings import standings_of
from harness.compare.transfers import transfers_of
from harness.errors import Finding, InvalidInput
from harness.runs.per_query import PerQuery
from harness.runs.score_file import ScoreFile
from harness.tracks import Track


def compare_systems(track: Track, scores: Sequence[ScoreFile]) -> Comparison:
    """Test every system against the baseline. Raises ``InvalidInput`` when the scores are not comparable.

    Per part the statistic is the mean difference; on the macro average it is (1/L) sum over parts of the mean
    difference. Holm's correction holds the family-wise error over all systems (macro), and over all systems and parts
    (per language), of the primary measure. All pairs of systems are another question, with tests of its own.
    """
    by_name = {score.system: score for score in scores}
    if track.baseline not in by_name:
        raise InvalidInput(f"the baseline {track.baseline} of track {track.name} has no scores; run and score it first")
    check_comparable(track, scores)
    baseline = by_name[track.baseline]
    tested = [score for name, score in sorted(by_name.items()) if name != track.baseline]
    differences: list[Difference] = []
    families: list[Family] = []
    for measure in track.measures:
        tests = _tests(track, baseline, tested, measure)
        macro = [test for test in tests if test.column == MACRO]
        single = [test for test in tests if test.column != MACRO]
        if measure != track.primary:
            differences += _exploratory(track, [*macro, *single])
            continue
        for family, decided in (_family(track, macro, "macro"), _family(track, single, "per language")):
            families.append(family)
            differences += [with_estimates(track, test, by_name[test.system], baseline) for test in decided]
    standings, pairs, all_pairs = standings_of(track, [by_name[name] for name in sorted(by_name)])
    in_order = [by_name[name] for name in sorted(by_name)]
    dropped = drops_of(track, in_order)
    transfers, family_of_transfers = transfers_of(track, in_order)
    return Comparison(
        schema_version=SCHEMA_VERSION,
        track={"name": track.name, "version": track.version},
        baseline=track.baseline,
        test="two-sided paired randomization test, units flipped as a whole",
        unit=track.unit,
        alpha=track.families.alpha,
        resamples=track.families.resamples,
        all_pairs_resamples=track.families.all_pairs_resamples,
        seed=track.families.seed,
        systems=tuple(sorted(by_name)),
        families=(*families, all_pairs, *dropped.families, *family_of_transfers),
        differences=tuple(differences),
        means=tuple(mean for name in sorted(by_name) for mean in means_of(track, by_name[name])),
        standings=standings,
        pairs=pairs,
        drops=dropped.drops,
        drop_differences=dropped.differences,
        transfers=transfers,
        scores={name: str(score.context["key"]) for name, score in sorted(by_name.items())},
    )


def check_comparable(track: Track, scores: Sequence[ScoreFile]) -> None:
    """Raise ``InvalidInput`` that names every field in which two results differ that must agree to share a table."""
    findings = []
    reference = scores[0]
    for other in scores[1:]:
        for field in ("measures", "track"):
            one, two = reference.context[field], other.context[field]
            # One finding for each measure (its version names the tokenizer), the depth, the unit, ...
            findings += [
                _mismatch(f"{field}: {key}", reference, other, one.get(key, "nothing"), two.get(key, "nothing"))
                for key in dict.fromkeys([*one, *two])
                if one.get(key) != two.get(key)
            ]
        for part, lang in other.langs.items():
            first = next(score for score in scores if part in score.langs)
            if first.langs[part] != lang:
                findings.append(_mismatch(f"{part}: language", first, other, first.langs[part], lang))
        for part, two in other.context["data"].items():
            first = next(score for score in scores if part in score.context["data"])
            one = first.context["data"][part]
            findings += [
                _mismatch(f"{part}: {kind}", first, other, one[kind], two[kind])
                for kind in one
                if one[kind] != two[kind]
            ]
    if findings:
        raise InvalidInput(f"results of track {track.name} cannot share a table; score them again", findings)


def _mismatch(field: str, one: ScoreFile, two: ScoreFile, expected: object, found: object) -> Finding:
    return Finding("error", f"{two.system}, {field}", str(found)[:120], f"{str(expected)[:120]} as in {one.system}")


class _Test(NamedTuple):
    """A system against the baseline on one column; ``shares``: float64, shape (units,), what units add to the difference.

    ``units`` are those of the column, so that a language does not hold zeros for the units of all others.
    """

    system: str
    column: str
    measure: str
    difference: float
    counts: tuple[int, int, int]
    units: Sequence[str]
    shares: NDArray[np.float64]

    def with_p(self, p: float, resamples: int) -> Difference:
        """``resamples`` is 0 where p is exact."""
        return Difference(
            system=self.system,
            column=self.column,
            measure=self.measure,
            difference=self.difference,
            p=p,
            p_adjusted=None,
            significant=None,
            wins=self.counts[0],
            ties=self.counts[1],
            losses=self.counts[2],
            resamples=resamples or None,
            p_error=float(standard_error(np.array(p), resamples)) if resamples else 0.0,
        )


class _Part(NamedTuple):
    """Of a part's queries: the names of their units, sorted, the row of each query's unit, and the units' rows among all."""

    units: Sequence[str]
    rows: NDArray[np.int64]
    among_all: NDArray[np.int64]


def _tests(track: Track, baseline: ScoreFile, tested: Sequence[ScoreFile], measure: str) -> list[_Test]:
    """All tests of one measure: of each system on every part that it has, and on the macro average where it has all."""
    units = sorted({unit for _, unit in baseline.units.values()})
    place = {unit: row for row, unit in enumerate(units)}
    parts = {
        part.name: _part(baseline.named(part.name, scored.queries).units, place)
        for part in track.clean_parts
        if (scored := baseline.scored(part.name, measure)) is not None
    }
    found: list[_Test] = []
    for system in tested:
        macro = np.zeros(len(units))
        all_deltas: dict[str, NDArray[np.float64]] = {}
        for part in track.clean_parts:
            one, two = (score.scored(part.name, measure) for score in (baseline, system))
            if one is None or two is None:
                continue
            deltas, own = _paired(part.name, one, two), parts[part.name]
            sums = np.bincount(own.rows, weights=deltas, minlength=len(own.units)).astype(np.float64)
            mean, counts = float(deltas.mean()), _counts(deltas)
            found.append(_Test(system.system, part.name, measure, mean, counts, own.units, sums))
            if part.name in track.macro_parts:
                all_deltas[part.name] = deltas
        if all(name in all_deltas for name in track.macro_parts):
            for name in track.macro_parts:
                own, deltas = parts[name], all_deltas[name]
                macro[own.among_all] += np.bincount(own.rows, weights=deltas, minlength=len(own.units)) / len(deltas)
            macro /= len(track.macro_parts)
            counts = _counts(np.concatenate(list(all_deltas.values())))
            found.append(_Test(system.system, MACRO, measure, float(macro.sum()), counts, units, macro))
    return found


def _part(unit_of: Sequence[str], place: Mapping[str, int]) -> _Part:
    names = sorted(set(unit_of))
    row = {unit: number for number, unit in enumerate(names)}
    return _Part(names, np.array([row[unit] for unit in unit_of]), np.array([place[unit] for unit in names]))


def _blocks(tests: Sequence[_Test]) -> tuple[list[Block], NDArray[np.int64]]:
    """The tests by column, and their numbers in this order."""
    by_column: dict[str, list[int]] = {}
    for number, test in enumerate(tests):
        by_column.setdefault(test.column, []).append(number)
    blocks = [
        Block(np.stack([tests[number].shares for number in own], axis=1), tests[own[0]].units)
        for own in by_column.values()
    ]
    return blocks, np.array([number for own in by_column.values() for number in own], dtype=np.int64)


def _exploratory(track: Track, tests: Sequence[_Test]) -> list[Difference]:
    families = track.families
    blocks, order = _blocks(tests)
    p = np.empty(len(tests))
    p[order] = p_values_on(blocks, families.resamples, families.seed)
    return [test.with_p(float(value), families.resamples) for test, value in zip(tests, p, strict=True)]


def _paired(part: str, one: PerQuery, two: PerQuery) -> NDArray[np.float64]:
    """The second's values less the first's, in the order of the first's queries."""
    if one.queries is not two.queries and one.keys() != two.keys():
        raise InvalidInput(f"part {part}: two systems are scored on different queries; score them again")
    return two.of(one.queries) - one.array


def _counts(deltas: NDArray[np.float64]) -> tuple[int, int, int]:
    return int((deltas > 0).sum()), int((deltas == 0).sum()), int((deltas < 0).sum())


def _family(
    track: Track, tests: Sequence[_Test], name: Literal["macro", "per language"]
) -> tuple[Family, list[Difference]]:
    families = track.families
    size = len(tests)
    blocks, order = _blocks(tests)
    drawn = Drawn(np.empty(0), np.empty(0, np.int64), 0)
    if tests:
        draws = Draws(families.resamples, families.seed)
        drawn = drawn_p_values(blocks, draws, families.correction, families.alpha)
    p, resamples = np.empty(size), np.empty(size, np.int64)
    p[order], resamples[order] = drawn.p, drawn.resamples
    family = Family(
        name=name,
        measure=track.primary,
        size=size,
        correction=families.correction,
        smallest_adjusted_p=smallest_adjusted_p(size, _most_draws(size, families.resamples, families.alpha)),
        resamples=families.resamples,
        undecided=drawn.undecided,
    )
    decided = correct(p, families.correction, families.alpha)
    columns_of_tests = zip(tests, p, resamples, decided.p_adjusted, decided.significant, strict=True)
    return family, [
        test.with_p(float(own), int(drawn_for_it)).model_copy(
            update={"p_adjusted": float(adjusted), "significant": bool(significant)}
        )
        for test, own, drawn_for_it, adjusted, significant in columns_of_tests
    ]


def _most_draws(size: int, resamples: int, alpha: float) -> int:
    """The declared draws of a test, or, in a family that is too large for them, what its open tests may have."""
    is_enough = resamples >= resamples_needed(size, alpha)
    return resamples if is_enough else resamples * most_times(size, resamples, alpha)
