"""Training pairs, read from the pinned data files."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from harness.collections.storage.pinned import verified_path
from harness.errors import InvalidInput
from harness.files.reading import parse_json
from harness.recipes.train.own_files import answered, read_own
from harness.recipes.train.pairs import Pair, Side
from harness.recipes.train.sources import LANGUAGES, NTREX, OF_A_FILE, TATOEBA, SourceRecipe

TYDI_ENGLISH = "tydiqa-goldp/tydiqa.goldp.en.train.json"
XOR_TRAIN = "xor-tydi/xor_train_retrieve_eng_span.jsonl"

_WORDS_PER_CHUNK = 100
_SENTENCE_END = re.compile(r"(?<=[.!?])(?:\[\d+\])*\s+(?=[A-Z\"“(])")
_FOOTNOTE = re.compile(r"\[\d+\](?::\d+)?")


def read_pairs(source: SourceRecipe, seed: int, folder: Path | None = None) -> list[Pair]:
    """All pairs of a source, or its sample, in an order and with a choice that depend on ``seed`` alone.

    ``folder``: what the path of a source of one's own starts from.
    """
    pairs = _all_pairs(source, seed, folder)
    if source.sample is None:
        return pairs
    by_language: dict[str, list[int]] = {}
    for place, pair in enumerate(pairs):
        by_language.setdefault(pair.lang, []).append(place)
    choice = random.Random(seed)
    kept = (choice.sample(places, min(source.sample, len(places))) for _, places in sorted(by_language.items()))
    return [pairs[place] for place in sorted(place for places in kept for place in places)]


def _all_pairs(source: SourceRecipe, seed: int, folder: Path | None) -> list[Pair]:
    if source.kind in ("tydi-questions", "tydi-sentences"):
        return list(_tydi_questions() if source.kind == "tydi-questions" else _tydi_sentences())
    if source.kind in OF_A_FILE:
        return read_own(source, folder or Path())
    languages = source.languages or tuple(sorted(LANGUAGES[source.kind]))
    if source.kind == "ntrex":
        return list(_ntrex(languages, source.between, random.Random(seed)))
    reader = _BY_LANGUAGE[source.kind]
    return [pair for lang in languages for pair in reader(lang)]


def files_of(source: SourceRecipe) -> list[str]:
    """Names of the pinned files that a source reads, or the path of its own one."""
    languages = source.languages or tuple(LANGUAGES.get(source.kind, ()))
    if source.path is not None:
        return [source.path]
    match source.kind:
        case "tydi-questions" | "tydi-sentences":
            return [TYDI_ENGLISH]
        case "tydi-answers":
            return [_tydi_file(lang) for lang in languages]
        case "xor-answers":
            return [XOR_TRAIN]
        case "ntrex":
            files = ["ntrex/eng.txt", *(f"ntrex/{NTREX[lang]}.txt" for lang in languages)]
        case "tatoeba":
            sides = [(TATOEBA[lang], side) for lang in languages for side in (TATOEBA[lang], "eng")]
            files = [f"tatoeba/tatoeba.{code}-eng.{side}" for code, side in sides]
        case _:
            files = [f"xor-tydi/questions-parallel/{lang}-en/{side}.txt" for lang in languages for side in (lang, "en")]
    return files


def _lines(name: str) -> list[str]:
    return [line.strip() for line in verified_path(name).read_text("utf-8").splitlines()]


def _aligned(names: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Numbered lines of parallel files. Raises ``InvalidInput`` when they have different numbers of lines."""
    columns = [_lines(name) for name in names]
    if len({len(column) for column in columns}) > 1:
        raise InvalidInput(f"{' and '.join(names)} are not aligned: they have different numbers of lines")
    for number, row in enumerate(zip(*columns, strict=True)):
        if all(row):
            yield number, row


def _ntrex(languages: tuple[str, ...], between: int, choice: random.Random) -> Iterator[Pair]:
    files = {lang: f"ntrex/{NTREX[lang]}.txt" for lang in languages}
    for number, (english, *translations) in _aligned(("ntrex/eng.txt", *files.values())):
        sides = [Side(text, lang) for text, lang in zip(translations, languages, strict=True)]
        for side in sides:
            yield Pair(side, Side(english, "en"), files[side.lang], f"ntrex {number}", english=english)
        pairs = [(a, b) for i, a in enumerate(sides) for b in sides[i + 1 :]]
        for one, other in choice.sample(pairs, min(between, len(pairs))):
            yield Pair(one, other, files[one.lang], f"ntrex {number}")


