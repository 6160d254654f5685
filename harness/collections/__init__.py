"""What is searched: one file per collection, all registered with ir_datasets.

``harness.collections.plugins`` says what a collection's module has, and how one of another distribution is found.
``load(dataset_id)`` gives this project's view of any ir_datasets dataset.
"""

from __future__ import annotations

import re
from typing import Any

from harness.collections import editable, plugins
from harness.collections.plugins import About, about, generated_texts, make
from harness.collections.view import Collection, load

__all__ = ["About", "Collection", "about", "dataset_ids", "generated_texts", "load", "make", "register_all"]


def register_all(registry: Any) -> None:
    """Register every collection, of this package and of others, with an ir_datasets registry; nothing else is imported."""
    plugins.reserve(registry)
    for name in plugins.names():
        registry.register_pattern(rf"^{re.escape(name)}(?:[/:(]|$)", _registered)


def dataset_ids() -> list[str]:
    """Ids of all datasets that can be listed beside ir_datasets' own; folders and SQuAD files go by their paths."""
    return sorted({dataset_id for name in plugins.names() for dataset_id in plugins.ids(name)})


def _registered(dataset_id: str, _: tuple[str, ...]) -> Any:
    from harness.collections.for_ir_datasets import as_ir_dataset

    if editable.is_editable(dataset_id):
        return editable.Current(dataset_id, make, as_ir_dataset)
    return as_ir_dataset(make(dataset_id))
