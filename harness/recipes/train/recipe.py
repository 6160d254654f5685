"""Recipes: one TOML file says from what, and how, a model is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, StringConstraints

from harness.dense.model_places import model_folder, resolved_revision
from harness.errors import Finding, InvalidInput
from harness.files.migrations import migrated
from harness.files.toml_records import Record, Reference, checked, read_toml
from harness.recipes.train.kinds import ModelRecipe, MultiVectorModel, StaticModel, TransformerModel
from harness.recipes.train.sources import ANSWERED, PiecesRecipe, SourceRecipe, TokenizerRecipe
from harness.recipes.train.stages import ContrastiveStage, DistilStage, MaskedStage, StageRecipe

OBJECTIVES: Mapping[str, tuple[str, ...]] = {
    "static": ("contrastive", "align", "distil-scores", "self-teach"),
    "transformer": ("contrastive", "align", "distil-scores", "self-teach", "mlm", "tlm"),
    "multi-vector": ("contrastive", "distil-scores"),
    "seq2seq": ("generate",),
    "reader": ("read",),
}
"""What each kind of model can be taught."""


class Recipe(Record):
    """Everything that a training depends on, beside the data files and the library versions.

    ``transductive``: datasets whose asked questions alone the training rows are compared with. What is trained so may have
    seen other questions about the same passages, and is for tracks over these datasets only.
    ``compared_with``: datasets for whose questions rows are dropped, instead of all that are on this machine, so that the same
    recipe drops the same rows whatever collections are added; rows that are questions of others are counted in the record.
    """

    schema_version: Literal[2]
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    title: str = Field(min_length=1)
    seed: int = Field(default=42, ge=0, lt=2**32)
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="what is computed in; weights are kept and saved in float32"
    )
    transductive: tuple[Reference, ...] = ()
    compared_with: tuple[Reference, ...] = ()
    tokenizer: TokenizerRecipe | None = None
    model: Annotated[ModelRecipe, Field(discriminator="kind")]
    stages: tuple[Annotated[StageRecipe, Field(discriminator="objective")], ...] = ()

    def sources(self) -> Iterator[SourceRecipe]:
        """Those of the tokenizer, then those of the stages."""
        yield from self.vocabulary_sources()
        for stage in self.stages:
            yield from stage.sources

    def vocabulary_sources(self) -> tuple[SourceRecipe, ...]:
        """Whose texts say which pieces there are; none where a model brings its tokenizer."""
        pieces = getattr(self.model, "pieces", None)
        if isinstance(pieces, PiecesRecipe):
            return pieces.sources
        return self.tokenizer.sources if self.tokenizer is not None else ()


class LoadedRecipe(NamedTuple):
    """``folder``: what relative paths in the recipe start from."""

    recipe: Recipe
    folder: Path


def load_recipe(path: Path) -> LoadedRecipe:
    """A recipe whose files are all here; a start on the hub is fetched.

    Raises ``WrongUsage`` when there is no such recipe, ``InvalidInput`` with all that is wrong in it and all that is missing.
    """
    loaded, faults = _read(path)
    faults += _missing(loaded, str(path))
    if faults:
        raise InvalidInput(f"{path} is invalid, or names what is not here", faults)
    return loaded


def checked_recipe(path: Path) -> LoadedRecipe:
    """A recipe that is in order, whether or not what it names is here. Raises as ``load_recipe`` does for what is wrong."""
    loaded, faults = _read(path)
    if faults:
        raise InvalidInput(f"{path} is invalid", faults)
    return loaded


def start_folder(loaded: LoadedRecipe) -> tuple[Path, str | None]:
    """Where the pretrained weights lie, and of a model of the hub the commit: the recipe's, or that which the hub tells.

    Raises ``InvalidInput`` when they are not here and cannot be had.
    """
    model = loaded.recipe.model
    assert model.start is not None
    revision = model.revision or resolved_revision(model.start, loaded.folder)
    return model_folder(model.start, revision, loaded.folder), revision


def _read(path: Path) -> tuple[LoadedRecipe, list[Finding]]:
    """The recipe and what contradicts itself in it. Raises ``InvalidInput`` where it is no recipe."""
    data = migrated("training-recipe", read_toml(path), str(path))
    where = str(path)
    faults = [Finding("error", f"{where}: {place}", what, hint=hint) for place, what, hint in _unsupported(data)]
    try:
        recipe = checked(Recipe, data, where)
    except InvalidInput as error:
        raise InvalidInput(error.message, [*error.findings, *faults]) from None
    faults += [Finding("error", f"{where}: {place}", what) for place, what in _contradictions(recipe)]
    return LoadedRecipe(recipe, path.parent), faults


def _missing(loaded: LoadedRecipe, where: str) -> Iterator[Finding]:
    for source in dict.fromkeys(loaded.recipe.sources()):
        if source.path is not None and not (loaded.folder / source.path).is_file():
            what = f"no file {source.path!r:.300} beside the recipe"
            yield Finding("error", f"{where}: sources", what, hint=_how(source.origin))
    model = loaded.recipe.model
    if model.start is not None:
        try:
            start_folder(loaded)
        except InvalidInput as error:
            yield Finding("error", f"{where}: model.start", error.message, hint=_how(model.origin))


def _how(origin: str | None) -> str:
    return f"to get it: {origin}" if origin else ""


def _unsupported(data: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Objectives that the kind of model cannot be taught, however faulty the rest of the recipe is."""
    model, stages = data.get("model"), data.get("stages")
    kind = model.get("kind") if isinstance(model, dict) else None
    if not isinstance(kind, str) or kind not in OBJECTIVES or not isinstance(stages, list):
        return
    every = {objective for objectives in OBJECTIVES.values() for objective in objectives}
    for number, stage in enumerate(stages):
        objective = stage.get("objective") if isinstance(stage, dict) else None
        if isinstance(objective, str) and objective in every and objective not in OBJECTIVES[kind]:
            hint = f"supported: {', '.join(OBJECTIVES[kind])}"
            yield f"stages.{number}.objective", f"objective {objective!r} is not supported for kind {kind!r}", hint


