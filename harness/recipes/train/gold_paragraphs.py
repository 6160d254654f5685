"""XOR-TyDi's gp_squad_train_data.json: questions with the English paragraphs that answer them, as xQG's generator learnt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import Finding, InvalidInput, reported
from harness.files.limits import TEXT_BYTES
from harness.files.reading import parse_json, read_bytes
from harness.languages import canonical_language
from harness.recipes.train.pairs import Pair, Side
from harness.recipes.train.sources import SourceRecipe

_TITLE = re.compile(r"title:(.*?)(?:_parentSection.*)?", re.DOTALL)


def read_gold_paragraphs(path: Path, source: SourceRecipe) -> list[Pair]:
    """A pair for every record: its first question and its first paragraph, whole, under the article's title.

    As ArvinZhuang/DSI-QG reads the file (data/process_xorqa.py): a question's id counts once, line breaks become blanks, and
    the title is what stands between "title:" and "_parentSection". Raises ``InvalidInput`` with every record that is no such
    thing.
    """
    content = parse_json(read_bytes(path, TEXT_BYTES))
    records = content.get("data") if isinstance(content, dict) else None
    if not isinstance(records, list):
        raise InvalidInput(f'{path.name} is not in SQuAD\'s format: expected an object with a list "data"')
    pairs: dict[str, Pair] = {}
    findings = []
    for number, record in enumerate(records):
        try:
            identity, pair = _pair(record, str(source.path))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            said = str(error) if isinstance(error, ValueError) else f"no {error}"
            findings.append(
                Finding("error", f"{path.name}: data[{number}]", said, "a title, and a paragraph with a question")
            )
        else:
            pairs.setdefault(identity, pair)
    if findings:
        raise InvalidInput(f"{path.name} cannot be trained on", reported(findings, path.name))
    chosen = [pair for pair in pairs.values() if not source.languages or pair.anchor.lang in source.languages]
    if not chosen:
        raise InvalidInput(f"{path.name} has no question in the languages that the recipe names")
    return chosen


def _pair(record: Mapping[str, Any], file: str) -> tuple[str, Pair]:
    """The question's id, and the pair. Raises ``ValueError`` and what a missing key raises."""
    paragraph = record["paragraphs"][0]
    asked = paragraph["qas"][0]
    title, text, question, lang = (
        " ".join(_text(value).split("\n")).strip()
        for value in (record["title"], paragraph["context"], asked["question"], asked["lang"])
    )
    found = _TITLE.fullmatch(title)
    if found is None:
        raise ValueError(f'the title {title!r:.80} does not begin with "title:"')
    name, code = found[1].strip(), canonical_language(lang)
    passage = Side(f"{name} {text}" if name else text, "en", compared=False, title=name)
    # Questions about one paragraph never meet: what is compared in a batch would be a false negative.
    return _text(asked["id"]), Pair(Side(question, code), passage, file, f"passage {text}")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r:.80} is no text")
    return value
