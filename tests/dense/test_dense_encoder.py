"""Encoders give the vectors that the libraries give, from safetensors, and never run code that comes with a model."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models

from harness.dense.encoder import Encoder, loaded_encoder, resolved_device
from harness.dense.loading import EncoderSettings
from harness.dense.model_places import model_folder
from harness.dense.roles import Role
from harness.errors import InvalidInput
from harness.files import stamps

TEXTS = [
    "The river Volga flows to the sea.",
    "Mikä on korkea?",
    "富士山 fuji",
    "",
    "tea and coffee " * 30,
    "Что такое чай?",
    "½ of the sea… the lake",
]


def encoder_of(path: Path, pooling: Any, *, cosine: bool = False) -> Encoder:
    return Encoder(EncoderSettings(path, pooling, "cosine" if cosine else "dot", "float32", "cpu"))


def cut_at(max_length: int) -> Role:
    return Role("document", max_length=max_length)


def by_transformers(text: str, pooling: str, max_length: int) -> np.ndarray:
    """One text at a time, so that there is no padding to go wrong."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    path = tiny_models.shared().plain
    tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path)
    with torch.no_grad():
        inputs = tokenizer(text, truncation=True, max_length=max_length, return_tensors="pt")
        hidden = model(**inputs).last_hidden_state[0]
    vector = hidden[0] if pooling == "cls" else hidden.mean(0)
    return vector.numpy()


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("max_length", [8, 40])
def test_pooling_equals_a_direct_computation(pooling: str, max_length: int) -> None:
    vectors = encoder_of(tiny_models.shared().plain, pooling).encode(TEXTS, cut_at(max_length))
    assert vectors.dtype == np.float32
    expected = np.stack([by_transformers(text, pooling, max_length) for text in TEXTS])
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


