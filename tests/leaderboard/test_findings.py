"""The answers to the project's questions: what they say of given tests, and that the committed page is the command's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from markupsafe import escape

from harness.cli import app
from harness.cli.findings import findings as write_findings
from harness.compare import contrasts
from harness.compare.records import MACRO, Bounds, Comparison, Drop, DropDifference
from harness.errors import InvalidInput, WrongUsage
from harness.leaderboard.findings import recorded as recorded_module
from harness.leaderboard.findings.adversaries import drop_answers, perturbed_answers
from harness.leaderboard.findings.markdown import findings_page
from harness.leaderboard.findings.of_studies import answers_of, verdict_of
from harness.leaderboard.findings.questions import findings
from harness.leaderboard.findings.records import Answer, Finding, Verdict
from harness.leaderboard.site.environment import templates
from harness.leaderboard.site.render import finding_charts
from harness.numbers import percent
from harness.submissions.study.records import (
    AnswerResult,
    ReadRow,
    Result,
    StudyReading,
    StudyResult,
    read_study,
    study_text,
)
from harness.tracks import load_track

ROOT = Path(__file__).resolve().parents[2]


def result(
    encoder: str, difference: float, *, significant: bool, languages: tuple[float, ...], seen: bool = False
) -> Result:
    bounds = Bounds(lower=difference - 0.01, upper=difference + 0.01, method="made up")
    macro = contrasts.Tested(
        column=MACRO, difference=difference, interval=bounds, p=0.01, p_adjusted=0.02, significant=significant
    )
    parts = tuple(
        contrasts.Tested(
            column=f"l{place}", difference=value, interval=bounds, p=0.5, p_adjusted=1.0, significant=False
        )
        for place, value in enumerate(languages)
    )
    return Result(
        name="equal-number",
        question="passages",
        encoder=encoder,
        first="questions",
        second="passages",
        may_have_seen=seen,
        tests=(macro, *parts),
        beside={},
        at_equal_weight=macro,
    )


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        ([result("a", 0.1, significant=True, languages=(0.1,) * 5 + (-0.1,) * 2)], "yes"),
        ([result("a", -0.1, significant=True, languages=(-0.1,) * 5 + (0.1,) * 2)], "no"),
        ([result("a", 0.1, significant=True, languages=(0.1,) * 4 + (-0.1,) * 3)], "not shown"),
        ([result("a", 0.1, significant=True, languages=(0.3, -0.1, -0.1))], "not shown"),
        ([result("a", 0.1, significant=False, languages=(0.1, 0.1, 0.1))], "not shown"),
        (
            [
                result("a", 0.1, significant=True, languages=(0.1, 0.1)),
                result("b", 0.1, significant=False, languages=(0.1, 0.1)),
            ],
            "it depends",
        ),
        (
            [
                result("a", 0.1, significant=True, languages=(0.1, 0.1)),
                result("b", -0.1, significant=True, languages=(-0.1, -0.1)),
            ],
            "it depends",
        ),
        ([], "not answered"),
    ],
)
def test_a_verdict_needs_significance_and_the_sign_of_most_languages(results: list[Result], verdict: str) -> None:
    assert verdict_of(results) == verdict


def test_who_may_have_seen_the_collection_decides_nothing() -> None:
    recorded = read_study(ROOT / "runs/xquad-oracle/study.json")
    assert recorded is not None
    unseen = result("a", 0.1, significant=True, languages=(0.1, 0.1))
    seen = result("b", -0.1, significant=True, languages=(-0.1, -0.1), seen=True)
    study = recorded.model_copy(update={"results": (seen, unseen)})
    first = next(answers_of(study, "passages", "somewhere"))
    assert first.verdict == "yes"
    assert "b † -10.0 points" in first.sentence
    alone = next(answers_of(recorded.model_copy(update={"results": (seen,)}), "passages", "somewhere"))
    assert alone.sentence.endswith("Not run: mini-xdr, mini-zero-shot, me5-small-q4.")
    assert alone.verdict == "not answered"
    assert "b † -10.0 points" in alone.sentence


def test_a_test_that_other_draws_might_decide_otherwise_is_told_so() -> None:
    recorded = read_study(ROOT / "runs/xquad-oracle/study.json")
    assert recorded is not None
    own = result("a", 0.1, significant=False, languages=(0.1, 0.1))
    near = own.model_copy(update={"tests": (own.tests[0].model_copy(update={"undecided": True}), *own.tests[1:])})
    for found, times in ((own, 0), (near, 1)):
        first = next(answers_of(recorded.model_copy(update={"results": (found,)}), "passages", "somewhere"))
        assert first.sentence.count("other draws might decide otherwise") == times


READER = "made-up-01234567"


def answered(study: StudyResult, measure: str, difference: float) -> tuple[AnswerResult, ...]:
    """mini-xdr alone was asked the question, and its contrasts all have this difference."""
    own = result("mini-xdr", difference, significant=True, languages=(difference,) * 7)
    fields = own.model_dump(exclude={"at_equal_weight", "interaction"})
    declared = [contrast for contrast in study.declared.contrasts if contrast.question == "english"]
    return tuple(
        AnswerResult(**{**fields, **contrast.model_dump(exclude={"title"})}, measure=measure) for contrast in declared
    )


def with_readings(exact_match: float) -> StudyResult:
    """The recorded study with a reader's answers, in which seven languages win, and AnswerRecall, in which they lose."""
    recorded = read_study(ROOT / "runs/xquad-oracle/study.json")
    assert recorded is not None
    em = f"EM@5({READER})"
    won = answered(recorded, em, 0.03)
    kinds = dict.fromkeys(kind for own in won for kind in (own.first, own.second))
    reading = StudyReading(
        reading=READER,
        reader={"name": READER},
        english={},
        device="cpu",
        libraries={},
        top=5,
        pairs=1,
        file="",
        gold={em: {MACRO: exact_match}},
        rows=tuple(ReadRow(encoder="mini-xdr", kind=kind, values={em: {MACRO: 0.5}}) for kind in kinds),
        results=won,
    )
    recall = answered(recorded, "AnswerRecall@5", -0.02)
    results = tuple(found.model_copy(update={"tests": recall[0].tests}) for found in recorded.results)
    return recorded.model_copy(update={"readings": (reading,), "answers": recall, "results": results})


