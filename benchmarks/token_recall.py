"""R@2kt and R@5kt against the official procedure, which tokenizes for each question and budget until the budget is reached.

python benchmarks/token_recall.py [--queries 200]

The peer is the reference of the tests (tests/xor_reference.py) with ``nltk.word_tokenize`` itself. Both sides start from
rankings and texts in memory, and all values are compared. "No tokens cached" is a new process with an empty cache folder,
the other row another new process that finds the folder of the first; imports count for us and not for the peer. Seconds are
processor time of single processes, so that whatever else the machine does falls on neither side.

Questions and answers are those of XOR-TyDi's dev set, passages are windows of 100 words over the English texts of TyDi QA
and XQuAD, where XDR_TEST_DATA names a folder with these files; elsewhere both are made of the embedded collection's words.
Each ranking is a random sample of the windows, into which a passage with an answer is put at a rank drawn log-uniformly:
about half of the questions are hits, most of them early, as with real systems.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ir_datasets
from table import Row, print_table

from harness.collections.formats.folder import Folder
from harness.collections.handlers import AnswerStrings, Docs, Queries
from harness.collections.mini import HOME
from harness.collections.view import Collection
from harness.collections.xor_tydi import LANGUAGES
from harness.measures import Judged, parse, score_all
from harness.records import Answers, Doc, Query

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))
from xor_reference import hit, nltk_word_tokenize

QUERIES = 2_110
DEPTH = 500
WORDS = 100
PASSAGES_PER_QUESTION = 100  # in the collection; so rankings of few questions overlap no more than those of all
ANSWERED = 0.95  # of the questions have a passage with an answer put into their ranking
MEASURES = {"R@2kt": 2_000, "R@5kt": 5_000}
PEER = "official procedure, nltk.word_tokenize"


@dataclass(frozen=True)
class Question:
    query_id: str
    lang: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Data:
    parts: dict[str, Judged]
    rankings: dict[str, list[str]]


Values = dict[str, dict[str, float]]
"""By measure and query id; questions without a span answer are not in it."""


def rows(queries: int = QUERIES) -> list[Row]:
    """Time both sides on the first ``queries`` questions. Raises ``RuntimeError`` if a single value differs."""
    data = make_data(queries, random.Random(20231))
    with empty_cache():
        cold_seconds, cold = in_new_process(data)
        warm_seconds, warm = in_new_process(data)
    peer_seconds, peer = official(data)
    if not cold == warm == peer:
        raise RuntimeError("the values are not those of the official procedure")
    macro = " and ".join(f"{100 * macro_average(data, peer[name]):.1f}" for name in MEASURES)
    what = f"R@2kt and R@5kt, {queries:,} questions x {DEPTH} passages of {WORDS} words (macro {macro})"
    return [
        Row(f"{what}, no tokens cached", cold_seconds, PEER, peer_seconds),
        Row("the same, tokens cached by another process", warm_seconds, PEER, peer_seconds),
    ]


def make_data(queries: int, rng: random.Random) -> Data:
    text, questions = real_data(Path(folder)) if (folder := os.environ.get("XDR_TEST_DATA")) else generated_data(rng)
    questions = rng.sample(questions, min(queries, len(questions)))
    words = list(re.finditer(r"\S+", text))
    pool = max(DEPTH, PASSAGES_PER_QUESTION * len(questions))
    starts = rng.sample(range(len(words) - WORDS + 1), pool)
    docs = [
        Doc(f"p{number}", "", text[words[start].start() : words[start + WORDS - 1].end()])
        for number, start in enumerate(starts)
    ]
    rankings = {}
    for question in questions:
        ranked = rankings[question.query_id] = [docs[place].doc_id for place in rng.sample(range(pool), DEPTH)]
        if rng.random() < ANSWERED:
            own = docs[rng.randrange(pool)].text.split(" ")
            own.insert(rng.randrange(len(own) + 1), rng.choice(question.answers))
            docs.append(Doc(f"a{len(docs)}", "", " ".join(own)))
            ranked[int(math.exp(rng.random() * math.log(DEPTH))) - 1] = docs[-1].doc_id
    handler = Docs(lambda: docs, "en")
    parts = {lang: Judged(collection(lang, handler, questions)) for lang in LANGUAGES}
    for judged in parts.values():
        judged.collection.digests  # noqa: B018  # computed when a collection is read, whatever the measures are
    return Data(parts, rankings)


def collection(lang: str, docs: Docs, questions: list[Question]) -> Collection:
    own = [question for question in questions if question.lang == lang]
    queries = Queries(lambda: [Query(question.query_id, "", lang, question.query_id) for question in own], lang)
    answers = AnswerStrings(lambda: [Answers(question.query_id, question.answers) for question in own])
    return Collection(f"benchmark/{lang}", ir_datasets.Dataset(docs, queries, answers))


def real_data(folder: Path) -> tuple[str, list[Question]]:
    texts: list[str] = []
    for name in ("tydiqa-goldp/tydiqa.goldp.en.train.json", "xquad/xquad.en.json"):
        articles = json.loads((folder / name).read_text("utf-8"))["data"]
        texts += dict.fromkeys(paragraph["context"] for article in articles for paragraph in article["paragraphs"])
    lines = (folder / "xor-tydi/xor_dev_retrieve_eng_span_v1_1.jsonl").read_text("utf-8").splitlines()
    parsed = map(json.loads, filter(None, lines))
    return "\n".join(texts), [Question(row["id"], row["lang"], tuple(row["answers"])) for row in parsed]


def generated_data(rng: random.Random) -> tuple[str, list[Question]]:
    """The embedded passages' sentences in new orders, and pieces of them as answers, of which one in ten is "yes"."""
    sentences = [sentence for doc in Folder(HOME).docs for sentence in re.split(r"(?<=\.) ", doc.text)]
    text = " ".join(rng.choices(sentences, k=20_000))
    questions = []
    for number in range(QUERIES):
        words = rng.choice(sentences).split()
        start, length = rng.randrange(len(words)), rng.randrange(2, 5)
        piece = " ".join(words[start : start + length]) + f" {number}" * (number % 3 > 0)
        answer = "yes" if number % 10 == 0 else piece
        questions.append(Question(f"q{number}", LANGUAGES[number % len(LANGUAGES)], (answer,)))
    return text, questions


