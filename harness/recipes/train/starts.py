"""What a training begins with: pretrained weights, or a new network and its tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.recipes.train.kinds import MultiVectorModel, RandomWeights, ReaderModel, Seq2SeqModel, TransformerModel

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NetworkModel = TransformerModel | MultiVectorModel | Seq2SeqModel | ReaderModel
_SPECIAL = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}


def write_new_network(model: NetworkModel, tokenizer: Tokenizer, seed: int, folder: Path) -> None:
    """A plain Hugging Face folder: BERT, or mT5 for a seq2seq model, with weights drawn by the seed."""
    import torch
    from transformers import BertConfig, BertModel, MT5Config, MT5ForConditionalGeneration

    assert model.random is not None
    wrapped = _wrapped(model, tokenizer)
    sizes = model.random
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if isinstance(model, Seq2SeqModel):
            network: Any = MT5ForConditionalGeneration(MT5Config(**_sizes_of_mt5(sizes, wrapped)))
        else:
            network = BertModel(BertConfig(**_sizes_of_bert(sizes, wrapped, _longest(model))))
    network.eval()
    network.save_pretrained(folder)
    wrapped.save_pretrained(folder)


def _longest(model: NetworkModel) -> int:
    if isinstance(model, ReaderModel):
        return model.max_length
    assert not isinstance(model, Seq2SeqModel)
    expansion = model.expansion if isinstance(model, MultiVectorModel) else 0
    return max(model.query_length, model.passage_length, expansion)


def _sizes_of_bert(sizes: RandomWeights, tokenizer: Any, positions: int) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": sizes.hidden,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "intermediate_size": 4 * sizes.hidden,
        "max_position_embeddings": positions,
        "initializer_range": sizes.initializer,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _sizes_of_mt5(sizes: RandomWeights, tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "d_model": sizes.hidden,
        "d_kv": sizes.hidden // sizes.heads,
        "d_ff": 4 * sizes.hidden,
        "num_layers": sizes.layers,
        "num_decoder_layers": sizes.layers,
        "num_heads": sizes.heads,
        # The default of 1 begins with a loss many times that of guessing, from which little is learned.
        "initializer_factor": sizes.initializer,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "decoder_start_token_id": tokenizer.pad_token_id,
    }


def _wrapped(model: NetworkModel, tokenizer: Tokenizer) -> Any:
    """The trained pieces with the special ones that the architecture needs, as transformers saves and loads them."""
    from tokenizers import decoders
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    # What is generated is to be read as text again.
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    if isinstance(model, Seq2SeqModel):
        wrapped = PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", eos_token="</s>"
        )
        ends = [("</s>", wrapped.convert_tokens_to_ids("</s>"))]
        wrapped.backend_tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=ends)
        return wrapped
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", model_max_length=_longest(model), **_SPECIAL
    )
    ids = [(name, wrapped.convert_tokens_to_ids(name)) for name in ("[CLS]", "[SEP]")]
    wrapped.backend_tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ids
    )
    return wrapped