def english(tmp_path: Path, study: StudyResult) -> Finding:
    path = tmp_path / "xquad-oracle" / "study.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(study_text(study))
    return next(found for found in findings(tmp_path) if found.name == "english")


def test_a_reader_that_can_carry_the_question_answers_it_in_exact_match(tmp_path: Path) -> None:
    finding = english(tmp_path, with_readings(0.4))
    first, *others = finding.answers
    assert first.verdict == "yes"
    assert READER in first.about
    assert "mini-xdr +3.0 points [+2.0, +4.0]" in first.sentence
    assert "exact match" in first.about
    assert any("AnswerRecall@5" in answer.about and answer.verdict == "no" for answer in others)
    assert f"Points of EM@5({READER})" in "".join(table.caption for table in finding.tables)


def test_a_reader_that_cannot_lets_answer_recall_lead_and_says_so(tmp_path: Path) -> None:
    finding = english(tmp_path, with_readings(0.399))
    first = finding.answers[0]
    assert first.verdict == "no"
    assert "AnswerRecall@5" in first.about
    assert "leads, as no reader can carry exact match" in first.about
    assert finding.summary.startswith(
        "Not answered in exact match; in AnswerRecall@5: no: mini-xdr -2.0 points [-3.0, -1.0]"
    )
    (exact,) = [answer for answer in finding.answers if "exact match of a reader" in answer.about]
    assert exact.verdict == "not answered"
    assert f"{READER} (with the relevant passages alone 39.9) cannot carry the question" in exact.sentence


def test_without_a_reading_answer_recall_leads_as_nobody_was_asked(tmp_path: Path) -> None:
    finding = english(tmp_path, with_readings(0.4).model_copy(update={"readings": ()}))
    assert "leads, as no reader's answers are recorded" in finding.answers[0].about
    assert finding.summary.startswith("Not answered in exact match; in AnswerRecall@5: no: mini-xdr -2.0 points")
    assert not any("no reader can carry" in answer.about for answer in finding.answers)


def test_without_answer_recall_or_readings_exact_match_is_not_answered(tmp_path: Path) -> None:
    finding = english(tmp_path, with_readings(0.4).model_copy(update={"readings": (), "answers": ()}))
    assert finding.answers[0].verdict == "not answered"
    assert "no answers of a reader are recorded" in finding.summary


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


def test_a_study_is_taken_apart_once_while_its_file_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "xquad-oracle" / "study.json"
    path.parent.mkdir()
    shutil.copy(ROOT / "runs/xquad-oracle/study.json", path)
    read: list[Path] = []

    def counted(own: Path) -> StudyResult | None:
        read.append(own)
        return read_study(own)

    monkeypatch.setattr(recorded_module, "read_study", counted)
    findings(tmp_path)
    findings(tmp_path)
    assert read == [path]
    path.write_text("{}")
    with pytest.raises(InvalidInput, match="remove it, and `xdr study xquad-oracle` makes it again"):
        findings(tmp_path)


