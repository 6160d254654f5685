"""What is trained on, whatever it was read from: a text, what belongs to it, and what does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Side(NamedTuple):
    """One text of a pair. ``compared``: it must not be an evaluation question; passages are not compared.

    ``title``: of a passage, with which its text begins; ``score``: that of a passage by a teacher.
    """

    text: str
    lang: str
    compared: bool = True
    title: str = ""
    score: float | None = None


@dataclass(frozen=True)
class Pair:
    """``file`` and ``lang`` say where it is counted; pairs of one ``group`` never meet in a batch as negatives.

    ``positives``: further passages that answer; ``negatives``: passages that do not; ``english``: the anchor in English, by
    people; ``answer``: where in the positive the answer begins and ends, in characters.
    """

    anchor: Side
    positive: Side
    file: str
    group: str
    positives: tuple[Side, ...] = ()
    negatives: tuple[Side, ...] = ()
    english: str = ""
    answer: tuple[int, int] | None = None

    @property
    def lang(self) -> str:
        """The language other than English, if there is one."""
        return self.anchor.lang if self.anchor.lang != "en" else self.positive.lang or self.anchor.lang

    @property
    def compared(self) -> tuple[str, ...]:
        """Texts of which none may be an evaluation question."""
        sides = (side.text for side in (self.anchor, self.positive) if side.compared)
        return tuple(dict.fromkeys((*sides, *([self.english] if self.english else []))))
