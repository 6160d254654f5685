"""``rivers/fi``: Finnish questions over three English passages on rivers, in one file."""

from __future__ import annotations

from typing import Any

import ir_datasets

from harness.collections.handlers import AnswerStrings, Docs, Qrels, Queries
from harness.records import Answers, Doc, Query

PATTERN = r"^rivers/(fi|ja)$"
LICENCE = "CC0 1.0"
BIBTEX = "@misc{rivers2026, author = {Virtanen, Aino and Lee, Bo}, title = {Rivers of the {World}}, year = {2026}}"
_DOCS = (
    Doc("nile", "Nile", "The Nile flows north through Egypt for 6,650 kilometres."),
    Doc("volga", "Volga", "The Volga is 3,530 kilometres long and flows into the Caspian Sea."),
    Doc("rhine", "Rhine", "The Rhine rises in Switzerland and flows into the North Sea."),
)
_QUESTIONS = {
    "fi": {"fi-volga": "Kuinka pitkä on Volga?", "fi-nile": "Missä maassa on Nile?"},
    "ja": {"ja-volga": "Volga 川の長さは？", "ja-rhine": "Rhine 川はどこから流れますか？"},
}
_TRUTH = {
    "fi-volga": ("volga", ("3,530 kilometres",)),
    "fi-nile": ("nile", ("Egypt", "the Nile valley")),
    "ja-volga": ("volga", ("3,530 kilometres",)),
    "ja-rhine": ("rhine", ("Switzerland",)),
}


def ids() -> list[str]:
    return [f"rivers/{lang}" for lang in _QUESTIONS]


def dataset(dataset_id: str, groups: tuple[str, ...]) -> Any:
    lang = groups[0]
    asked = _QUESTIONS[lang]
    return ir_datasets.Dataset(
        Docs(lambda: _DOCS, "en"),
        Queries(lambda: [Query(query_id, text, lang, query_id[3:]) for query_id, text in asked.items()], lang),
        Qrels(lambda: [(query_id, _TRUTH[query_id][0], 1) for query_id in asked], {1: "the passage asked about"}),
        AnswerStrings(lambda: [Answers(query_id, _TRUTH[query_id][1]) for query_id in asked]),
    )
