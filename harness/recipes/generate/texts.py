"""Generated-text files: JSON lines ``{"doc_id": ..., "lang": ..., "text": ..., "source": ...}``, or the published data set's.

The published data set of the xQG paper has its own format and size; see ``harness.recipes.generate.augmented``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness import progress
from harness.adapters.contract import Pin
from harness.collections import generated_texts
from harness.collections.plugins import Made
from harness.errors import Finding, InvalidInput, WrongUsage, reported
from harness.files.limits import FAULTS, LINE_BYTES, TEXT_BYTES
from harness.files.reading import parse_json, read_lines
from harness.languages import same_language
from harness.recipes.generate.augmented import (
    AugmentedTexts,
    ChosenTexts,
    check_number,
    is_augmented,
    manifest_of_folder,
    read_augmented,
)


class GeneratedText(NamedTuple):
    doc_id: str
    lang: str
    text: str
    source: str


def read_generated(path: Path) -> list[GeneratedText] | AugmentedTexts:
    """Read a file of either format. Raises ``InvalidInput`` with the lines that are invalid."""
    if not path.is_file():
        raise WrongUsage(f"no generated-text file {path}")
    return read_augmented(path) if is_augmented(path) else read_json_lines(path)


def read_json_lines(path: Path) -> list[GeneratedText]:
    """Read a file, gzip or plain. Raises ``InvalidInput`` with every line that lacks a text under one of the four keys."""
    texts: list[GeneratedText] = []
    findings: list[Finding] = []
    with progress.task(f"read {path.name}", None, "texts") as advance:
        for number, line in progress.counted(read_lines(path, TEXT_BYTES, LINE_BYTES), advance):
            if len(findings) == FAULTS:
                break
            if not line.strip():
                continue
            try:
                row = parse_json(line)
                fields = [row[key] for key in GeneratedText._fields]
            except (ValueError, KeyError, TypeError) as error:
                fault = f"no key {error}" if isinstance(error, KeyError) else str(error)
                findings.append(Finding("error", f"{path.name}:{number}", fault, "keys doc_id, lang, text, source"))
                continue
            if not all(isinstance(field, str) for field in fields):
                findings.append(Finding("error", f"{path.name}:{number}", "a value that is no text", "texts"))
                continue
            texts.append(GeneratedText(fields[0], same_language(fields[1]), fields[2], fields[3]))
    if findings:
        raise InvalidInput(f"{path} is invalid", reported(findings, path.name))
    return texts


def texts_for(
    name: str, texts: Sequence[GeneratedText] | AugmentedTexts, doc_ids: Collection[str]
) -> Sequence[GeneratedText] | AugmentedTexts:
    """The texts that a card means for some passages.

    A collection's own texts are for all passages of it, of which its parts may search some: those of others are left out. In
    a file that a card names, they would be a mistake, and ``by_document`` says so.
    """
    if isinstance(texts, AugmentedTexts) or generated_texts(name) is None:
        return texts
    return [text for text in texts if text.doc_id in doc_ids]


def generated_file(name: str, folder: Path) -> Path:
    """The file that a card means: a collection's own, by its name, or a path; for a folder of shards, its manifest."""
    offered = generated_texts(name)
    path = offered.file() if offered is not None else folder / name
    return manifest_of_folder(path) if path.is_dir() else path


def generated_input(name: str, folder: Path) -> Path | Pin:
    """What identifies the file that a card means, whether or not it is here: nothing is fetched or made for it."""
    offered = generated_texts(name)
    known = offered.known() if offered is not None else folder / name
    if isinstance(known, Made):
        return Pin(known.digest, files=known.files)
    path = known
    return manifest_of_folder(path) if any(path.glob("**/*.jsonl")) else path


class Choice(NamedTuple):
    """Which generated texts to use: the first ``per_language`` of each passage in each of ``languages``.

    Empty ``languages`` means all that the file has. ``shuffled``: each passage gets another passage's texts (a control).
    """

    languages: tuple[str, ...]
    per_language: int
    shuffled: bool


def by_document(
    texts: Sequence[GeneratedText] | AugmentedTexts, choice: Choice, doc_ids: Collection[str]
) -> Mapping[str, list[str]]:
    """The chosen texts of each document, by language in alphabetical order, then in the order of the file.

    Raises ``InvalidInput`` when a text belongs to no document, a chosen language has no texts or never as many as are asked
    for, or one passage alone is to be shuffled. Of a file that is streamed, ``ChosenTexts.check_number`` tells the numbers.
    """
    if isinstance(texts, AugmentedTexts):
        return _streamed(texts, choice, doc_ids)
    strangers = sorted({text.doc_id for text in texts}.difference(doc_ids))
    if strangers:
        raise InvalidInput(f"generated texts for {len(strangers)} unknown passages, first {strangers[0]!r}")
    available = {text.lang for text in texts}
    languages = sorted(set(choice.languages) or available)
    if missing := sorted(set(languages) - available):
        raise InvalidInput(f"no generated texts in {', '.join(missing)}; the file has {', '.join(sorted(available))}")
    chosen: dict[tuple[str, str], list[str]] = {}
    for text in texts:
        if text.lang in languages and len(chosen.setdefault((text.doc_id, text.lang), [])) < choice.per_language:
            chosen[text.doc_id, text.lang].append(text.text)
    most = dict.fromkeys(languages, 0)
    for (_, lang), kept in chosen.items():
        most[lang] = max(most[lang], len(kept))
    check_number(most, choice.per_language)
    owner = of_another(doc_ids) if choice.shuffled else {doc_id: doc_id for doc_id in doc_ids}
    return {
        doc_id: [text for lang in languages for text in chosen.get((owner[doc_id], lang), [])] for doc_id in doc_ids
    }


def _streamed(texts: AugmentedTexts, choice: Choice, doc_ids: Collection[str]) -> ChosenTexts:
    if choice.shuffled:
        raise InvalidInput("the shuffled control is made in memory, from a generated-text file of four keys a line")
    strangers = 0
    first = ""
    with progress.task("match generated queries with passages", len(doc_ids), "passages") as advance:
        for doc_id in progress.counted(texts.ids(), advance):
            if doc_id not in doc_ids:
                strangers, first = strangers + 1, first or doc_id
    if strangers:
        raise InvalidInput(f"generated texts for {strangers} unknown passages, first {first!r}")
    # As all passages have the same languages, the first one's are the file's; where one differs, the counts do.
    available = set(texts.of(next(texts.ids(), "")))
    if missing := sorted(set(choice.languages) - available):
        raise InvalidInput(f"no generated texts in {', '.join(missing)}; the file has {', '.join(sorted(available))}")
    return ChosenTexts(texts, choice.languages or tuple(available), choice.per_language, doc_ids)


def of_another(ids: Collection[str]) -> dict[str, str]:
    """A fixed permutation without fixed points: each passage's, or question's, successor in the order of its id's hash."""
    if len(ids) == 1:
        raise InvalidInput("the shuffled control needs at least two passages or questions")
    ring = sorted(ids, key=lambda own: hashlib.blake2b(own.encode()).digest())
    return dict(zip(ring, [*ring[1:], *ring[:1]], strict=True))
