"""A made-up collection, a track of it and recorded runs of many systems, cheap to make at any size."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.files.yaml_records import yaml_text
from harness.runs.manifest import RUN_FILES, SCHEMA_VERSION, run_file

# fmt: off
LANGUAGES = (
    "ar", "am", "az", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "gu", "he",
    "hi", "hu", "id", "it", "ja", "ka", "kk", "ko", "lt", "lv", "mk", "ml", "mr", "ms", "my", "ne", "nl", "no",
)
# fmt: on
MEASURES = ("Success@10", "RR@10", "nDCG@10")
WORDS = ("river", "built", "the", "in", "was", "1889", "city", "of", "queen", "north", "opened", "bridge", "and", "by")
PASSAGE_WORDS = 40
TRACK = """schema_version = 1
name = "growth"
version = 1
title = "Growth"
description = "Nothing but a measurement."
measures = {measures}
primary = "{primary}"
depth = {depth}
baseline = "{baseline}"
parts = [{parts}]
"""
SAMPLING = """schema_version = 1
name = "sampling"
title = "Sampling"
adapter = "{adapter}"
[parameters]
seed = 1
"""


def _question(lang: str, number: int) -> str:
    """Common words and names that no other question has: questions that are nearly the same would be pairs of everybody."""
    name = hashlib.sha256(f"{lang} {number}".encode()).hexdigest()
    one, two = WORDS[number % len(WORDS)], WORDS[number // len(WORDS) % len(WORDS)]
    return f"{one} {name[:8]} the {two} of {name[8:16]} {lang}?"


@dataclass(frozen=True)
class Size:
    """``questions`` are those of all languages together; ``parallel``: every topic is asked in every language, else in one."""

    systems: int
    languages: int
    questions: int
    passages: int
    depth: int = 10
    parallel: bool = False

    @property
    def languages_used(self) -> Sequence[str]:
        return LANGUAGES[: self.languages]

    @property
    def in_each(self) -> int:
        return max(1, self.questions // self.languages)


class World:
    """A folder with ``track.toml``, ``data``, ``runs/growth/SYSTEM``, a card that draws, and a row to be submitted."""

    def __init__(self, folder: Path, size: Size) -> None:
        self.folder, self.size = folder, size

    @property
    def track(self) -> Path:
        return self.folder / "track.toml"

    @property
    def systems(self) -> list[str]:
        return [f"system-{place:04d}" for place in range(self.size.systems)]

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def row(self, place: int) -> Path:
        return self.runs / "growth" / self.systems[place]

    def make(self) -> None:
        gold = self._collection()
        self._track()
        digests = self._digests()
        for place, system in enumerate(self.systems):
            _write_row(self.runs / "growth" / system, place, self.size, gold, digests)
        self._submission(gold)
        adapter = Path(__file__).with_name("sampling_system.py").resolve()
        (self.folder / "sampling.toml").write_text(SAMPLING.format(adapter=f"{adapter}:Sampling"), "utf-8")

    def _collection(self) -> NDArray[np.int64]:
        """Writes passages, questions, judgements and answers; the relevant passage of every question, (languages, each)."""
        size, words = self.size, np.random.default_rng(7)
        data = self.folder / "data"
        data.mkdir(parents=True)
        vocabulary = np.array(WORDS)
        windows = [" ".join(vocabulary[words.integers(0, len(WORDS), PASSAGE_WORDS)]) + "." for _ in range(1 << 12)]
        with (data / "docs.jsonl").open("w", encoding="utf-8") as file:
            for number in range(size.passages):
                # The number makes passages different; nothing else has to.
                text = f"{number} {windows[number % len(windows)]}"
                file.write(f'{{"doc_id":"d{number}","title":"Passage {number}","text":"{text}"}}\n')
        shape = (size.languages, size.in_each)
        gold = words.integers(0, size.passages, (1, size.in_each) if size.parallel else shape)
        gold = np.broadcast_to(gold, shape)
        with (
            (data / "queries.jsonl").open("w", encoding="utf-8") as queries,
            (data / "answers.jsonl").open("w", encoding="utf-8") as answers,
            (data / "qrels.txt").open("w", encoding="utf-8") as qrels,
        ):
            for lang, own in zip(size.languages_used, gold.tolist(), strict=True):
                for number, doc in enumerate(own):
                    name, topic = f"{lang}-{number}", str(number) if size.parallel else f"{lang}-{number}"
                    row = {"query_id": name, "lang": lang, "text": _question(lang, number), "topic": topic}
                    queries.write(json.dumps(row) + "\n")
                    answers.write(json.dumps({"query_id": name, "answers": ["1889"]}) + "\n")
                    qrels.write(f"{name} 0 d{doc} 1\n")
        return gold

    def _track(self) -> None:
        parts = (
            f'{{name = "{lang}", dataset = "folder({lang}):data", lang = "{lang}"}}'
            for lang in self.size.languages_used
        )
        text = TRACK.format(
            measures=json.dumps(MEASURES),
            primary=MEASURES[0],
            depth=self.size.depth,
            baseline=self.systems[0],
            parts=", ".join(parts),
        )
        self.track.write_text(text, "utf-8")

    def _digests(self) -> dict[str, dict[str, str]]:
        from harness.tracks import load_track

        track = load_track(str(self.track))
        return {
            part.name: {"docs": part.collection.digests.docs, "queries": part.collection.digests.queries}
            for part in track.parts
        }

    def _submission(self, gold: NDArray[np.int64]) -> None:
        folder = self.folder / "submitted"
        folder.mkdir()
        for lang, text in _runs(self.size.systems, self.size, gold, "submitted"):
            (folder / f"{lang}.trec.gz").write_bytes(gzip.compress(text, 1))
        (self.folder / "submitted.toml").write_text('schema_version = 1\nname = "submitted"\ntitle = "Submitted"\n')


def _runs(place: int, size: Size, gold: NDArray[np.int64], tag: str) -> Iterator[tuple[str, bytes]]:
    """TREC text by language: passages drawn, and the relevant one at a rank of its own for better systems more often."""
    words = np.random.default_rng([3, place])
    skill = 0.3 + 0.4 * place / max(1, size.systems)
    depth = min(size.depth, size.passages)
    for lang, relevant in zip(size.languages_used, gold, strict=True):
        count = len(relevant)
        # A start and a step that is prime to nothing in particular: different passages, without drawing again.
        first, step = words.integers(0, size.passages, count), size.passages // depth
        docs = (first[:, None] + step * np.arange(depth)) % size.passages
        found = (words.random(count) < skill) & ~(docs == relevant[:, None]).any(axis=1)
        docs[found, words.integers(0, depth, count)[found]] = relevant[found]
        lines = [
            f"{lang}-{number} Q0 d{doc} {rank} {depth - rank + 1} {tag}\n"
            for number, own in enumerate(docs.tolist())
            for rank, doc in enumerate(own, 1)
        ]
        yield lang, "".join(lines).encode()


def _write_row(
    folder: Path, place: int, size: Size, gold: NDArray[np.int64], digests: dict[str, dict[str, str]]
) -> None:
    folder.mkdir(parents=True)
    data = {}
    for lang, text in _runs(place, size, gold, folder.name):
        run_file(folder, lang).write_bytes(gzip.compress(text, 1))
        own = {"dataset": f"folder({lang}):data", "lang": lang, **digests[lang], "query_count": size.in_each}
        data[lang] = {**own, "ranking": hashlib.sha256(text).hexdigest()}
    card = {"schema_version": 1, "name": folder.name, "title": f"System {place} of this size", "adapter": "none"}
    track = {"name": "growth", "version": 1, "depth": size.depth, "measures": list(MEASURES)}
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "tag": folder.name,
        "track": {**track, "parts": list(size.languages_used)},
        "method": {"card": card},
        "data": data,
        "implementation": {},
        "platform": {},
        "execution": {"device": "unknown", "isolation": RUN_FILES, "provenance": RUN_FILES},
    }
    (folder / "manifest.yaml").write_text(yaml_text(manifest), "utf-8")
