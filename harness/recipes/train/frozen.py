"""The top layers of a transformer over the states of all that is below them, which stay as they are and are computed once."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.dense.roles import Task
from harness.errors import InvalidInput
from harness.files.writing import explained_write_errors, write_text
from harness.progress import Progress

if TYPE_CHECKING:
    import torch

KINDS = ("bert", "roberta", "xlm-roberta")
"""Architectures whose embeddings and layers lie one above the other under the names that are used here."""
_BATCH = 32

FloatRows = np.ndarray[Any, np.dtype[np.float32]]
"""States of one text: (tokens, hidden size)."""


def split(network: Any, top: int) -> tuple[Any, Any]:
    """Two networks that share the layers of one: embeddings and all layers but the ``top`` ones, and these alone.

    The second takes as ``inputs_embeds`` what the first gives as ``last_hidden_state``. Raises ``InvalidInput`` for an
    architecture whose layers are not found, or that has not so many.
    """
    kind = network.config.model_type
    if kind not in KINDS:
        raise InvalidInput(
            f"trained_layers is not supported for models of type {kind!r:.80}; supported: {', '.join(KINDS)}"
        )
    layers = list(network.encoder.layer)
    if top > len(layers):
        raise InvalidInput(f"trained_layers = {top}, but the model has {len(layers)} layers")
    below = len(layers) - top
    return _with(network, layers[:below], network.embeddings), _with(network, layers[below:], _pass_through())


def _with(network: Any, layers: Sequence[Any], embeddings: Any) -> Any:
    import torch

    config = copy.deepcopy(network.config)
    config.num_hidden_layers = len(layers)
    # No memory is taken: everything that it is made of is put in its place.
    with torch.device("meta"):
        made = type(network)(config, add_pooling_layer=False)
    made.encoder.layer = torch.nn.ModuleList(layers)
    made.embeddings = embeddings
    return made


def _pass_through() -> Any:
    import torch

    class PassThrough(torch.nn.Module):
        def forward(self, *, inputs_embeds: torch.Tensor, **_: object) -> torch.Tensor:
            return inputs_embeds

    return PassThrough()


class Size(NamedTuple):
    """Number of texts, and of values a token."""

    texts: int
    hidden: int


def stored(batches: Iterable[Sequence[FloatRows]], size: Size, work: Path, progress: Progress) -> list[FloatRows]:
    """States of texts, float32, (tokens, hidden size) each, kept in a file below ``work``.

    ``batches`` gives them in a fixed order, and is not asked where an earlier process has written all of them.
    """
    file, index = work / "states.f32", work / "states.json"
    with progress.task("states of the frozen layers", total=size.texts, unit="texts") as advance:
        if not index.is_file():
            lengths: list[int] = []
            with explained_write_errors(file):
                work.mkdir(parents=True, exist_ok=True)
                with file.open("wb") as out:
                    for found in batches:
                        lengths += [len(states) for states in found]
                        for states in found:
                            out.write(states.tobytes())
                        advance(len(found))
            write_text(index, json.dumps(lengths))
    lengths = json.loads(index.read_text("ascii"))
    if not lengths:
        return []
    rows = np.memmap(file, np.float32, "r", shape=(sum(lengths), size.hidden))
    ends = np.cumsum(lengths)
    return [rows[end - length : end] for length, end in zip(lengths, ends, strict=True)]


def padded(rows: Sequence[FloatRows], hidden: int) -> tuple[torch.Tensor, torch.Tensor]:
    """States of several texts, (texts, longest, hidden), with zeros behind them, and the mask of what is theirs."""
    import torch

    longest = max(map(len, rows))
    states = torch.zeros(len(rows), longest, hidden)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    for place, row in enumerate(rows):
        states[place, : len(row)] = torch.from_numpy(np.array(row))
        mask[place, : len(row)] = 1
    return states, mask


class States:
    """For each text and task, what comes out of the frozen part: float32, (tokens, hidden size), in a file."""

    def __init__(self, transformer: Any, lower: Any, prefixes: Mapping[Task, str]) -> None:
        self._transformer, self._lower, self._prefixes = transformer, lower, prefixes
        self._known: dict[tuple[Task, str], FloatRows] = {}

    def compute(self, texts: Mapping[Task, set[str]], work: Path, progress: Progress) -> None:
        """All of the texts, in batches that hang on the texts alone; what an earlier process has written whole is read."""
        keys = sorted(((task, text) for task in texts for text in texts[task]), key=lambda k: (len(k[1]), k))
        batches = (self._batch(keys[i : i + _BATCH]) for i in range(0, len(keys), _BATCH))
        rows = stored(batches, Size(len(keys), int(self._lower.config.hidden_size)), work, progress)
        self._known = dict(zip(keys, rows, strict=True))

    def of(self, texts: Sequence[str], task: Task) -> list[Any]:
        missing = [text for text in dict.fromkeys(texts) if (task, text) not in self._known]
        new = dict(zip(missing, self._batch([(task, text) for text in missing]), strict=True)) if missing else {}
        return [new[text] if text in new else self._known[task, text] for text in texts]

    def _batch(self, keys: Sequence[tuple[Task, str]]) -> list[FloatRows]:
        import torch

        found: dict[tuple[Task, str], Any] = {}
        for task in dict.fromkeys(task for task, _ in keys):
            texts = [text for one, text in keys if one == task]
            features = self._transformer.preprocess(texts, prompt=self._prefixes[task] or None, task=task)
            names = ("input_ids", "attention_mask", "token_type_ids")
            device = next(self._lower.embeddings.parameters()).device
            inputs = {name: features[name].to(device) for name in names if name in features}
            self._lower.eval()
            with torch.inference_mode():
                states = self._lower(**inputs).last_hidden_state.float().cpu().numpy()
            # Padding stands on the right of every text.
            sizes = features["attention_mask"].sum(1).tolist()
            found |= {
                (task, text): states[i, :size].copy() for i, (text, size) in enumerate(zip(texts, sizes, strict=True))
            }
        return [found[key] for key in keys]


def top_module(upper: Any, states: States) -> Any:
    """A first module for sentence-transformers, in the place of the whole transformer."""
    from sentence_transformers.base.modules import InputModule

    class TopLayers(InputModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.upper = upper

        def preprocess(self, inputs: Sequence[str], prompt: str | None = None, **named: Any) -> dict[str, torch.Tensor]:
            rows = states.of(list(inputs), named["task"])
            found, mask = padded(rows, upper.config.hidden_size)
            # The library tells columns apart by this name.
            return {"input_ids": mask, "attention_mask": mask, "states": found}

        def forward(self, features: dict[str, torch.Tensor], **_: object) -> dict[str, torch.Tensor]:
            found = self.upper(inputs_embeds=features["states"], attention_mask=features["attention_mask"])
            return {**features, "token_embeddings": found.last_hidden_state}

        def save(self, *_: object, **__: object) -> None:
            """The whole model is saved, never this part of it."""

    return TopLayers()
