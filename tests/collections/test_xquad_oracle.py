"""The texts that stand for XQuAD's paragraphs: whose they are, that none is asked, and that two kinds have one budget."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collections import generated_texts, xquad, xquad_oracle
from harness.collections.formats.squad import SquadFile
from harness.collections.storage.pinned import pinned_files
from harness.collections.text_budget import drawn_order, to_budget, tokens_of
from harness.collections.text_similarity import similar_pairs
from harness.collections.view import load
from harness.collections.xquad_oracle import FURTHER, LANGUAGES, WRITTEN
from harness.submissions.study.further import further_study
from harness.tracks import load_track

WORDS = st.lists(st.sampled_from(["rain", "fell", "on,", "Rome", "today.", "why?", "и", "снег.", "雨。"]), min_size=1)
PASSAGES = st.dictionaries(st.sampled_from("abcdefgh"), WORDS.map(" ".join), min_size=1)


def rows_of(name: str) -> list[dict[str, str]]:
    offered = generated_texts(name)
    assert offered is not None
    return [json.loads(line) for line in offered.file().read_text("utf-8").splitlines()]


@given(PASSAGES, st.lists(st.tuples(st.sampled_from("abcdefgh"), WORDS.map(" ".join))))
def test_a_cut_passage_is_a_beginning_that_is_not_empty(
    passages: dict[str, str], questions: list[tuple[str, str]]
) -> None:
    questions = [(doc_id, text) for doc_id, text in questions if doc_id in passages]
    cut = dict(to_budget(passages, questions))
    assert cut.keys() == {doc_id for doc_id, _ in questions}
    for doc_id, text in cut.items():
        assert text
        assert "".join(passages[doc_id].split()).startswith("".join(text.split()))


def test_what_a_passage_leaves_of_its_questions_tokens_is_the_next_ones() -> None:
    passages = {"a": "One two three four. Five six.", "b": "One two. Three four. Five six.", "c": "One, two three."}
    asked = [("a", "w w w w w"), ("b", "w w w w w"), ("c", "w")]
    assert dict(to_budget(passages, asked)) == {
        "a": "One two three four.",
        "b": "One two. Three four. Five six.",
        "c": "One,",
    }


def test_texts_of_a_passage_are_drawn_and_passages_keep_their_order() -> None:
    rows = [(doc, "fi", f"{doc} {number}") for doc in ("b", "a") for number in range(20)]
    drawn = drawn_order(rows)
    assert sorted(drawn) == sorted(rows) != drawn
    assert [doc for doc, _, _ in drawn] == ["b"] * 20 + ["a"] * 20
    assert drawn == drawn_order(reversed(rows[:20])) + drawn_order(rows[20:])


@pytest.mark.usefixtures("imported_data")
def test_no_text_is_nearly_a_question_that_is_asked_and_all_others_are_there() -> None:
    ids = {query.query_id for query in load("xquad-oracle/en").queries}
    texts = rows_of("xquad-oracle-questions")
    assert [row for row in rows_of("xquad-oracle") if row not in texts] == []
    missing, flagged = [], set()
    for lang in (*LANGUAGES, "en"):
        asked = [query.text for query in load(f"xquad-oracle/{lang}").queries]
        left = [query for query in xquad.read(lang).queries if query.query_id not in ids]
        own = Counter(row["text"] for row in texts if row["lang"] == lang)
        assert list(similar_pairs(list(own), asked, n=3, threshold=0.7)) == []
        gone = [query for query in left if own[query.text] == 0]
        assert own.total() + len(gone) == len(left) == 510
        missing.append({query.query_id for query in gone})
        flagged |= {
            gone[row].query_id for row, _, _ in similar_pairs([q.text for q in gone], asked, n=3, threshold=0.7)
        }
    # Its versions in other languages would give an asked question away as well.
    assert all(found == flagged for found in missing)
    assert len(flagged) == 25


@pytest.mark.usefixtures("imported_data")
@pytest.mark.parametrize("lang", LANGUAGES)
def test_sentences_have_the_tokens_of_the_questions_within_one_percent(lang: str) -> None:
    used = [
        sum(tokens_of(row["text"]) for row in rows_of(name) if row["lang"] == lang)
        for name in ("xquad-oracle-questions", "xquad-oracle-sentences")
    ]
    assert used[1] == pytest.approx(used[0], rel=0.01)


@pytest.mark.usefixtures("imported_data")
def test_passages_are_the_whole_paragraphs_in_the_seven_languages() -> None:
    rows = rows_of("xquad-oracle-passages")
    assert Counter(row["lang"] for row in rows) == dict.fromkeys(LANGUAGES, 240)
    assert {row["text"] for row in rows if row["lang"] == "hi"} == {doc.text for doc in xquad.read("hi").docs}


@pytest.mark.usefixtures("imported_data")
def test_written_questions_are_as_described_and_none_is_nearly_one_of_xquad() -> None:
    rows = rows_of("xquad-oracle-written")
    dropped = {"en": 6, "es": 4, "ar": 2, "de": 1, "ru": 1}
    assert Counter(row["lang"] for row in rows) == {lang: 240 - dropped.get(lang, 0) for lang in (*LANGUAGES, "en")}
    assert max(Counter((row["doc_id"], row["lang"]) for row in rows).values()) == 1
    assert {row["doc_id"] for row in rows} == {doc.doc_id for doc in xquad.read("en").docs}
    for lang in (*LANGUAGES, "en"):
        own = [row["text"] for row in rows if row["lang"] == lang]
        questions = [query.text for query in xquad.read(lang).queries]
        assert list(similar_pairs(own, questions, n=3, threshold=0.7)) == []


def test_the_readme_says_how_many_were_dropped() -> None:
    text = (Path(WRITTEN).parent / "README.md").read_text("utf-8")
    assert f"{len(WRITTEN.read_text('utf-8').splitlines()):,} are left" in text


@pytest.fixture
def as_if_greek(imported_data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """XQuAD's Spanish texts, one question of which is nearly an asked one, take the place of those in the further languages."""
    read = xquad.read
    asked = {query.query_id for query in load("xquad-oracle/en").queries}

    def made_up(lang: str) -> SquadFile:
        found = read("es" if lang in FURTHER else lang)
        if lang not in FURTHER:
            return found
        queries = [query._replace(lang=lang) for query in found.queries]
        if lang == "el":
            first = next(query for query in queries if query.query_id in asked)
            place = next(i for i, query in reversed([*enumerate(queries)]) if query.query_id not in asked)
            queries[place] = queries[place]._replace(text=first.text)
        return replace(found, queries=tuple(queries))

    monkeypatch.setattr(xquad, "read", made_up)
    xquad_oracle._nearly_asked.cache_clear()
    yield
    xquad_oracle._nearly_asked.cache_clear()