@pytest.mark.parametrize("max_length", [8, 64])
def test_a_sentence_transformer_equals_its_own_encode(max_length: int) -> None:
    from sentence_transformers import SentenceTransformer

    path = tiny_models.shared().sentence
    model = SentenceTransformer(str(path), device="cpu")
    model.max_seq_length = max_length
    vectors = encoder_of(path, "model").encode(TEXTS, cut_at(max_length))
    np.testing.assert_allclose(vectors, model.encode(TEXTS), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_static_embedding_equals_its_own_encode() -> None:
    from sentence_transformers import SentenceTransformer

    path = tiny_models.shared().static
    vectors = encoder_of(path, "model").encode(TEXTS)
    np.testing.assert_allclose(vectors, SentenceTransformer(str(path), device="cpu").encode(TEXTS), atol=1e-5)


@pytest.mark.parametrize("name", ["mini-xdr", "mini-zero-shot"])
def test_shipped_models_give_the_bytes_of_their_own_encode(name: str) -> None:
    """Their weights are in half precision, in which the library averages them."""
    from sentence_transformers import SentenceTransformer

    path = Path(__file__).parents[2] / "systems" / "models" / name
    expected = SentenceTransformer(str(path), device="cpu").encode(TEXTS)
    assert expected.dtype == np.float16
    assert encoder_of(path, "model").encode(TEXTS).tobytes() == expected.astype(np.float32).tobytes()


@pytest.mark.parametrize("text", [TEXTS[4], "…½…½…½ of the sea", "teating " * 5])
@pytest.mark.parametrize("max_length", [1, 3, 5])
def test_a_static_embedding_is_the_mean_of_the_first_tokens(text: str, max_length: int) -> None:
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    path = tiny_models.shared().static
    ids = Tokenizer.from_file(str(path / "tokenizer.json")).encode(text).ids
    assert len(ids) > max_length
    expected = load_file(path / "model.safetensors")["embedding.weight"][ids[:max_length]].mean(0)
    vectors = encoder_of(path, "model").encode(["sea", text], cut_at(max_length))
    np.testing.assert_allclose(vectors[1], expected, atol=1e-6)


@pytest.mark.parametrize(("name", "pooling"), [("plain", "cls"), ("sentence", "model"), ("static", "model")])
def test_what_follows_the_maximum_length_changes_nothing(name: str, pooling: str) -> None:
    encoder = encoder_of(getattr(tiny_models.shared(), name), pooling)
    start = "the river volga flows to the sea and the lake"
    one, two = (encoder.encode([f"{start} {end}"], cut_at(8)) for end in ("green tea", "high mount fuji is long"))
    assert one.tobytes() == two.tobytes()
    assert not np.allclose(one, encoder.encode(["the river"], cut_at(8)))
    assert max(encoder.token_counts([start, "tea"], cut_at(8))) == 8


@pytest.mark.parametrize(("name", "pooling"), [("plain", "mean"), ("static", "model")])
def test_cosine_normalises_and_dot_does_not(name: str, pooling: str) -> None:
    path = getattr(tiny_models.shared(), name)
    texts = [text for text in TEXTS if text]
    raw, cosine = (encoder_of(path, pooling, cosine=chosen).encode(texts, cut_at(32)) for chosen in (False, True))
    norms = np.linalg.norm(raw, axis=1, keepdims=True)
    assert (np.abs(norms - 1) > 0.1).any()
    np.testing.assert_allclose(cosine, raw / norms, atol=1e-6)


def test_the_number_of_tokens_counts_special_ones() -> None:
    encoder = encoder_of(tiny_models.shared().plain, "cls")
    assert encoder.token_counts(["the river volga", "", "tea " * 50], cut_at(20)) == [5, 2, 20]


def test_a_model_in_bfloat16_still_gives_float32() -> None:
    path = tiny_models.shared().plain
    vectors = Encoder(EncoderSettings(path, "cls", "dot", "bfloat16", "cpu")).encode(TEXTS, cut_at(32))
    exact = encoder_of(path, "cls").encode(TEXTS, cut_at(32))
    assert vectors.dtype == np.float32
    assert vectors.tobytes() != exact.tobytes()
    np.testing.assert_allclose(vectors, exact, atol=0.2)


def with_pickled_weights(source: Path, folder: Path) -> Path:
    import torch
    from safetensors.torch import load_file

    shutil.copytree(source, folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder


@pytest.mark.parametrize(("name", "pooling"), [("plain", "cls"), ("sentence", "model"), ("static", "model")])
def test_weights_that_are_only_a_pickle_are_refused(tmp_path: Path, name: str, pooling: str) -> None:
    folder = with_pickled_weights(getattr(tiny_models.shared(), name), tmp_path / "pickled")
    with pytest.raises(InvalidInput, match=r"pickled/pytorch_model\.bin: .*safetensors"):
        encoder_of(folder, pooling)


def test_a_pickle_beside_safetensors_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "both"
    shutil.copytree(tiny_models.shared().plain, folder)
    (folder / "pytorch_model.bin").write_bytes(b"not even a pickle")
    assert encoder_of(folder, "cls").dimensions == 16


def test_code_that_comes_with_a_model_is_refused_and_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "own-code"
    shutil.copytree(tiny_models.shared().sentence, folder)
    modules = json.loads((folder / "modules.json").read_text())
    modules[2]["type"] = "own_module.Own"
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "own_module.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: pass\n")
    with pytest.raises(InvalidInput, match="own_module"):
        encoder_of(folder, "model")
    assert not (tmp_path / "ran").exists()


def test_remote_code_of_a_plain_model_is_refused_and_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "own-code"
    shutil.copytree(tiny_models.shared().plain, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModel": "own.Own"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: pass\n")
    with pytest.raises(InvalidInput, match="own-code"):
        encoder_of(folder, "cls")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("damage", ["no config", "cut weights", "modules.json is no list", "empty folder"])
@pytest.mark.parametrize(("name", "pooling"), [("plain", "cls"), ("sentence", "model")])
def test_a_damaged_model_folder_is_explained(tmp_path: Path, damage: str, name: str, pooling: str) -> None:
    folder = tmp_path / "model"
    if damage == "empty folder":
        folder.mkdir()
    else:
        shutil.copytree(getattr(tiny_models.shared(), name), folder)
    if damage == "no config":
        (folder / "config.json").unlink()
    elif damage == "cut weights":
        (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-100])
    elif damage == "modules.json is no list":
        (folder / "modules.json").write_text('{"a": 1}')
    with pytest.raises(InvalidInput, match="model"):
        encoder_of(folder, pooling)


