"""Folders of models that would make a library read a pickle, import a class or fetch something: all refused, nothing run."""

from __future__ import annotations

import fnmatch
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models

from harness.adapters.conformance import toy_request
from harness.adapters.consent import Consent, PinnedModel
from harness.adapters.contract import Context
from harness.dense import model_files
from harness.dense.encoder import Encoder
from harness.dense.loading import EncoderSettings
from harness.dense.model_files import check_model_files, code_needed
from harness.errors import InvalidInput, WrongUsage
from harness.files.writing import sha256_of_tree
from systems.dense import Dense


class Bomb:
    """A pickle that leaves a file behind when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


def model(tmp_path: Path, name: str = "sentence") -> Path:
    folder = tmp_path / "model"
    shutil.copytree(getattr(tiny_models.shared(), name), folder)
    return folder


def change(path: Path, alter: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text())
    alter(content)
    path.write_text(json.dumps(content))


def load(folder: Path, pooling: Any = "model") -> Encoder:
    return Encoder(EncoderSettings(folder, pooling, "dot", "float32", "cpu"))


@pytest.mark.parametrize("name", ["plain", "sentence", "static"])
def test_ordinary_models_are_in_order(name: str) -> None:
    folder = getattr(tiny_models.shared(), name)
    check_model_files(folder)
    assert code_needed(folder) is None


@pytest.mark.parametrize("name", ["mini-xdr", "mini-zero-shot"])
def test_shipped_models_are_in_order(name: str) -> None:
    folder = Path(__file__).parents[2] / "systems" / "models" / name
    check_model_files(folder)
    assert code_needed(folder) is None


@pytest.mark.parametrize(
    "file",
    ["pytorch_model.bin", "2_Dense/pytorch_model.bin", "weights.pt", "a/b/model.ckpt", "x.pkl", "1_Pooling/x.npz"],
)
def test_pickles_are_refused_with_the_way_to_convert_them(tmp_path: Path, file: str) -> None:
    folder, mark = model(tmp_path), tmp_path / "ran"
    if "/" not in file:
        (folder / "model.safetensors").unlink()
    else:
        change(folder / "modules.json", lambda modules: modules[2].update(path=file.rpartition("/")[0]))
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(
        InvalidInput, match=rf"model/{file}: .* never from a pickle; convert it .*\.save\('model-safetensors'\)"
    ):
        load(folder)
    assert not mark.exists()
    pickle.loads((folder / file).read_bytes())
    assert mark.exists(), "the bomb would not have gone off anyway"


def test_files_for_other_engines_are_not_minded(tmp_path: Path) -> None:
    folder = model(tmp_path)
    for file in ("openvino/openvino_model.bin", "onnx/model.onnx", "tf_model.h5", "pytorch_model.bin"):
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(b"never read")
    assert load(folder).dimensions == 16


@pytest.mark.parametrize("path", ["..", "../other", "/tmp", "1_Pooling/../.."])
def test_modules_lie_below_their_model(tmp_path: Path, path: str) -> None:
    folder = model(tmp_path)
    change(folder / "modules.json", lambda modules: modules[1].update(path=path))
    with pytest.raises(InvalidInput, match="expected a folder below the model's"):
        load(folder)


def test_a_safetensors_file_of_another_name_does_not_hide_a_pickle(tmp_path: Path) -> None:
    folder = model(tmp_path, "static")
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    with pytest.raises(InvalidInput, match="never from a pickle"):
        load(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name", ["evil.bin", "../other.safetensors", "/tmp/x.safetensors", ".safetensors", "a\n.safetensors"]
)
def test_an_index_names_safetensors_files_beside_it_only(tmp_path: Path, name: str) -> None:
    folder = model(tmp_path, "plain")
    (folder / "model.safetensors").unlink()
    (folder / "evil.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": {"a": name}}))
    with pytest.raises(InvalidInput, match="expected safetensors files beside it"):
        load(folder, "cls")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "kind",
    [
        "own_module.Own",
        "os.system",
        "sentence_transformers.util.misc.importlib",
        "sentence_transformers.base.model.pickle",
        "sentence_transformers.base.modules.module.torch",
        "sentence_transformers.models.WordEmbeddings",
        "sentence_transformers.models.CLIPModel",
        "sentence_transformers_evil.models.Pooling",
        "sentence_transformers.models.Pooling.__class__",
        "sentence_transformers.models.Pooling\n",
        "organisation/repository--own.Own",
    ],
)
def test_modules_are_those_of_sentence_transformers_that_are_known_to_be_harmless(tmp_path: Path, kind: str) -> None:
    folder = model(tmp_path)
    (folder / "own_module.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: pass\n")
    change(folder / "modules.json", lambda modules: modules[2].update(type=kind))
    with pytest.raises(InvalidInput, match=r"code of its own|code from another repository|that is not supported"):
        load(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("auto_map", {"AutoModel": "own.Own"}),
        ("auto_map", {"AutoTokenizer": ["own.Own", None]}),
        ("auto_map", {"AutoModel": "organisation/repository--own.Own"}),
        ("attn_implementation", "organisation/kernel"),
        ("_attn_implementation", "organisation/kernel"),
        ("use_kernels", True),
        ("gguf_file", "x.gguf"),
        ("transformers_weights", "evil.bin"),
    ],
)
def test_a_configuration_cannot_bring_code_or_kernels(tmp_path: Path, key: str, value: Any) -> None:
    folder = model(tmp_path, "plain")
    change(folder / "config.json", lambda config: config.update({key: value}))
    with pytest.raises(
        InvalidInput, match=r"code of its own|code from another repository|the model in model is not loaded"
    ):
        load(folder, "cls")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("sentence_bert_config.json", {"tokenizer_name_or_path": "organisation/other"}),
        ("sentence_bert_config.json", {"model_args": {"attn_implementation": "organisation/kernel"}}),
        ("sentence_bert_config.json", {"model_kwargs": {"allow_all_kernels": True}}),
        ("3_Dense/config.json", {"in_features": 16, "activation_function": "torch.hub.load"}),
        ("3_Dense/config.json", {"in_features": 16, "activation_function": "os.system"}),
        ("adapter_config.json", {"peft_type": "LORA"}),
        ("adapter_config.json", {"base_model_name_or_path": "organisation/other"}),
        ("config.json", [[[{"use_kernels": 1}]]]),
    ],
)
def test_nothing_is_fetched_or_imported_by_name(tmp_path: Path, file: str, content: Any) -> None:
    folder = model(tmp_path)
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(json.dumps(content))
    if isinstance(content, list):
        check_model_files(folder)  # not a configuration: the library says so itself
        return
    with pytest.raises(InvalidInput, match=file):
        check_model_files(folder)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\xff"])
def test_a_file_that_is_not_json_is_named(tmp_path: Path, text: str) -> None:
    folder = model(tmp_path)
    (folder / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidInput, match=r"model/config\.json is not a JSON file"):
        check_model_files(folder)


OWN_MODULE = """
from sentence_transformers.models import Normalize

