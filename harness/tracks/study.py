"""What a track declares before anything is run: which generated texts, fused with which weights, are held against which."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.files.toml_records import Line, Name, PartName, Record, Reference, Text
from harness.languages import LanguageTag


class Kind(Record):
    """Texts that are fused with passages: the first ``per_language`` of each passage and language.

    ``languages``: "all" of the study, "english", "own" (the question's, for each part apart) or "others" (all but the
    question's). ``of``: two other kinds, each with half the weight, instead of texts. ``texts`` = "passages" are copies of the
    passage itself.
    """

    name: PartName
    title: Line
    texts: Reference | Literal[""] = ""
    text_kind: Literal["query", "passage"] = "query"
    languages: Literal["all", "english", "own", "others"] = "all"
    per_language: Annotated[int, Field(ge=1)] | Literal["all"] = 1
    shuffled: bool = False
    of: tuple[PartName, ...] = ()

    @model_validator(mode="after")
    def _texts_or_kinds(self) -> Kind:
        if bool(self.texts) == bool(self.of) or len(self.of) not in (0, 2):
            raise ValueError(f"kind {self.name} has either texts or two other kinds")
        return self


Question = Literal["passages", "english", "adversaries"]


class Contrast(Record):
    """One difference of the declared family: ``first`` less ``second``, for every encoder. ``question``: what it answers."""

    name: PartName
    question: Question
    title: Line
    first: PartName
    second: PartName


class Answering(Record):
    """The contrasts of ``question`` are tested in what the first ``cutoff`` passages answer as well.

    That is in AnswerRecall, and in exact match by every reader that is given, each a family of its own as the primary measure
    is. ``seen_before_declaring``: what was known when this was added to the study.
    """

    question: Question
    cutoff: int = Field(ge=1, le=100)
    seen_before_declaring: Text


class Expansion(Record):
    """Texts that are fused with the question instead of the passage: exploratory, tested by nothing.

    ``texts``: a collection of the same questions, by their ids, where ``{lang}`` stands for the language of the texts;
    "questions" are copies of the question itself. ``languages``: "english", or "others" of the study than the question's own.
    ``shuffled``: each question gets another one's texts.
    """

    name: PartName
    title: Line
    texts: Reference
    languages: Literal["english", "others"] = "others"
    shuffled: bool = False


class Further(Record):
    """In which languages the study can be confirmed, beside those that it was declared for.

    ``dataset``: of their parts, with ``{lang}`` in the language's place; ``texts``: by the name that kinds give, what has the
    same texts in these languages. Kinds of other texts are left out there.
    """

    languages: tuple[LanguageTag, ...] = Field(min_length=1)
    dataset: Reference
    texts: dict[str, Reference] = Field(default_factory=dict)


class Study(Record):
    """A track's study of generated texts. Each encoder's title handling and each kind's weight are chosen by cross-fitting.

    ``weights``: what is tried, ascending; e' = unit((1 - weight) p + weight mean(g)). ``equal_weight``: one of them, at which
    kinds are compared as well. ``low_resource``: the languages so called, grouped before anything was run.
    ``seen_before_declaring``: what earlier looks at the data had shown. ``answers`` and ``expansions`` may be added under the
    same version of a track: they change nothing of what is recorded without them.
    """

    encoders: tuple[Name, ...] = Field(min_length=1)
    languages: tuple[LanguageTag, ...] = Field(min_length=1)
    weights: tuple[float, ...] = Field(min_length=2, max_length=6)
    equal_weight: float
    low_resource: tuple[LanguageTag, ...] = ()
    seen_before_declaring: tuple[Text, ...]
    kinds: tuple[Kind, ...] = Field(min_length=1)
    contrasts: tuple[Contrast, ...] = Field(min_length=1)
    answers: tuple[Answering, ...] = ()
    expansions: tuple[Expansion, ...] = ()
    further: Further | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        names = [kind.name for kind in self.kinds]
        if len(set(names)) < len(names) or "none" in names:
            raise ValueError("kinds have names of their own, and none is called none")
        if list(self.weights) != sorted(set(self.weights)) or self.equal_weight not in self.weights:
            raise ValueError("weights ascend, and equal_weight is one of them")
        if not all(0 < weight <= 1 for weight in self.weights):
            raise ValueError("weights lie above 0 and up to 1")
        known = {*names, "none"}
        wanted = {name for found in self.contrasts for name in (found.first, found.second)}
        if strangers := (wanted | {name for kind in self.kinds for name in kind.of}) - known:
            raise ValueError(f"no kind is called {', '.join(sorted(strangers))}")
        if nested := [kind.name for kind in self.kinds if any(self.kind(name).of for name in kind.of)]:
            raise ValueError(f"kind {nested[0]} is made of kinds that have no texts of their own")
        self._check_added()
        return self

    def _check_added(self) -> None:
        asked = [own.question for own in self.answers]
        if len(set(asked)) < len(asked) or not set(asked) <= {contrast.question for contrast in self.contrasts}:
            raise ValueError("answers name a question that has contrasts, each once")
        names = [own.name for own in self.expansions]
        if len(set(names)) < len(names) or {"none", *(kind.name for kind in self.kinds)} & set(names):
            raise ValueError("expansions have names of their own, and none is that of a kind")

    def kind(self, name: str) -> Kind:
        return next(kind for kind in self.kinds if kind.name == name)
