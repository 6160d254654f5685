"""Tiny encoders made from a configuration and a fixed seed, as the folders in which the ecosystem ships them.

They know nothing; they are there so that what the harness computes can be compared with what the libraries compute.
"""

from __future__ import annotations

import functools
import string
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

MAX_LENGTH = 160
_WORDS = (
    *(
        "the",
        "river",
        "volga",
        "nile",
        "sea",
        "lake",
        "mount",
        "fuji",
        "tea",
        "coffee",
        "green",
        "high",
        "long",
        "metres",
    ),
    *("from", "made", "is", "in", "of", "and", "flows", "to", "kuinka", "pitkä", "on", "mikä", "korkea"),
)
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def raw_tokenizer() -> Any:
    """A WordPiece tokenizer that knows a few words and, for all others, single characters of Latin, Cyrillic, kana."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    letters = (
        string.ascii_lowercase + string.digits + "äöåабвгдежзийклмнопрстуфхцчшщъыьэюяぁあいうえおかきくけこ.,?!'-½…"
    )
    pieces = [*_SPECIAL, *_WORDS, *letters, *(f"##{letter}" for letter in letters), "##ing", "##er"]
    vocabulary = {piece: place for place, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _tokenizer() -> Any:
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    raw = raw_tokenizer()
    ids = [(name, raw.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    raw.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ids)
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), _SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=raw, model_max_length=MAX_LENGTH, **names)


def bert(folder: Path, seed: int = 0, dimensions: int = 16, layers: int = 2) -> Path:
    """A plain Hugging Face folder: layers of BERT with two heads, WordPiece, safetensors."""
    import torch
    from transformers import BertConfig, BertModel

    tokenizer = _tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=dimensions,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=2 * dimensions,
        max_position_embeddings=MAX_LENGTH,
        initializer_range=0.3,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertModel(config)
    model.eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def sentence_transformer(folder: Path, plain: Path) -> Path:
    """A sentence-transformers folder around the plain model: Transformer, mean pooling, normalisation."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer

    transformer = Transformer(str(plain), max_seq_length=64)
    pooling = Pooling(16, pooling_mode="mean")
    SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu").save(
        str(folder), create_model_card=False
    )
    return folder


def static_embedding(folder: Path, seed: int = 0, dimensions: int = 16) -> Path:
    """A sentence-transformers folder with one StaticEmbedding module."""
    import numpy as np
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding

    tokenizer = raw_tokenizer()
    weights = np.random.default_rng(seed).normal(size=(tokenizer.get_vocab_size(), dimensions)).astype(np.float32)
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu").save(
        str(folder), create_model_card=False
    )
    return folder


class Models(NamedTuple):
    """The three folders, made once per process."""

    plain: Path
    sentence: Path
    static: Path


@functools.cache
def shared() -> Models:
    folder = Path(_home.name)
    plain = bert(folder / "plain")
    return Models(plain, sentence_transformer(folder / "sentence", plain), static_embedding(folder / "static"))


_home = tempfile.TemporaryDirectory(prefix="tiny-models-")
