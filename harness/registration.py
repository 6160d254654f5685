"""Put the project's collections into ir_datasets' registry, without making every command wait for ir_datasets.

``import ir_datasets`` takes a third of a second, which ``xdr --help`` must not pay. So unless it is loaded already,
an import hook waits for it and registers the collections the moment its own import has ended.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType


class _RegisterAfterImport:
    """Meta-path finder that lets ir_datasets load as usual and then registers our collections."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "ir_datasets":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("ir_datasets")
        if spec is None or spec.loader is None:
            return spec
        loader = spec.loader
        load_ir_datasets = loader.exec_module

        def load_and_register(module: ModuleType) -> None:
            _settle_home()
            load_ir_datasets(module)
            _register(module)

        loader.exec_module = load_and_register  # type: ignore[method-assign]
        return spec


def _settle_home() -> None:
    """ir_datasets makes a folder in the home folder as it is imported; now below our own cache, unless it has one there.

    So no home folder is needed, nor one that can be written.
    """
    from harness.files.writing import give_a_home, made_below_cache_home

    give_a_home()
    if "IR_DATASETS_HOME" not in os.environ and not (Path.home() / ".ir_datasets").is_dir():
        os.environ["IR_DATASETS_HOME"] = str(made_below_cache_home("ir_datasets"))


def _register(ir_datasets: ModuleType) -> None:
    from harness.collections import register_all

    register_all(ir_datasets.registry)


def register_collections_when_ir_datasets_is_loaded() -> None:
    if "ir_datasets" in sys.modules:
        _register(sys.modules["ir_datasets"])
    else:
        sys.meta_path.insert(0, _RegisterAfterImport())
