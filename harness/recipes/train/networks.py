"""The network of a recipe before its first stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.files.model_digests import sha256_of_model
from harness.progress import Progress
from harness.recipes.train.encoding import Network
from harness.recipes.train.kinds import MultiVectorModel, ReaderModel, Seq2SeqModel, StaticModel
from harness.recipes.train.multi_vector import MultiVectorNetwork
from harness.recipes.train.outputs import quiet
from harness.recipes.train.pieces import piece_table
from harness.recipes.train.recipe import LoadedRecipe, Recipe, start_folder
from harness.recipes.train.seen import seen_by
from harness.recipes.train.sequences import GeneratorNetwork
from harness.recipes.train.spans import ReaderNetwork
from harness.recipes.train.starts import write_new_network
from harness.recipes.train.static import StaticNetwork
from harness.recipes.train.teachers import load_teacher
from harness.recipes.train.tokenizer import train_tokenizer
from harness.recipes.train.transductive import check_inherited, transductive_of
from harness.recipes.train.transformer import TransformerNetwork

# One number everywhere: sums over threads, and so the bytes of the model, depend on it.
THREADS = 2


class Prepared(NamedTuple):
    """``start``: SHA-256 of the files of pretrained weights, or digest of the encoder whose pieces begin, if there are any.

    ``revision``: the commit of weights from the hub; ``seen``: collections that they may have seen.
    """

    network: Network
    start: str | None
    revision: str | None = None
    seen: tuple[str, ...] = ()


def prepared(
    loaded: LoadedRecipe, texts: Callable[[], Sequence[str]], new: Path, device: str, progress: Progress
) -> Prepared:
    """``texts``: what a tokenizer is trained on; ``new``: where a network of random weights is written first.

    Raises ``InvalidInput`` for a start that is no model of the recipe's kind, or that was trained transductively where the
    recipe does not say so.
    """
    import torch

    quiet()
    torch.set_num_threads(THREADS)
    # What a file of weights lacks, such as a pooler that nobody asks, is drawn when it is loaded.
    torch.manual_seed(loaded.recipe.seed)
    recipe, model = loaded.recipe, loaded.recipe.model
    folder, start, revision = new, None, None
    seen: tuple[str, ...] = ()
    if model.start is not None:
        folder, revision = start_folder(loaded)
        start = sha256_of_model(folder)
        check_inherited(f"the start {model.start}", transductive_of(folder), recipe)
        seen = seen_by(folder)
    tokenizer = None
    if recipe.tokenizer is not None:
        with progress.task("train tokenizer", total=1) as advance:
            tokenizer = train_tokenizer(texts(), recipe.tokenizer, recipe.seed)
            advance(1)
    if isinstance(model, StaticModel):
        if model.pieces is not None:
            teacher = load_teacher(model.pieces.card, loaded.folder, device)
            check_inherited(f"the teacher {model.pieces.card}", teacher.transductive, recipe)
            table = piece_table(model.pieces, teacher, texts(), progress)
            return Prepared(StaticNetwork(model, table.tokenizer, table.weights), teacher.digest, seen=teacher.seen)
        if tokenizer is None:
            return Prepared(StaticNetwork.started(model, folder), start, revision, seen)
        return Prepared(StaticNetwork.new(model, tokenizer, recipe.seed), start)
    if tokenizer is not None:
        write_new_network(model, tokenizer, recipe.seed, folder)
    return Prepared(_network(recipe, folder, device, progress), start, revision, seen)


def _network(recipe: Recipe, folder: Path, device: str, progress: Progress) -> Network:
    model = recipe.model
    if isinstance(model, MultiVectorModel):
        return MultiVectorNetwork(model, folder, device)
    if isinstance(model, Seq2SeqModel):
        return GeneratorNetwork(model, folder, device)
    if isinstance(model, ReaderModel):
        return ReaderNetwork(model, folder, device)
    return TransformerNetwork(recipe, folder, device, progress)
