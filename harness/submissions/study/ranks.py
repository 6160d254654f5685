"""Ranks of the relevant passage under every kind of generated texts and every weight, from vectors that are encoded once.

The vectors are those that the adapters ``dense`` and ``xqg`` would search, fused by the same function and stored in the same
precision: a rank is the one that a run of such a card gives. Where a text stands twice it is encoded once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.adapters.card import LoadedCard
from harness.adapters.contract import Context, Pin
from harness.dense.fusion import FusionSettings, fuse
from harness.errors import InvalidInput
from harness.files.known_digests import known_sha256
from harness.files.model_digests import sha256_of_model
from harness.files.writing import atomic_write
from harness.files.yaml_records import digest_of
from harness.order import Keys, keys_of, numbers_of
from harness.records import Doc, Query
from harness.submissions.study.texts import ExpandedTexts, Texts
from harness.tracks import Track
from harness.tracks.study import Expansion, Kind, Study

Title = Literal["prepend", "ignore"]
TITLES: tuple[Title, ...] = ("prepend", "ignore")
Ranks = Mapping[str, NDArray[np.int64]]
"""By part, the rank of the one relevant passage for each question, shape (questions,), from 1."""


@dataclass(frozen=True)
class Asked:
    """A track's questions by part, and for each the place of the one relevant passage among ``docs``, which lie by id.

    ``folder``: what relative paths of texts are relative to.
    """

    docs: tuple[Doc, ...]
    queries: Mapping[str, tuple[Query, ...]]
    relevant: Mapping[str, NDArray[np.int64]]
    langs: Mapping[str, str]
    folder: Path


def asked_by(track: Track) -> Asked:
    """Raises ``InvalidInput`` unless all parts share their passages, and each question has one relevant passage."""
    collections = {part.name: part.collection for part in track.parts}
    if len({found.docs.digest for found in collections.values()}) > 1:
        raise InvalidInput(f"the parts of track {track.name} have different passages; a study needs the same for all")
    docs = tuple(sorted(next(iter(collections.values())).docs, key=lambda doc: doc.doc_id.encode()))
    place = {doc.doc_id: number for number, doc in enumerate(docs)}
    queries, relevant = {}, {}
    for name, found in collections.items():
        own = []
        for query in found.queries:
            ids = [doc for doc, grade in (found.qrels or {}).get(query.query_id, {}).items() if grade > 0]
            if len(ids) != 1:
                raise InvalidInput(
                    f"{name}, question {query.query_id}: {len(ids)} relevant passages; a study needs one"
                )
            own.append(place[ids[0]])
        queries[name], relevant[name] = tuple(found.queries), np.array(own, np.int64)
    return Asked(docs, queries, relevant, {part.name: part.lang for part in track.parts}, track.folder)


class Ranker:
    """Ranks that one encoder gives; vectors are kept in the cache, by all that they depend on."""

    def __init__(self, card: LoadedCard, asked: Asked, study: Study, context: Context) -> None:
        self._asked, self._study, self._context = asked, study, context
        self.expanded = ExpandedTexts(study, asked.queries, asked.langs)
        self.texts = Texts(study, asked.folder, [doc.doc_id for doc in asked.docs])
        self._system: Any = card.system(context.consent)
        self._store_dtype = np.dtype(card.card.parameters.get("store_dtype", "float16"))
        self._identity = _identity_of(self._system, context)
        self._memory: dict[str, NDArray[np.float32]] = {}
        self._passages: dict[Title, NDArray[np.float32]] = {}
        self.queries = {
            part: self._encoded("queries", [query.text for query in own]) for part, own in asked.queries.items()
        }

    def of(self, kind: Kind | Expansion | None, title: Title, weight: float) -> Ranks:
        """Ranks with the texts of a kind, whose mean has that weight; for None, of the passages alone."""
        return {
            part: np.asarray(1 + (keys > keys[np.arange(len(keys)), self._asked.relevant[part]][:, None]).sum(axis=1))
            for part, keys in self._keys(kind, title, weight).items()
        }

    def first(self, kind: Kind | Expansion | None, title: Title, weight: float, count: int) -> Ranks:
        """As ``of``, but the places of the first ``count`` passages among all, shape (questions, count)."""
        found = {}
        for part, keys in self._keys(kind, title, weight).items():
            best = np.partition(keys, keys.shape[1] - count, axis=1)[:, -count:] if count < keys.shape[1] else keys
            found[part] = numbers_of(np.sort(best, axis=1)[:, ::-1])
        return found

    def _keys(self, kind: Kind | Expansion | None, title: Title, weight: float) -> dict[str, Keys]:
        """By part a key for each question and passage, which is larger for what ranks higher."""
        settings = FusionSettings(alpha=weight, combine="mean", renormalize=True)
        passages = self._passages_of(None if isinstance(kind, Expansion) else kind, title, settings)
        found = {}
        for part, own in passages.items():
            queries = self._expanded(kind, part, settings) if isinstance(kind, Expansion) else self.queries[part]
            scores = (queries @ own.T).astype(np.float32)
            found[part] = keys_of(scores, np.arange(scores.shape[1]))
        return found

    def _expanded(self, expansion: Expansion, part: str, settings: FusionSettings) -> NDArray[np.float32]:
        """The questions' own vectors fused with those of their texts."""
        texts = self.expanded.of(expansion, part)
        flat = [text for own in texts.values() for text in own]
        owners = np.repeat(np.arange(len(texts)), [len(own) for own in texts.values()])
        return fuse(self.queries[part], self._encoded("queries", flat), owners, settings)

    def _passages_of(
        self, kind: Kind | None, title: Title, settings: FusionSettings
    ) -> Mapping[str, NDArray[np.float32]]:
        """The vectors that the questions of each part are asked of, as they are stored."""
        parts = self._asked.langs
        if kind is None:
            return dict.fromkeys(parts, self._stored(self._own(title)))
        if kind.languages in ("all", "english"):
            return dict.fromkeys(parts, self._fused(kind, title, settings, ""))
        by_lang = {lang: self._fused(kind, title, settings, lang) for lang in dict.fromkeys(parts.values())}
        return {part: by_lang[lang] for part, lang in parts.items()}

    def _fused(self, kind: Kind, title: Title, settings: FusionSettings, lang: str) -> NDArray[np.float32]:
        if kind.of:
            means = [self._mean(self._study.kind(name), title, lang) for name in kind.of]
            # Each of the two means weighs half, whatever the numbers of texts that they are of.
            vectors = np.stack(means, axis=1).reshape(-1, means[0].shape[1])
            owners = np.repeat(np.arange(len(self._asked.docs)), 2)
        else:
            vectors, owners = self._texts(kind, title, lang)
        return self._stored(fuse(self._own(title), vectors, owners, settings))

    def _mean(self, kind: Kind, title: Title, lang: str) -> NDArray[np.float32]:
        vectors, owners = self._texts(kind, title, lang)
        return fuse(self._own(title), vectors, owners, FusionSettings(alpha=1, combine="mean"))

    def _texts(self, kind: Kind, title: Title, lang: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        texts = self.texts.of(kind, lang)
        if texts is None:
            return self._own(title), np.arange(len(self._asked.docs))
        flat = [text for doc in self._asked.docs for text in texts[doc.doc_id]]
        owners = np.repeat(np.arange(len(self._asked.docs)), [len(texts[doc.doc_id]) for doc in self._asked.docs])
        return self._encoded("queries" if kind.text_kind == "query" else "passages", flat), owners

    def _own(self, title: Title) -> NDArray[np.float32]:
        if title not in self._passages:
            texts = [doc.default_text() if title == "prepend" else doc.text for doc in self._asked.docs]
            self._passages[title] = self._encoded("passages", texts)
        return self._passages[title]

    def _stored(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return vectors.astype(self._store_dtype).astype(np.float32)

    def _encoded(self, kind: Literal["queries", "passages"], texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts in their order; of those that were encoded before, from memory or the cache."""
        new = [text for text in dict.fromkeys(texts) if f"{kind}\0{text}" not in self._memory]
        if new:
            vectors = self._kept(kind, new)
            self._memory |= {f"{kind}\0{text}": vector for text, vector in zip(new, vectors, strict=True)}
        return np.stack([self._memory[f"{kind}\0{text}"] for text in texts])

    def _kept(self, kind: Literal["queries", "passages"], texts: Sequence[str]) -> NDArray[np.float32]:
        digest = hashlib.blake2b(digest_size=16)
        for text in texts:
            data = text.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "little") + data)
        folder = self._context.cache / "study"
        path = folder / f"{digest_of([self._identity, kind, digest.hexdigest()])[:32]}.npy"
        if path.is_file() and (found := _whole(path, len(texts))) is not None:
            return found
        vectors = np.asarray(self._system.encode(kind, texts, self._context), np.float32)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            np.save(file, vectors)
        return vectors


def _whole(path: Path, rows: int) -> NDArray[np.float32] | None:
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    whole = found.dtype == np.float32 and found.ndim == 2 and len(found) == rows and np.isfinite(found).all()
    return found if whole else None


def _identity_of(system: Any, context: Context) -> str:
    """Of all that the vectors of a system of the adapter ``dense`` depend on, beside the texts."""
    return digest_of([system.depends_on(context), _model_digests(system)])


def _model_digests(system: Any) -> list[str]:
    found = []
    for value in system.inputs().values():
        if isinstance(value, Pin):
            found.append(value.digest)
        elif value.is_dir():
            found.append(sha256_of_model(value))
        else:
            found.append(known_sha256(value))
    return found
