"""Perturbed questions that somebody else made: paraphrases, translations back and forth, what an attack has found."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness.collections.formats.json_rows import id_of, made_of_rows, text_of
from harness.errors import Finding, InvalidInput
from harness.files.limits import LINE_BYTES, TEXT_BYTES
from harness.files.reading import read_lines
from harness.files.writing import sha256_of_file
from harness.languages import same_language


class Key(NamedTuple):
    """Which question, by its language and id, and which draw of it.

    The language is that of the collection's own record of the question, "" where that says none: a collection knows nothing of
    the parts of tracks that it stands in.
    """

    lang: str
    query_id: str
    seed: int


def recorded_texts(path: Path, sha256: str) -> Mapping[Key, str]:
    """The texts of a file in JSON Lines, gzip or plain: ``lang`` ("" where the collection says none),
    ``query_id``, ``text``, and ``seed`` (1 where there is none).

    Other keys of a row are for whoever made it. Raises ``InvalidInput`` where the file is not there, is not the one that the
    recipe names by its SHA-256, or has a bad row or two for one question.
    """
    if not path.is_file():
        raise InvalidInput(f"{path} is not there: the recipe beside it reads its texts from it")
    if (found := sha256_of_file(path)) != sha256:
        finding = Finding("error", path.name, f"its SHA-256 is {found}", sha256)
        raise InvalidInput(f"{path} is not the file that the recipe beside it was made for", [finding])
    return _read(path, sha256)


@functools.lru_cache(16)
def _read(path: Path, _sha256: str) -> Mapping[Key, str]:
    found: dict[Key, str] = {}

    def keep(row: Mapping[str, Any]) -> None:
        seed = row.get("seed", 1)
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise ValueError("'seed' is no whole number")
        lang = text_of(row, "lang")
        key = Key(same_language(lang) if lang else "", id_of(row, "query_id"), seed)
        text = text_of(row, "text")
        if not text.strip():
            raise ValueError("'text' is blank")
        if key in found:
            raise ValueError(
                f"a second text of question {key.query_id} in {key.lang or 'no language'}, seed {key.seed}"
            )
        found[key] = text

    lines = (line for _, line in read_lines(path, TEXT_BYTES, LINE_BYTES))
    for _ in made_of_rows(lines, str(path), "recorded questions", keep):
        pass
    return found
