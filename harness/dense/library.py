"""sentence-transformers without scikit-learn, a fifth of what it imports, for a distance that nothing here asks for."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

_ASKED = ("sklearn", "sklearn.metrics")


def import_sentence_transformers() -> None:
    """Import the library; what it takes from ``sklearn.metrics`` is imported when it is called."""
    if "sentence_transformers" in sys.modules or any(name in sys.modules for name in _ASKED):
        return
    spec = importlib.util.find_spec("sklearn")
    if spec is None:
        return
    package, metrics = importlib.util.module_from_spec(spec), ModuleType("sklearn.metrics")
    package.metrics = metrics  # type: ignore[attr-defined]
    metrics.__getattr__ = _called_later  # type: ignore[method-assign]
    sys.modules.update(zip(_ASKED, (package, metrics), strict=True))
    try:
        importlib.import_module("sentence_transformers")
    except ImportError:
        pass  # It wants more of scikit-learn, or is not there: whoever imports it next is told.
    finally:
        for name in _ASKED:
            sys.modules.pop(name, None)


def _called_later(name: str) -> Callable[..., Any]:
    if name.startswith("__"):
        raise AttributeError(name)

    def call(*arguments: Any, **options: Any) -> Any:
        return getattr(importlib.import_module("sklearn.metrics"), name)(*arguments, **options)

    return call
