"""Studies that fuse texts with questions, ask perturbed questions, or ask further languages."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from small_study import EXPANSIONS, PERTURBED, STUDY, TWO, run_study

from harness.adapters.card import load_card
from harness.adapters.contract import Context
from harness.cli import app
from harness.compare.records import MACRO
from harness.dense.fusion import FusionSettings, fuse
from harness.errors import InvalidInput, WrongUsage
from harness.records import Query
from harness.submissions.study import texts as study_texts
from harness.submissions.study.further import further_study
from harness.submissions.study.ranks import Ranker, asked_by
from harness.submissions.study.records import read_study
from harness.tracks import Track, load_track


@pytest.fixture
def context(xdr_home: Path, tmp_path: Path) -> Context:
    return Context(xdr_home, tmp_path / "work")


def track(tmp_path: Path, text: str) -> Track:
    path = tmp_path / "sides.toml"
    path.write_text(text)
    return load_track(str(path))


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up collection whose version of a question is the first text of its passage's generated queries: its id."""
    mini = load_track("mini")

    def made_up(name: str) -> SimpleNamespace:
        lang = name.rpartition("/")[2]
        other = {"bn": "fi", "fi": "bn"}[lang]
        queries = mini.part(other).collection.queries
        return SimpleNamespace(queries=[Query(q.query_id, f"{lang} {q.text}", lang, q.query_id) for q in queries])

    monkeypatch.setattr(study_texts, "load", made_up)


@pytest.mark.usefixtures("versions")
def test_a_question_is_fused_with_its_versions_in_other_languages(tmp_path: Path, context: Context) -> None:
    small = track(tmp_path, STUDY + EXPANSIONS)
    assert small.study is not None
    asked, (_, versions, shuffled) = asked_by(small), small.study.expansions
    ranker = Ranker(load_card("mini-xdr"), asked, small.study, context)
    ranks = ranker.of(versions, "prepend", 0.7)
    system = load_card("mini-xdr").system(context.consent)
    passages = system.encode("passages", [doc.default_text() for doc in asked.docs], context)  # type: ignore[attr-defined]
    for part, other in (("bn", "fi"), ("fi", "bn")):
        own = [query.text for query in asked.queries[part]]
        texts = [f"{other} {text}" for text in own]
        one, two = (system.encode("queries", found, context) for found in (own, texts))  # type: ignore[attr-defined]
        settings = FusionSettings(alpha=0.7, combine="mean", renormalize=True)
        scores = fuse(one, two, np.arange(len(own)), settings) @ passages.astype(np.float16).astype(np.float32).T
        of_relevant = scores[np.arange(len(own)), asked.relevant[part]]
        assert np.mean(1 + (scores > of_relevant[:, None]).sum(axis=1) == ranks[part]) > 0.97, "ties alone differ"
    ids = [query.query_id for query in asked.queries["fi"]]
    mixed, straight = (ranker.expanded.of(kind, "fi") for kind in (shuffled, versions))
    assert sorted(mixed) == sorted(straight) == sorted(ids)
    assert all(mixed[own] != straight[own] for own in ids)
    assert sorted(mixed.values()) == sorted(straight.values())


@pytest.mark.usefixtures("versions")
def test_expansions_are_rows_of_their_own_and_copies_change_nothing(tmp_path: Path, context: Context) -> None:
    found = run_study(track(tmp_path, STUDY + EXPANSIONS), context)
    rows = {row.kind: row for row in found.expansions}
    assert list(rows) == ["copies", "versions", "shuffled"]
    assert rows["copies"].values == found.row("mini-xdr", "none").values
    assert rows["versions"].used is not None
    assert rows["versions"].used.texts == 80
    before = tmp_path / "before.toml"
    before.write_text(STUDY)
    assert run_study(load_track(str(before)), context).rows == found.rows, "rows of passages are as they were"
    assert rows["shuffled"].curve[-1].macro < rows["versions"].curve[-1].macro


def test_a_collection_of_other_questions_is_no_expansion(tmp_path: Path, context: Context) -> None:
    small = track(tmp_path, STUDY + EXPANSIONS.replace("made-up/", "xdr-mini/"))
    with pytest.raises(InvalidInput, match="none of the questions of part bn"):
        run_study(small, context)


@pytest.mark.parametrize("name", ["questions", "versions"])
def test_expansions_have_names_of_their_own(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="expansions have names of their own"):
        track(tmp_path, STUDY + EXPANSIONS.replace('"copies"', f'"{name}"'))