open({mark!r}, "w")


class Own(Normalize):
    pass
"""


def test_code_of_a_model_runs_for_the_operator_who_names_it_and_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers.dynamic_module_utils as dynamic

    monkeypatch.setattr(dynamic, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder = model(tmp_path)
    (folder / "own_module.py").write_text(OWN_MODULE.format(mark=str(tmp_path / "ran")))
    change(folder / "modules.json", lambda modules: modules[2].update(type="own_module.Own"))
    parameters = Dense.Parameters.model_validate(
        {"model": "model", "revision": "0" * 40, "dtype": "float32"}, context={"folder": tmp_path}
    )
    pinned = PinnedModel("model", sha256_of_tree(folder))
    unnamed = (Consent(), Consent(code=True), Consent(models=frozenset({PinnedModel("model", "0" * 40)})))
    for consent in unnamed:
        context = Context(cache=tmp_path / "cache", work=tmp_path / "work", consent=consent)
        with pytest.raises(WrongUsage, match=f"add --trust-remote-code {pinned}"):
            list(Dense(parameters).search(toy_request(), context))
    assert not (tmp_path / "ran").exists()

    consent = Consent(models=frozenset({pinned}))
    context = Context(cache=tmp_path / "cache", work=tmp_path / "work", consent=consent)
    assert len(list(Dense(parameters).search(toy_request(), context))) == len(toy_request().queries)
    assert (tmp_path / "ran").exists()
    assert context.record.facts["remote code"] == str(pinned)

    (folder / "own_module.py").write_text("raise SystemExit\n")
    with pytest.raises(WrongUsage, match="add --trust-remote-code"):
        list(Dense(parameters).search(toy_request(), context))


def test_code_of_a_hub_model_is_trusted_by_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    import transformers.dynamic_module_utils as dynamic

    folder, asked = model(tmp_path), []
    (folder / "own_module.py").write_text(OWN_MODULE.format(mark=str(tmp_path / "ran")))
    change(folder / "modules.json", lambda modules: modules[2].update(type="own_module.Own"))

    def snapshot(name: str, *, revision: str, allow_patterns: list[str], local_files_only: bool) -> str:
        asked.append((name, revision, allow_patterns))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    monkeypatch.setattr(dynamic, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    commit = "0123456789abcdef" * 2 + "01234567"
    values = {"model": "organisation/model", "revision": commit}
    system = Dense(Dense.Parameters.model_validate(values, context={"folder": tmp_path}))
    assert list(system.missing()) == []
    ((name, revision, patterns),) = asked
    assert (name, revision) == ("organisation/model", commit)
    assert not any(
        fnmatch.fnmatch(file, p) for p in patterns for file in ("pytorch_model.bin", "a.pt", "a.pkl", "a.so")
    )
    with pytest.raises(WrongUsage, match=f"add --trust-remote-code organisation/model@{commit}"):
        list(system.search(toy_request(), Context(cache=tmp_path / "cache", work=tmp_path / "work")))
    consent = Consent(models=frozenset({PinnedModel("organisation/model", commit)}))
    context = Context(cache=tmp_path / "cache", work=tmp_path / "work", consent=consent)
    assert len(list(system.search(toy_request(), context))) == len(toy_request().queries)


def test_a_model_without_weights_says_how_to_convert_a_pickle(tmp_path: Path) -> None:
    folder = model(tmp_path, "plain")
    (folder / "model.safetensors").unlink()
    with pytest.raises(InvalidInput, match=r"it has no safetensors file, and if it comes as a pickle, convert it"):
        load(folder, "cls")


@pytest.mark.parametrize("name", ["config.json", "modules.json", "tokenizer.json", "1_Pooling/config.json"])
@pytest.mark.parametrize("kind", ["pipe", "device", "nothing"])
def test_what_is_no_file_is_refused_and_never_read(tmp_path: Path, name: str, kind: str) -> None:
    folder = model(tmp_path)
    (folder / name).unlink()
    if kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to("/dev/zero" if kind == "device" else "nowhere")
    with pytest.raises(InvalidInput, match=f"model/{name}: "):
        load(folder)


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "a/" * 3000, 5, ["a"], {"a": 1}, "\ud800", "../" + "x" * 300])
def test_a_path_that_is_none_is_named(tmp_path: Path, path: Any) -> None:
    folder = model(tmp_path)
    change(folder / "modules.json", lambda modules: modules[1].update(path=path))
    with pytest.raises(InvalidInput, match=r"model/modules\.json") as error:
        load(folder)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    "weight_map", [{"a": ["b"]}, {"a": {"b": 1}}, {"a": None}, {"a": 5}, {"a": "x" * 5000 + ".safetensors"}]
)
def test_an_index_of_anything_but_names_is_refused(tmp_path: Path, weight_map: Any) -> None:
    folder = model(tmp_path, "plain")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(InvalidInput, match=r"model/model\.safetensors\.index\.json: names "):
        load(folder, "cls")


def test_a_shard_that_an_index_names_and_nobody_fetched_is_named(tmp_path: Path) -> None:
    folder = model(tmp_path, "plain")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InvalidInput, match=r"names 'model-00001-of-00002\.safetensors', which is not there"):
        load(folder, "cls")


def test_a_home_folder_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "MODEL_FILES", 5)
    with pytest.raises(InvalidInput, match="has over 5 files"):
        load(model(tmp_path))


@pytest.mark.parametrize("config", [None, [], {"types": ["a"]}, {"types": {"a": 5}}, {}])
def test_a_router_that_does_not_name_its_modules_is_refused(tmp_path: Path, config: Any) -> None:
    folder = model(tmp_path)
    kind = "sentence_transformers.models.Router"
    change(folder / "modules.json", lambda modules: modules.append({"name": "3", "path": "3_Router", "type": kind}))
    (folder / "3_Router").mkdir()
    if config is not None:
        (folder / "3_Router/router_config.json").write_text(json.dumps(config))
    with pytest.raises(InvalidInput, match=r"3_Router.*no `types` of a router's modules"):
        load(folder)


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ({"a": "own.Own"}, r"code of its own \(own\.Own\)"),
        ({"a": "other/repository--own.Own"}, "code from another repository"),
        ({"../../a": "sentence_transformers.models.Dense"}, "expected a folder below the model's"),
        ({"a": "sentence_transformers.models.BoW"}, r"not supported \('sentence_transformers\.models\.BoW'\)"),
    ],
)
def test_modules_of_a_router_are_held_to_what_modules_are(tmp_path: Path, types: Any, message: str) -> None:
    folder = model(tmp_path)
    (folder / "3_Router").mkdir()
    kind = "sentence_transformers.base.modules.router.Router"
    change(folder / "modules.json", lambda modules: modules.append({"name": "3", "path": "3_Router", "type": kind}))
    (folder / "3_Router/router_config.json").write_text(json.dumps({"types": types, "structure": {}, "parameters": {}}))
    with pytest.raises(InvalidInput, match=message):
        load(folder)


def test_a_hub_model_is_called_by_its_name_not_by_its_commit(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--organisation--model" / "snapshots" / ("0" * 40)
    shutil.copytree(tiny_models.shared().plain, snapshot)
    (snapshot / "model.safetensors").unlink()
    with pytest.raises(
        InvalidInput, match=r"the model in organisation/model cannot be loaded.*let them be fetched"
    ) as error:
        load(snapshot, "cls")
    assert "the model in 0000" not in str(error.value)
