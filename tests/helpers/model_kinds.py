"""Every kind of model folder that is supported, small and untrained, as its library saves it.

Untrained weights are as good as others here: what is compared is how two programs compute with them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import tiny_models

DIMENSIONS = 16


class Kind(NamedTuple):
    """``make`` writes the folder and returns it; ``card``: pooling and truncate_dim, where the folder does not say them."""

    name: str
    make: Callable[[Path], Path]
    pooling: str = "model"
    dimensions: int = DIMENSIONS


def _transformer(folder: Path, config: Any, *, side: str = "right", decoder: bool = False, types: bool = True) -> Path:
    """A plain folder. ``decoder``: no [CLS], the text ends in [SEP]; ``types``: the tokenizer gives token types."""
    import torch
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoModel, PreTrainedTokenizerFast

    raw = tiny_models.raw_tokenizer()
    ids = [(name, raw.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    template = "$A [SEP]" if decoder else "[CLS]:0 $A:0 [SEP]:0"
    raw.post_processor = TemplateProcessing(single=template, special_tokens=ids)
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    inputs = ["input_ids", *(["token_type_ids"] if types else []), "attention_mask"]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, model_max_length=40, padding_side=side, model_input_names=inputs, **names
    )
    config.vocab_size = len(tokenizer)
    config.pad_token_id = tokenizer.pad_token_id
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = AutoModel.from_config(config)
        # Else all weights are near zero, and all vectors alike.
        for name, weights in model.named_parameters():
            if weights.ndim > 1:
                torch.nn.init.normal_(
                    weights, std=0.4 if "embed" in name or "wte" in name or "shared" in name else 0.25
                )
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _config(family: str) -> Any:
    import transformers

    sizes: dict[str, Any] = {"hidden_size": DIMENSIONS, "num_hidden_layers": 2, "num_attention_heads": 2}
    encoder = {**sizes, "intermediate_size": 32, "max_position_embeddings": 64}
    decoder = {**encoder, "num_key_value_heads": 1, "head_dim": 8}
    distilled = {"dim": DIMENSIONS, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 64}
    of_bart = {
        f"{side}_{name}": value
        for side in ("encoder", "decoder")
        for name, value in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 32))
    }
    config, values = {
        "bert": (transformers.BertConfig, encoder),
        "xlm-roberta": (transformers.XLMRobertaConfig, {**encoder, "type_vocab_size": 1}),
        "mpnet": (transformers.MPNetConfig, encoder),
        "distilbert": (transformers.DistilBertConfig, distilled),
        "modernbert": (transformers.ModernBertConfig, encoder),
        # It mixes all places of a batch's row, padding too.
        "fnet": (transformers.FNetConfig, encoder),
        "t5": (transformers.T5Config, {"d_model": DIMENSIONS, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}),
        "bart": (transformers.BartConfig, {"d_model": DIMENSIONS, "max_position_embeddings": 64, **of_bart}),
        "llama": (transformers.LlamaConfig, decoder),
        "qwen3": (transformers.Qwen3Config, decoder),
        "gpt2": (transformers.GPT2Config, {"n_embd": DIMENSIONS, "n_layer": 2, "n_head": 2, "n_positions": 64}),
    }[family]
    return config(**values)


def _plain(family: str, **options: Any) -> Callable[[Path], Path]:
    return lambda folder: _transformer(folder, _config(family), **options)


def _modules(
    folder: Path, modules: list[Any], use: dict[str, Any] | None = None, prompts: dict[str, str] | None = None
) -> Path:
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(modules=modules, device="cpu", prompts=prompts).save(str(folder), create_model_card=False)
    change_use(folder, use or {})
    return folder


def change_use(folder: Path, use: dict[str, Any]) -> None:
    """Keys of config_sentence_transformers.json; None takes one away."""
    path = folder / "config_sentence_transformers.json"
    changed = {**json.loads(path.read_text()), **use}
    path.write_text(json.dumps({key: value for key, value in changed.items() if value is not None}))


def _of(family: str, pooling: Any, *, include_prompt: bool = True, **options: Any) -> Callable[[Path], list[Any]]:
    def made(folder: Path) -> list[Any]:
        from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

        plain = _transformer(folder / "plain", _config(family), **options)
        text = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
        first = Transformer(str(plain), modality_config=text, module_output_name="token_embeddings")
        return [first, Pooling(DIMENSIONS, pooling, include_prompt=include_prompt)]

    return made


def _static(seed: int = 0) -> Any:
    import numpy as np
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    tokenizer = tiny_models.raw_tokenizer()
    weights = np.random.default_rng(seed).normal(size=(tokenizer.get_vocab_size(), DIMENSIONS)).astype(np.float32)
    return StaticEmbedding(tokenizer, embedding_weights=weights)


def _dense(out: int = DIMENSIONS) -> Any:
    import torch
    from sentence_transformers.sentence_transformer.modules import Dense

    with torch.random.fork_rng():
        torch.manual_seed(out)
        return Dense(DIMENSIONS, out, activation_function=torch.nn.Tanh())


def _normalize() -> Any:
    from sentence_transformers.sentence_transformer.modules import Normalize

    return Normalize()


def _saved(
    first: Callable[[Path], list[Any]], more: Callable[[], list[Any]] = list, **use: Any
) -> Callable[[Path], Path]:
    prompts = use.pop("given_prompts", None)
    return lambda folder: _modules(folder, [*first(folder.parent / f"{folder.name}-of"), *more()], use, prompts)


def _router(folder: Path) -> Path:
    from sentence_transformers.sentence_transformer.modules import Router

    document = _of("bert", "cls")(folder.parent / f"{folder.name}-of")
    router = Router.for_query_document(query_modules=[_static(), _dense()], document_modules=document)
    return _modules(folder, [router, _normalize()], prompts={"query": "the river ", "document": "tea: "})


def _router_with_mappings(folder: Path) -> Path:
    from sentence_transformers.sentence_transformer.modules import Router

    home = folder.parent / f"{folder.name}-of"
    sides = {"asks": _of("bert", "mean")(home / "one"), "tells": _of("llama", "lasttoken", decoder=True)(home / "two")}
    mappings = {("query", None): "asks", ("document", "text"): "tells"}
    return _modules(folder, [Router(sides, route_mappings=mappings)])


def _asymmetric_heads(folder: Path) -> Path:
    """As before there was a Router: one transformer, and behind its pooling a head for each side."""
    from sentence_transformers.sentence_transformer.modules import Asym

    heads = Asym({"query": [_dense(8)], "document": [_dense(8), _normalize()]}, allow_empty_key=False)
    return _modules(folder, [*_of("bert", "mean")(folder.parent / f"{folder.name}-of"), heads])


_PROMPTS = {"query": "the river ", "document": "tea and coffee: "}
KINDS = (
    *(Kind(f"plain {family}, cls", _plain(family), "cls") for family in ("bert", "xlm-roberta", "mpnet")),
    *(Kind(f"plain {family}, mean", _plain(family), "mean") for family in ("bert", "distilbert", "modernbert", "t5")),
    Kind("plain bart, mean", _plain("bart"), "mean"),
    Kind("plain fnet, mean", _plain("fnet"), "mean"),
    Kind("plain bert, padded left, cls", _plain("bert", side="left"), "cls"),
    Kind("plain bert, padded left, mean", _plain("bert", side="left"), "mean"),
    Kind("plain xlm-roberta, padded left, cls", _plain("xlm-roberta", side="left"), "cls"),
    Kind("plain bert, padded left, last", _plain("bert", side="left"), "last"),
    *(Kind(f"plain {f}, last", _plain(f, decoder=True), "last") for f in ("llama", "qwen3", "gpt2")),
    *(Kind(f"plain {f}, padded left, last", _plain(f, decoder=True, side="left"), "last") for f in ("llama", "gpt2")),
    Kind("plain mpnet without token types, mean", _plain("mpnet", types=False), "mean"),
    *(
        Kind(f"bert, {pooling}", _saved(_of("bert", pooling)))
        for pooling in ("cls", "mean", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
    ),
    *(
        Kind(f"bert, padded left, {pooling}", _saved(_of("bert", pooling, side="left")))
        for pooling in ("cls", "mean", "max", "weightedmean", "lasttoken")
    ),
    Kind("bert, cls and mean", _saved(_of("bert", ("cls", "mean"))), dimensions=2 * DIMENSIONS),
    Kind("bert, Normalize", _saved(_of("bert", "mean"), lambda: [_normalize()])),
    Kind("bert, Dense", _saved(_of("bert", "mean"), lambda: [_dense(12)]), dimensions=12),
    Kind("bert, Dense, Normalize", _saved(_of("bert", "cls"), lambda: [_dense(), _normalize()])),
    Kind("bert, prompts", _saved(_of("bert", "mean"), prompts=_PROMPTS)),
    Kind(
        "bert, prompts that do not count in pooling",
        _saved(_of("bert", "mean", include_prompt=False), prompts=_PROMPTS),
    ),
    Kind(
        "bert, padded left, prompts that do not count in weighted pooling",
        _saved(_of("bert", "weightedmean", include_prompt=False, side="left"), prompts=_PROMPTS),
    ),
    Kind("bert, truncate_dim", _saved(_of("bert", "mean"), lambda: [_normalize()], truncate_dim=6), dimensions=6),
    Kind("t5, mean", _saved(_of("t5", "mean"))),
    Kind(
        "qwen3, last, prompt of questions", _saved(_of("qwen3", "lasttoken", decoder=True), prompts={"query": "fuji "})
    ),
    Kind("llama, padded left, last", _saved(_of("llama", "lasttoken", decoder=True, side="left"))),
    Kind("gpt2, padded left, mean", _saved(_of("gpt2", "mean", decoder=True, side="left"))),
    Kind("static embedding", _saved(lambda _: [_static()])),
    Kind(
        "static embedding, Normalize, prompts", _saved(lambda _: [_static()], lambda: [_normalize()], prompts=_PROMPTS)
    ),
    Kind("static embedding, Dense", _saved(lambda _: [_static()], lambda: [_dense(8)]), dimensions=8),
    Kind("router of a static embedding and bert", _router),
    Kind("router with mappings", _router_with_mappings),
    Kind("asymmetric heads", _asymmetric_heads, dimensions=8),
)