def test_drops_are_of_the_rows_that_were_chosen_on_clean_questions(tmp_path: Path, context: Context) -> None:
    text = STUDY.replace('second = "passages"', 'second = "none"').replace('primary = "RR@10"', 'primary = "Success@1"')
    clean = run_study(track(tmp_path, text), context)
    perturbed = run_study(track(tmp_path, text.replace("[[parts]]", PERTURBED, 1)), context)
    assert perturbed.questions == clean.questions == 160
    for one, two in zip(clean.rows, perturbed.rows, strict=True):
        assert one.weights == two.weights
        assert {key: two.values["Success@1"][key] for key in ("bn", "fi", MACRO)} == one.values["Success@1"]
    assert [test.column for test in perturbed.results[0].tests] == [MACRO, "bn", "fi"]
    assert perturbed.results == clean.results
    drops = {(drop.system, drop.column): drop for drop in perturbed.drops}
    for kind in ("none", "questions"):
        values = perturbed.row("mini-xdr", kind).values["Success@1"]
        for part in ("bn", "fi"):
            drop = drops[f"mini-xdr/{kind}", part]
            assert drop.clean == pytest.approx(values[part])
            assert drop.perturbed == pytest.approx((values[f"{part}-typo-swap-1"] + values[f"{part}-typo-swap-2"]) / 2)
        mean = (drops[f"mini-xdr/{kind}", "bn"].drop + drops[f"mini-xdr/{kind}", "fi"].drop) / 2
        assert drops[f"mini-xdr/{kind}", MACRO].drop == pytest.approx(mean)
    (difference,) = perturbed.drop_differences
    own, base = (drops[f"mini-xdr/{kind}", MACRO].drop for kind in ("questions", "none"))
    assert (difference.system, difference.against) == ("mini-xdr/questions", "mini-xdr/none")
    assert difference.difference == pytest.approx(own - base)
    assert difference.p_adjusted == difference.p, "a family of one"
    assert [(family.name, family.size) for family in perturbed.drop_families] == [
        ("drops", 2),
        ("differences of drops", 1),
    ]


def test_drops_of_some_encoders_alone_are_refused(tmp_path: Path, context: Context) -> None:
    with pytest.raises(WrongUsage, match="tested together, no --encoder"):
        run_study(track(tmp_path, TWO.replace("[[parts]]", PERTURBED, 1)), context, ["mini-xdr"])


def test_perturbed_passages_are_refused(tmp_path: Path, context: Context) -> None:
    text = STUDY.replace("[[parts]]", PERTURBED.replace("typo-swap", "no-title"), 1)
    with pytest.raises(InvalidInput, match="different passages; a study needs the same"):
        run_study(track(tmp_path, text), context)


FURTHER = """
[study.further]
languages = ["ja", "ko", "te"]
dataset = "xdr-mini/{lang}"

[study.further.texts]
xdr-mini-queries = "xdr-mini-queries"
xdr-mini-passages = "xdr-mini-passages"
"""


def test_further_languages_are_asked_with_texts_in_these(tmp_path: Path, context: Context) -> None:
    small = track(tmp_path, STUDY + FURTHER)
    found, left_out = further_study(small, ["ko", "te"])
    assert left_out == ("cut passages",)
    assert [(part.name, part.dataset) for part in found.parts] == [("ko", "xdr-mini/ko"), ("te", "xdr-mini/te")]
    result = run_study(found, context)
    assert [test.column for test in result.results[0].tests] == [MACRO, "ko", "te"]
    # The same as a study that is declared for these languages.
    text = STUDY.replace('"bn"', '"ko"').replace("/bn", "/ko").replace('"fi"', '"te"').replace("/fi", "/te")
    text = text.replace('low_resource = ["ko"]', "low_resource = []")
    declared = run_study(track(tmp_path, text), context)
    kept = [row for row in declared.rows if row.kind != "cut"]
    assert list(result.rows) == kept


@pytest.mark.parametrize(
    ("languages", "said"),
    [(["ko", "fi"], "further language"), (["ko", "ko"], "each language once"), ([], "each language once")],
)
def test_other_languages_are_refused(tmp_path: Path, languages: list[str], said: str) -> None:
    with pytest.raises(WrongUsage, match=said):
        further_study(track(tmp_path, STUDY + FURTHER), languages)


def test_without_a_declaration_or_texts_there_are_no_further_languages(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="declares no further languages"):
        further_study(track(tmp_path, STUDY), ["ko"])
    bare = FURTHER.replace('xdr-mini-passages = "xdr-mini-passages"', "")
    with pytest.raises(WrongUsage, match="none of the contrasts"):
        further_study(track(tmp_path, STUDY + bare), ["ko"])


def test_the_command_writes_further_languages_beside_the_study(
    tmp_path: Path, xdr_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = track(tmp_path, STUDY + FURTHER)
    with pytest.raises(SystemExit) as ended:
        app(["study", str(small.file), "--runs", str(tmp_path / "runs"), "--languages", "ko, te"])
    assert not ended.value.code
    assert [path.name for path in (tmp_path / "runs/small").iterdir()] == ["study-ko-te.json"]
    assert "left out, there are no texts in ko, te: cut passages" in capsys.readouterr().err
    found = read_study(tmp_path / "runs/small/study-ko-te.json")
    assert found is not None
    assert found.declared.languages == ("ko", "te")
    assert found.declared.kind("questions").title == "queries (here: ko, te)"
