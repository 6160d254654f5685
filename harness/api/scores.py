"""One run on one collection, scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.api.collections import accepted_of, load_collection, qrels_of, raise_all
from harness.api.runs import ANY_DEPTH, run_of
from harness.collections.in_memory import collection_of, judged_by
from harness.collections.view import Collection
from harness.errors import Finding, InvalidInput, WrongUsage, errors_of
from harness.measures import Judged, Measure, parse, score_all
from harness.numbers import percent
from harness.records import Query
from harness.runs.trec import Expected

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]


@dataclass(frozen=True, eq=False)
class Scores(Mapping[str, float]):
    """What ``score`` gives: a mapping of means by measure, with each query's value behind it.

    Attributes
    ----------
    name
        What the run is called: the tag in its file, or "run".
    collection
        What it was scored on.
    per_query
        ``{measure: {query id: value}}``, for the queries in the measure's denominator; one that the run lacks has 0.
    warnings
        What the run is not wrong for but should be known: missing queries, ties, judgements of passages that are not there.
    """

    name: str
    collection: Collection = field(repr=False)
    per_query: Mapping[str, Mapping[str, float]] = field(repr=False)
    warnings: tuple[Finding, ...] = ()

    def __getitem__(self, measure: str) -> float:
        """The mean over the queries in the measure's denominator."""
        return float(np.mean(list(self.per_query[measure].values())))

    def __iter__(self) -> Iterator[str]:
        return iter(self.per_query)

    def __len__(self) -> int:
        return len(self.per_query)

    def named(self, name: str) -> Scores:
        """The same under another name, which messages and tables have."""
        return replace(self, name=name)

    def to_frame(self) -> DataFrame:
        """A pandas frame with the columns of ``ir_measures.iter_calc``: ``query_id``, ``measure``, ``value``."""
        import pandas as pd

        rows = [(query, measure, value) for measure, own in self.per_query.items() for query, value in own.items()]
        return pd.DataFrame(rows, columns=["query_id", "measure", "value"])

    def __repr__(self) -> str:
        means = ", ".join(f"{measure} {percent(self[measure], 2)}" for measure in self)
        warned = f"; {len(self.warnings)} warnings" if self.warnings else ""
        return f"<{self.name} on {self.collection.dataset_id}, in %: {means}{warned}>"


def score(
    run: Any,
    collection: Collection | str | Path | None = None,
    measures: Any = (),
    *,
    qrels: Any = None,
    answers: Any = None,
    depth: int | None = None,
) -> Scores:
    """Score a run.

    Documents are put in trec_eval's order, 32-bit score descending, then document id descending, and checked as ``xdr
    validate`` checks a file; the values are those of ``xdr score``.

    Parameters
    ----------
    run
        The path of a TREC run, gzip or plain; ``{query_id: {doc_id: score}}`` as ``ir_measures`` and ``pytrec_eval`` take it;
        ``{query_id: [doc_id, ...]}``, best first; a pandas frame or records with ``query_id``, ``doc_id``, ``score``, such as
        those of ``ir_measures.read_trec_run``; or an iterable of ``Ranking``, which adapters yield.
    collection
        What was searched, or its name; None where ``qrels`` alone decide.
    measures
        A measure's name or several: all that ``ir_measures`` knows (``"nDCG@10"``; its objects will do), ours (``"R@2kt"``,
        ``"AnswerRecall@20"``), those of installed packages, or objects of one's own subclass of ``Measure``.
    qrels, answers
        In place of the collection's own, in the forms that ``make_collection`` takes.
    depth
        Documents of each ranking that count; None for all.

    Raises
    ------
    InvalidInput
        With everything that is wrong with the run, or with the judgements; and where nothing can be scored.
    WrongUsage
        For a measure or a collection that nobody knows, and where there is nothing to score against.
    """
    wanted = _measures(measures)
    if depth is not None and depth < 1:
        raise WrongUsage(f"depth {depth}: at least one document of each ranking must count")
    judged, found = _judged(collection, qrels, answers)
    lacking = [measure.name for measure in wanted if not measure.applies_to(judged)]
    if lacking:
        raise InvalidInput(f"{judged.collection.dataset_id} lacks the judgements or answers for {', '.join(lacking)}")
    docs: Any = judged.docs if judged.collection.dataset.has_docs() else _AnyDocument()
    checked, warnings = run_of(run, "run", Expected(judged.query_ids, docs, depth or ANY_DEPTH))
    if depth is None:
        # Nobody said how deep a ranking should be.
        warnings = [warning for warning in warnings if warning.kind != "short rankings"]
    rankings = {query_id: ranked.doc_ids[:depth] for query_id, ranked in checked.rankings.items()}
    values = score_all(wanted, judged, rankings)
    if empty := [measure for measure, own in values.items() if not own]:
        raise InvalidInput(
            f"no question of {judged.collection.dataset_id} has a judgement or an answer that {', '.join(empty)} could score"
        )
    return Scores(checked.tag, judged.collection, values, (*found, *warnings))


class _AnyDocument:
    """Where nobody knows what was searched, every document may be found."""

    def __len__(self) -> int:
        return ANY_DEPTH

    def __contains__(self, doc_id: object) -> bool:
        return True


def _measures(measures: Any) -> list[Measure]:
    names: Sequence[Any] = (
        [measures] if isinstance(measures, str) or not isinstance(measures, Iterable) else [*measures]
    )
    if not names:
        raise WrongUsage('measures: say at least one, such as ["nDCG@10", "R@2kt"]')
    return [name if isinstance(name, Measure) else parse(str(name)) for name in dict.fromkeys(names)]


def _judged(collection: Collection | str | Path | None, qrels: Any, answers: Any) -> tuple[Judged, list[Finding]]:
    """The truth to score against, and what is to be said of it. Raises ``InvalidInput`` and ``WrongUsage``."""
    faults: list[Finding] = []
    judgements = None if qrels is None else qrels_of(qrels, faults)
    accepted = None if answers is None else accepted_of(answers, faults)
    raise_all(faults, "judgements or answers are invalid", "qrels")
    if collection is None:
        if judgements is None:
            raise WrongUsage("score needs a collection, or qrels, to score against")
        if accepted is not None:
            raise WrongUsage("answers are looked for in passages: score needs the collection that has them")
        queries = [Query(query_id, query_id, "", query_id) for query_id in judgements]
        return Judged(collection_of(None, queries, qrels=judgements, name="qrels")), []
    known = collection if isinstance(collection, Collection) else load_collection(collection)
    if judgements is None and accepted is None:
        return Judged(known), list(known.references.findings(known.dataset_id))
    found = judged_by(known, judgements, accepted)
    findings = list(found.references.findings(known.dataset_id))
    raise_all(errors_of(findings), f"the judgements are not those of {known.dataset_id}", known.dataset_id)
    return Judged(found), findings
