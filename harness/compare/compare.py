"""Each system against the track's baseline: per language and on the macro average, with declared families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.compare.corrections import check_resamples, correct, smallest_adjusted_p
from harness.compare.estimates import means_of, standings_of, with_estimates
from harness.compare.projections import p_values
from harness.compare.records import MACRO, SCHEMA_VERSION, Comparison, Difference, Family
from harness.errors import Finding, InvalidInput
from harness.score import ScoreFile
from harness.tracks import Track


def compare_systems(track: Track, scores: Sequence[ScoreFile]) -> Comparison:
    """Test every system against the baseline. Raises ``InvalidInput`` when the scores are not comparable.

    Per part the statistic is the mean difference; on the macro average it is (1/L) sum over parts of the mean
    difference. Holm's correction holds the family-wise error over all systems (macro), and over all systems and parts
    (per language), of the primary measure.
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
        per_part = _tests(track, baseline, tested, measure)
        macro = [test for test in per_part if test.column == MACRO]
        single = [test for test in per_part if test.column != MACRO]
        if measure == track.primary:
            macro, family = _corrected(track, macro, "macro")
            single, second = _corrected(track, single, "per language")
            families += [family, second]
            macro, single = (
                [with_estimates(track, test, by_name[test.system], baseline) for test in tests]
                for tests in (macro, single)
            )
        differences += [*macro, *single]
    standings, all_pairs = standings_of(track, [by_name[name] for name in sorted(by_name)])
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
        families=(*families, all_pairs),
        differences=tuple(differences),
        means=tuple(mean for name in sorted(by_name) for mean in means_of(track, by_name[name])),
        standings=tuple(standings),
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


def _tests(track: Track, baseline: ScoreFile, tested: Sequence[ScoreFile], measure: str) -> list[Difference]:
    """All tests of one measure: one column of unit sums for each system and part, one for each system's macro."""
    units = sorted({unit for key, (_, unit) in baseline.units.items()})
    place = {unit: row for row, unit in enumerate(units)}
    columns: list[NDArray[np.float64]] = []
    found: list[tuple[str, str, float, tuple[int, int, int]]] = []
    for system in tested:
        shares: dict[str, NDArray[np.float64]] = {}
        all_deltas: list[NDArray[np.float64]] = []
        for part in track.parts:
            pair = (baseline.values.get((part.name, measure)), system.values.get((part.name, measure)))
            if not pair[0] or not pair[1]:
                continue
            deltas, rows = _paired(baseline, part.name, pair[0], pair[1], place)
            shares[part.name] = np.bincount(rows, weights=deltas, minlength=len(units)).astype(np.float64)
            columns.append(shares[part.name])
            found.append((system.system, part.name, float(deltas.mean()), _counts(deltas)))
            shares[part.name] = shares[part.name] / len(deltas)
            if part.name in track.macro_parts:
                all_deltas.append(deltas)
        if all(name in shares for name in track.macro_parts):
            macro = sum((shares[name] for name in track.macro_parts), np.zeros(len(units))) / len(track.macro_parts)
            columns.append(macro)
            found.append((system.system, MACRO, float(macro.sum()), _counts(np.concatenate(all_deltas))))
    if not columns:
        return []
    families = track.families
    p = p_values(np.stack(columns, axis=1), units, families.resamples, families.seed)
    return [
        Difference(
            system=system,
            column=column,
            measure=measure,
            difference=difference,
            p=float(value),
            p_adjusted=None,
            significant=None,
            wins=counts[0],
            ties=counts[1],
            losses=counts[2],
        )
        for (system, column, difference, counts), value in zip(found, p, strict=True)
    ]


def _paired(
    baseline: ScoreFile, part: str, one: Mapping[str, float], two: Mapping[str, float], place: Mapping[str, int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    if one.keys() != two.keys():
        raise InvalidInput(f"part {part}: two systems are scored on different queries; score them again")
    deltas = np.array([two[query_id] - one[query_id] for query_id in one])
    rows = np.array([place[baseline.units[part, query_id][1]] for query_id in one])
    return deltas, rows


def _counts(deltas: NDArray[np.float64]) -> tuple[int, int, int]:
    return int((deltas > 0).sum()), int((deltas == 0).sum()), int((deltas < 0).sum())


def _corrected(
    track: Track, tests: Sequence[Difference], name: Literal["macro", "per language"]
) -> tuple[list[Difference], Family]:
    families = track.families
    size = len(tests)
    check_resamples(name, size, families.resamples, families.alpha)
    family = Family(
        name=name,
        measure=track.primary,
        size=size,
        correction=families.correction,
        smallest_adjusted_p=smallest_adjusted_p(size, families.resamples),
    )
    decided = correct(np.array([test.p for test in tests]), families.correction, families.alpha)
    corrected = [
        test.model_copy(update={"p_adjusted": float(p), "significant": bool(decision)})
        for test, p, decision in zip(tests, decided.p_adjusted, decided.significant, strict=True)
    ]
    return corrected, family
