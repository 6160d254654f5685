"""Templates of a new system: a card, an adapter, and its contract tests."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from pydantic import ValidationError

from harness.adapters.card import Card
from harness.errors import WrongUsage
from harness.files.writing import write_text

_CARD = """\
# One card is one row of a leaderboard. See docs/submit.md for all keys.
schema_version = 1
name = "{name}"
title = "{name}"
adapter = "{adapter}"
# A bi-encoder needs no code: adapter = "dense", and below its `model`. What its own files do not say, or say otherwise, is said
# by `pooling`, `query_prompt`, `passage_prompt`, `query_max_length`, `passage_max_length`, `similarity`, `truncate_dim`.
kind = "other"
# languages = ["ar", "ja"]     # default: all languages of the track; the others would be dashes, not zeros
description = "What it does, in a sentence or two."
authors = []
paper = ""
licence = ""
training_data = []
# requires = ["some-package>=1.2"]   # what must be installed beside xdr-bench (PEP 508); looked for before a run

[parameters]
"""

_ADAPTER = '''\
"""A system of one's own: ranks passages by the numbers and Latin words that they share with the question."""

from __future__ import annotations

import re
from collections.abc import Iterator

from xdr_bench import CardParameters, Context, Ranking, Request


class Adapter:
    class Parameters(CardParameters):
        """The keys of the card's [parameters]."""

        title_weight: float = 2.0

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters

    def search(self, request: Request, context: Context) -> Iterator[Ranking]:
        passages = [(doc.doc_id, _terms(doc.title), _terms(doc.text)) for doc in request.docs]
        for query in request.queries:
            terms = _terms(query.text)
            scored = [
                (self.parameters.title_weight * len(terms & title) + len(terms & text), doc_id)
                for doc_id, title, text in passages
            ]
            best = sorted((pair for pair in scored if pair[0] > 0), reverse=True)[: request.depth]
            yield Ranking(query.query_id, [doc_id for _, doc_id in best], [score for score, _ in best])


def _terms(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{3,}|[0-9]+", text.lower()))
'''

_TESTS = '''\
"""The contract tests that every system passes."""

from pathlib import Path

from xdr_bench import Consent, conformance_tests, load_card

CARD = load_card(str(Path(__file__).with_name("card.toml")))
TestConformance = conformance_tests(lambda: CARD.system(Consent(code=True)))  # it runs the adapter beside it
'''

_PROGRAM = """\
#!/usr/bin/awk -f
# Called as: search.awk docs.jsonl queries.jsonl DEPTH; writes a TREC run to standard output.
# Ranks passages by how many numbers and Latin words of three letters or more they share with the question.
BEGIN { depth = ARGV[3]; ARGC = 3 }
function value(line, key,    rest) {
    rest = substr(line, index(line, "\\"" key "\\": \\"") + length(key) + 5)
    gsub(/\\\\\\"/, "'", rest)
    return substr(rest, 1, index(rest, "\\"") - 1)
}
function terms(text, found,    n, words, i) {
    split("", found)
    n = split(tolower(text), words, /[^a-z0-9]+/)
    for (i = 1; i <= n; i++) if (length(words[i]) > 2 || words[i] ~ /^[0-9]+$/) found[words[i]] = 1
}
FILENAME == ARGV[1] { doc_ids[++docs] = value($0, "doc_id"); terms(value($0, "title") " " value($0, "text"), t)
                      for (term in t) has[docs, term] = 1; next }
{
    terms(value($0, "text"), q); rank = 0
    for (d = 1; d <= docs; d++) { score[d] = 0; for (term in q) if ((d, term) in has) score[d]++ }
    while (rank < depth) {  # of equal scores, the passage whose id comes last
        best = 0
        for (d = 1; d <= docs; d++) if (score[d] > 0 && (best == 0 || score[d] >= score[best])) best = d
        if (best == 0) break
        print value($0, "query_id"), "Q0", doc_ids[best], ++rank, score[best], "@NAME@"
        score[best] = 0
    }
}
"""


def write_scaffold(name: str, folder: Path, *, executable: bool) -> list[Path]:
    """Write the files of a new system; returns their paths. Raises ``WrongUsage`` rather than overwrite anything."""
    try:
        Card(schema_version=1, name=name, title=name, adapter="dummy")
    except ValidationError as error:
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        if why.startswith("String should match"):
            why = "use lower-case letters, digits, '.', '_', '+', '-'"
        raise WrongUsage(f"{name!r} cannot be a system's name: {why}") from None
    if executable:
        files = {
            "card.toml": _CARD.format(name=name, adapter="./search.awk"),
            "search.awk": _PROGRAM.replace("@NAME@", name),
        }
    else:
        card = _CARD.format(name=name, adapter="adapter.py:Adapter") + "title_weight = 2.0\n"
        files = {"card.toml": card, "adapter.py": _ADAPTER, "test_adapter.py": _TESTS}
    existing = [folder / file for file in files if (folder / file).exists()]
    if existing:
        raise WrongUsage(f"{existing[0]} exists already; choose another --folder")
    with contextlib.ExitStack() as undo:
        # Whatever fails, a disk that is full or a signal, there is all of it in the end or nothing.
        missing = next((parent for parent in reversed((folder, *folder.parents)) if not parent.exists()), None)
        if missing is not None:
            undo.callback(shutil.rmtree, missing, ignore_errors=True)
        for file, text in files.items():
            undo.callback((folder / file).unlink, missing_ok=True)
            write_text(folder / file, text)
        if executable:
            (folder / "search.awk").chmod(0o755)
        undo.pop_all()
    return [folder / file for file in files]
