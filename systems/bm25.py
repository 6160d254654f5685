"""BM25 (Robertson and Zaragoza 2009) by bm25s, with segmentation that suits the script of each text.

A question finds only what it shares with a passage as strings, so across scripts this baseline finds names in Latin
letters, numbers, and little else: a lower bound for cross-lingual retrieval, not a translation system. A passage without
any term of the question is not ranked: no score is 0 or less.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness import progress
from harness.adapters.contract import Context, Request
from harness.adapters.estimate import Estimate, Figure, Timing, timed_on_sample
from harness.compute.platform import peak_memory_bytes
from harness.errors import InvalidInput
from harness.files.toml_records import Record
from harness.order import top_documents
from harness.records import Doc, Query, Ranking
from systems.segmentation import BIGRAMS, SEGMENTATION_VERSION, UNSPACED, Segmenter, without_segmenter

_LARGEST_SAMPLE = 20_000

BIBTEX = """
@article{robertson2009bm25,
  author = {Robertson, Stephen and Zaragoza, Hugo},
  title = {The Probabilistic Relevance Framework: {BM25} and Beyond},
  journal = {Foundations and Trends in Information Retrieval},
  volume = {3},
  number = {4},
  pages = {333--389},
  year = {2009},
  doi = {10.1561/1500000019}
}
"""


class Bm25:
    version = 1
    bibtex = BIBTEX
    versions: Mapping[str, int] = {"segmentation": SEGMENTATION_VERSION}

    class Parameters(Record):
        """``passage_language`` chooses the stemmer and the segmentation of passages. Method ``lucene`` never scores <= 0."""

        k1: float = Field(default=0.9, gt=0)
        b: float = Field(default=0.4, ge=0, le=1)
        method: Literal["lucene", "robertson", "atire", "bm25l", "bm25+"] = "lucene"
        passage_language: str = "en"
        stem: bool = True
        use_title: bool = True

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters

    def search(self, request: Request, context: Context) -> Iterator[Ranking]:
        segmenter = self._segmenter()
        with context.record.stage("index") as stage:
            with context.progress.task("bm25: find the terms", len(request.docs), "passages") as advance:
                corpus = self._corpus(progress.counted(request.docs, advance), segmenter)
            if not any(corpus):
                raise InvalidInput("bm25: no passage holds any term")
            with context.progress.task("bm25: weigh the terms", len(corpus), "passages"):
                retriever = self._index(corpus)
            stage["bytes"] = _index_bytes(retriever)
        ids = np.array(request.docs.ids, dtype=object)
        with context.record.stage("search"):
            for query in request.queries:
                if query.query_id not in context.finished:
                    best, scores = _best(query, retriever, segmenter, request.depth)
                    yield Ranking(query.query_id, tuple(ids[best]), scores)
        # Parts with other passages are searched apart, and may have other languages.
        known = context.record.facts.get("segmentation", {})
        context.record.facts["segmentation"] = {**known, **segmenter.description()}
        if lacking := [lang for lang, name in segmenter.description().items() if name == BIGRAMS and lang in UNSPACED]:
            context.record.note(_as_bigrams(lacking))

    def cautions(self, languages: Collection[str]) -> Iterator[str]:
        if lacking := without_segmenter([*languages, self._parameters.passage_language]):
            yield f"{_as_bigrams(lacking)}; `pip install 'xdr-bench[segment]'` brings the segmenters"

    def estimate(self, request: Request, context: Context, timed: bool) -> Estimate:
        """Times and memory from an index of a sample of the passages, which grows with their number."""
        figures = [Figure("disk", "index", 0, "bytes", "bm25 holds its index in memory")]
        docs, queries = request.docs, [query for query in request.queries if query.query_id not in context.finished]
        figures += [
            Figure("work", "passages to index", len(docs), "passages", "the collection; an index is never kept"),
            Figure("work", "questions to search", len(queries), "questions", "those of these parts without a ranking"),
        ]
        if not timed:
            return Estimate(tuple(figures))
        segmenter = self._segmenter()
        corpus: list[list[str]] = []
        retriever: Any = None

        def index(places: Sequence[int]) -> None:
            nonlocal corpus, retriever
            corpus = self._corpus((docs[place : place + 1][0] for place in places), segmenter)
            retriever = self._index(corpus) if any(corpus) else None

        indexing = timed_on_sample(len(docs), index, _LARGEST_SAMPLE)
        figures.append(indexing.figure("index", len(docs), "passages"))
        if retriever is None:
            return Estimate(tuple(figures))

        def searching(sample_index: Any) -> Timing:
            def search(places: Sequence[int]) -> None:
                for place in places:
                    _best(queries[place], sample_index, segmenter, request.depth)

            return timed_on_sample(len(queries), search, _LARGEST_SAMPLE)

        share = len(docs) / indexing.sample
        whole = searching(retriever)
        seconds, basis = (
            whole.each,
            f"{whole.sample} questions on the index of {indexing.sample:,} passages, timed here",
        )
        fewer = corpus[::4]
        if share > 1 and any(fewer):
            # What a question takes in an index of any size must not be multiplied by the number of passages.
            growth = max(0.0, whole.each - searching(self._index(fewer)).each) / (len(corpus) - len(fewer))
            seconds += growth * (len(docs) - len(corpus))
            basis += f", and how much less a quarter of it takes, drawn out to {len(docs):,}"
        figures.append(Figure("time", "search", whole.once + seconds * len(queries), "seconds", basis))
        terms = sum(sys.getsizeof(row) + sum(map(sys.getsizeof, row)) for row in corpus)
        basis = f"those of {indexing.sample:,} passages, for so many more"
        figures += [
            Figure("memory", "process and sample", peak_memory_bytes(), "bytes", "the most that this process took"),
            Figure("memory", "terms of the passages", terms * share, "bytes", basis),
            Figure("memory", "index", _index_bytes(retriever) * share, "bytes", basis),
        ]
        return Estimate(tuple(figures))

    def _segmenter(self) -> Segmenter:
        return Segmenter(self._parameters.passage_language if self._parameters.stem else None)

    def _corpus(self, docs: Iterable[Doc], segmenter: Segmenter) -> list[list[str]]:
        """The terms of each passage."""
        texts = (doc.default_text() if self._parameters.use_title else doc.text for doc in docs)
        return [segmenter.terms(text, self._parameters.passage_language) for text in texts]

    def _index(self, corpus: list[list[str]]) -> Any:
        import bm25s

        parameters = self._parameters
        retriever = bm25s.BM25(k1=parameters.k1, b=parameters.b, method=parameters.method)
        retriever.index(corpus, show_progress=False)
        return retriever


def _as_bigrams(langs: Sequence[str]) -> str:
    return (
        f"texts in {', '.join(langs)} are cut into character bigrams, not words: the extra `segment` is not installed"
    )


def _index_bytes(retriever: Any) -> int:
    return sum(array.nbytes for array in retriever.scores.values() if isinstance(array, np.ndarray))


def _best(
    query: Query, retriever: Any, segmenter: Segmenter, depth: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Numbers and scores of the best passages, best first; none of them scores 0."""
    terms = [term for term in segmenter.terms(query.text, query.lang) if term in retriever.vocab_dict]
    if not terms:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    scores = np.asarray(retriever.get_scores(terms), dtype=np.float32)
    # Some methods give a passage without the term more than 0.
    scores[~_holding(terms, retriever)] = 0
    best = top_documents(scores, depth)
    best = best[scores[best] > 0]
    return best, scores[best]


def _holding(terms: list[str], retriever: Any) -> NDArray[np.bool_]:
    """Which passages hold any of the terms. Shape (passages,)."""
    holding = np.zeros(retriever.scores["num_docs"], np.bool_)
    starts = retriever.scores["indptr"]
    for term in set(terms):
        column = retriever.vocab_dict[term]
        holding[retriever.scores["indices"][starts[column] : starts[column + 1]]] = True
    return holding