def _contradictions(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Places and faults of what is in order by itself."""
    model = recipe.model
    names = [stage.name for stage in recipe.stages]
    if recipe.transductive and recipe.compared_with:
        yield (
            "compared_with",
            "rows of a transductive recipe are compared with the collections that it names: leave one out",
        )
    if len(set(names)) < len(names):
        yield "stages", "two stages have the same name"
    pieces = getattr(model, "pieces", None)
    if not recipe.stages and pieces is None:
        yield "stages", "missing: only a table of pieces is worth something before any training"
    is_new = model.start is None and pieces is None
    if is_new and recipe.tokenizer is None:
        yield "tokenizer", f"missing: a {model.kind} model without a `start` needs a tokenizer"
    if not is_new and recipe.tokenizer is not None:
        begun = "a `start`" if pieces is None else "`pieces`"
        yield "tokenizer", f"a model with {begun} has that one's tokenizer: leave this table out"
    if model.kind == "seq2seq" and recipe.precision == "float16":
        yield "precision", 'mT5 computes NaN in float16: say "bfloat16" or "float32"'
    for number, stage in enumerate(recipe.stages):
        for what in _of_stage(stage, model):
            yield f"stages.{number}", what


def _of_stage(stage: StageRecipe, model: ModelRecipe) -> Iterator[str]:
    is_static = isinstance(model, StaticModel)
    if getattr(stage, "token_dropout", 0) and not is_static:
        yield "`token_dropout` is for static models: a transformer has dropout of its own"
    if isinstance(stage, MaskedStage) and isinstance(model, TransformerModel) and model.trained_layers is not None:
        yield f"objective {stage.objective!r} trains all layers: it is not supported with `trained_layers`"
    if isinstance(model, MultiVectorModel):
        yield from _of_multi_vector(stage)
    if isinstance(stage, ContrastiveStage) and stage.micro_batch is not None and is_static:
        yield "`micro_batch` is not supported for kind 'static', whose batches take little memory"
    strangers = sorted({s.kind for s in stage.sources if (s.kind in ANSWERED) != (stage.objective == "read")})
    if strangers:
        needed = ", ".join(ANSWERED) if stage.objective == "read" else "one without answer places"
        yield f"objective {stage.objective!r} cannot use sources of kind {', '.join(strangers)}: it needs {needed}"


def _of_multi_vector(stage: StageRecipe) -> Iterator[str]:
    """MaxSim sums over tokens what a dot product of unit vectors is: nothing else is chosen."""
    if isinstance(stage, ContrastiveStage) and stage.directions == "both":
        yield "directions = \"both\" is not supported for kind 'multi-vector'"
    if isinstance(stage, ContrastiveStage | DistilStage) and stage.similarity != "dot":
        yield "models of kind 'multi-vector' are compared by sums of products: say similarity = \"dot\""
    if isinstance(stage, DistilStage) and stage.candidates == "batch":
        yield "candidates = \"batch\" is not supported for kind 'multi-vector': say how many of a row's passages"
    if isinstance(stage, DistilStage) and stage.scale is not None:
        yield "`scale` is not supported for distil-scores of kind 'multi-vector': the temperature divides its scores"
