"""Tiny models that generate, made from a configuration and a fixed seed, with a tokenizer trained on the spot."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

from harness.records import Doc

DOCS = [
    Doc(f"d{number:02}", "Volga" if number % 3 else "", "The river flows " + "past lakes and mountains " * (number % 5))
    for number in range(11)
]
_TEXTS = [
    *(f"Generate a Finnish question for this passage: {doc.title} {doc.text}" for doc in DOCS),
    *("Kuinka pitkä on Volga?", "Длина Волги?", "ヴォルガ川の長さは?", "What flows to the sea? Which lakes?"),
]
CHAT = (
    "{% for message in messages %}<user>{{ message['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<bot>{% endif %}"
)
_home = tempfile.TemporaryDirectory(prefix="tiny-generators-")


def _tokenizer(beginning: str) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    special = ["<pad>", "</s>", "<s>", "<user>", "<bot>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    raw.train_from_iterator(
        _TEXTS,
        trainers.BpeTrainer(vocab_size=340, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    template = "$A </s>" if not beginning else f"{beginning} $A"
    ids = [(name, raw.token_to_id(name)) for name in ("</s>", "<s>")]
    raw.post_processor = processors.TemplateProcessing(single=template, special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="</s>", bos_token="<s>")


def _saved(name: str, make: Any, beginning: str) -> Path:
    import torch

    folder = Path(_home.name) / name
    tokenizer = _tokenizer(beginning)
    if beginning:
        tokenizer.chat_template = CHAT
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make(len(tokenizer))
        # Flat scores would make every draw nearly uniform, and steep ones make all samples equal.
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.25)
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@functools.cache
def mt5() -> Path:
    from transformers import MT5Config, MT5ForConditionalGeneration

    def make(vocabulary: int) -> Any:
        return MT5ForConditionalGeneration(
            MT5Config(
                vocab_size=vocabulary, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_decoder_layers=2, num_heads=2,
                pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
            )
        )  # fmt: skip

    return _saved("mt5", make, "")


@functools.cache
def llama() -> Path:
    from transformers import LlamaConfig, LlamaForCausalLM

    def make(vocabulary: int) -> Any:
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=vocabulary, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
                num_key_value_heads=1, max_position_embeddings=512, pad_token_id=0, eos_token_id=1, bos_token_id=2,
            )
        )  # fmt: skip

    return _saved("llama", make, "<s>")


@functools.cache
def gpt2() -> Path:
    from transformers import GPT2Config, GPT2LMHeadModel

    def make(vocabulary: int) -> Any:
        return GPT2LMHeadModel(
            GPT2Config(
                vocab_size=vocabulary, n_embd=16, n_layer=2, n_head=2, n_positions=512,
                pad_token_id=0, eos_token_id=1, bos_token_id=2,
            )
        )  # fmt: skip

    return _saved("gpt2", make, "<s>")
