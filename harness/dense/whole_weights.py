"""Models whose files lack weights that they compute with: transformers makes those up at random, and goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import mock

from harness.errors import InvalidInput

if TYPE_CHECKING:
    import torch

Model = TypeVar("Model", bound="torch.nn.Module")
_POOLER = "pooler"
"""The layer over a transformer's first token: many classes have it, and few models compute anything with it."""
_loading = threading.RLock()


def loaded_whole(
    load: Callable[[], Model], name: str, asks_pooler: Callable[[Model], bool] = lambda model: True
) -> Model:
    """What ``load`` makes with transformers, every weight of which was read from its files.

    ``name``: the model's, for people. ``asks_pooler``: whether its pooler is computed with, and so has to be there.
    Raises ``InvalidInput`` where weights were made up. What the library reports of them is told by that, or is of no account.
    """
    absent: list[tuple[str, torch.nn.Parameter]] = []
    with _loading, _noted(absent), _without_reports():
        model = load()
    # Of an encoder and decoder the one half may be let go: what counts is what is left.
    used = {id(parameter) for parameter in model.parameters()}
    lacking = sorted({key for key, made_up in absent if id(made_up) in used})
    if not asks_pooler(model):
        lacking = [key for key in lacking if _POOLER not in key.split(".")]
    if lacking:
        more = f" and {len(lacking) - 3:,} more" if len(lacking) > 3 else ""
        raise InvalidInput(
            f"the files of the model in {name} lack weights that it computes with ({', '.join(lacking[:3])}{more}), for which "
            "random numbers would be taken: they are damaged, or of a model of another kind; fetch or save them again"
        )
    return model


@contextmanager
def _noted(absent: list[tuple[str, torch.nn.Parameter]]) -> Iterator[None]:
    """Every model of transformers that is loaded meanwhile adds its weights that were in no file."""
    from transformers import PreTrainedModel

    plain = PreTrainedModel.from_pretrained.__func__

    def noting(cls: Any, /, *given: Any, output_loading_info: bool = False, **named: Any) -> Any:
        model, report = plain(cls, *given, output_loading_info=True, **named)
        weights = dict(model.named_parameters())
        absent.extend((key, weights[key]) for key in report["missing_keys"] if key in weights)
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
