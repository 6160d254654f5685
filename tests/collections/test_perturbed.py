"""Perturbed collections: what is changed, what never is, and that nothing but the text, the recipe and the seed matters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from small_track import Terminal, write_track

from harness.collections import load, mini, plugins
from harness.collections.conformance import conformance_tests
from harness.collections.perturbed import characters, passages, typos, words
from harness.collections.perturbed.draws import Draws
from harness.collections.perturbed.recipe import load_recipe, recipe_names
from harness.collections.perturbed.texts import Clustered, Refused, clusters_of, folded
from harness.errors import InvalidInput, WrongUsage
from harness.recipes.overlap import overlap_with_track
from harness.recipes.train.overlap import evaluation_questions
from harness.records import Query

TestTypos = conformance_tests("perturbed(typo-swap,seed=1):xdr-mini/te")
TestTwins = conformance_tests("perturbed(twin,seed=1):xdr-mini/fi")
TestWordsLeftOut = conformance_tests("perturbed(word-drop,seed=3):xdr-mini/ja")
TestTwice = conformance_tests("perturbed(typo-insert,seed=2):perturbed(distractor,seed=1):xdr-mini/ko/dev")

OF_QUERIES = [name for name in recipe_names() if load_recipe(name).side == "queries"]
OF_PASSAGES = [name for name in recipe_names() if load_recipe(name).side == "passages"]
DRAWN = ["typo-swap", "typo-delete", "typo-insert", "typo-substitute", "word-drop", "word-swap"]
# Words of every script of the collections; XQuAD and TyDi QA have those that mini lacks.
WORDS = [
    "Volga", "pitkä", "Ääni", "straße", "İzmir", "ırmak", "Tiếng", "Волга", "ёжик", "Βόλγας", "نهر", "تُسمى",
    "ভোলগা", "नमस्ते", "क्षेत्र", "వోల్గా", "నదులు", "볼가강", "แม่น้ำ", "ボルガ川は", "伏尔加河", "6,650", "1883లో", "B52",
    "O'Neill", "e\u0301te\u0301", "👨‍👩‍👧", "?", "—", "。",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)
LETTERS = typos.alphabets_of(WORDS)
DRAWS = st.builds(Draws, st.integers(0, 5), st.just("recipe"), st.text(max_size=3))


def edit_distance(one: Sequence[str], two: Sequence[str]) -> int:
    """Insertions, deletions, substitutions and exchanges of neighbours (optimal string alignment, Boytsov 2011), O(nm)."""
    table = [[i + j if not (i and j) else 0 for j in range(len(two) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(two) + 1):
            table[i][j] = min(
                table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (one[i - 1] != two[j - 1])
            )
            if i > 1 and j > 1 and one[i - 1] == two[j - 2] and one[i - 2] == two[j - 1]:
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[-1][-1]


@settings(max_examples=200, deadline=None)
@given(TEXTS, DRAWS, st.sampled_from(["swap", "delete", "insert", "substitute"]), st.integers(1, 2))
def test_a_typo_is_so_many_edits_of_clusters_and_leaves_numbers_alone(
    text: str, draws: Draws, kind: str, edits: int
) -> None:
    try:
        after = typos.typo(kind, Clustered(text), LETTERS, draws, edits)
    except Refused:
        return
    before, now = clusters_of(text), clusters_of(after)
    assert edit_distance(before, now) == edits
    assert len(now) - len(before) == {"insert": edits, "delete": -edits}.get(kind, 0)
    if kind == "swap":
        assert sorted(before) == sorted(now)
    digits = r"\S*\p{N}\S*"
    assert regex.findall(digits, after) == regex.findall(digits, text)
    assert {typos.script_of(c) for c in now} <= {typos.script_of(c) for c in before}, (
        "letters of the scripts of the text"
    )
    assert typos.typo(kind, Clustered(text), LETTERS, draws, edits) == after


@pytest.mark.parametrize("kind", ["swap", "delete", "insert", "substitute"])
def test_a_word_of_every_script_can_have_a_typo_and_its_clusters_stay_whole(kind: str) -> None:
    for word in [word for word in WORDS if regex.fullmatch(r"[\p{L}\p{M}]+", word) and len(clusters_of(word)) > 2]:
        after = typos.typo(kind, Clustered(word), LETTERS, Draws(1, "r", "q"), 1)
        known = {*clusters_of(word), *(letter for letters in LETTERS.values() for letter in letters)}
        assert {cluster.lower() for cluster in clusters_of(after)} <= {cluster.lower() for cluster in known}


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


@given(TEXTS, DRAWS)
def test_words_left_out_are_a_fifth_and_the_others_stay_in_order(text: str, draws: Draws) -> None:
    clean = Clustered(text)
    try:
        after = words.dropped(clean, "fi", 0.2, draws)
    except Refused:
        return
    own = [clean.of(span) for span in words.words_of(clean, "fi")]
    now = [Clustered(after).of(span) for span in words.words_of(Clustered(after), "fi")]
    assert len(own) - len(now) == max(1, len(own) // 5)
    rest = iter(own)
    assert all(word in rest for word in now), "a subsequence"


def test_numbers_do_not_run_together_where_the_word_between_them_is_left_out() -> None:
    made = {words.dropped(Clustered("在2004和2005之间"), "zh", 0.2, Draws(seed, "", "")) for seed in range(20)}
    assert len(made) > 1
    assert all({"2004", "2005"} == set(regex.findall(r"\d+", text)) for text in made)


@given(TEXTS, DRAWS)
def test_exchanged_words_are_neighbours(text: str, draws: Draws) -> None:
    clean = Clustered(text)
    try:
        after = words.swapped(clean, "fi", draws, 1)
    except Refused:
        return
    own = [clean.of(span) for span in words.words_of(clean, "fi")]
    now = [Clustered(after).of(span) for span in words.words_of(Clustered(after), "fi")]
    (place, other) = [number for number in range(len(own)) if own[number] != now[number]]
    assert other == place + 1
    assert (own[place], own[other]) == (now[other], now[place])


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
}
"""Languages of mini of which no question can be changed in such a way: no keyboard, no capitals, no Latin letters."""


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


@pytest.mark.parametrize("name", [name for name in OF_PASSAGES if name != "twin"])
def test_only_the_texts_of_passages_change(name: str) -> None:
    clean, changed = load("xdr-mini/fi"), load(f"perturbed({name},seed=1):xdr-mini/fi")
    assert changed.docs.ids == clean.docs.ids
    assert (changed.queries, changed.qrels, changed.answers) == (clean.queries, clean.qrels, clean.answers)
    different = sum(one != two for one, two in zip(clean.docs, changed.docs, strict=True))
    assert f": {different} changed, " in changed.remarks[0].what
    assert different == (80 if name == "answer-removed" else 200)


def test_what_is_done_to_a_passage_is_what_is_said() -> None:
    clean = load("xdr-mini/fi")
    texts = {name: load(f"perturbed({name},seed=1):xdr-mini/fi").docs for name in OF_PASSAGES}
    sentences = {sentence for doc in clean.docs for sentence in passages.sentences_of(doc.text)}
    for doc in clean.docs:
        longer = texts["distractor"].get(doc.doc_id).text
        assert longer.startswith(doc.text)
        assert longer.removeprefix(doc.text).strip() in sentences - set(passages.sentences_of(doc.text))
        shuffled = passages.sentences_of(texts["shuffled-sentences"].get(doc.doc_id).text)
        assert sorted(" ".join(shuffled).split()) == sorted(doc.text.split())
        assert texts["no-title"].get(doc.doc_id) == doc._replace(title="")
    for query_id, grades in (clean.qrels or {}).items():
        for doc_id in grades:
            for answer in (clean.answers or {})[query_id]:
                assert answer.casefold() not in texts["answer-removed"].get(doc_id).text.casefold()
                added = texts["distractor"].get(doc_id).text.removeprefix(clean.docs.get(doc_id).text)
                assert answer.casefold() not in added.casefold()


def twins_of(doc_id: str) -> tuple[str, str]:
    return f"{doc_id}~twin", f"!twin~{doc_id}"


def passage_of(twin: str) -> str:
    return twin.removesuffix("~twin").removeprefix("!twin~")


def test_a_twin_has_the_same_words_in_another_order_and_is_judged_not_relevant() -> None:
    clean, changed = load("xdr-mini/fi"), load("perturbed(twin,seed=1):xdr-mini/fi")
    assert clean.qrels is not None
    assert changed.qrels is not None
    relevant = {doc_id for grades in clean.qrels.values() for doc_id, grade in grades.items() if grade}
    twins = set(changed.docs.ids) - set(clean.docs.ids)
    assert twins <= {twin for doc_id in relevant for twin in twins_of(doc_id)}
    first = sum(twin < passage_of(twin) for twin in twins)
    assert 0.3 * len(twins) < first < 0.7 * len(twins), "ties would be decided for one side"
    for twin in twins:
        own, other = clean.docs.get(passage_of(twin)), changed.docs.get(twin)
        assert own.text != other.text
        assert sorted(own.text) == sorted(other.text)
        assert own.title == other.title
    for query_id, grades in changed.qrels.items():
        added = {doc_id: grade for doc_id, grade in grades.items() if doc_id not in clean.qrels[query_id]}
        assert added == {twin: 0 for d in clean.qrels[query_id] for twin in twins_of(d) if twin in twins}
    assert f"80 relevant passages: {len(twins)} changed" in changed.remarks[0].what


# -- by hand


def written(folder: Path, texts: dict[str, str], answers: dict[str, str] | None = None) -> str:
    folder.mkdir(exist_ok=True)
    rows = [{"doc_id": "d1", "title": "Nile", "text": "Nile rises. It is 6,650 km, Volga 3,530 km."}]
    (folder / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "queries.jsonl").write_text(
        "".join(json.dumps({"query_id": name, "text": text, "lang": "en"}) + "\n" for name, text in texts.items())
    )
    (folder / "qrels.txt").write_text("".join(f"{name} 0 d1 1\n" for name in texts))
    if answers:
        lines = (json.dumps({"query_id": name, "answers": [text]}) + "\n" for name, text in answers.items())
        (folder / "answers.jsonl").write_text("".join(lines))
    return f"folder(en):{folder}"


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


def test_the_numbers_of_a_twin_are_exchanged(tmp_path: Path) -> None:
    clean = written(tmp_path / "data", {"a": "how long is it"}, {"a": "6,650"})
    changed = load(f"perturbed(twin,seed=1):{clean}")
    (twin,) = set(changed.docs.ids) - {doc.doc_id for doc in load(clean).docs}
    assert twin in twins_of("d1")
    assert changed.docs.get(twin).text == "Nile rises. It is 3,530 km, Volga 6,650 km."
    assert changed.qrels == {"a": {"d1": 1, twin: 0}}
    removed = load(f"perturbed(answer-removed,seed=1):{clean}").docs.get("d1")
    assert (removed.title, removed.text) == ("Nile", "Nile rises. It is km, Volga 3,530 km.")
    only = load(f"perturbed(shuffled-sentences,seed=4):{clean}").docs.get("d1")
    assert only.text == "It is 6,650 km, Volga 3,530 km. Nile rises."


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        (lambda: characters.cased(Clustered("IĞDIR İç"), "tr", "lower"), "ığdır iç"),
        (lambda: characters.cased(Clustered("izmir B52b"), "tr", "upper"), "İZMİR B52b"),
        (lambda: characters.bare(Clustered("Ääni ёжик تُسمى कि")), "Aani ежик تسمى कि"),
        (lambda: characters.unpunctuated(Clustered("«Was it 6,650, or O'Neill?»")), "Was it 6,650 or O'Neill"),
        (lambda: characters.spaced(Clustered("a b\u00a0c")), "a  b\u00a0\u00a0c"),
        (lambda: characters.parted(Clustered("नमस्ते a 12")), "न\u200bमस्ते a 12"),
        (lambda: characters.in_latin(Clustered("Volga Волга 1883లో వోల్గా")), "Volga volga 1883లో volga"),
        (lambda: words.reordered(Clustered("When did Marie meet Paul?"), Draws(1, "", ""), 1), "When did Paul meet Marie?"),
        (lambda: words.reordered(Clustered("From 6 to 16"), Draws(1, "", ""), 1), "From 16 to 6"),
    ],
)  # fmt: skip
def test_every_word_alike(done: object, expected: str) -> None:
    assert callable(done)
    assert done() == expected


def test_look_alikes_are_cyrillic_and_of_latin_words_alone() -> None:
    table = characters._LOOK_ALIKE
    assert {typos.script_of(letter) for letter in table} == {"LATIN"}
    assert {typos.script_of(letter) for letter in table.values()} == {"CYRILLIC"}
    assert characters.look_alike(Clustered("open Нил 5pm", ("open",))) == "open Нил 5pm"
    with pytest.raises(Refused, match="no Latin letters"):
        characters.look_alike(Clustered("Нил"))


def test_thai_words_are_those_of_a_segmenter_which_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pythainlp.tokenize", None)
    words._segmenter.cache_clear()
    try:
        with pytest.raises(InvalidInput, match=r"pip install 'xdr-bench\[segment\]'"):
            words.dropped(Clustered("แม่น้ำโวลกายาวเท่าไร"), "th", 0.2, Draws(1, "", ""))
    finally:
        words._segmenter.cache_clear()


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


def test_a_slip_to_the_key_beside_is_a_letter_of_the_language_s_own_keyboard() -> None:
    from harness.collections.perturbed import keyboards

    for lang, word in (("de", "straße"), ("ru", "Волга"), ("tr", "ırmak"), ("ar", "تسمى")):
        keys = keyboards.neighbours(lang)
        assert all(letter in keys[other] for letter, others in keys.items() for other in others), (
            "neighbours of each other"
        )
        for seed in range(20):
            after = typos.typo("keyboard", Clustered(word), keys, Draws(seed, "r", "q"), 1)
            ((before, now),) = [(a, b) for a, b in zip(word, after, strict=True) if a != b]
            assert now.lower() in keys[before.lower()]
            assert now.isupper() == before.isupper()


def test_a_turkish_i_has_its_own_keys_with_and_without_its_dot_small_and_capital() -> None:
    from harness.collections.perturbed import keyboards

    keys = keyboards.neighbours("tr")
    found: dict[str, set[str]] = {}
    for word in ("ŞIK", "KİR", "ıki", "LİŞ", "KUŞ"):
        for seed in range(200):
            after = typos.typo("keyboard", Clustered(word), keys, Draws(seed, "r", "q"), 1, "tr")
            ((before, now),) = [(a, b) for a, b in zip(word, after, strict=True) if a != b]
            found.setdefault(before, set()).add(now)
    assert found["I"] == {"U", "O", "J", "K"}
    assert found["İ"] == {"Ş", "Ğ", "Ü"}
    assert found["ı"] == {letter.lower() for letter in found["I"]}
    assert "İ" in found["Ş"]
    assert "I" in found["U"]
    for capital, others in found.items():
        assert all(other.isupper() == capital.isupper() for other in others)


def test_letters_of_turkish_are_those_of_its_own_alphabet() -> None:
    assert typos.alphabets_of(["Iİ"], "tr") == {"LATIN": ("i", "ı")}
    assert typos.alphabets_of(["I"], "en") == {"LATIN": ("i",)}


@pytest.mark.parametrize("asked_for", ["queries", "remarks"])
def test_a_collection_in_a_language_without_a_known_keyboard_is_refused(asked_for: str) -> None:
    found = load("perturbed(keyboard,seed=1):xdr-mini/te")
    with pytest.raises(InvalidInput, match="take another perturbation") as refused:
        getattr(found, asked_for)
    assert "0 changed, 0 unchanged, 80 refused (no keyboard of te is known: 80)" in str(refused.value)


def test_a_collection_of_which_no_passage_can_be_changed_is_refused(tmp_path: Path) -> None:
    clean = written(tmp_path / "data", {"a": "how long is it"})
    with pytest.raises(InvalidInput, match=r"1 refused \(no other passage: 1\).*take another perturbation"):
        _ = load(f"perturbed(distractor,seed=1):{clean}").docs.ids


def test_perturbations_inside_of_one_another_have_a_bound() -> None:
    with pytest.raises(WrongUsage, match="perturbed 300 times, one inside of another; at most 16 are"):
        load("perturbed(typo-swap,seed=1):" * 300 + "xdr-mini/fi")