@contextmanager
def empty_cache() -> Iterator[None]:
    before = os.environ.get("XDR_HOME")
    with tempfile.TemporaryDirectory() as home:
        os.environ["XDR_HOME"] = home
        try:
            yield
        finally:
            del os.environ["XDR_HOME"]
            if before is not None:
                os.environ["XDR_HOME"] = before


def in_new_process(data: Data) -> tuple[float, Values]:
    # A fork has the texts in memory, and no tokens, since this process has tokenized nothing with our code.
    with multiprocessing.get_context("fork").Pool(1, _set_data, (data,)) as pool:
        return pool.apply(_ours)


_data: Data


def _set_data(data: Data) -> None:
    global _data  # noqa: PLW0603
    _data = data


def _ours() -> tuple[float, Values]:
    measures = [parse(name) for name in MEASURES]
    values: Values = {name: {} for name in MEASURES}
    start = time.process_time()
    for judged in _data.parts.values():
        for name, own in score_all(measures, judged, _data.rankings).items():
            values[name].update(own)
    return time.process_time() - start, values


def official(data: Data) -> tuple[float, Values]:
    values: Values = {name: {} for name in MEASURES}
    docs = next(iter(data.parts.values())).docs
    ctxs = {query_id: [docs.get(doc_id).text for doc_id in ranked] for query_id, ranked in data.rankings.items()}
    answers = {query: own for judged in data.parts.values() for query, own in (judged.collection.answers or {}).items()}
    with tempfile.TemporaryDirectory() as folder, nltk_word_tokenize(Path(folder)) as tokenize:
        tokenize("Its data are read. Now.")
        start = time.process_time()
        for name, budget in MEASURES.items():
            for query_id, own in answers.items():
                found = hit(own, ctxs[query_id], budget, tokenize)
                if found is not None:
                    values[name][query_id] = float(found)
        return time.process_time() - start, values


def macro_average(data: Data, values: dict[str, float]) -> float:
    scored = [[values[q] for q in judged.query_ids if q in values] for judged in data.parts.values()]
    means = [sum(own) / len(own) for own in scored if own]
    return sum(means) / len(means)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=QUERIES, help="questions to score; all 2,110 if left out")
    print_table(rows(parser.parse_args().queries))


if __name__ == "__main__":
    main()
