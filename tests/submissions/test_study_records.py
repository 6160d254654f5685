"""A recorded study that is damaged, or holds what it did not declare, is refused with its file, the fault and how to go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import InvalidInput
from harness.submissions.study.records import read_study

ROOT = Path(__file__).resolve().parents[2]
Content = dict[str, Any]


def refused(tmp_path: Path, name: str, damage: Callable[[Content], object]) -> str:
    path = tmp_path / name / "study.json"
    path.parent.mkdir()
    content = json.loads((ROOT / "runs" / name / "study.json").read_text("utf-8"))
    damage(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidInput) as caught:
        read_study(path)
    said = str(caught.value)
    assert str(path) in said
    assert f"`xdr study {name}` makes it again" in said
    return said


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda c: c["expansions"][0].update(kind="nobody"), "expansions has, beyond"),
        (lambda c: c["expansions"][0].update(encoder="nobody"), "nobody is not among the declared encoders"),
        (lambda c: c["expansions"].append(c["expansions"][0]), "mini-xdr/asked-english"),
        (lambda c: c["expansions"][0].update(curve=[]), "the curve of mini-xdr/asked-english"),
        (lambda c: c["rows"][1].update(curve=[]), "is not that of all declared weights"),
        (lambda c: c["rows"][1].update(weights=[0.123, 0.1]), "the chosen weights of"),
        (lambda c: c["rows"].pop(), "rows lacks me5-small-q4/"),
        (lambda c: c["rows"].append(c["rows"][0]), "rows has, beyond what is declared or twice, mini-xdr/none"),
        (lambda c: c["titles"].pop(), "titles lacks me5-small-q4"),
        (lambda c: c["results"].pop(), "results lacks cross-lingual-written of me5-small-q4"),
        (lambda c: c["results"][0].update(second="both"), "results: equal-number of mini-xdr is no declared contrast"),
        (lambda c: c["results"][0].update(beside={}), "results: not all have the same measures beside"),
        (
            lambda c: c["results"][0]["tests"][1].update(p_adjusted=None),
            "results: equal-number of mini-xdr is not decided",
        ),
        (lambda c: c["results"][0]["tests"].pop(), "tests are not all of the macro average and of the same languages"),
        (lambda c: c["answers"][0].update(encoder="bm25"), "bm25 is not among the declared encoders"),
        (lambda c: c["answers"][0].update(name="no-contrast"), "no-contrast of mini-xdr"),
        (lambda c: c["answers"].pop(), "answers lacks cross-lingual-written of me5-small-q4"),
        (lambda c: c["answers"][0].update(measure="AnswerRecall@50"), "which is not at the declared cutoff"),
        (lambda c: c["answers"][0]["tests"][0].update(significant=None), "answers: cross-lingual of mini-xdr is not"),
        (lambda c: c["declared"].update(answers=[]), "answers has, beyond what is declared"),
    ],
)
def test_a_study_that_is_not_what_it_declares_is_refused(
    tmp_path: Path, damage: Callable[[Content], object], said: str
) -> None:
    assert said in refused(tmp_path, "xquad-oracle", damage)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda c: c.update(drops=[]), "differences of drops has, beyond"),
        (
            lambda c: c.update(drop_differences=[]),
            "differences of drops lacks mini-xdr/questions-others less mini-xdr/none, typo-swap",
        ),
        (
            lambda c: c["drop_differences"][0].update(against="mini-xdr/questions-all"),
            "differences of drops lacks mini-xdr/questions-others less mini-xdr/none, typo-swap",
        ),
        (lambda c: c["drops"].pop(1), "drops lacks mini-xdr/none, typo-swap, ar"),
        (lambda c: c["drops"].append(c["drops"][1]), "drops has, beyond what is declared or twice, mini-xdr/none"),
        (lambda c: c["drops"][0].update(p_adjusted=None), "drops: a macro average is not decided"),
        (lambda c: c["drops"][1].update(system="mini-xdr/nothing"), "mini-xdr/nothing, typo-swap, ar"),
        (lambda c: c["drop_differences"].pop(), "differences of drops lacks"),
        (lambda c: c["drop_differences"].append(c["drop_differences"][0]), "differences of drops has, beyond"),
    ],
)
def test_drops_are_of_every_row_perturbation_and_column_once(
    tmp_path: Path, damage: Callable[[Content], object], said: str
) -> None:
    assert said in refused(tmp_path, "xquad-oracle-perturbed", damage)


def test_all_faults_are_in_one_report(tmp_path: Path) -> None:
    def damage(content: Content) -> None:
        content["titles"].pop()
        content["answers"].pop()

    said = refused(tmp_path, "xquad-oracle", damage)
    assert "titles lacks" in said
    assert "answers lacks" in said


def test_an_interaction_stands_where_languages_of_low_resources_are_declared(tmp_path: Path) -> None:
    assert "has no interaction" in refused(tmp_path, "mini-texts", lambda c: c["results"][0].update(interaction=None))
