"""XOR-TyDi QA, task XOR-Retrieve: questions, English answers and English Wikipedia, ``xor-tydi/dev``, ``xor-tydi/train/ja``.

The passages are those of the dump of 2019-02-01, as in the paper. ``xor-tydi-dpr-2018/...`` asks the same questions of DPR's
dump of December 2018, which some published results (DR.DECR) are about: another collection with another docs digest.

Source: Asai et al. 2021 (arXiv 2010.11856), github.com/AkariAsai/XORQA, v1.1 files, CC BY-SA 4.0. Their quirks, kept
or fixed here: the Arabic rows of the training file have the language " ar" with a leading blank (stripped); some
answers have blanks around them (kept, since the official measure looks for the raw string).
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from harness.collections import wikipedia
from harness.collections.formats.json_rows import made_of_rows, text_of, texts_of
from harness.collections.handlers import AnswerStrings, Dataset, Queries
from harness.collections.plugins import GeneratedTexts
from harness.collections.storage.pinned import data_home, verified_path
from harness.errors import InvalidInput
from harness.records import Answers, Query

BIBTEX = """
@inproceedings{asai2021xorqa,
  author = {Asai, Akari and Kasai, Jungo and Clark, Jonathan H. and Lee, Kenton and Choi, Eunsol and Hajishirzi, Hannaneh},
  title = {{XOR} {QA}: Cross-lingual Open-Retrieval Question Answering},
  booktitle = {Proceedings of the 2021 Conference of the North American Chapter of the Association for Computational Linguistics: Human Language Technologies},
  year = {2021},
  eprint = {2010.11856},
  archiveprefix = {arXiv}
}
"""  # noqa: E501
LICENCE = "CC BY-SA 4.0"
DENOMINATORS = {
    # Questions of xor_dev_retrieve_eng_span_v1_1.jsonl with an answer besides yes and no. The answers of the test
    # questions are not public.
    "dev": {"ar": 309, "bn": 304, "fi": 314, "ja": 241, "ko": 285, "ru": 237, "te": 238},
}
LANGUAGES = ("ar", "bn", "fi", "ja", "ko", "ru", "te")
PATTERN = rf"^(xor-tydi|xor-tydi-dpr-2018)/(train|dev)(?:/({'|'.join(LANGUAGES)}))?$"
_DUMPS = {"xor-tydi": "2019-02-01", "xor-tydi-dpr-2018": "dpr-2018"}
_FILES = {
    "train": "xor-tydi/xor_train_retrieve_eng_span.jsonl",
    "dev": "xor-tydi/xor_dev_retrieve_eng_span_v1_1.jsonl",
}
_GENERATED = "xor-tydi-xqg"
_GENERATED_REPOSITORY = "ielab/xor-tydi-xqg-augmented"


def ids() -> list[str]:
    splits = [f"{name}/{split}" for name in _DUMPS for split in _FILES]
    return splits + [f"{split}/{lang}" for split in splits for lang in LANGUAGES]


@functools.cache
def _rows(split: str) -> list[tuple[Query, Answers]]:
    path = verified_path(_FILES[split])
    with path.open("rb") as lines:
        return list(made_of_rows(lines, str(path), "XOR-TyDi", _row))


def _row(row: dict[str, Any]) -> tuple[Query, Answers]:
    query_id = text_of(row, "id")
    query = Query(query_id, text_of(row, "question"), text_of(row, "lang").strip(), query_id)
    return query, Answers(query_id, texts_of(row, "answers"))


def dataset(dataset_id: str, groups: tuple[str, ...]) -> Any:
    name, split, lang = groups

    def rows() -> list[tuple[Query, Answers]]:
        return [row for row in _rows(split) if not lang or row[0].lang == lang]

    return Dataset(
        wikipedia.docs(_DUMPS[name]),
        Queries(lambda: [query for query, _ in rows()], lang),
        AnswerStrings(lambda: [answers for _, answers in rows()]),
    )


def _generated_place() -> Path:
    return data_home() / _GENERATED


def _generated_folder() -> Path:
    """Where the generated queries of the xQG paper lie. Raises ``InvalidInput`` with the way to get them if they do not."""
    folder = _generated_place()
    if not any(folder.rglob("*.jsonl")):
        raise InvalidInput(
            f"the 35 generated queries of each passage (67 GB) are not in {folder}; `hf download {_GENERATED_REPOSITORY} "
            f"--repo-type dataset --include 'data/*.jsonl' --local-dir {folder}` brings them, and goes on where it was cut off"
        )
    return folder


GENERATED = {_GENERATED: GeneratedTexts(_generated_folder, _generated_place)}