def test_an_old_record_that_is_none_any_more_says_how_to_go_on(tmp_path: Path) -> None:
    path = tmp_path / "xquad-oracle" / "study.json"
    path.parent.mkdir()
    content = (ROOT / "runs/xquad-oracle/study.json").read_text("utf-8")
    path.write_text(content.replace('"question": "passages"', '"question": "000"'))
    with pytest.raises(InvalidInput, match="remove it, and `xdr study xquad-oracle` makes it again") as caught:
        findings(tmp_path)
    assert "question" in str(caught.value)


def test_nothing_recorded_is_not_answered_and_says_what_is_missing(tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert [finding.name for finding in found] == ["passages", "english", "adversaries"]
    assert {answer.verdict for finding in found for answer in finding.answers} == {"not answered"}
    assert not any(finding.is_answered for finding in found)
    page = findings_page(found)
    assert "no study of the track xquad-oracle is recorded" in page
    assert page.count("\n## ") == 3


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


@pytest.mark.parametrize("damage", [{"rows": []}, {"primary": "R@1"}])
def test_a_study_that_lacks_rows_is_refused(tmp_path: Path, damage: dict[str, object]) -> None:
    path = tmp_path / "xquad-oracle" / "study.json"
    path.parent.mkdir()
    path.write_text(json.dumps(json.loads((ROOT / "runs/xquad-oracle/study.json").read_text("utf-8")) | damage))
    with pytest.raises(InvalidInput, match="xquad-oracle"):
        findings(tmp_path)


def test_runs_that_are_not_there_write_no_page(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="no folder of runs"):
        write_findings(tmp_path / "nowhere", tmp_path / "page.md")
    assert not (tmp_path / "page.md").exists()


def test_a_row_that_may_have_seen_the_adversaries_decides_nothing() -> None:
    comparison = adversaries(difference=-0.2, significant=True, clean=0.9, of="me5-small-q4")
    (answer,) = drop_answers(comparison, "PAWS-X", load_track("paws-x-sample-me5"))
    assert answer.verdict == "not answered"
    assert "me5-small-q4-paws-xqg †" in answer.about
    assert "-20.00 points" in answer.sentence


@pytest.mark.parametrize(
    ("verdicts", "summary"),
    [
        (("not answered", "yes"), "one."),
        (("no", "no"), "No: one."),
        (("no", "yes"), "It depends: no (0), yes (1)."),
        (("it depends",), "It depends: it depends (0)."),
        (("no", "not answered"), "No: one. Not answered: 1."),
    ],
)
def test_a_summary_is_one_verdict_or_says_on_what_it_depends(verdicts: tuple[Verdict, ...], summary: str) -> None:
    answers = tuple(Answer(f"about {place}", f"{place}", verdict, "one.") for place, verdict in enumerate(verdicts))
    assert Finding("passages", "Why?", answers).summary == summary


@pytest.mark.parametrize(
    ("verdicts", "summary"),
    [
        (("yes", "yes"), "Not answered in exact match; in AnswerRecall@5: yes: one."),
        (("yes", "no"), "Not answered in exact match; in AnswerRecall@5: yes (0), no (1)."),
        (("not answered",), "Not answered in exact match; in AnswerRecall@5: not answered: one."),
    ],
)
def test_a_summary_in_another_measure_says_first_that_the_question_s_own_is_not_answered(
    verdicts: tuple[Verdict, ...], summary: str
) -> None:
    given = [
        Answer("", f"{place}", verdict, "one.", instead="AnswerRecall@5") for place, verdict in enumerate(verdicts)
    ]
    found = Answer("", "found", "no", "two.")
    exact = Answer("", "exact match", "not answered", "Not answered: nobody read.")
    assert Finding("english", "Why?", (*given, exact, found)).summary == summary


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


def test_a_page_of_the_site_holds_every_answer_table_and_figure() -> None:
    for finding in findings(ROOT / "runs"):
        charts = finding_charts(finding)
        page = (
            templates()
            .get_template("finding.html")
            .render(
                settings={"name": "x", "address": "", "repository": ""},
                version="1",
                root="../",
                path="",
                finding=finding,
                charts=charts,
            )
        )
        for answer in finding.answers:
            assert str(escape(answer.sentence)) in page
        assert page.count("<table") == len(finding.tables)
        assert page.count('<figure class="box chart">') == len(finding.figures)


def test_the_committed_page_is_what_the_command_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "runs", tmp_path / "runs", ignore=shutil.ignore_patterns("mini", "snapshots"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        app(["findings", "--out", "findings.md"])
    assert not ended.value.code
    assert (tmp_path / "findings.md").read_text("utf-8") == (ROOT / "docs/findings.md").read_text("utf-8")
