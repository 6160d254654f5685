"""Any collection with its questions or its passages changed by a rule: ``perturbed(NAME,seed=N):ID``.

``perturbed(typo-swap,seed=1):xquad/ar`` asks the Arabic questions of XQuAD, each with two neighbouring letters exchanged. NAME
is a recipe of ``recipe_names()``, or the path of one; ID is any dataset, a perturbed one included. Ids, judgements, answers and
topics are those of the clean collection; only texts change (the kind "twin" adds passages that are judged 0). How many were
changed, unchanged and refused is among the collection's remarks.
"""

from __future__ import annotations

import re
from typing import Any

from harness.collections.handlers import Dataset, Docs, LargeDocs, Qrels, Queries, Remarks
from harness.collections.perturbed.content import Content
from harness.collections.perturbed.recipe import load_recipe
from harness.collections.view import load
from harness.errors import WrongUsage

PATTERN = r"^perturbed\(([^()]*)\):(.+)$"
BIBTEX = LICENCE = ""  # those of the clean collection
_ARGUMENTS = re.compile(r"([^,]+),\s*seed=([0-9]{1,9})")
MOST_TIMES = 16
_TWIN = "a copy of a relevant passage with two numbers or names exchanged"


def ids() -> list[str]:
    return []


def dataset(dataset_id: str, groups: tuple[str, ...]) -> Any:
    """Raises ``WrongUsage`` for an id of another form, unknown recipe or collection; ``InvalidInput`` for a bad recipe."""
    if (times := dataset_id.count("perturbed(")) > MOST_TIMES:
        raise WrongUsage(
            f"{dataset_id:.80}...: perturbed {times} times, one inside of another; at most {MOST_TIMES} are"
        )
    arguments = _ARGUMENTS.fullmatch(groups[0].strip())
    if arguments is None:
        raise WrongUsage(
            f"{dataset_id}: between the brackets stands {groups[0]!r:.80}; expected NAME,seed=N, as in "
            "perturbed(typo-swap,seed=1):xquad/ar"
        )
    recipe = load_recipe(arguments[1].strip())
    clean = load(groups[1])
    content = Content(clean, recipe, int(arguments[2]))
    own = clean.dataset
    has_answers = hasattr(own, "answers_handler")
    docs = LargeDocs(lambda: clean.docs, own.docs_lang()) if own.has_docs() else None
    lang = own.queries_lang() if own.has_queries() else None
    if recipe.side == "queries":
        return Dataset(
            Remarks(content.remarks),
            docs,
            Queries(lambda: content.queries, lang),
            own.qrels_handler() if own.has_qrels() else None,
            own.answers_handler() if has_answers else None,
        )
    return Dataset(
        Remarks(content.remarks),
        Docs(lambda: content.docs, own.docs_lang()) if docs else None,
        Queries(lambda: clean.queries, lang) if own.has_queries() else None,
        _judgements(content, own) if own.has_qrels() else None,
        own.answers_handler() if has_answers else None,
    )


def _judgements(content: Content, own: Any) -> Any:
    if content.recipe.kind != "twin":
        return own.qrels_handler()

    def rows() -> Any:
        return content.qrels((str(row.query_id), str(row.doc_id), int(row.relevance)) for row in own.qrels_iter())

    known = own.qrels_defs()
    return Qrels(rows, {**known, 0: f"{known[0]}; or {_TWIN}" if 0 in known else _TWIN})
