"""Models whose files lack weights that they compute with: transformers makes those up at random, and goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import mock

from harness.errors import InvalidInput

if TYPE_CHECKING:
    import torch

Model = TypeVar("Model", bound="torch.nn.Module")
POOLER = "pooler"
"""The layer over a transformer's first token: many classes have it, and few models compute anything with it."""
_loading = threading.RLock()


def loaded_whole(
    load: Callable[[], Model], name: str, may_lack: Callable[[Model], Collection[str]] = lambda model: ()
) -> Model:
    """What ``load`` makes, every weight of which was read from its files, as far as transformers loads them.

    ``name``: the model's, for people. ``may_lack``: names of layers that are not computed with, or are trained anew.
    Raises ``InvalidInput`` where weights or saved buffers were made up, since there were none, or none of that shape. Not
    seen are buffers that are never saved, and what a model's own code loads by itself. What the library reports of made-up
    weights is told by that, or is of no account.
    """
    absent: list[tuple[str, torch.Tensor]] = []
    with _loading, _noted(absent), _without_reports():
        model = load()
    # Of an encoder and decoder the one half may be let go: what counts is what is left.
    used = {id(tensor) for tensor in _tensors(model).values()}
    allowed = set(may_lack(model))
    lacking = sorted({key for key, made_up in absent if id(made_up) in used and not allowed & {*key.split(".")}})
    if lacking:
        more = f" and {len(lacking) - 3:,} more" if len(lacking) > 3 else ""
        raise InvalidInput(
            f"the files of the model in {name} lack weights that it computes with ({', '.join(lacking[:3])}{more}), for which "
            "random numbers would be taken: they are damaged, or of a model of another kind; fetch or save them again"
        )
    return model


def _tensors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


@contextmanager
def _noted(absent: list[tuple[str, torch.Tensor]]) -> Iterator[None]:
    """Every model of transformers that is loaded meanwhile adds its weights that were in no file, or not of their shape."""
    from transformers import PreTrainedModel

    plain = PreTrainedModel.from_pretrained.__func__

    def noting(cls: Any, /, *given: Any, output_loading_info: bool = False, **named: Any) -> Any:
        model, report = plain(cls, *given, output_loading_info=True, **named)
        tensors = _tensors(model)
        # Of another shape: the name, and both shapes.
        names = [*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])]
        absent.extend((key, tensors[key]) for key in names if key in tensors)
        return (model, report) if output_loading_info else model

    with mock.patch.object(PreTrainedModel, "from_pretrained", classmethod(noting)):
        yield


@contextmanager
def _without_reports() -> Iterator[None]:
    """Silent about weights that were made up; weights that nothing takes are reported by the library as ever."""
    logger = logging.getLogger("transformers.modeling_utils")

    def is_wanted(record: logging.LogRecord) -> bool:
        said = record.getMessage()
        return "LOAD REPORT" not in said or "UNEXPECTED" in said

    logger.addFilter(is_wanted)
    try:
        yield
    finally:
        logger.removeFilter(is_wanted)
