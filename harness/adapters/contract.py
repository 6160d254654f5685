"""The System contract, and what a system is given: a request and a context."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import TypeAdapter, ValidationError

from harness.adapters.consent import NOTHING, Consent
from harness.adapters.estimate import Estimate
from harness.compute.energy import joules_so_far
from harness.errors import InvalidInput
from harness.files.toml_records import Name
from harness.progress import Progress, SilentProgress
from harness.records import Passages, Query, Ranking
from harness.servers.access import Access


@dataclass(frozen=True)
class Request:
    """What to search. The queries of all parts that share these passages come together; their ids are unique here.

    There are no answers and no relevance judgements in it, and there never will be.

    ``rows``: for a system that stands on other rows (``System.rows``), what is recorded of them, by row and by query id: best
    first in the order of ``harness.order``, scores as float32. A query for which a row has found nothing is not in it.
    """

    docs: Passages
    queries: tuple[Query, ...]
    depth: int
    rows: Mapping[str, Mapping[str, Ranking]] = field(default_factory=dict)


SERVED = "model behind a server"
"""The fact under which an adapter notes the model that a server computed for it, on whatever machine that was."""

TOKEN_BUDGET = "token budget"
"""The fact under which an adapter notes how many tokens its batches had at most, padding included."""


@dataclass
class Record:
    """What a run notes for its manifest: seconds and bytes of each stage, and facts such as the isolation it had."""

    stages: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def note(self, *remarks: str) -> None:
        """Add to what whoever reads the row should know; the same remark once."""
        self.facts["notes"] = list(dict.fromkeys([*self.facts.get("notes", ()), *remarks]))

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any]]:
        """Time a stage; the block may add figures, such as ``stage["bytes"]``, to the entry that it is given.

        Where the machine tells, the entry has the joules that its processors took meanwhile, whoever used them. They come into
        a manifest where these processors did all the work: not beside an accelerator, in a cluster, or with a server.
        """
        entry: dict[str, Any] = {"name": name}
        start, energy = time.perf_counter(), joules_so_far()
        yield entry
        entry["seconds"] = round(time.perf_counter() - start, 3)
        taken = joules_so_far()
        if energy is not None and taken is not None:
            entry["joules"] = round(taken - energy, 1)
        self.stages.append(entry)


@dataclass(frozen=True)
class Context:
    """Where and how a system runs; nothing in it may change the scores, except the seed, the device, and in last
    digits the token budget.

    ``finished`` holds the ids of queries whose rankings a killed run has already recorded: a system may leave them out,
    but must not let that alter the results of the others. ``server``: where the operator lets texts be sent; None for nowhere.
    ``token_budget``: that of a recorded run which is made again, for a card that leaves it to the device.
    """

    cache: Path
    work: Path
    device: str = "cpu"
    seed: int = 42
    workers: int = 1
    memory_bytes: int = 4 << 30
    shard_bytes: int = 1 << 30
    engine: str = "local"
    progress: Progress = field(default_factory=SilentProgress)
    record: Record = field(default_factory=Record)
    finished: frozenset[str] = frozenset()
    consent: Consent = NOTHING
    server: Access | None = None
    token_budget: int | None = None


@dataclass(frozen=True)
class Pin:
    """An input that is fixed wherever it lies, and known where it does not: by the SHA-256 of a published file, or by the
    commit of a model. What is made from it, such as a cache, is never hashed. Empty where no digest was published or seen yet.

    How it comes to a machine: ``files``, the names of the pinned files that it is made of, ``repository``, of a model hub, or
    ``place``, a folder of this machine that nothing else has.
    """

    digest: str
    files: tuple[str, ...] = field(default=(), compare=False)
    repository: str = field(default="", compare=False)
    place: Path | None = field(default=None, compare=False)


@runtime_checkable
class System(Protocol):
    """What an adapter implements. It is made as ``Adapter(parameters)`` from its card's checked parameters.

    An adapter is made to be asked what it is, and most often only for that: making it opens no model. Optional members:

    - ``Parameters``, a pydantic model of the card's ``[parameters]``;
    - ``version``, a whole number, raised when the same parameters, inputs and data give other rankings than before, and
      ``versions``, a mapping of such numbers by name, of what it shares with others. An adapter without a version, and one
      that is loaded from a file, is identified by its own files;
    - ``bibtex``, BibTeX entries of the works that the method comes from;
    - ``inputs() -> Mapping[str, Path | Pin]``, the model files and generated texts that the results depend on, whether or not
      they are on this machine; their digests identify the run;
    - ``rows() -> Iterable[str]``, names of the rows of the same track whose recorded runs it reads, from ``request.rows``; the
      digests of these runs identify its own, and they are made before it where one command makes both;
    - ``missing() -> Iterable[str]``, what a search needs and is not on this machine, each thing with how to get it;
    - ``cautions(languages) -> Iterable[str]``, what to know before it searches questions in these languages, such as words
      that will be cut in a makeshift way because a package is not installed;
    - ``prepare(docs, context)``, called once before ``search``;
    - ``estimate(request, context, timed) -> Estimate``, what the search will take (``harness.adapters.estimate``): disk space
      always, and, where ``timed``, times and memory from a sample. It writes nothing.
    """

    def search(self, request: Request, context: Context) -> Iterator[Ranking]:
        """Yield one ranking for every query of the request, at most ``depth`` passages each, in any order."""
        ...


def estimate_of(system: System, request: Request, context: Context, *, timed: bool) -> Estimate | None:
    """What the system says a search will take; None where it does not say."""
    stated = getattr(system, "estimate", None)
    return stated(request, context, timed) if callable(stated) else None


def inputs_of(system: object) -> Mapping[str, Path | Pin]:
    declared = getattr(system, "inputs", None)
    return declared() if callable(declared) else {}


_NAMES = TypeAdapter(tuple[Name, ...])


def rows_of(system: object) -> tuple[str, ...]:
    """The rows that the system says it stands on, each once. Raises ``InvalidInput`` where they are no names of rows."""
    stated = getattr(system, "rows", None)
    if not callable(stated):
        return ()
    found: Iterable[str] = stated()
    try:
        return tuple(dict.fromkeys(_NAMES.validate_python(tuple([found] if isinstance(found, str) else found))))
    except (ValidationError, TypeError) as error:
        raise InvalidInput(
            f"rows() gave {found!r:.200}; expected names of systems, as their cards have them"
        ) from error


def row_of(request: Request, name: str) -> Mapping[str, Ranking]:
    """What a row that the system stands on has found. Raises ``InvalidInput`` where nothing was handed over."""
    if name not in request.rows:
        raise InvalidInput(
            f"the recorded run of row {name} is needed here, and was not handed over: `xdr run` and `xdr leaderboard` do so"
        )
    return request.rows[name]


def missing_of(system: object) -> list[str]:
    """What the system says that a search needs and is not here."""
    stated = getattr(system, "missing", None)
    return list(stated()) if callable(stated) else []


def cautions_of(system: object, languages: Collection[str]) -> tuple[str, ...]:
    """What the system says that should be known before it searches questions in these languages."""
    stated = getattr(system, "cautions", None)
    return tuple(stated(languages)) if callable(stated) else ()


def check_system(system: object) -> None:
    """Raises ``InvalidInput`` where the system misses something that a search needs."""
    if missing := missing_of(system):
        raise InvalidInput("\n".join(missing))