@pytest.mark.usefixtures("as_if_greek")
def test_further_languages_have_the_same_kinds_of_texts_and_change_none_of_the_others() -> None:
    own, further = rows_of("xquad-oracle-questions"), rows_of("xquad-oracle-further-questions")
    assert {row["lang"] for row in further} == {*FURTHER, "en"}
    # In all languages is left out what in one of them is nearly asked, here one question more.
    counts = Counter(row["lang"] for row in further)
    assert set(counts.values()) == {Counter(row["lang"] for row in own)["es"] - 1}
    assert not {row["lang"] for row in own} & set(FURTHER)
    passages = rows_of("xquad-oracle-further-passages")
    assert Counter(row["lang"] for row in passages) == dict.fromkeys(FURTHER, 240)
    cut = rows_of("xquad-oracle-further-sentences")
    assert {row["doc_id"] for row in cut} == {row["doc_id"] for row in further}
    for lang in FURTHER:
        tokens = [sum(tokens_of(row["text"]) for row in rows if row["lang"] == lang) for rows in (cut, further)]
        assert tokens[0] == pytest.approx(tokens[1], rel=0.02)


def test_a_declared_study_of_further_languages_names_them_and_leaves_out_what_nobody_wrote() -> None:
    found, left_out = further_study(load_track("xquad-oracle"), FURTHER)
    assert [part.dataset_id for part in found.parts] == [f"xquad-oracle/{lang}" for lang in FURTHER]
    assert [title for title in left_out if "language model's" in title] == list(left_out)
    assert len(left_out) == 5, "four kinds and a contrast"
    assert found.study is not None
    assert {kind.texts for kind in found.study.kinds if kind.texts} - {"passages"} == {
        f"xquad-oracle-further-{kind}" for kind in ("questions", "passages", "sentences")
    }


def test_the_files_of_further_languages_are_known_where_they_are_not_here() -> None:
    for lang in FURTHER:
        assert f"xquad/xquad.{lang}.json" in pinned_files()