def test_a_model_that_starts_with_another_kind_of_module_is_refused(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import BoW

    model = SentenceTransformer(modules=[BoW(vocab=["tea", "sea"])], device="cpu")
    model.save(str(tmp_path / "bow"), create_model_card=False)
    with pytest.raises(InvalidInput, match="BoW"):
        encoder_of(tmp_path / "bow", "model")


def test_a_folder_beside_the_card_is_found(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    assert model_folder("tiny", None, tmp_path) == tmp_path / "tiny"
    assert model_folder(str(tmp_path / "tiny"), None, Path("/")) == tmp_path / "tiny"


@pytest.mark.parametrize("model", ["./tiny", "../tiny", "/no/such/folder"])
def test_a_missing_folder_is_named(tmp_path: Path, model: str) -> None:
    with pytest.raises(InvalidInput, match="no model folder"):
        model_folder(model, None, tmp_path)


@pytest.mark.parametrize("model", ["no-such-organisation/no-such-model", "no-such-model", "no/such/model", "a model"])
@pytest.mark.parametrize("offline", [True, False])
def test_a_hub_that_cannot_be_reached_is_explained(
    tmp_path: Path, model: str, offline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants as hub

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    # Its pauses between attempts to reach it.
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    # Nothing listens there.
    monkeypatch.setattr(hub, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InvalidInput, match="neither a folder nor to be had"):
        model_folder(model, "0" * 40, tmp_path)


def test_what_is_in_the_cache_is_used_without_the_hub_which_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import huggingface_hub.constants as hub

    commit = "0" * 40
    snapshot = tmp_path / "models--organisation--model/snapshots" / commit
    snapshot.mkdir(parents=True)
    asked: list[str] = []

    def model_info(self: object, name: str, *, revision: str) -> None:
        asked.append(f"{name}@{revision}")
        raise ConnectionError

    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", model_info)
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("nobody waits for it"))
    assert model_folder("organisation/model", commit, tmp_path) == snapshot
    assert asked == [f"organisation/model@{commit}"]
    assert caplog.text == ""


def test_a_model_whose_terms_were_not_accepted_says_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests
    from huggingface_hub.errors import GatedRepoError

    def snapshot(name: str, **options: object) -> str:
        raise GatedRepoError("no access", response=requests.Response())

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda self, name, *, revision: None)
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    with pytest.raises(InvalidInput, match=r"GatedRepoError\); accept its terms on its page there, and log in"):
        model_folder("organisation/model", "0" * 40, tmp_path)


@pytest.mark.parametrize("revision", [None, "main", "v1.0", "0" * 7, "0" * 64, "0" * 40 + "\n", "G" * 40])
def test_a_hub_model_needs_its_full_commit(tmp_path: Path, revision: str | None) -> None:
    with pytest.raises(InvalidInput, match="needs its `revision`: a full commit of 40 hexadecimal digits"):
        model_folder("organisation/model", revision, tmp_path)


def test_auto_is_a_device_and_any_other_name_is_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolved_device("auto") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolved_device("auto") == "cuda"
    assert resolved_device("cuda:1") == "cuda:1"


def test_an_encoder_is_loaded_once_while_its_files_stay_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "SETTLED_NS", -(10**9))  # as if every file had been changed long ago
    folder = tmp_path / "model"
    shutil.copytree(tiny_models.shared().plain, folder)
    settings = EncoderSettings(folder, "cls", "dot", "float32", "cpu")
    first = loaded_encoder(settings)
    assert loaded_encoder(replace(settings)) is first
    assert loaded_encoder(replace(settings, similarity="cosine")) is not first
    weights = folder / "model.safetensors"
    os.utime(weights, ns=(0, weights.stat().st_mtime_ns + 1))
    assert loaded_encoder(settings) is not first
