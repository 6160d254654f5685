"""Vectors of a teacher: of the encoder that a card of the adapter dense names, kept in the cache for the next recipe."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from harness.adapters.card import load_card
from harness.compute.platform import library_versions
from harness.dense.encoder import ENCODER_VERSION, Encoder
from harness.dense.loading import EncoderSettings
from harness.dense.model_places import model_folder
from harness.dense.roles import Role, Similarity, Task
from harness.errors import InvalidInput
from harness.files.model_digests import sha256_of_model
from harness.files.toml_records import checked
from harness.files.writing import atomic_write, made_below_cache_home
from harness.files.yaml_records import digest_of
from harness.progress import Progress
from harness.recipes.train.seen import collections_of, seen_by
from harness.recipes.train.transductive import transductive_of
from harness.recipes.train.whitening import unit, whitened

if TYPE_CHECKING:
    import torch

_BLOCK, _BATCH = 512, 32
"""Texts in a file of the cache, and in a batch. Which texts share one hangs on the texts alone, and so do the bytes."""
_LIBRARIES = ("numpy", "sentence-transformers", "tokenizers", "torch", "transformers")


class _Parameters(BaseModel):
    """What of a dense card's parameters says how it encodes; the others are about search."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: str
    revision: str | None = None
    pooling: Literal["model", "cls", "mean", "last"] = "model"
    similarity: Similarity | None = None
    truncate_dim: int | None = None
    query_max_length: int | None = None
    passage_max_length: int | None = None
    query_prompt: str | None = None
    passage_prompt: str | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"


@dataclass(frozen=True)
class Teacher:
    """``digest``: of the model's files and all that the vectors depend on; ``transductive``: by its training record; ``seen``:
    by that and by its card.
    """

    encoder: Encoder
    roles: Mapping[Task, Role]
    similarity: Similarity
    digest: str
    transductive: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()

    @property
    def dimensions(self) -> int:
        return int(self.encoder.dimensions)


class TeacherVectors:
    """The teacher's vector of each text that it has read, by task: float32, of unit length where it compares by cosine."""

    def __init__(self, vectors: Mapping[Task, NDArray[np.float32]], texts: Mapping[Task, Sequence[str]]) -> None:
        import torch

        self._vectors = {task: torch.from_numpy(array) for task, array in vectors.items()}
        self._places = {task: {text: place for place, text in enumerate(own)} for task, own in texts.items()}

    def whitened(self, exponent: float) -> TeacherVectors:
        """Each task's vectors less their mean, evened out (see ``whitened``), of unit length again."""
        changed = {
            task: unit(whitened(found.numpy(), exponent)) if len(found) else found.numpy()
            for task, found in self._vectors.items()
        }
        return TeacherVectors(changed, {task: list(places) for task, places in self._places.items()})

    def of(self, task: Task, text: str) -> torch.Tensor:
        return self._vectors[task][self._places[task][text]]


def load_teacher(card: str, folder: Path, device: str) -> Teacher:
    """The encoder of a card, named as everywhere or by a path beside the recipe. Raises ``InvalidInput`` or ``WrongUsage``."""
    beside = folder / card
    loaded = load_card(str(beside) if beside.exists() else card)
    if loaded.card.adapter != "dense":
        raise InvalidInput(
            f"teacher {card}: a card of the adapter {loaded.card.adapter!r:.80}; a teacher is a card of the adapter 'dense'"
        )
    found = checked(_Parameters, loaded.card.parameters, f"teacher {card}: parameters")
    path = model_folder(found.model, found.revision, loaded.folder)
    encoder = Encoder(
        EncoderSettings(path, found.pooling, found.similarity, found.dtype, device, truncate_dim=found.truncate_dim)
    )
    roles: dict[Task, Role] = {
        "query": Role("query", found.query_prompt, found.query_max_length),
        "document": Role("document", found.passage_prompt, found.passage_max_length),
    }
    similarity = encoder.use(roles["query"]).similarity
    said = {
        **found.model_dump(exclude={"model", "revision"}),
        "files": sha256_of_model(path),
        "encoder": ENCODER_VERSION,
        "device": device,
        "libraries": library_versions(_LIBRARIES),
    }
    seen = tuple(sorted({*seen_by(path), *collections_of(loaded.card.may_have_seen)}))
    return Teacher(encoder, roles, similarity, digest_of(said), transductive_of(path), seen)


def vectors_of(teacher: Teacher, texts: Mapping[Task, Sequence[str]], progress: Progress) -> TeacherVectors:
    """Read from the cache what an earlier training has left there, encode the rest, and keep it there."""
    sorted_texts: dict[Task, list[str]] = {task: sorted(own, key=lambda t: (len(t), t)) for task, own in texts.items()}
    count = sum(map(len, sorted_texts.values()))
    with progress.task("vectors of the teacher", total=count, unit="texts") as advance:
        found: dict[Task, NDArray[np.float32]] = {}
        for task, own in sorted_texts.items():
            blocks = []
            for first in range(0, len(own), _BLOCK):
                block = own[first : first + _BLOCK]
                blocks.append(_block(teacher, task, block))
                advance(len(block))
            found[task] = np.concatenate(blocks) if blocks else np.zeros((0, teacher.dimensions), np.float32)
    return TeacherVectors(found, sorted_texts)


def pieces_of(teacher: Teacher, pieces: Sequence[int], progress: Progress) -> NDArray[np.float32]:
    """What the teacher makes of single pieces of its tokenizer, shape (pieces, dimensions); kept like its vectors of texts."""
    blocks = []
    with progress.task("vectors of pieces", total=len(pieces), unit="pieces") as advance:
        for first in range(0, len(pieces), _BLOCK):
            block = pieces[first : first + _BLOCK]
            named = "\0".join(("pieces", *map(str, block)))
            blocks.append(_cached(teacher, named, len(block), partial(teacher.encoder.encode_tokens, block)))
            advance(len(block))
    return np.concatenate(blocks)


def _block(teacher: Teacher, task: Task, texts: Sequence[str]) -> NDArray[np.float32]:
    def encoded() -> NDArray[np.float32]:
        role = teacher.roles[task]
        batches = [teacher.encoder.encode(texts[i : i + _BATCH], role) for i in range(0, len(texts), _BATCH)]
        vectors = np.concatenate(batches)
        return unit(vectors) if teacher.similarity == "cosine" else vectors

    return _cached(teacher, "\0".join((task, *texts)), len(texts), encoded)


def _cached(teacher: Teacher, named: str, count: int, make: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
    return kept_array(teacher.digest, named, (count, teacher.dimensions), make)


def kept_array(
    teacher: str, named: str, shape: tuple[int, ...], make: Callable[[], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """What the teacher of that digest makes of what is ``named``: float32, from the cache, or made and kept there."""
    digest = hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()
    path = made_below_cache_home("teachers") / teacher[:32] / f"{digest[:32]}.npy"
    if (kept := _kept(path, shape)) is not None:
        return kept
    vectors = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    np.save(content, vectors, allow_pickle=False)
    with atomic_write(path) as file:
        file.write(content.getvalue())
    return vectors


def _kept(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """What lies in the cache, if it is what is expected; a damaged file is made again."""
    try:
        found: Any = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.shape == shape and found.dtype == np.float32 and bool(np.isfinite(found).all()) else None
