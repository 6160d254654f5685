"""mteb's side of the comparison: a retrieval task over parts of a track, with local data, and what it says of saved rankings.

mteb publishes values of a whole task, rounded to five digits; by question they are had from the functions that it calls itself.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import langcodes
import numpy as np
from numpy.typing import NDArray

from harness.collections.view import Collection
from harness.tracks import Track

MEASURES: Mapping[str, str] = {"nDCG@10": "ndcg_at_10", "R@10": "recall_at_10", "RR@10": "mrr_at_10"}
"""Ours, and the names of the same in mteb's results."""
SPLIT = "test"
BATCH = 32
"""mteb's own default."""
_CUTOFF = 10

Rankings = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class TheirRun:
    """``reported``: means by part and measure; ``vectors``: of questions and passages, by part; ``seconds``: of all of it."""

    predictions: Path
    reported: Mapping[str, Mapping[str, float]]
    vectors: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
    seconds: float
    processor_seconds: float


@dataclass
class _Vectors:
    by_part: dict[str, dict[str, NDArray[np.float32]]] = field(default_factory=dict)


def evaluated(track: Track, model: Path, with_titles: bool, folder: Path, threads: int) -> TheirRun:
    """Let mteb encode, search and score every part, as ``mteb.evaluate`` does; its rankings are saved below ``folder``."""
    os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    import mteb
    import torch
    from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper
    from sentence_transformers import SentenceTransformer

    seen = _Vectors()

    class Watched(SentenceTransformerEncoderWrapper):  # type: ignore[misc, unused-ignore]
        """Keeps the vectors that it gives, and does nothing else."""

        def encode(self, inputs: Any, *, hf_subset: str, prompt_type: Any = None, **options: Any) -> Any:
            vectors = super().encode(inputs, hf_subset=hf_subset, prompt_type=prompt_type, **options)
            seen.by_part.setdefault(hf_subset, {})[prompt_type.value] = np.asarray(vectors, dtype=np.float32)
            return vectors

    task = task_of(track, with_titles)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    start, used = time.perf_counter(), time.process_time()
    encoder = Watched(SentenceTransformer(str(model), device="cpu"))
    results = mteb.evaluate(
        encoder,
        task,
        cache=None,
        co2_tracker=False,
        encode_kwargs={"batch_size": BATCH, "show_progress_bar": False},
        prediction_folder=folder,
        show_progress_bar=False,
    )
    seconds, processor_seconds = time.perf_counter() - start, time.process_time() - used
    torch.set_num_threads(before)
    scores = {row["hf_subset"]: row for row in results.task_results[0].scores[SPLIT]}
    return TheirRun(
        predictions=folder / task.prediction_file_name,
        reported={
            part.name: {ours: float(scores[part.name][t]) for ours, t in MEASURES.items()} for part in track.parts
        },
        vectors={name: (found["query"], found["document"]) for name, found in seen.by_part.items()},
        seconds=seconds,
        processor_seconds=processor_seconds,
    )


def saved_rankings(predictions: Path) -> dict[str, dict[str, dict[str, float]]]:
    """By part, the scores that mteb saved, by question and passage."""
    content = json.loads(predictions.read_text("utf-8"))
    return {part: splits[SPLIT] for part, splits in content.items() if part != "mteb_model_meta"}


def values_by_question(qrels: Mapping[str, Mapping[str, int]], rankings: Rankings) -> dict[str, dict[str, float]]:
    """By measure and question, what mteb computes of rankings."""
    from mteb._evaluators.retrieval_metrics import calculate_retrieval_scores, mrr

    judged = {query_id: dict(qrels[query_id]) for query_id in rankings}
    scores = calculate_retrieval_scores(rankings, judged, [_CUTOFF]).all_scores
    reciprocal = dict(zip(rankings, mrr(judged, rankings, [_CUTOFF])[f"MRR@{_CUTOFF}"], strict=True))
    return {
        "nDCG@10": {query_id: scores[query_id]["ndcg_cut_10"] for query_id in rankings},
        "R@10": {query_id: scores[query_id]["recall_10"] for query_id in rankings},
        "RR@10": reciprocal,
    }


def task_of(track: Track, with_titles: bool) -> Any:
    from datasets import Dataset
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    class LocalTask(AbsTaskRetrieval):  # type: ignore[misc, unused-ignore]
        metadata = TaskMetadata(
            name="".join(word for word in track.name.title() if word.isalnum()),
            description=track.title,
            dataset={"path": "local", "revision": "local"},
            type="Retrieval",
            category="t2t",
            eval_splits=[SPLIT],
            eval_langs={part.name: [_in_three_letters(part.lang)] for part in track.parts},
            main_score="ndcg_at_10",
        )

        def load_data(self, *_: Any, **__: Any) -> None:
            self.dataset = {part.name: {SPLIT: _split(part.collection)} for part in track.parts}
            self.data_loaded = True

    def _split(collection: Collection) -> dict[str, Any]:
        titles = {"title": [doc.title for doc in collection.docs]} if with_titles else {}
        return {
            "corpus": Dataset.from_dict(
                {"id": list(collection.docs.ids), "text": [doc.text for doc in collection.docs], **titles}
            ),
            "queries": Dataset.from_dict(
                {"id": _ids(collection), "text": [query.text for query in collection.queries]}
            ),
            "relevant_docs": {query_id: dict(grades) for query_id, grades in (collection.qrels or {}).items()},
            "top_ranked": None,
        }

    task = LocalTask()
    task.load_data()
    return task


def _ids(collection: Collection) -> Sequence[str]:
    return [query.query_id for query in collection.queries]


def _in_three_letters(lang: str) -> str:
    """
    >>> _in_three_letters("ar")
    'ara-Arab'
    """
    language = langcodes.Language.get(lang).maximize()
    return f"{language.to_alpha3()}-{language.script}"
