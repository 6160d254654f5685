"""Encoding with mBERT's architecture beside SentenceTransformer.encode, and beside padding everything to 128 tokens.

python benchmarks/encoding.py [--passages 64] [--questions 256]

The weights are random, from mBERT-base's configuration (12 layers, 768 dimensions, 119,547 pieces); the WordPiece vocabulary
is trained on the texts. Texts are English paragraphs of TyDi QA and questions of XOR-TyDi in seven languages where
XDR_TEST_DATA names a folder with these files, elsewhere those of the embedded collection. CLS vectors, at most 128 tokens
for passages and 32 for questions. ``padded`` is what the public pipeline does: every text is padded to the maximum length.
All sides use all cores, take turns, and the shorter of two rounds counts; loading is not timed. Our own batches hold at most
1,024 tokens. Where a row is in bfloat16, it says how far vectors and scores are from those in float32.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from table import Row, print_table
from timing import shortest

from harness.collections.formats.folder import Folder
from harness.collections.mini import HOME, QUERIES
from harness.dense.encoder import Encoder
from harness.dense.encoding import Limits, encode_texts
from harness.dense.loading import EncoderSettings
from harness.dense.roles import Role

TOKEN_BUDGET = 1_024
BATCH = 32
LENGTHS = {"passages": 128, "questions": 32}
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def our_vectors(encoder: Encoder, texts: list[str], role: Role, limits: Limits) -> np.ndarray:
    return encode_texts(encoder, texts, role, limits).vectors


def rows(passages: int = 64, questions: int = 256, layers: int = 12, hidden: int = 768) -> list[Row]:
    """Time all sides. Raises ``RuntimeError`` if their vectors in float32 differ by more than rounding."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    cores = os.cpu_count() or 1
    every = {"passages": texts_of("passages"), "questions": texts_of("questions")}
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = make_model(Path(name), [text for texts in every.values() for text in texts], layers, hidden)
        plain = Encoder(EncoderSettings(folder, "cls", "dot", "float32", "cpu"))
        short = Encoder(EncoderSettings(folder, "cls", "dot", "bfloat16", "cpu"))
        peer = SentenceTransformer(modules=[Transformer(str(folder)), Pooling(hidden, "cls")], device="cpu")
        for kind, count in (("passages", passages), ("questions", questions)):
            texts = random.Random(0).sample(every[kind], min(count, len(every[kind])))
            vectors: dict[str, np.ndarray] = {}
            maximum = peer.max_seq_length = LENGTHS[kind]

            def by(side: str, encode: Callable[[], np.ndarray], vectors: dict[str, np.ndarray] = vectors) -> None:
                # Workers set their own number of threads, and this library's setting is one for all.
                torch.set_num_threads(cores)
                vectors[side] = encode()

            limits, role = Limits(TOKEN_BUDGET, cores), Role("document", max_length=maximum)
            sides: dict[str, Callable[[], np.ndarray]] = {
                "ours": partial(our_vectors, plain, texts, role, limits),
                "bfloat16": partial(our_vectors, short, texts, role, limits),
                "SentenceTransformer.encode": partial(peer.encode, texts, batch_size=BATCH),
                "padded": partial(padded, peer, texts, LENGTHS["passages"]),
            }
            seconds = dict(
                zip(
                    sides,
                    shortest([partial(by, side, encode) for side, encode in sides.items()], rounds=2),
                    strict=True,
                )
            )
            # Padding changes sums by rounding alone; the padded side cuts long questions later, so it is not compared.
            if not np.allclose(vectors["ours"], vectors["SentenceTransformer.encode"], atol=1e-3):
                raise RuntimeError("the vectors are not those of SentenceTransformer.encode")
            mean = np.mean(plain.token_counts(texts, role))
            what = f"encoding {len(texts):,} {kind} of {mean:.0f} tokens on average"
            effect = effect_of(vectors["ours"], vectors["bfloat16"])
            for name_of_peer, shown in (("SentenceTransformer.encode", ""), ("padded", " to 128 tokens, float32")):
                peer_seconds, title = seconds[name_of_peer], name_of_peer + shown
                found.append(Row(f"{what}, float32", seconds["ours"], title, peer_seconds))
                found.append(Row(f"{what}, bfloat16 ({effect})", seconds["bfloat16"], title, peer_seconds))
    return found


def padded(model: object, texts: list[str], length: int) -> np.ndarray:
    """CLS vectors, every text padded to ``length`` tokens, in batches as they come."""
    import torch

    transformer, tokenizer = model[0].auto_model, model.tokenizer  # type: ignore[index, attr-defined]
    vectors = []
    with torch.inference_mode():
        for start in range(0, len(texts), BATCH):
            batch = tokenizer(
                texts[start : start + BATCH],
                padding="max_length",
                truncation=True,
                max_length=length,
                return_tensors="pt",
            )
            vectors.append(transformer(**batch).last_hidden_state[:, 0].numpy())
    return np.concatenate(vectors)


def effect_of(exact: np.ndarray, rounded: np.ndarray) -> str:
    """How far the vectors move, and the scores of all pairs of texts."""
    moved = np.linalg.norm(rounded - exact, axis=1) / np.linalg.norm(exact, axis=1)
    scores = exact @ exact.T
    changed = np.abs(rounded @ rounded.T - scores) / np.abs(scores)
    return f"vectors move by {moved.mean():.1%} of their length on average, scores by {changed.mean():.1%}"


def texts_of(kind: str) -> list[str]:
    folder = os.environ.get("XDR_TEST_DATA")
    if folder is None:
        if kind == "passages":
            return [doc.text for doc in Folder(HOME).docs]
        return list(dict.fromkeys(row["text"] for row in map(json.loads, QUERIES.read_text("utf-8").splitlines())))
    if kind == "passages":
        data = json.loads((Path(folder) / "tydiqa-goldp/tydiqa.goldp.en.train.json").read_text("utf-8"))["data"]
        return list(dict.fromkeys(paragraph["context"] for article in data for paragraph in article["paragraphs"]))
    lines = (Path(folder) / "xor-tydi/xor_dev_retrieve_eng_span_v1_1.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["question"] for line in lines if line]


def make_model(folder: Path, texts: list[str], layers: int, hidden: int) -> Path:
    """A Hugging Face folder of a BERT with random weights, and a WordPiece tokenizer trained on ``texts``."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    raw = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    raw.normalizer = normalizers.BertNormalizer(lowercase=False)
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=119_547, special_tokens=list(SPECIAL), show_progress=False)
    raw.train_from_iterator(texts, trainer)
    ids = [(name, raw.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    raw.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ids)
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, model_max_length=512, **names)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": hidden // 64}
        model = BertModel(BertConfig(vocab_size=119_547, intermediate_size=4 * hidden, **sizes))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=64)
    parser.add_argument("--questions", type=int, default=256)
    print_table(rows(**vars(parser.parse_args())))
    print(f"\nload {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
