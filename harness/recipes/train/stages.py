"""Stages of a training: what is learned, of which rows, in which batches, each objective with its own keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from harness.dense.roles import Similarity
from harness.files.toml_records import Record, Reference
from harness.recipes.train.sources import SourceRecipe

Batches = Literal["source", "language", "mixed"]
PROMPT = "Generate a {language} question for this passage: {title} {passage}"
DEFAULT_SCALE: dict[Similarity, float] = {"dot": 1.0, "cosine": 20.0}


class Optimizer(Record):
    """AdamW with a linear rise and fall of the learning rate. ``max_grad_norm`` 0: gradients are not cut."""

    learning_rate: float = Field(gt=0, le=10)
    warmup: float = Field(default=0.1, ge=0, lt=1, description="share of the steps in which the learning rate rises")
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    max_grad_norm: float = Field(default=1.0, ge=0)


class TeacherRecipe(Record):
    """Where the vectors or scores come from that a stage imitates.

    ``card``: a card of the adapter dense, whose encoder is the teacher. ``scores`` "rows": the scores that the passages of
    the rows bear. ``generator``: a model that writes a passage's question, whose score is the mean log-probability of the
    question's tokens given the passage (UPR, arXiv 2204.07496, ranks by the same). ``cross_encoder``: a model of
    sentence-transformers that reads question and passage together.
    ``reads``: the question's English translation, as people wrote it, or the question itself,
    or, as a control whose scores are of no use, the translation of another row's question.
    """

    card: Reference | None = None
    scores: Literal["rows"] | None = None
    generator: Reference | None = None
    cross_encoder: Reference | None = None
    reads: Literal["query_en", "query", "another"] = "query_en"
    temperature: float = Field(default=1.0, gt=0, description="what scores are divided by before the softmax")
    student_temperature: float | None = Field(default=None, gt=0, description="default: the teacher's")
    whitening: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="align: vectors less their mean, with as much of their covariance evened out; default: as they are",
    )

    @model_validator(mode="after")
    def _one_origin(self) -> TeacherRecipe:
        if sum(origin is not None for origin in (self.card, self.scores, self.generator, self.cross_encoder)) != 1:
            raise ValueError('a teacher has either a `card`, a `generator`, a `cross_encoder` or scores = "rows"')
        return self

    @property
    def reads_pairs(self) -> bool:
        """Whether it reads a question with one passage at a time."""
        return self.generator is not None or self.cross_encoder is not None

    @property
    def name(self) -> str:
        """Of its file or folder."""
        return self.card or self.generator or self.cross_encoder or "rows"


class _Stage(Record):
    """Either ``epochs``, how often all sources are gone through, or ``steps``, so many batches.

    ``batches``: a batch holds rows of one source, of one source and pair of languages, or of all sources mixed.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
    epochs: int | None = Field(default=None, ge=1, le=1000)
    steps: int | None = Field(default=None, ge=1, le=10_000_000)
    batch_size: int = Field(ge=2, le=1_000_000, description="rows of a batch, over all devices")
    batches: Batches = "source"
    optimizer: Optimizer
    sources: tuple[SourceRecipe, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_length(self) -> _Stage:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("a stage has either `epochs` or `steps`")
        return self


class _Compared(_Stage):
    """Texts are compared by ``similarity`` times ``scale``, by default 1 for dot and 20 for cosine (temperature 0.05)."""

    similarity: Similarity = "cosine"
    scale: float | None = Field(default=None, gt=0, le=10_000)
    negatives: int = Field(default=0, ge=0, le=1000, description="passages of each row that do not answer")
    token_dropout: float = Field(
        default=0.0, ge=0, lt=1, description="static: share of pieces left out of each text in training"
    )

    @property
    def factor(self) -> float:
        return DEFAULT_SCALE[self.similarity] if self.scale is None else self.scale


class ContrastiveStage(_Compared):
    """A question's own passage is to be nearer than all other passages of the batch (InfoNCE).

    ``directions`` "both": and a passage's own question than all other questions, each direction by itself.
    ``micro_batch``: rows that are in memory at once (gradient cache, arXiv 2101.06983).
    """

    objective: Literal["contrastive"]
    directions: Literal["query", "both"] = "query"
    micro_batch: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _directions_of_pairs(self) -> ContrastiveStage:
        if self.directions == "both" and self.negatives:
            raise ValueError(
                'directions = "both" is for pairs: a passage that does not answer has no question of its own'
            )
        return self


class AlignStage(_Stage):
    """Vectors of a text and of its English translation are to be the teacher's vector of the English one (MSE)."""

    objective: Literal["align"]
    teacher: TeacherRecipe
    token_dropout: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _vectors(self) -> AlignStage:
        if self.teacher.card is None:
            raise ValueError("align imitates vectors: its teacher needs a `card`")
        return self


class DistilStage(_Compared):
    """Over each question's candidates, the student's distribution is to be the teacher's (KL times temperature squared).

    ``candidates``: how many passages of the row, or "batch" for all passages of the batch. Without a ``scale`` similarities
    are as they are: the temperature divides them.
    """

    objective: Literal["distil-scores"]
    teacher: TeacherRecipe
    candidates: Annotated[int, Field(ge=2, le=1000)] | Literal["batch"] = "batch"

    @property
    def factor(self) -> float:
        return 1.0 if self.scale is None else self.scale

    @model_validator(mode="after")
    def _scores_there_are(self) -> DistilStage:
        if self.negatives and self.candidates != "batch":
            raise ValueError("`candidates` counts all passages of a row: leave out `negatives`")
        if self.teacher.card is None and self.candidates == "batch":
            kind = "a generator" if self.teacher.generator else "a cross-encoder"
            what = f"{kind} reads a question with" if self.teacher.reads_pairs else "rows bear scores of"
            raise ValueError(f"{what} the row's own passages alone: say how many `candidates`")
        return self


class SelfTeachStage(_Compared):
    """Contrastive, and a disturbed question is to rank the batch's passages as the undisturbed one does (arXiv 2204.00716).

    ``noise``: what is done to a question: one typing error, its words in another order, or a tenth of them left out.
    """

    objective: Literal["self-teach"]
    noise: Literal["typo", "shuffle-words", "drop-words"] = "typo"
    noise_share: float = Field(default=0.5, gt=0, le=1, description="share of the questions that are disturbed")
    temperature: float = Field(default=1.0, gt=0)
    strength: float = Field(default=1.0, gt=0, description="weight of the second term")


class MaskedStage(_Stage):
    """Pieces that were hidden are to be told: "mlm" in one text, "tlm" in a text with its translation behind it."""

    objective: Literal["mlm", "tlm"]
    probability: float = Field(default=0.15, gt=0, lt=1)
    max_length: int = Field(default=256, ge=8, le=8192)


class GenerateStage(_Stage):
    """The row's question is to be written for its passage. ``prompt``: with {passage}, and if wanted {title}, {language}."""

    objective: Literal["generate"]
    prompt: str = Field(default=PROMPT, max_length=10_000)

    @model_validator(mode="after")
    def _has_the_passage(self) -> GenerateStage:
        import string

        try:
            fields = {name for _, name, _, _ in string.Formatter().parse(self.prompt) if name is not None}
        except ValueError as error:
            raise ValueError(f"prompt: {error}") from error
        if strangers := fields - {"passage", "title", "language"}:
            raise ValueError(f"prompt: unknown {', '.join(sorted(strangers))}; known: passage, title, language")
        if "passage" not in fields:
            raise ValueError("prompt: it lacks {passage}")
        return self


class ReadStage(_Stage):
    """Where the answer begins and ends in the passage is to be told; of windows without it, their first place."""

    objective: Literal["read"]


StageRecipe = ContrastiveStage | AlignStage | DistilStage | SelfTeachStage | MaskedStage | GenerateStage | ReadStage
