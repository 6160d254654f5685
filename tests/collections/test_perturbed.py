"""Perturbed collections: what is changed, what never is, and that nothing but the text, the recipe and the seed matters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from perturbed_texts import DRAWS, LETTERS, WORDS, written
from small_track import Terminal, write_track

from harness.collections import load, mini, plugins
from harness.collections.conformance import conformance_tests
from harness.collections.perturbed import characters, typos, words
from harness.collections.perturbed.draws import Draws
from harness.collections.perturbed.recipe import load_recipe, recipe_names
from harness.collections.perturbed.texts import Clustered, Refused, folded
from harness.errors import InvalidInput, WrongUsage
from harness.recipes.overlap import overlap_with_track
from harness.recipes.train.overlap import evaluation_questions
from harness.records import Query

TestTypos = conformance_tests("perturbed(typo-swap,seed=1):xdr-mini/te")
TestTwins = conformance_tests("perturbed(twin,seed=1):xdr-mini/fi")
TestWordsLeftOut = conformance_tests("perturbed(word-drop,seed=3):xdr-mini/ja")
TestTwice = conformance_tests("perturbed(typo-insert,seed=2):perturbed(distractor,seed=1):xdr-mini/ko/dev")

OF_QUERIES = [name for name in recipe_names() if load_recipe(name).side == "queries"]
DRAWN = ["typo-swap", "typo-delete", "typo-insert", "typo-substitute", "word-drop", "word-swap"]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(WORDS), min_size=2, max_size=8), DRAWS, st.sampled_from(["typo", "drop", "swap", "char"])
)
def test_words_of_an_answer_stay_where_and_as_they_are_written(texts: list[str], draws: Draws, kind: str) -> None:
    answer = next((word for word in texts if regex.match(r"\p{L}", word)), None)
    if answer is None:
        return
    text = Clustered(" ".join(texts), (answer.upper(),))
    if folded(answer.upper()) != folded(answer):
        return  # capitals of a dotless i are another letter's
    try:
        after = {
            "typo": lambda: typos.typo("delete", text, LETTERS, draws, 1),
            "drop": lambda: words.dropped(text, "fi", 0.2, draws),
            "swap": lambda: words.swapped(text, "fi", draws, 1),
            "char": lambda: characters.parted(Clustered(characters.cased(text, "fi", "lower"), text.answers)),
        }[kind]()
    except Refused:
        return
    assert folded(after).count(folded(answer)) >= folded(text.text).split().count(folded(answer))


def test_a_choice_depends_on_nothing_but_its_own_hash() -> None:
    draws = Draws(1, "r", "q")
    assert draws.ordered([3, 1, 2], "x") == draws.ordered([1, 2, 3], "x")
    more = draws.ordered(range(50), "x")
    assert [item for item in more if item < 40] == draws.ordered(range(40), "x"), "another item moves no other"
    assert len({draws.number(10**6, "x"), draws.number(10**6, "y"), Draws(2, "r", "q").number(10**6, "x")}) == 3
    assert (draws.ordered("abc", "x"), draws.number(1000, "x")) == (["c", "b", "a"], 792), "the same on every platform"


# -- whole collections

NOT_POSSIBLE = {
    *((lang, "keyboard") for lang in ("bn", "ja", "ko", "te")),
    *((lang, "reorder") for lang in ("bn", "ko", "te")),
    ("te", "homoglyphs"),
    ("te", "stop-words"),
    *((lang, "code-switch") for lang in mini.LANGUAGES),
}
"""Languages of mini of which no question can be changed in such a way: no keyboard, no capitals, no Latin letters, no list of
stop words, no translations."""


@pytest.mark.parametrize("name", OF_QUERIES)
@pytest.mark.parametrize("lang", mini.LANGUAGES)
def test_only_the_texts_of_questions_change(name: str, lang: str) -> None:
    clean, changed = load(f"xdr-mini/{lang}"), load(f"perturbed({name},seed=1):xdr-mini/{lang}")
    if (lang, name) in NOT_POSSIBLE:
        with pytest.raises(InvalidInput, match="80 questions: 0 changed, 0 unchanged, 80 refused"):
            _ = changed.queries
        return
    assert [(q.query_id, q.lang, q.topic) for q in changed.queries] == [
        (q.query_id, q.lang, q.topic) for q in clean.queries
    ]
    assert changed.docs is clean.docs
    assert (changed.qrels, changed.answers) == (clean.qrels, clean.answers)
    different = sum(one.text != two.text for one, two in zip(clean.queries, changed.queries, strict=True))
    (remark,) = changed.remarks
    assert f"80 questions: {different} changed, " in remark.what
    if name != "reorder":
        digits = [["".join(filter(str.isdecimal, q.text)) for q in own.queries] for own in (clean, changed)]
        assert digits[0] == digits[1], "digits stay, in their order"
    again = plugins.make(f"perturbed({name},seed=1):xdr-mini/{lang}")
    assert tuple(again.queries_iter()) == changed.queries


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("lang", mini.LANGUAGES)
def test_another_seed_makes_mostly_another_text(name: str, lang: str) -> None:
    clean = load(f"xdr-mini/{lang}").queries
    one, two = (load(f"perturbed({name},seed={seed}):xdr-mini/{lang}").queries for seed in (1, 2))
    assert sum(a.text != b.text for a, b in zip(one, clean, strict=True)) == 80
    assert sum(a.text != b.text for a, b in zip(one, two, strict=True)) > 55


def test_no_text_depends_on_the_order_of_questions_or_on_the_others(tmp_path: Path) -> None:
    queries = list(load("xdr-mini/ru").queries)
    made: list[dict[str, str]] = []
    for number, own in enumerate([queries, queries[::-1], queries[:40]]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "docs.jsonl").write_text('{"doc_id": "d", "text": "x"}\n')
        (folder / "queries.jsonl").write_text("".join(json.dumps(q._asdict()) + "\n" for q in own))
        changed = load(f"perturbed(typo-delete,seed=1):folder(ru):{folder}").queries
        made.append({query.query_id: query.text for query in changed})
    assert made[0] == made[1]
    assert made[2].items() <= made[0].items()


def test_what_cannot_be_changed_is_refused_and_counted(tmp_path: Path) -> None:
    texts = {"a": "who is it", "b": "is it 1883BC", "c": "Nile", "d": "aaa", "e": "the Nile rises"}
    clean = written(tmp_path / "data", texts, {"c": "nile", "e": "Nile rises"})
    changed = load(f"perturbed(typo-swap,seed=1):{clean}")
    assert {query.query_id for query in changed.queries if query.text != texts[query.query_id]} == {"a", "e"}
    assert changed.query("a").text in ("hwo is it", "woh is it")
    assert changed.query("e").text in ("hte Nile rises", "teh Nile rises")
    assert [str(remark) for remark in changed.remarks] == [
        f"{clean}: Two neighbouring letters of a word exchanged: 5 questions: 2 changed, 0 unchanged, 3 refused "
        "(no words of 3 letters in which it can be done: 3)"
    ]
    lower = load(f"perturbed(lower-case,seed=1):{clean}")
    assert [query.text for query in lower.queries] == ["who is it", "is it 1883BC", "Nile", "aaa", "the Nile rises"]
    assert "0 changed, 5 unchanged, 0 refused" in lower.remarks[0].what


# -- ids, recipes, overlap


@pytest.mark.parametrize(
    ("dataset_id", "message"),
    [
        ("perturbed(typo-swap):xdr-mini/fi", "expected NAME,seed=N"),
        ("perturbed(typo-swap,seed=x):xdr-mini/fi", "expected NAME,seed=N"),
        ("perturbed(typo-swop,seed=1):xdr-mini/fi", "did you mean 'typo-swap'"),
        ("perturbed(typo-swap,seed=1):xdr-mini/xx", "unknown collection 'xdr-mini/xx'"),
        ("perturbed(none.toml,seed=1):xdr-mini/fi", "none.toml"),
        ("perturbed()", "unknown collection"),
    ],
)
def test_what_no_collection_is_called_is_wrong_usage(dataset_id: str, message: str) -> None:
    with pytest.raises(WrongUsage, match=message):
        _ = load(dataset_id).queries


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('side = "passages"\nkind = "case"\nform = "lower"', 'expected side = "queries"'),
        ('side = "queries"\nkind = "case"', "expected one of lower, upper"),
        ('side = "queries"\nkind = "case"\nform = "lost"', "expected one of lower, upper"),
        ('side = "queries"\nkind = "typo-swap"\nshare = 0.5', "share: kind"),
        ('side = "queries"\nkind = "typo-swop"', "typo-swap"),
        ('side = "queries"\nkind = "typo-swap"\nedits = 0', "edits"),
        ('side = "queries"\nkind = "typo-swap"\nedit = 2', "edits"),
        ('side = "queries"\nkind = "code-switch"', 'language: kind "code-switch" needs it'),
        ('side = "queries"\nkind = "code-switch"\nlanguage = "no language"', "language"),
        ('side = "queries"\nkind = "recorded"\ntexts = "a.jsonl"', 'sha256: kind "recorded" needs it'),
        ('side = "queries"\nkind = "word-drop"\nlanguage = "en"', 'language: kind "word-drop" has no such key'),
    ],
)
def test_a_recipe_that_means_nothing_is_refused(tmp_path: Path, lines: str, message: str) -> None:
    (tmp_path / "own.toml").write_text(f'schema_version = 1\ntitle = "Own"\n{lines}\n')
    with pytest.raises(InvalidInput, match=regex.escape(message)):
        load(f"perturbed({tmp_path}/own.toml,seed=1):xdr-mini/fi")


def test_an_edited_recipe_is_read_again_and_a_new_title_makes_no_new_texts(tmp_path: Path) -> None:
    recipe = tmp_path / "own.toml"
    dataset_id = f"perturbed({recipe},seed=1):xdr-mini/fi"
    head = 'schema_version = 1\nside = "queries"\nkind = "typo-swap"\n'
    made: list[tuple[Query, ...]] = []
    for rest in ('title = "Own"', 'title = "Another"', 'title = "Own"\nedits = 2'):
        recipe.write_text(head + rest + "\n")
        made.append(load(dataset_id).queries)
    assert made[0] == made[1] == load("perturbed(typo-swap,seed=1):xdr-mini/fi").queries
    assert made[2] != made[1]


def test_texts_of_recipes_are_those_of_earlier_versions() -> None:
    """What identifies the recorded runs over them; a key that comes to recipes changes no draw of those without it."""
    known = {
        "typo-swap": "cbceb6ae571e",
        "word-drop": "448857249be9",
        "distractor": "9d400804cd3d",
        "twin": "02aa128224b9",
    }
    assert {name: load_recipe(name).digest[:12] for name in known} == known
    texts = {
        ("typo-swap", "fi"): "fb8444a31b1b70ad",
        ("typo-swap", "te"): "99861c5f3c223484",
        ("typo-swap", "ja"): "81ef08c7afda846b",
        ("word-drop", "fi"): "b1c635903b19bdd5",
        ("word-drop", "te"): "fc2046020a31597e",
        ("word-drop", "ja"): "c9deb926d5cb936f",
    }
    for (name, lang), digest in texts.items():
        assert load(f"perturbed({name},seed=1):xdr-mini/{lang}").digests.queries[:16] == digest


def test_what_the_clean_collection_is_cited_as_the_perturbed_one_is() -> None:
    assert plugins.about("perturbed(typo-swap,seed=1):xquad/ar") == plugins.about("xquad/ar")


def test_training_on_the_clean_questions_is_training_on_the_perturbed_ones(tmp_path: Path) -> None:
    (tmp_path / "track.toml").write_text(
        'schema_version = 1\nname = "typos"\nversion = 1\ntitle = "T"\ndescription = "T"\nmeasures = ["Success@1"]\n'
        'primary = "Success@1"\ndepth = 10\nbaseline = "bm25"\n'
        'parts = [{name = "te", dataset = "perturbed(romanised,seed=1):xdr-mini/te", lang = "te"}]\n'
    )
    clean, asked = load("xdr-mini/te").queries[3], load("perturbed(romanised,seed=1):xdr-mini/te").queries[5]
    (tmp_path / "train.txt").write_text(f"{clean.text}\n{asked.text}\n", "utf-8")
    found = overlap_with_track(tmp_path / "train.txt", str(tmp_path / "track.toml"))
    assert [(hit.line, hit.query_id) for hit in found] == [(1, clean.query_id), (2, asked.query_id)]
    declared = evaluation_questions(["perturbed(typo-swap,seed=1):xdr-mini/te"])
    assert declared.collections == ["xdr-mini/te", "xdr-mini/te/dev"]


def test_a_track_over_perturbed_questions_is_run_and_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_track(tmp_path)
    track = tmp_path / "track.toml"
    (tmp_path / "own.toml").write_text(
        'schema_version = 1\ntitle = "Two typos"\nside = "queries"\nkind = "typo-delete"\nedits = 2\n'
    )
    definition = track.read_text().replace('"folder(fi)', '"perturbed(own.toml,seed=1):folder(fi)')
    parts = definition.replace('"folder(ru):data"', '"perturbed(typo-swap,seed=1):xdr-mini/ru"')
    track.write_text(parts.replace("depth = 2", "depth = 10"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    xdr = Terminal(monkeypatch, capsys)
    ended = xdr("run", str(track), "bm25")
    assert ended.status == 0, ended.err
    said = " ".join(ended.err.split())
    assert (
        "part ru: Two neighbouring letters of a word exchanged: 80 questions: 80 changed, 0 unchanged, 0 refused"
        in said
    )
    assert "part fi: Two typos: 2 questions: " in said
    manifest = (elsewhere / "runs/rivers/bm25/manifest.yaml").read_text("utf-8")
    assert "perturbed(own.toml,seed=1):folder(fi):data" in manifest
    assert str(tmp_path) not in manifest
    ended = xdr("score", str(track), "bm25")
    assert ended.status == 0, ended.err


@pytest.mark.parametrize("asked_for", ["queries", "remarks"])
def test_a_collection_in_a_language_without_a_known_keyboard_is_refused(asked_for: str) -> None:
    found = load("perturbed(keyboard,seed=1):xdr-mini/te")
    with pytest.raises(InvalidInput, match="take another perturbation") as refused:
        getattr(found, asked_for)
    assert "0 changed, 0 unchanged, 80 refused (no keyboard of te is known: 80)" in str(refused.value)


def test_perturbations_inside_of_one_another_have_a_bound() -> None:
    with pytest.raises(WrongUsage, match="perturbed 300 times, one inside of another; at most 16 are"):
        load("perturbed(typo-swap,seed=1):" * 300 + "xdr-mini/fi")
