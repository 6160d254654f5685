"""TyDi QA's gold passage task as monolingual retrieval: ``tydiqa-goldp/sw`` asks the Swahili questions of its own passages.

The passages are the different gold passages of the development file of that language, 105 (Bengali) to 842 (Arabic): a small
pool in which every passage answers some question, good for comparing systems by language and nothing like open retrieval.
Equal passages are one. The pinned files hold questions and passages, and keep the answers back.
Source: Clark et al. 2020, github.com/google-research-datasets/tydiqa, v1.1, Apache-2.0.
"""

from __future__ import annotations

import functools
from typing import Any

from harness.collections.formats.squad import RELEVANCE, SquadFile, distinct, over_pool, read_squad
from harness.collections.handlers import Dataset, Docs, Qrels, Queries
from harness.collections.storage.pinned import verified_path

LANGUAGES = ("ar", "bn", "en", "fi", "id", "ko", "ru", "sw", "te")
BIBTEX = """
@article{clark2020tydiqa,
  author = {Clark, Jonathan H. and Choi, Eunsol and Collins, Michael and Garrette, Dan and Kwiatkowski, Tom and Nikolaev, Vitaly and
    Palomaki, Jennimaria},
  title = {{TyDi QA}: A Benchmark for Information-Seeking Question Answering in Typologically Diverse Languages},
  journal = {Transactions of the Association for Computational Linguistics},
  volume = {8},
  year = {2020},
  eprint = {2003.05002},
  archiveprefix = {arXiv}
}
"""  # noqa: E501
LICENCE = "Apache-2.0"
PATTERN = rf"^tydiqa-goldp/({'|'.join(LANGUAGES)})$"


def ids() -> list[str]:
    return [f"tydiqa-goldp/{lang}" for lang in LANGUAGES]


@functools.cache
def read(lang: str) -> SquadFile:
    content = read_squad(verified_path(f"tydiqa-goldp/tydiqa.goldp.{lang}.dev.json"), lang, hidden_answers=True)
    return over_pool(content, distinct(content.docs))


def dataset(dataset_id: str, groups: tuple[str, ...]) -> Any:
    lang = groups[0]
    return Dataset(
        Docs(lambda: read(lang).docs, lang),
        Queries(lambda: read(lang).queries, lang),
        Qrels(lambda: read(lang).qrels, RELEVANCE),
    )
