"""Collections by the beginning of their ids: those of this package, and those of other distributions.

A collection is one module, whole. It has

- ``PATTERN``, a regular expression of its ids, which begin with its name: ``rivers/fi`` is of ``rivers``;
- ``dataset(dataset_id, groups)``, which makes an ``ir_datasets.Dataset``, or a ``handlers.Dataset`` that is made without that
  library, of an id and of what the pattern's groups matched;
- ``ids()``, those that can be listed;
- ``BIBTEX``, the works to cite, and ``LICENCE``, in a few words;
- optionally ``GENERATED``, texts generated for its passages, by names that begin with the collection's;
- optionally ``in_language(dataset_id, lang)``, the id that has the same questions, by their topics, in another language, and ""
  where none has.

One of another distribution is an entry point of the group ``xdr.collections``, whose name is that of the collection.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import InvalidInput, XdrError
from harness.files.dataset_paths import clean_id
from harness.registry import Plugins

PLUGINS = Plugins("collection", "xdr.collections")
OWN = {
    "folder": "formats.folder",
    "mkqa": "mkqa",
    "mkqa-dpr-2018": "mkqa",
    "mlqa": "mlqa",
    "mr-tydi-v1.1": "mr_tydi",
    "paws-x": "paws_x",
    "perturbed": "perturbed",
    "squad": "formats.squad",
    "tydiqa-goldp": "tydiqa_goldp",
    "xdr-mini": "mini",
    "xor-tydi": "xor_tydi",
    "xor-tydi-dpr-2018": "xor_tydi",
    "xquad": "xquad",
    "xquad-oracle": "xquad_oracle",
}
"""Modules by the names of their collections; they are imported when the first such id is loaded."""
_NAME = re.compile(r"[^/:(]*")
_others: set[str] = set()
"""Names of what ir_datasets had registered before we came."""


class Made(NamedTuple):
    """A file that is made of pinned ``files``: a digest of all that it depends on, known where nothing of it is here."""

    digest: str
    files: tuple[str, ...]


class GeneratedTexts(NamedTuple):
    """Texts for passages that come with a collection.

    ``file()`` is where they lie, made or looked for; it raises ``InvalidInput`` that says how to get them. ``known()`` is what
    identifies them and fetches nothing: their place, or what they are made of.
    """

    file: Callable[[], Path]
    known: Callable[[], Path | Made]


class About(NamedTuple):
    """What a collection says of itself: BibTeX entries of the works to cite, and its licence; empty where it does not say."""

    bibtex: str = ""
    licence: str = ""


def name_of(dataset_id: str) -> str:
    """The collection that an id is of.

    >>> name_of("xquad/ar"), name_of("folder(fi):/data/mine"), name_of("rivers")
    ('xquad', 'folder', 'rivers')
    """
    match = _NAME.match(dataset_id)
    return match[0] if match else ""


def reserve(dataset_ids: Iterable[str]) -> None:
    """Keep the names of these datasets for those who registered them with ir_datasets."""
    _others.update(name for name in map(name_of, dataset_ids) if name not in OWN)


def names() -> list[str]:
    """All collections, this package's first; those that several claim are left out."""
    return [*OWN, *(name for name in PLUGINS.outside(OWN) if name not in OWN)]


def find(name: str) -> Any:
    """The collection of that name; None where neither this package nor another distribution has one.

    Raises ``InvalidInput`` where several claim the name, or what claims it is no collection; it names the distributions.
    """
    found = PLUGINS.find(name, own=name in OWN)
    if name in OWN:
        return importlib.import_module(f"harness.collections.{OWN[name]}")
    if found is None:
        return None
    if name in _others:
        raise PLUGINS.broken(name, "ir_datasets has a collection of that name, and a name belongs to one")
    lacking = [member for member in ("PATTERN", "dataset", "ids", "BIBTEX", "LICENCE") if not hasattr(found, member)]
    if lacking:
        raise PLUGINS.broken(name, f"it lacks {', '.join(lacking)}; a collection is a module with all of them")
    return found


def make(dataset_id: str) -> Any:
    """A new dataset of one of the ids. Raises ``KeyError`` where it is none, and as ``find``."""
    name = name_of(dataset_id)
    collection = find(name)
    match = re.match(collection.PATTERN, dataset_id) if collection is not None else None
    if match is None:
        raise KeyError(dataset_id)
    if name in OWN:
        return collection.dataset(dataset_id, match.groups())
    try:
        return collection.dataset(dataset_id, match.groups())
    except XdrError:
        raise
    except Exception as error:
        raise PLUGINS.broken(name, f"{type(error).__name__}: {error}") from error


def ids(name: str) -> list[str]:
    """Ids of a collection that can be listed; none where it cannot be used."""
    try:
        return sorted(map(str, find(name).ids()))
    except Exception:
        if name in OWN:
            raise
        return []


def about(dataset_id: str) -> About:
    """What the collection of an id says of itself; of those of ir_datasets what that says. Nothing is read of their data.

    Of a perturbed one what the clean one says.
    """
    dataset_id = clean_id(dataset_id)
    try:
        collection = find(name_of(dataset_id))
    except InvalidInput:
        return About()
    if collection is None:
        return About(_cited_by_ir_datasets(dataset_id))
    return About(str(collection.BIBTEX), str(collection.LICENCE))


def in_language(dataset_id: str, lang: str) -> str:
    """The id of the same questions in another language; empty where their collection has none, or does not say.

    >>> in_language("xquad/ar/de", "en"), in_language("xquad/ar", "fi"), in_language("xdr-mini/fi", "en")
    ('xquad/en', '', '')
    """
    asked = getattr(find(name_of(dataset_id)), "in_language", None)
    return str(asked(dataset_id, lang)) if asked is not None else ""


def generated_texts(name: str) -> GeneratedTexts | None:
    """The generated texts of that name; None where no collection has such. Only those are asked whose name it begins with."""
    if Path(name).name != name or name.endswith((".jsonl", ".gz")):
        return None  # a path
    for own in sorted(names(), key=len, reverse=True):
        if name == own or name.startswith(f"{own}-"):
            offered: Mapping[str, GeneratedTexts] = getattr(find(own), "GENERATED", {})
            if name in offered:
                return offered[name]
    return None


def _cited_by_ir_datasets(dataset_id: str) -> str:
    """The entries of ir_datasets' own bibliography that it names for one of its datasets."""
    import ir_datasets

    try:
        keys = ir_datasets.load(dataset_id).documentation().get("bibtex_ids") or []
        bibliography = resources.files("ir_datasets").joinpath("docs", "bibliography.bib").read_text("utf-8")
    except (KeyError, AttributeError, OSError):
        return ""
    entries = re.split(r"\n(?=@)", bibliography)
    return "\n".join(
        entry for entry in entries if any(re.match(rf"@\w+\{{\s*{re.escape(key)}\s*,", entry) for key in keys)
    )
