"""What recipes of training read: pairs of the pinned data files, and files of rows that lie beside the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from harness.files.toml_records import Record, Reference

NTREX = {
    "ar": "arb", "bn": "ben", "de": "deu", "el": "ell", "fi": "fin", "hi": "hin", "ja": "jpn", "ko": "kor", "ro": "ron",
    "ru": "rus", "es": "spa", "sw": "swa", "te": "tel", "th": "tha", "tr": "tur", "vi": "vie", "zh": "zho-CN",
}  # fmt: skip
TATOEBA = {
    "ar": "ara", "bn": "ben", "de": "deu", "el": "ell", "fi": "fin", "hi": "hin", "ja": "jpn", "ko": "kor", "ro": "ron",
    "ru": "rus", "es": "spa", "te": "tel", "th": "tha", "tr": "tur", "vi": "vie", "zh": "cmn",
}  # fmt: skip
_XOR = {code: code for code in ("ar", "bn", "fi", "ja", "ko", "ru", "te")}
_ENGLISH = {"en": "en"}
_TYDI = {code: code for code in ("en", "ko", "sw")}
LANGUAGES: Mapping[str, Mapping[str, str]] = {
    "ntrex": NTREX,
    "tatoeba": TATOEBA,
    "questions-parallel": _XOR,
    "xor-answers": _XOR,
    "tydi-questions": _ENGLISH,
    "tydi-sentences": _ENGLISH,
    "tydi-answers": _TYDI,
}
"""The languages of each kind of source, with the names that its files have for them."""

OF_A_FILE = ("rows", "squad", "gold-paragraphs")
"""Kinds that read a file of the recipe's author, whatever its languages are."""
ANSWERED = ("tydi-answers", "squad")
"""Kinds that know where in a passage the answer stands: what readers are trained on."""
Style = Literal["plain", "romanized", "sounds", "consonants"]


class SourceRecipe(Record):
    """Pairs of one kind. ``weight`` is how often a stage's epoch goes through them.

    - "ntrex", "tatoeba": a sentence and its translation; of NTREX also between two languages, neither English.
    - "questions-parallel": a question of XOR-TyDi's training set and its English translation.
    - "xor-answers": a question of XOR-TyDi's training set and its English answer.
    - "tydi-questions": an English question of TyDi QA's training set and its passage, cut to the words around the answer.
    - "tydi-sentences": a sentence of an English passage of the same file and the rest of that passage.
    - "tydi-answers": a question of TyDi QA's training set, its whole passage, and where the answer stands.
    - "rows": a question, passages that answer it and passages that do not, from a file in Tevatron's format.
    - "squad": questions with answers, from a file in SQuAD's format.
    - "gold-paragraphs": a question and the English paragraph that answers it, from XOR-TyDi's gp_squad_train_data.json.
    """

    kind: Literal[
        "ntrex",
        "tatoeba",
        "questions-parallel",
        "xor-answers",
        "tydi-questions",
        "tydi-sentences",
        "tydi-answers",
        "rows",
        "squad",
        "gold-paragraphs",
    ]
    languages: tuple[str, ...] = Field(default=(), description="two-letter codes; default: all that the data has")
    between: int = Field(
        default=0, ge=0, le=136, description="ntrex: pairs of two languages other than English, per line"
    )
    path: Reference | None = Field(default=None, description="kinds of a file: relative to the recipe")
    origin: str | None = Field(
        default=None, max_length=1000, description="how to get that file, said where it is missing"
    )
    labels: tuple[Literal["gold", "mined", "fallback", "pseudo"], ...] = Field(
        default=(), description="rows: those with these labels alone; default: all"
    )
    sample: int | None = Field(
        default=None, ge=1, description="so many pairs of each language, drawn by the seed; default: all"
    )
    weight: int = Field(default=1, ge=1, le=100)

    @field_validator("languages")
    @classmethod
    def _languages_of_the_kind(cls, languages: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        known = LANGUAGES.get(str(info.data.get("kind")), dict.fromkeys(languages))
        if strangers := sorted(set(languages) - set(known)):
            raise ValueError(
                f"source {info.data['kind']}: no language {', '.join(strangers)}; known: {', '.join(sorted(known))}"
            )
        if len(set(languages)) < len(languages):
            raise ValueError("a language is a duplicate")
        return languages

    @model_validator(mode="after")
    def _keys_of_the_kind(self) -> SourceRecipe:
        if (self.path is not None) != (self.kind in OF_A_FILE):
            raise ValueError(
                f"a source of kind {self.kind!r} needs the `path` of its file"
                if self.path is None
                else f"`path` is for sources of kind {', '.join(OF_A_FILE)}, not {self.kind!r}, whose files are pinned"
            )
        if self.origin is not None and self.path is None:
            raise ValueError(f"`origin` is for sources with a `path`, not {self.kind!r}")
        if self.kind == "squad" and len(self.languages) != 1:
            raise ValueError(
                "a source of kind 'squad' names the one language of its questions, as languages = [\"de\"]"
            )
        if self.labels and self.kind != "rows":
            raise ValueError(f"`labels` is for sources of kind 'rows', not {self.kind!r}")
        if self.between and self.kind != "ntrex":
            raise ValueError(f"`between` is for sources of kind 'ntrex', not {self.kind!r}")
        return self


class TokenizerRecipe(Record):
    """A unigram tokenizer trained on the different texts of its sources."""

    vocabulary: int = Field(ge=100, le=100_000, description="number of pieces, the unknown one included")
    style: Style = Field(default="plain", description="what the normaliser does, see harness/collections/romanize.py")
    sample: int = Field(default=200_000, ge=100, description="texts that sentencepiece sees at most, drawn by the seed")
    sources: tuple[SourceRecipe, ...] = Field(min_length=1)


class PiecesRecipe(Record):
    """A tokenizer and a table from those of another encoder: what it makes of each piece alone.

    ``card``: of the adapter dense, with a unigram tokenizer, whose pieces that are most frequent in ``sources`` are kept.
    """

    card: Reference
    vocabulary: int = Field(ge=100, le=250_000, description="number of pieces, the unknown one included")
    frequency: float = Field(gt=0, le=1, description="a in a / (a + p), what a piece of probability p is multiplied by")
    whitening: float = Field(
        default=1.0, ge=0, le=1, description="1: equal variance in all directions; 0: the teacher's own"
    )
    sources: tuple[SourceRecipe, ...] = Field(min_length=1)
