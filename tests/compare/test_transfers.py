"""Questions chosen against one system: what they cost the others, held against counting and against the choices themselves."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from score_files import scores_of

from harness.compare.choices import chosen
from harness.compare.compare import compare_systems
from harness.compare.records import MACRO, Comparison, Transfer, read_comparison, write_comparison
from harness.compare.signed_sums import Draws
from harness.errors import InvalidInput
from harness.files.toml_records import checked
from harness.submissions.attack.search import Outcome, _worst
from harness.tracks import Track

LANGUAGES = ("fi", "ja")
SIZES = {"fi": 30, "ja": 20}
ATTACK = {"perturbation": "worst", "system": "attacked", "control": "typo-swap"}


def track_with(**fields: Any) -> Track:
    parts: list[dict[str, str]] = []
    for lang in LANGUAGES:
        parts.append({"name": lang, "dataset": f"xdr-mini/{lang}", "lang": lang})
        for seed in (1, 2):
            dataset = f"perturbed(typo-swap,seed={seed}):xdr-mini/{lang}"
            parts.append({"name": f"{lang}-{seed}", "dataset": dataset, "lang": lang, "of": lang})
        dataset = f"perturbed(worst.toml,seed=1):xdr-mini/{lang}"
        parts.append({"name": f"{lang}-worst", "dataset": dataset, "lang": lang, "of": lang})
    given = {
        "schema_version": 1, "name": "chosen", "version": 1, "title": "Chosen", "description": "", "parts": parts,
        "measures": ["RR"], "primary": "RR", "depth": 10, "baseline": "attacked", "attacks": [ATTACK],
        "families": {"resamples": 2000, "all_pairs_resamples": 1000, "seed": 7}, **fields,
    }  # fmt: skip
    return checked(Track, given, "track chosen")


def hits(seed: int, unselected: float, worst: float) -> dict[str, dict[str, float]]:
    rng = random.Random(seed)
    rates = {"": 0.9, "-1": unselected, "-2": unselected, "-worst": worst}
    return {
        f"{lang}{end}": {f"q{i}": float(rng.random() < rate) for i in range(SIZES[lang])}
        for lang in LANGUAGES
        for end, rate in rates.items()
    }


SCORES = {"attacked": hits(1, 0.8, 0.1), "like it": hits(2, 0.8, 0.3), "unlike it": hits(3, 0.7, 0.7)}


def compared(**fields: Any) -> Comparison:
    return compare_systems(track_with(**fields), [scores_of(name, own) for name, own in SCORES.items()])


def transfer(comparison: Comparison, system: str, column: str = MACRO) -> Transfer:
    (found,) = [one for one in comparison.transfers if (one.system, one.column) == (system, column)]
    return found


def test_the_loss_is_that_beyond_the_unselected_draws_by_language_and_on_average() -> None:
    comparison = compared()
    for system, own in SCORES.items():
        losses = []
        for lang in LANGUAGES:
            count = SIZES[lang]
            unselected = Fraction(int(sum(sum(own[f"{lang}-{seed}"].values()) for seed in (1, 2))), 2 * count)
            worst = Fraction(int(sum(own[f"{lang}-worst"].values())), count)
            found = transfer(comparison, system, lang)
            assert (found.unselected, found.found) == (pytest.approx(float(unselected)), pytest.approx(float(worst)))
            assert found.loss == pytest.approx(float(unselected - worst))
            assert (found.p, found.significant, found.draws, found.attacked) == (None, None, 2, "attacked")
            losses.append(unselected - worst)
        macro = transfer(comparison, system)
        assert macro.loss == pytest.approx(float(sum(losses) / 2))
        assert macro.clean == pytest.approx(sum(sum(own[x].values()) / SIZES[x] for x in LANGUAGES) / 2)
        assert macro.interval is not None
        assert macro.interval.lower < macro.loss < macro.interval.upper


def test_what_is_tested_is_transfer_to_others_and_never_the_attacked_system_or_a_drop_from_the_clean_text() -> None:
    comparison = compared()
    assert transfer(comparison, "attacked").p is None
    assert transfer(comparison, "attacked").loss > 0.5
    like, unlike = (transfer(comparison, name) for name in ("like it", "unlike it"))
    assert like.significant
    assert unlike.significant is False
    assert next(family for family in comparison.families if family.name == "transfers").size == 2
    assert [drop.p for drop in comparison.drops if drop.perturbation == "worst"] == [None] * 9
    planned = {(drop.system, drop.perturbation) for drop in comparison.drops if drop.p_adjusted is not None}
    assert planned == {(system, "typo-swap") for system in SCORES}
    assert {found.perturbation for found in comparison.drop_differences} == {"typo-swap"}


def test_p_counts_which_of_a_units_versions_could_have_been_the_chosen_one() -> None:
    own = SCORES["unlike it"]
    units = sorted({f"q{i}" for i in range(30)})
    ways = ("-worst", "-1", "-2")
    shares = [
        [sum(Fraction(int(own[f"{x}{way}"].get(unit, 0))) / (2 * SIZES[x]) for x in LANGUAGES) for way in ways]
        for unit in units
    ]
    gaps = [[one - (sum(unit) - one) / 2 for one in unit] for unit in shares]
    observed = abs(sum(unit[0] for unit in gaps))
    choices = chosen(units, 3, Draws(2000, 7)).T.tolist()
    sums = [abs(sum(unit[k] for unit, k in zip(gaps, column, strict=True))) for column in choices]
    expected = (sum(one >= observed for one in sums) + 1) / 2001
    assert transfer(compared(), "unlike it").p == pytest.approx(expected, abs=1e-12)


def test_where_the_choice_is_of_no_account_p_is_rarely_small() -> None:
    """The level is held: one of three exchangeable draws was called the chosen one."""
    p = []
    track = track_with(families={"resamples": 1000, "all_pairs_resamples": 1000, "seed": 7})
    for seed in range(60):
        own = hits(seed + 100, 0.5, 0.5)
        scores = [scores_of("attacked", SCORES["attacked"]), scores_of("other", own)]
        p.append(transfer(compare_systems(track, scores), "other").p or 0.0)
    assert sum(value <= 0.05 for value in p) <= 8
    assert sum(value <= 0.5 for value in p) > 15


def attacked_by_noise(seed: int) -> dict[str, dict[str, float]]:
    """Hits of a system by the text, of which some are drawn far more often; the attacked one's outcomes are a coin's."""
    rng = random.Random(seed)
    found: dict[str, dict[str, float]] = {
        f"{lang}{end}": {} for lang in LANGUAGES for end in ("", "-1", "-2", "-worst")
    }
    for lang in LANGUAGES:
        for question in (f"q{i}" for i in range(SIZES[lang])):
            rate = rng.choice((0.2, 0.8))
            hit = [float(rng.random() < rate) for _ in range(7)]
            outcomes = [Outcome(1, rng.random()) for _ in range(6)]
            drawn = rng.choices(range(6), weights=(32, 16, 8, 4, 2, 1), k=12)
            worst = _worst([outcomes[text] for text in drawn[2:]], [True] * 10)
            for end, text in (("", 6), ("-1", drawn[0]), ("-2", drawn[1]), ("-worst", drawn[2 + worst])):
                found[f"{lang}{end}"][question] = hit[text]
    return found


def test_where_noise_chose_among_texts_of_unequal_frequency_p_is_rarely_small() -> None:
    """Rare texts weigh more among the chosen than among the draws, so that these are not exchangeable to the letter."""
    track = track_with(families={"resamples": 1000, "all_pairs_resamples": 1000, "seed": 7})
    p = []
    for seed in range(60):
        scores = [scores_of("attacked", SCORES["attacked"]), scores_of("other", attacked_by_noise(seed))]
        p.append(transfer(compare_systems(track, scores), "other").p or 0.0)
    assert sum(value <= 0.05 for value in p) <= 8
    assert sum(value <= 0.5 for value in p) > 15


def test_the_family_counts_what_was_declared_and_not_run() -> None:
    whole = compared(systems=("attacked", "like it", "absent", "another"))
    assert next(family for family in whole.families if family.name == "transfers").size == 4
    like = transfer(whole, "like it")
    assert like.p is not None
    assert like.p_adjusted == pytest.approx(min(1, 4 * like.p))


def test_transfers_are_read_as_they_were_written_and_are_not_there_without_attacks(tmp_path: Path) -> None:
    comparison = compared()
    write_comparison(tmp_path / "comparison.json", comparison)
    assert read_comparison(tmp_path / "comparison.json") == comparison
    write_comparison(tmp_path / "plain.json", compared(attacks=[]))
    assert "transfers" not in json.loads((tmp_path / "plain.json").read_text())


@pytest.mark.parametrize(
    ("attacks", "message"),
    [
        ([{**ATTACK, "perturbation": "none"}], "attacks name the perturbation 'none', which part fi does not have"),
        ([{**ATTACK, "control": "none"}], "attacks name the perturbation 'none'"),
        ([{**ATTACK, "perturbation": "typo-swap"}], "is its own control"),
        ([{**ATTACK, "perturbation": "typo-swap", "control": "worst"}], "has several draws"),
        ([ATTACK, ATTACK], "attacks name the perturbation 'worst' twice"),
        ([{"perturbation": "worst"}], "control"),
    ],
)
def test_an_attack_names_perturbations_of_the_track(attacks: list[dict[str, str]], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        track_with(attacks=attacks)