def _tatoeba(lang: str) -> Iterator[Pair]:
    stem = f"tatoeba/tatoeba.{TATOEBA[lang]}-eng."
    for _, (text, english) in _aligned((stem + TATOEBA[lang], stem + "eng")):
        yield Pair(Side(text, lang), Side(english, "en"), stem + TATOEBA[lang], f"tatoeba {english}", english=english)


def _questions_parallel(lang: str) -> Iterator[Pair]:
    folder = f"xor-tydi/questions-parallel/{lang}-en/"
    for _, (text, english) in _aligned((f"{folder}{lang}.txt", f"{folder}en.txt")):
        group = f"question {english}"
        yield Pair(Side(text, lang), Side(english, "en"), f"{folder}{lang}.txt", group, english=english)


def _xor_answers(lang: str) -> Iterator[Pair]:
    for line in _lines(XOR_TRAIN):
        row = json.loads(line)
        if row["lang"].strip() != lang:
            continue
        for answer in row["answers"]:
            if answer.strip() not in ("yes", "no"):
                yield Pair(Side(row["question"], lang), Side(answer, "en", False), XOR_TRAIN, f"answer {answer}")


def _tydi_paragraphs() -> list[dict[str, object]]:
    content = json.loads(verified_path(TYDI_ENGLISH).read_text("utf-8"))
    return [paragraph for article in content["data"] for paragraph in article["paragraphs"]]


def _clean(text: str) -> str:
    return " ".join(_FOOTNOTE.sub(" ", text).split())


def _tydi_questions() -> Iterator[Pair]:
    for paragraph in _tydi_paragraphs():
        context = str(paragraph["context"])
        for question in paragraph["qas"]:  # type: ignore[attr-defined]
            start = int(question["answers"][0]["answer_start"])
            positive = Side(_around(context, start), "en", False)
            asked = str(question["question"])
            yield Pair(Side(asked, "en"), positive, TYDI_ENGLISH, f"passage {context[:80]}", english=asked)


def _around(context: str, start: int) -> str:
    """At most ``_WORDS_PER_CHUNK`` words of ``context``, with the character at ``start`` among them."""
    before, after = _clean(context[:start]).split(), _clean(context[start:]).split()
    if len(before) + len(after) <= _WORDS_PER_CHUNK:
        return " ".join(before + after)
    first = max(0, min(len(before) - _WORDS_PER_CHUNK // 2, len(before) + len(after) - _WORDS_PER_CHUNK))
    return " ".join((before + after)[first : first + _WORDS_PER_CHUNK])


def _tydi_sentences() -> Iterator[Pair]:
    contexts = dict.fromkeys(str(paragraph["context"]) for paragraph in _tydi_paragraphs())
    for context in contexts:
        sentences = [s for s in map(_clean, _SENTENCE_END.split(context)) if len(s.split()) >= 5]
        for place, sentence in enumerate(sentences):
            rest = " ".join(sentences[:place] + sentences[place + 1 :]).split()
            if len(rest) >= 15:
                positive = Side(" ".join(rest[:_WORDS_PER_CHUNK]), "en", False)
                yield Pair(Side(sentence, "en", False), positive, TYDI_ENGLISH, f"passage {context[:80]}")


def _tydi_file(lang: str) -> str:
    return f"tydiqa-goldp/tydiqa.goldp.{lang}.train.json"


def _tydi_answers(lang: str) -> Iterator[Pair]:
    file = _tydi_file(lang)
    yield from answered(parse_json(verified_path(file).read_bytes()), file, lang)


_BY_LANGUAGE: Mapping[str, Callable[[str], Iterator[Pair]]] = {
    "tatoeba": _tatoeba,
    "questions-parallel": _questions_parallel,
    "xor-answers": _xor_answers,
    "tydi-answers": _tydi_answers,
}
