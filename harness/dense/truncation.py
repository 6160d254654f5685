"""How much of the texts was cut off at a maximum length: counted for the manifest, said where it matters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

_MATTERS = 0.01
"""Share of the questions of a language, or of the passages, that were cut: below it nobody's ranking depends on it."""


class Counted(Protocol):
    """Texts as they were encoded. ``tokens``: of each, as many as were not cut off; ``lost``: how many were; int64."""

    @property
    def tokens(self) -> NDArray[np.int64]: ...
    @property
    def lost(self) -> NDArray[np.int64]: ...


class Cut(NamedTuple):
    """Of some texts: how many there are, how many were cut, how many tokens they had, how many of these were lost."""

    texts: int
    cut: int
    tokens: int
    lost: int

    def plus(self, other: Cut) -> Cut:
        return Cut(*(one + two for one, two in zip(self, other, strict=True)))

    @property
    def matters(self) -> bool:
        return self.cut > _MATTERS * self.texts

    @property
    def share_lost(self) -> float:
        """Between 0 and 1, rounded to four places."""
        return round(self.lost / self.tokens, 4) if self.tokens else 0.0


NOTHING_CUT = Cut(0, 0, 0, 0)


def cut_of(encoded: Counted) -> Cut:
    return _cut(encoded.tokens, encoded.lost)


def _cut(tokens: NDArray[np.int64], lost: NDArray[np.int64]) -> Cut:
    return Cut(len(lost), int((lost > 0).sum()), int(tokens.sum() + lost.sum()), int(lost.sum()))


def total(cuts: Sequence[Cut]) -> Cut:
    found = NOTHING_CUT
    for cut in cuts:
        found = found.plus(cut)
    return found


@dataclass
class Truncation:
    """What was cut in one run: questions by language, passages, and generated queries where there are any."""

    questions: dict[str, Cut] = field(default_factory=dict)
    passages: Cut = NOTHING_CUT
    generated: Cut = NOTHING_CUT

    def add_questions(self, langs: Sequence[str], encoded: Counted) -> None:
        codes = np.array(langs, dtype=object)
        for lang in sorted(set(langs)):
            rows = np.flatnonzero(codes == lang)
            own = _cut(encoded.tokens[rows], encoded.lost[rows])
            self.questions[lang] = self.questions.get(lang, NOTHING_CUT).plus(own)

    def add_passages(self, passages: Cut, generated: Cut) -> None:
        self.passages, self.generated = self.passages.plus(passages), self.generated.plus(generated)

    def facts(self) -> dict[str, Any]:
        """As a manifest has it: numbers of texts that were cut, and of those there were; shares of all tokens lost."""
        kinds = {"passages": self.passages, "generated queries": self.generated}
        kinds = {name: cut for name, cut in kinds.items() if cut.texts or name == "passages"}
        questions = total(list(self.questions.values()))
        return {
            "queries": {lang: cut.cut for lang, cut in sorted(self.questions.items())},
            **{name: cut.cut for name, cut in kinds.items()},
            "of": {
                "queries": {lang: cut.texts for lang, cut in sorted(self.questions.items())},
                **{name: cut.texts for name, cut in kinds.items()},
            },
            "tokens lost": {
                "queries": questions.share_lost,
                **{name: cut.share_lost for name, cut in kinds.items()},
            },
        }

    def notes(self, lengths: Mapping[str, int | None]) -> Iterator[str]:
        """Where more than one text of a hundred was cut, a sentence. ``lengths``: the maximum of each kind."""
        told = {lang: cut for lang, cut in sorted(self.questions.items()) if cut.matters}
        if told:
            counts = ", ".join(f"{cut.cut:,} of {cut.texts:,} {lang}" for lang, cut in told.items())
            yield _sentence(f"questions: {counts}", total(list(told.values())), lengths.get("queries"))
        for name, cut in (("passages", self.passages), ("generated queries", self.generated)):
            if cut.matters:
                yield _sentence(f"{name}: {cut.cut:,} of {cut.texts:,}", cut, lengths.get(name))


def _sentence(counted: str, cut: Cut, length: int | None) -> str:
    return f"cut at {length} tokens, {counted} ({100 * cut.lost / cut.tokens:.1f}% of their tokens are lost)"
