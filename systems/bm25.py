"""BM25 (Robertson and Zaragoza 2009) by bm25s, with segmentation that suits the script of each text.

A question finds only what it shares with a passage as strings, so across scripts this baseline finds names in Latin
letters, numbers, and little else: a lower bound for cross-lingual retrieval, not a translation system. A passage without
any term of the question is not ranked: no score is 0 or less.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness import progress
from harness.config import Record
from harness.dense.search import top_documents
from harness.errors import InvalidInput
from harness.records import Ranking
from harness.system import Context, Request
from systems.segmentation import Segmenter


class Bm25:
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
        import bm25s

        parameters = self._parameters
        segmenter = Segmenter(parameters.passage_language if parameters.stem else None)
        with context.record.stage("index") as stage:
            texts = (doc.default_text() if parameters.use_title else doc.text for doc in request.docs)
            with context.progress.task("bm25: find the terms", len(request.docs), "passages") as advance:
                counted = progress.counted(texts, advance)
                corpus = [segmenter.terms(text, parameters.passage_language) for text in counted]
            if not any(corpus):
                raise InvalidInput("bm25: no passage holds any term")
            retriever = bm25s.BM25(k1=parameters.k1, b=parameters.b, method=parameters.method)
            with context.progress.task("bm25: weigh the terms", len(corpus), "passages"):
                retriever.index(corpus, show_progress=False)
            stage["bytes"] = sum(array.nbytes for array in retriever.scores.values() if isinstance(array, np.ndarray))
        vocabulary = retriever.vocab_dict
        ids = np.array(request.docs.ids, dtype=object)
        with context.record.stage("search"):
            for query in request.queries:
                if query.query_id in context.finished:
                    continue
                terms = [term for term in segmenter.terms(query.text, query.lang) if term in vocabulary]
                if not terms:
                    yield Ranking(query.query_id, (), np.empty(0, np.float32))
                    continue
                scores = np.asarray(retriever.get_scores(terms), dtype=np.float32)
                # Some methods give a passage without the term more than 0.
                scores[~_holding(terms, retriever)] = 0
                best = top_documents(scores, request.depth)
                best = best[scores[best] > 0]
                yield Ranking(query.query_id, tuple(ids[best]), scores[best])
        context.record.facts["segmentation"] = segmenter.description()


def _holding(terms: list[str], retriever: Any) -> NDArray[np.bool_]:
    """Which passages hold any of the terms. Shape (passages,)."""
    holding = np.zeros(retriever.scores["num_docs"], np.bool_)
    starts = retriever.scores["indptr"]
    for term in set(terms):
        column = retriever.vocab_dict[term]
        holding[retriever.scores["indices"][starts[column] : starts[column + 1]]] = True
    return holding
