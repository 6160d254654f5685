"""xdr-bench from Python: score runs, compare them, encode and search, make a leaderboard; and what an adapter is written with.

What is in ``__all__`` stays where it is; what lies behind it, in ``harness``, may move. A name is imported when it is first
asked for, so that importing this package takes next to nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness import __version__ as __version__
    from harness.adapters.card import load_card as load_card
    from harness.adapters.conformance import conformance_tests as conformance_tests
    from harness.adapters.consent import Consent as Consent
    from harness.adapters.contract import Context as Context
    from harness.adapters.contract import Pin as Pin
    from harness.adapters.contract import Request as Request
    from harness.adapters.contract import System as System
    from harness.adapters.estimate import Estimate as Estimate
    from harness.adapters.estimate import Figure as Figure
    from harness.api.collections import load_collection as load_collection
    from harness.api.collections import make_collection as make_collection
    from harness.api.comparing import PairedDifference as PairedDifference
    from harness.api.comparing import compare as compare
    from harness.api.leaderboards import Leaderboard as Leaderboard
    from harness.api.leaderboards import make_leaderboard as make_leaderboard
    from harness.api.scores import Scores as Scores
    from harness.api.scores import score as score
    from harness.api.search import Encoder as Encoder
    from harness.api.search import Hit as Hit
    from harness.api.search import Index as Index
    from harness.collections.view import Collection as Collection
    from harness.errors import Finding as Finding
    from harness.errors import InvalidInput as InvalidInput
    from harness.errors import WrongUsage as WrongUsage
    from harness.errors import XdrError as XdrError
    from harness.files.toml_records import Record as CardParameters
    from harness.measures.base import Judged as Judged
    from harness.measures.base import Measure as Measure
    from harness.measures.conformance import conformance_tests as measure_conformance_tests
    from harness.records import Doc as Doc
    from harness.records import Passages as Passages
    from harness.records import Query as Query
    from harness.records import Ranking as Ranking

__all__ = [
    "CardParameters",
    "Collection",
    "Consent",
    "Context",
    "Doc",
    "Encoder",
    "Estimate",
    "Figure",
    "Finding",
    "Hit",
    "Index",
    "InvalidInput",
    "Judged",
    "Leaderboard",
    "Measure",
    "PairedDifference",
    "Passages",
    "Pin",
    "Query",
    "Ranking",
    "Request",
    "Scores",
    "System",
    "WrongUsage",
    "XdrError",
    "__version__",
    "compare",
    "conformance_tests",
    "load_card",
    "load_collection",
    "make_collection",
    "make_leaderboard",
    "measure_conformance_tests",
    "score",
]

_HOMES = {
    "harness": ("__version__",),
    "harness.adapters.card": ("load_card",),
    "harness.adapters.conformance": ("conformance_tests",),
    "harness.adapters.consent": ("Consent",),
    "harness.adapters.contract": ("Context", "Pin", "Request", "System"),
    "harness.adapters.estimate": ("Estimate", "Figure"),
    "harness.api.collections": ("load_collection", "make_collection"),
    "harness.api.comparing": ("PairedDifference", "compare"),
    "harness.api.leaderboards": ("Leaderboard", "make_leaderboard"),
    "harness.api.scores": ("Scores", "score"),
    "harness.api.search": ("Encoder", "Hit", "Index"),
    "harness.collections.view": ("Collection",),
    "harness.errors": ("Finding", "InvalidInput", "WrongUsage", "XdrError"),
    "harness.files.toml_records": ("CardParameters",),
    "harness.measures.base": ("Judged", "Measure"),
    "harness.measures.conformance": ("measure_conformance_tests",),
    "harness.records": ("Doc", "Passages", "Query", "Ranking"),
}
"""Where each name lives, as the imports for type checkers say too."""
_NAMES_THERE = {"CardParameters": "Record", "measure_conformance_tests": "conformance_tests"}
_OWN_PACKAGES = ("harness", "systems")
_ROOT = Path(__file__).resolve().parent.parent


def __getattr__(name: str) -> Any:
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(home), _NAMES_THERE.get(name, name))
    return found


def __dir__() -> list[str]:
    return sorted(__all__)


class _Beside:
    """Finds this project's packages beside this one, whatever else has their names on the path."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [str(_ROOT)]) if name in _OWN_PACKAGES else None


def _use_own_packages() -> None:
    """Somebody's working folder or ``PYTHONPATH`` may hold packages with the plain names of ours: they are told, not obeyed.

    Raises ``ImportError`` where one of them is loaded already, since a process can have one of a name only.
    """
    foreign = {name: place for name in _OWN_PACKAGES if (place := _place_of(name)) != _ROOT / name}
    if not foreign:
        return
    if loaded := [f"{name!r} from {place}" for name, place in foreign.items() if name in sys.modules]:
        raise ImportError(
            f"xdr-bench needs its own packages, but other code has loaded {' and '.join(loaded)}; import xdr_bench first, or "
            "rename what has that name"
        )
    sys.meta_path.insert(0, _Beside)
    if unused := [str(place) for place in foreign.values() if place is not None]:
        message = (
            f"xdr-bench uses its own packages in {_ROOT}; in this process, {' and '.join(unused)} cannot be imported"
        )
        warnings.warn_explicit(message, RuntimeWarning, __name__, 1)


def _place_of(name: str) -> Path | None:
    """The folder of the package that ``import name`` means now; None for no package, or one that was never in a file."""
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # a module that somebody made by hand
        return None
    return Path(spec.origin).resolve().parent if spec is not None and spec.origin else None


_use_own_packages()

import harness  # noqa: E402, F401 - makes the collections loadable by name: ir_datasets.load("xquad/ar")
