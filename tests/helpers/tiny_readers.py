"""Tiny readers made from a configuration and a fixed seed: models with a head for spans, as plain folders of transformers."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import tiny_models

POSITIONS = 48
_SPECIAL = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}


def reader(folder: Path, seed: int = 0, padding_side: str = "right", family: str = "bert") -> Path:
    """BERT, or XLM-RoBERTa, whose positions are counted from behind that of the padding."""
    import torch
    import transformers
    from tokenizers.processors import TemplateProcessing

    raw = tiny_models.raw_tokenizer()
    ids = [(name, raw.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    single, pair = "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"
    raw.post_processor = TemplateProcessing(single=single, pair=pair, special_tokens=ids)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw,
        model_max_length=POSITIONS,
        padding_side=padding_side,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **_SPECIAL,
    )
    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    sizes |= {"vocab_size": len(tokenizer), "max_position_embeddings": POSITIONS, "initializer_range": 0.4}
    config = {
        "bert": lambda: transformers.BertConfig(**sizes),
        "xlm-roberta": lambda: transformers.XLMRobertaConfig(**sizes, pad_token_id=0, type_vocab_size=2),
    }[family]()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.AutoModelForQuestionAnswering.from_config(config)
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@functools.cache
def shared() -> Path:
    """One, made once per process."""
    return reader(Path(_home.name) / "reader")


_home = tempfile.TemporaryDirectory(prefix="tiny-readers-")
