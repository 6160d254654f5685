"""Encode and search with one encoder, as the adapter ``dense`` does it for a card."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.adapters.contract import Context, Request, check_system
from harness.adapters.loading import load_adapter
from harness.api.collections import passages_of, queries_of, raise_all
from harness.collections.view import Collection
from harness.errors import Finding, WrongUsage
from harness.files.toml_records import checked
from harness.records import Passages, Query


class Hit(NamedTuple):
    """A passage that was found: ``score`` is a float32 inner product, as a Python float."""

    doc_id: str
    score: float
    title: str
    text: str


class Encoder:
    """A bi-encoder: one model for questions and passages, as a card of the adapter ``dense`` has it.

    Parameters
    ----------
    model
        A folder in the form of sentence-transformers or of transformers, or the id of a model on the Hugging Face hub with
        the full commit as ``revision``. Weights are read from safetensors; code that comes with a model is not run.
    device
        ``"cpu"``, ``"cuda"``, ``"auto"``, ...
    workers
        Threads; they change no vector.
    parameters
        As in a card's ``[parameters]``: ``revision``, ``pooling``, ``similarity``, ``query_prompt``, ``passage_prompt``,
        ``query_max_length``, ``dtype`` and so on.

    Raises
    ------
    InvalidInput
        When a parameter is invalid, or the model is not there; a model that cannot be loaded says so when it is first
        used.
    """

    def __init__(
        self, model: str | Path, *, device: str = "cpu", workers: int | None = None, **parameters: Any
    ) -> None:
        values = {"model": os.fspath(model), **{key: value for key, value in parameters.items() if value is not None}}
        kind = load_adapter("dense", Path.cwd()).kind
        self._system: Any = kind(checked(kind.Parameters, values, "Encoder", {"folder": Path.cwd()}))
        check_system(self._system)
        self._device, self._workers = device, workers or os.cpu_count() or 1

    def encode_query(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of questions, float32, shape (texts, dimensions)."""
        return self._encoded("queries", texts)

    def encode_document(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages, float32, shape (texts, dimensions). With its title, a passage is ``title + " " + text``."""
        return self._encoded("passages", texts)

    def index(self, docs: Any, cache: str | Path | None = None) -> Index:
        """Passages to search: a collection or its ``docs``, or any form that ``make_collection`` takes.

        They are encoded by the first search. Vectors are kept in ``cache``, where a later index of the same passages and
        model finds them; by default in a folder that goes with this object.
        """
        faults: list[Finding] = []
        passages = docs.docs if isinstance(docs, Collection) else passages_of(docs, faults)
        raise_all(faults, "passages are invalid", "docs")
        return Index(self, passages, Path(cache) if cache is not None else None)

    def _encoded(self, kind: str, texts: Sequence[str]) -> NDArray[np.float32]:
        if isinstance(texts, str):
            raise WrongUsage(f"a list of texts is encoded, not one text: [{texts!r:.80}]")
        with tempfile.TemporaryDirectory(prefix="xdr-") as folder:
            vectors: NDArray[np.float32] = self._system.encode(kind, list(texts), self._context(Path(folder)))
        return vectors

    def _context(self, cache: Path) -> Context:
        return Context(cache=cache, work=cache / "work", device=self._device, workers=self._workers)


class Index:
    """Passages and an encoder. ``Encoder.index`` makes it."""

    def __init__(self, encoder: Encoder, docs: Passages, cache: Path | None) -> None:
        self._encoder, self._docs = encoder, docs
        self._kept = tempfile.TemporaryDirectory(prefix="xdr-") if cache is None else None
        self._cache = Path(self._kept.name) if self._kept is not None else cache or Path()

    def __len__(self) -> int:
        return len(self._docs)

    def search(self, questions: Sequence[str], depth: int = 10) -> list[list[Hit]]:
        """The best passages of each question, best first: an exact search, in trec_eval's order of documents."""
        if isinstance(questions, str):
            raise WrongUsage(f"a list of questions is searched for, not one: [{questions!r:.80}]")
        queries = [Query(str(place), text, "", str(place)) for place, text in enumerate(questions)]
        found = self.run(queries, depth)
        return [[self._hit(doc_id, score) for doc_id, score in found[query.query_id].items()] for query in queries]

    def run(self, queries: Any, depth: int = 100) -> dict[str, dict[str, float]]:
        """A run of a collection's queries, ``{query_id: {doc_id: score}}``, best first, as ``score`` takes it.

        ``queries``: a collection or its ``queries``, or any form that ``make_collection`` takes.
        """
        if depth < 1:
            raise WrongUsage(f"depth {depth}: a search is for at least one passage")
        faults: list[Finding] = []
        asked = queries.queries if isinstance(queries, Collection) else tuple(queries_of(queries, faults))
        raise_all(faults, "queries are invalid", "queries")
        if not asked:
            return {}
        with tempfile.TemporaryDirectory(prefix="xdr-") as work:
            context = replace(self._encoder._context(self._cache), work=Path(work))
            found = {
                ranking.query_id: dict(zip(ranking.doc_ids, map(float, ranking.scores), strict=True))
                for ranking in self._encoder._system.search(Request(self._docs, asked, depth), context)
            }
        return {query.query_id: found[query.query_id] for query in asked}

    def _hit(self, doc_id: str, score: float) -> Hit:
        doc = self._docs.get(doc_id)
        return Hit(doc_id, score, doc.title, doc.text)
