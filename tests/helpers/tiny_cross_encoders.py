"""Tiny cross-encoders made from a configuration and a fixed seed, as the folders in which their library saves them."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import tiny_models

POSITIONS = 80
_SPECIAL = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}


def cross_encoder(folder: Path, labels: int = 1, seed: int = 0, family: str = "bert") -> Path:
    """BERT for sequence classification, or FNet, whose layers mix all places of a row, padding too; safetensors."""
    import torch
    import transformers
    from tokenizers.processors import TemplateProcessing

    raw = tiny_models.raw_tokenizer()
    ids = [(name, raw.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    single, pair = "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"
    raw.post_processor = TemplateProcessing(single=single, pair=pair, special_tokens=ids)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=raw, model_max_length=POSITIONS, **_SPECIAL)
    sizes: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 32, "num_labels": labels}
    sizes |= {"vocab_size": len(tokenizer), "max_position_embeddings": POSITIONS, "initializer_range": 0.4}
    kinds = {"bert": (transformers.BertConfig, {"num_attention_heads": 2}), "fnet": (transformers.FNetConfig, {})}
    config, own = kinds[family]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.AutoModelForSequenceClassification.from_config(config(**sizes, **own))
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@functools.cache
def shared() -> Path:
    """One of BERT with one label, made once per process."""
    return cross_encoder(Path(_home.name) / "cross-encoder")


_home = tempfile.TemporaryDirectory(prefix="tiny-cross-encoders-")
