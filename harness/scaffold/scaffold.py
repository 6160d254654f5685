"""Templates that work as they are: a folder of ``templates/`` for each kind, in which ``@name@`` and the like are filled in."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from harness.adapters.card import Card
from harness.collections import plugins
from harness.errors import InvalidInput, WrongUsage
from harness.files.writing import write_text
from harness.measures.by_name import parse
from harness.tracks import track_names

_TEMPLATES = Path(__file__).parent / "templates"
_PLAIN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Kind:
    """What can be begun. ``wrong_name``: what is wrong with a name, empty where it can be had."""

    of: str
    folder: str
    wrong_name: Callable[[str], str]


def _no_system(name: str) -> str:
    try:
        Card(schema_version=1, name=name, title=name, adapter="dummy")
    except ValidationError as error:
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        return "use lower-case letters, digits, '.', '_', '+', '-'" if why.startswith("String should match") else why
    return ""


def _no_plain_name(name: str) -> str:
    if not _PLAIN.fullmatch(name) or len(name) > 64:
        return "use lower-case letters and digits in words that '-' joins, the first of them a letter"
    return ""


def _no_track(name: str) -> str:
    return _no_plain_name(name) or ("there is a track of that name" if name in track_names() else "")


def _no_collection(name: str) -> str:
    return _no_plain_name(name) or ("there is a collection of that name" if name in plugins.names() else "")


def _no_measure(name: str) -> str:
    return _no_plain_name(name) or ("there is a measure of that name" if _is_measure(f"{_class(name)}@5") else "")


SYSTEM = Kind("system", "system", _no_system)
PROGRAM = Kind("system", "program", _no_system)
TRACK = Kind("track", "track", _no_track)
COLLECTION = Kind("collection", "collection", _no_collection)
MEASURE = Kind("measure", "measure", _no_measure)


def write_scaffold(name: str, folder: Path, kind: Kind = SYSTEM) -> list[Path]:
    """Write the files of something new; returns their paths. Raises ``WrongUsage`` rather than overwrite anything."""
    if why := kind.wrong_name(name):
        raise WrongUsage(f"{name!r} cannot be a {kind.of}'s name: {why}")
    templates = sorted((_TEMPLATES / kind.folder).glob("*.txt"))
    texts = {folder / _filled(path.stem, name): _filled(path.read_text("utf-8"), name) for path in templates}
    existing = [path for path in texts if path.exists()]
    if existing:
        raise WrongUsage(f"{existing[0]} exists already; choose another --folder")
    with contextlib.ExitStack() as undo:
        # Whatever fails, a disk that is full or a signal, there is all of it in the end or nothing.
        missing = next((parent for parent in reversed((folder, *folder.parents)) if not parent.exists()), None)
        if missing is not None:
            undo.callback(shutil.rmtree, missing, ignore_errors=True)
        for path, text in texts.items():
            undo.callback(path.unlink, missing_ok=True)
            write_text(path, text)
            if text.startswith("#!"):
                path.chmod(0o755)
        undo.pop_all()
    return list(texts)


def _filled(text: str, name: str) -> str:
    """
    >>> _filled("@module@.py: @Class@, @name@", "title-recall")
    'title_recall.py: TitleRecall, title-recall'
    """
    return text.replace("@name@", name).replace("@module@", name.replace("-", "_")).replace("@Class@", _class(name))


def _class(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))


def _is_measure(name: str) -> bool:
    try:
        parse(name)
    except (InvalidInput, WrongUsage):
        return False
    return True
