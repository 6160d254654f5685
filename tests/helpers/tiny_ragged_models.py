"""Tiny late-interaction and sparse models of random weights, as the folders in which their library, and others, save them."""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import tiny_models

PLAIN_LENGTH = 80
DIMENSIONS = 8
PUNCTUATION = [".", ",", "?"]
EXPANSION = {"strategy": "fixed", "attend": False, "length": 12}


def multi_vector(folder: Path, expansion: dict[str, Any] | None = None, **options: Any) -> Path:
    """BERT, a projection, a mask that skips punctuation, normalised: MultiVectorEncoder's own form.

    ``options``: ``query_length``, ``document_length``, ``prompts``, ``similarity_fn_name``, ``pooled``, ``normalized``,
    ``skipped``.
    """
    import torch
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling, MultiVectorMask

    lengths = {name: options.get(name) for name in ("query_length", "document_length")}
    transformer = Transformer(str(tiny_models.shared().plain), query_expansion=expansion, **lengths)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        dense = Dense(
            16,
            DIMENSIONS,
            bias=False,
            activation_function=torch.nn.Identity(),
            module_input_name="token_embeddings",
        )
    modules = [transformer, dense, MultiVectorMask(skiplist_words=options.get("skipped", PUNCTUATION))]
    if options.get("normalized", True):
        modules.append(Normalize(module_input_name="token_embeddings"))
    if options.get("pooled"):
        modules.append(HierarchicalTokenPooling(pool_factor=2.0))
    model = MultiVectorEncoder(
        modules=modules,
        device="cpu",
        prompts=options.get("prompts"),
        similarity_fn_name=options.get("similarity_fn_name"),
    )
    model.save(str(folder), create_model_card=False)
    return folder


def pylate(folder: Path) -> Path:
    """As PyLate 1 saves it: Transformer and Dense alone, markers and lengths in config_sentence_transformers.json."""
    multi_vector(folder)
    modules = json.loads((folder / "modules.json").read_text())[:2]
    modules[0]["type"] = "sentence_transformers.models.Transformer"
    modules[1]["type"] = "pylate.models.Dense.Dense"
    (folder / "modules.json").write_text(json.dumps(modules))
    config = {
        "model_type": "ColBERT",
        "query_prefix": "[Q] ",
        "document_prefix": "[D] ",
        "query_length": 10,
        "document_length": 20,
        "do_query_expansion": True,
        "attend_to_expansion_tokens": True,
        "skiplist_words": PUNCTUATION,
        "similarity_fn_name": "MaxSim",
        "prompts": {},
        "default_prompt_name": None,
    }
    (folder / "config_sentence_transformers.json").write_text(json.dumps(config))
    return folder


def colbert(folder: Path) -> Path:
    """ColBERT's own form: BERT and ``linear.weight`` in one safetensors file, settings in artifact.metadata."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny_models.shared().plain, folder)
    weights = load_file(folder / "model.safetensors")
    random = torch.Generator().manual_seed(2)
    named = {f"bert.{name}": values for name, values in weights.items()}
    named["linear.weight"] = torch.randn(DIMENSIONS, 16, generator=random)
    save_file(named, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["HF_ColBERT"]}))
    metadata = {"query_maxlen": 14, "doc_maxlen": 30, "query_token_id": "[CLS]", "doc_token_id": "[SEP]"}
    (folder / "artifact.metadata").write_text(json.dumps(metadata))
    return folder


def masked_language_model(folder: Path, seed: int = 0) -> Path:
    """A plain folder: BERT with its head for masked words."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_models.shared().plain)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=PLAIN_LENGTH,
        initializer_range=0.4,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.BertForMaskedLM(config)
        # Else half of all terms have a weight in each text.
        torch.nn.init.constant_(model.cls.predictions.bias, -3.0)
    model.eval().save_pretrained(folder)
    tokenizer.model_max_length = PLAIN_LENGTH
    tokenizer.save_pretrained(folder)
    return folder


def splade(folder: Path, strategy: str = "max", **options: Any) -> Path:
    """SparseEncoder's own form. ``options``: of ``SparseEncoder``, such as ``max_active_dims``."""
    from sentence_transformers import SparseEncoder

    SparseEncoder(modules=_splade(strategy), device="cpu", **options).save(str(folder), create_model_card=False)
    return folder


def _splade(strategy: str) -> list[Any]:
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    return [Transformer(str(shared().masked), transformer_task="fill-mask"), SpladePooling(strategy)]


def without_inference(folder: Path) -> Path:
    """A Router: a table of weights for questions, SPLADE for passages."""
    import torch
    import transformers
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules import Router
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding

    tokenizer = transformers.AutoTokenizer.from_pretrained(shared().masked)
    weights = torch.rand(len(tokenizer), generator=torch.Generator().manual_seed(4)) - 0.1
    router = Router.for_query_document(
        query_modules=[SparseStaticEmbedding(tokenizer, weights)], document_modules=_splade("max")
    )
    SparseEncoder(modules=[router], device="cpu").save(str(folder), create_model_card=False)
    return folder


def token_id(word: str) -> int:
    found: int = tiny_models.raw_tokenizer().token_to_id(word)
    return found


class Shared:
    """Made once per process."""

    @functools.cached_property
    def masked(self) -> Path:
        return masked_language_model(Path(_home.name) / "masked")

    @functools.cached_property
    def multi_vector(self) -> Path:
        return multi_vector(Path(_home.name) / "multi-vector", EXPANSION)

    @functools.cached_property
    def splade(self) -> Path:
        return splade(Path(_home.name) / "splade")


@functools.cache
def shared() -> Shared:
    return Shared()


_home = tempfile.TemporaryDirectory(prefix="tiny-ragged-models-")
