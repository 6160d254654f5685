"""Whether questions make retrieval robust: what the answer says of given drops, and of drops that are lacking."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.compare.records import MACRO, Bounds, Comparison, Drop, DropDifference
from harness.errors import InvalidInput
from harness.leaderboard.findings.adversaries import drop_answers, perturbed_answers
from harness.leaderboard.findings.questions import findings
from harness.leaderboard.findings.records import Answer
from harness.numbers import percent
from harness.submissions.study.records import (
    read_study,
)
from harness.tracks import load_track

ROOT = Path(__file__).resolve().parents[2]


def adversaries(*, difference: float, significant: bool, clean: float, of: str = "mini-xdr") -> Comparison:
    """A row with questions and a control against the encoder, which has 0.9 clean and 0.5 with adversaries."""
    bounds = Bounds(lower=difference - 0.1, upper=difference + 0.1, method="made up")
    names = (f"{of}-paws-xqg", of)
    own = ((clean, clean - 0.4 - difference), (0.9, 0.5))
    fields = {"perturbation": "adversaries", "interval": bounds, "p": 0.01, "p_error": 0.0, "p_adjusted": 0.02}
    drops = tuple(
        Drop(
            **fields,
            system=name,
            measure="Success@1",
            column=MACRO,
            draws=1,
            clean=whole,
            perturbed=left,
            drop=whole - left,
            retention=None,
            retention_interval=None,
        )
        for name, (whole, left) in zip(names, own, strict=True)
    )
    differences = tuple(
        DropDifference(
            **fields,
            system=name,
            against=of,
            difference=difference,
            significant=significant,
            conditioned=None,
            conditioned_interval=None,
            conditioned_topics=0,
        )
        for name in (names[0], f"{of}-paws-shuffled")
    )
    return Comparison.model_construct(baseline=of, drops=drops, drop_differences=differences)


def perturbed_study(tmp_path: Path, *, difference: float, significant: bool, clean: float) -> list[Answer]:
    """Both encoders lose 0.1 of 0.5 without texts; with them they have ``clean``, and lose ``difference`` more."""
    track = load_track("xquad-oracle-perturbed")
    assert track.study is not None
    comparison = adversaries(difference=difference, significant=significant, clean=clean)
    drops, differences = [], []
    for encoder in track.study.encoders:
        for kind, whole, lost in (("none", 0.5, 0.1), ("questions-others", clean, 0.1 + difference)):
            own = {"system": f"{encoder}/{kind}", "perturbation": "typo-swap", "clean": whole, "drop": lost}
            base = comparison.drops[0].model_copy(update={**own, "perturbed": whole - lost})
            drops += [base.model_copy(update={"column": name}) for name in (MACRO, "de")]
        update = {"system": f"{encoder}/questions-others", "against": f"{encoder}/none", "perturbation": "typo-swap"}
        differences.append(comparison.drop_differences[0].model_copy(update=update))
    recorded = read_study(ROOT / "runs/xquad-oracle/study.json")
    assert recorded is not None
    others = track.study.model_copy(update={"contrasts": track.study.contrasts[:1]})
    rows = tuple(row for row in recorded.rows if row.encoder in track.study.encoders)
    made = {
        "declared": others,
        "drops": tuple(drops),
        "drop_differences": tuple(differences),
        "results": (),
        "rows": rows,
    }
    study = recorded.model_copy(update=made)
    return list(perturbed_answers(study))


@pytest.mark.parametrize(
    ("difference", "significant", "clean", "verdict", "said"),
    [
        (-0.05, True, 0.6, "yes", "perturbed it has 55.0, mini-xdr/none 40.0"),
        (-0.05, True, 0.4, "it depends", "has fewer to lose"),
        (0.05, True, 0.6, "no", "+5.00 points"),
        (0.02, False, 0.6, "not shown", "is excluded"),
    ],
)
def test_rows_asked_perturbed_questions_lose_less_or_not(
    tmp_path: Path, difference: float, significant: bool, clean: float, verdict: str, said: str
) -> None:
    (answer,) = perturbed_study(tmp_path, difference=difference, significant=significant, clean=clean)
    assert answer.verdict == verdict
    assert answer.sentence.count(said) == 1 + ("none" not in said)
    assert "typo-swap" in answer.about
    for encoder in ("mini-xdr", "mini-zero-shot"):
        assert f"the drop of {encoder}/questions-others less that of {encoder}/none: " in answer.sentence


def test_a_row_that_is_held_against_two_others_has_a_difference_of_drops_for_each() -> None:
    study = read_study(ROOT / "runs/xquad-oracle-perturbed/study.json")
    assert study is not None
    none, texts = study.declared.contrasts
    second = none.model_copy(update={"name": "number", "first": texts.first, "second": none.first})
    of_texts = [found for found in study.drop_differences if found.system.endswith(texts.first)]
    held = [
        found.model_copy(
            update={"against": found.against.replace("/none", f"/{none.first}"), "difference": found.difference + 0.25}
        )
        for found in of_texts
    ]
    contrasts_of_both = study.declared.model_copy(update={"contrasts": (texts, second)})
    both = study.model_copy(update={"declared": contrasts_of_both, "drop_differences": (*of_texts, *held)})
    told = {(answer.about, answer.sentence.split("; ")[0]) for answer in perturbed_answers(both)}
    assert len(told) == 2 * len({found.perturbation for found in of_texts})
    answers = list(perturbed_answers(both))
    for own, other in zip(answers[::2], answers[1::2], strict=True):
        assert f"mini-xdr/{texts.first} less that of mini-xdr/none" in own.sentence
        assert f"mini-xdr/{texts.first} less that of mini-xdr/{none.first}" in other.sentence
    (typo, *_) = of_texts
    assert percent(typo.difference, 2, signed=True) in answers[0].sentence
    assert percent(typo.difference + 0.25, 2, signed=True) in answers[1].sentence


@pytest.mark.parametrize(
    ("difference", "significant", "clean", "verdict", "said"),
    [
        (-0.2, True, 0.9, "yes", "with adversaries it has 70.0, mini-xdr 50.0"),
        (-0.2, True, 0.8, "it depends", "has fewer to lose"),
        (0.2, True, 0.8, "no", "+20.00 points"),
        (0.02, False, 0.8, "not shown", "; losing 12.00 points more or 8.00 fewer is excluded"),
        (0.2, False, 0.8, "not shown", "adjusted p 0.02000"),
    ],
)
def test_losing_less_by_finding_less_is_no_yes_and_controls_are_no_answers(
    difference: float, significant: bool, clean: float, verdict: str, said: str
) -> None:
    comparison = adversaries(difference=difference, significant=significant, clean=clean)
    (answer,) = drop_answers(comparison, "PAWS-X", load_track("paws-x-sample"))
    assert answer.verdict == verdict
    assert said in answer.sentence
    assert answer.sentence.startswith("the drop of mini-xdr-paws-xqg less that of mini-xdr: ")


def test_a_file_of_another_track_answers_nothing(tmp_path: Path) -> None:
    (tmp_path / "mini-texts").mkdir()
    shutil.copy(ROOT / "runs/xquad-oracle/study.json", tmp_path / "mini-texts")
    with pytest.raises(InvalidInput, match="`xdr study mini-texts` makes it again"):
        findings(tmp_path)


def test_a_row_that_may_have_seen_the_adversaries_decides_nothing() -> None:
    comparison = adversaries(difference=-0.2, significant=True, clean=0.9, of="me5-small-q4")
    (answer,) = drop_answers(comparison, "PAWS-X", load_track("paws-x-sample-me5"))
    assert answer.verdict == "not answered"
    assert "me5-small-q4-paws-xqg †" in answer.about
    assert "-20.00 points" in answer.sentence


@pytest.mark.parametrize("damage", ["typo-swap", "ar"])
def test_drops_are_those_of_the_track_s_perturbations(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "xquad-oracle-perturbed" / "study.json"
    path.parent.mkdir()
    content = json.loads((ROOT / "runs/xquad-oracle-perturbed/study.json").read_text("utf-8"))
    for name in ("drops", "drop_differences"):
        content[name] = [own for own in content[name] if damage not in (own["perturbation"], own.get("column"))]
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidInput, match="`xdr study xquad-oracle-perturbed` makes it again") as caught:
        findings(tmp_path)
    assert "typo-swap of ar" in str(caught.value)
    path.write_text(json.dumps({**content, "drops": [], "drop_differences": []}))
    with pytest.raises(InvalidInput, match="drops of other perturbations or parts"):
        findings(tmp_path)
