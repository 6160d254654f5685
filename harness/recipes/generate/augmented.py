"""Generated queries as ielab/xor-tydi-xqg-augmented has them, read passage by passage from where they lie on the disk.

JSON lines ``{"docid": ..., "title": ..., "text": ..., "generated_queries": {"ar": ["...", ...], ...}}`` in one file or in the
shards of a folder. An offset index per shard (``harness.collections.storage.docstore``) finds a passage's line; the 67 GB of
lines are never in memory. Source: Zhuang, Shou and Zuccon, SIGIR 2023, huggingface.co/datasets/ielab/xor-tydi-xqg-augmented.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from harness.collections.formats.passage_files import json_line_records
from harness.collections.storage.docstore import SourceRecord, open_docs
from harness.errors import Finding, InvalidInput, reported
from harness.files.known_digests import known_sha256
from harness.files.limits import RECORD_BYTES
from harness.files.reading import parse_json, read_bytes
from harness.files.writing import write_text
from harness.languages import same_language
from harness.records import Doc

MANIFEST = "shards.json"


class _Lines:
    """The docstore's view of a line: a passage whose text is the generated queries, as canonical JSON."""

    name = "generated-queries 1"

    def records(self, file: BinaryIO) -> Iterator[SourceRecord]:
        return json_line_records(file, self.parse)

    def parse(self, data: bytes) -> Doc:
        row = parse_json(data)
        queries = row.get("generated_queries") if isinstance(row, dict) else None
        if not (
            isinstance(queries, dict)
            and isinstance(row.get("docid"), str | int)
            and all(isinstance(texts, list) and all(isinstance(t, str) for t in texts) for texts in queries.values())
        ):
            raise ValueError("not an object with docid and generated_queries, lists of texts by language")
        return Doc(str(row["docid"]), "", json.dumps(queries, ensure_ascii=False, sort_keys=True))


class AugmentedTexts:
    """The generated queries of all shards, by passage."""

    def __init__(self, shards: Sequence[Path]) -> None:
        self._shards = [open_docs(path, _Lines(), path.with_name(f"{path.name}.index")) for path in shards]
        self._last = self._shards[0]

    def ids(self) -> Iterator[str]:
        for shard in self._shards:
            yield from shard.ids

    def of(self, doc_id: str) -> Mapping[str, list[str]]:
        """Texts by language; none for a passage that no shard has."""
        # Neighbours in the order of ids tend to share a shard.
        for shard in (self._last, *self._shards):
            if doc_id in shard:
                self._last = shard
                return {same_language(lang): texts for lang, texts in json.loads(shard.get(doc_id).text).items()}
        return {}


class ChosenTexts(Mapping[str, list[str]]):
    """The first ``per_language`` texts in each of ``languages`` of each passage, read when they are asked for."""

    def __init__(
        self, texts: AugmentedTexts, languages: Sequence[str], per_language: int, doc_ids: Collection[str]
    ) -> None:
        self._texts, self._languages = texts, sorted(languages)
        self._per_language, self._doc_ids = per_language, doc_ids
        self._most = dict.fromkeys(self._languages, 0)

    def check_number(self) -> None:
        """Raises ``InvalidInput`` where no passage that was read so far has as many texts as are asked for."""
        check_number(self._most, self._per_language)

    def __getitem__(self, doc_id: str) -> list[str]:
        by_language = self._texts.of(doc_id)
        for lang in self._languages:
            self._most[lang] = max(self._most[lang], len(by_language.get(lang, ())))
        return [text for lang in self._languages for text in by_language.get(lang, ())[: self._per_language]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._doc_ids)

    def __len__(self) -> int:
        return len(self._doc_ids)


def check_number(most: Mapping[str, int], per_language: int) -> None:
    """Raises ``InvalidInput`` where more texts are asked for than any passage has in a language; ``most``: those by language.

    A row would say that so many queries were used, and fewer were.
    """
    if short := {lang: number for lang, number in sorted(most.items()) if number < per_language}:
        had = ", ".join(f"{number} in {lang}" for lang, number in short.items())
        raise InvalidInput(f"per_language = {per_language}, but no passage has more generated texts than {had}")


def is_augmented(path: Path) -> bool:
    """Whether a file is a folder's manifest of shards, or a file of this format by its first line."""
    if path.name == MANIFEST:
        return True
    with path.open("rb") as file:
        line = file.readline(1 << 24)
    return line.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{") and b'"generated_queries"' in line


def read_augmented(path: Path) -> AugmentedTexts:
    """The texts of one file, or of the shards that a folder's manifest names.

    Raises ``InvalidInput`` for a manifest that is none, names no shards, or names one outside its folder: indexes are
    written beside shards.
    """
    if path.name != MANIFEST:
        return AugmentedTexts([path])
    try:
        names = list(dict(parse_json(read_bytes(path, RECORD_BYTES))["sha256"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{path} does not say of which shards it is; remove it, and it is made again") from error
    if not names:
        raise InvalidInput(f"{path} names no shards; remove it, and it is made again")
    if outside := [name for name in names if _leads_out(name)]:
        findings = [
            Finding(
                "error", str(path), f"shard {name!r:.200}", "a path inside the folder, without '..'", "remove the file"
            )
            for name in outside
        ]
        raise InvalidInput(f"{path} names shards outside its folder", reported(findings, str(path)))
    return AugmentedTexts([path.parent / name for name in names])


def _leads_out(name: str) -> bool:
    place = PurePosixPath(name)
    return place.is_absolute() or ".." in place.parts or not place.parts


def manifest_of_folder(folder: Path) -> Path:
    """Write, into the folder, a file with the hashes of its shards, which stands for all of them; returns its path.

    Raises ``InvalidInput`` when there are no shards.
    """
    shards = sorted(path for path in folder.rglob("*.jsonl") if path.is_file())
    if not shards:
        raise InvalidInput(f"no shards (*.jsonl) of generated queries in {folder}")
    digests = {path.relative_to(folder).as_posix(): known_sha256(path) for path in shards}
    manifest = folder / MANIFEST
    write_text(manifest, json.dumps({"sha256": digests}, indent=1))
    return manifest
