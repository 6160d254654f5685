"""What is searched: one file per collection, all registered with ir_datasets.

A collection's module has ``PATTERN``, a regular expression of its dataset ids; ``dataset(dataset_id, groups)``, which makes
one; and ``ids()``, those that can be listed. ``load(dataset_id)`` gives this project's view of any ir_datasets dataset.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

from harness.collections import editable
from harness.collections.view import Collection, load

__all__ = ["Collection", "dataset_ids", "load", "register_all"]

# Modules by the beginning of their ids; they are imported when the first such id is loaded.
_MODULES = {
    "folder": "formats.folder",
    "mkqa": "mkqa",
    "mlqa/": "mlqa",
    "mr-tydi-v1.1/": "mr_tydi",
    "paws-x/": "paws_x",
    "squad": "formats.squad",
    "tydiqa-goldp/": "tydiqa_goldp",
    "xdr-mini/": "mini",
    "xor-tydi-dpr-2018/": "xor_tydi",
    "xor-tydi/": "xor_tydi",
    "xquad-oracle/": "xquad_oracle",
    "xquad/": "xquad",
}


def register_all(registry: Any) -> None:
    """Register every collection of this package with an ir_datasets registry."""
    for beginning in _MODULES:
        registry.register_pattern(f"^{re.escape(beginning)}", _registered)


def dataset_ids() -> list[str]:
    """Ids of all datasets of this package that can be listed; folders and SQuAD files go by their paths."""
    return sorted({dataset_id for beginning in _MODULES for dataset_id in _module(beginning).ids()})


def _registered(dataset_id: str, _: tuple[str, ...]) -> Any:
    return editable.Current(dataset_id, make) if editable.is_editable(dataset_id) else make(dataset_id)


def make(dataset_id: str) -> Any:
    """A new dataset of one of our ids. Raises ``KeyError`` where it is none."""
    beginning = next(name for name in _MODULES if dataset_id.startswith(name))
    module = _module(beginning)
    match = re.match(module.PATTERN, dataset_id)
    if match is None:
        raise KeyError(dataset_id)
    return module.dataset(dataset_id, match.groups())


def _module(beginning: str) -> Any:
    return importlib.import_module(f"harness.collections.{_MODULES[beginning]}")
