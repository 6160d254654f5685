"""A model's files, held against what may be read: safetensors, and no code but that of the installed libraries.

The libraries' own switches (``use_safetensors``, ``trust_remote_code``) leave gaps that a folder's files can use: modules
that read ``pytorch_model.bin``, an index that names a pickle, class names that are imported, kernels and tokenizers from
elsewhere. What is not known to be harmless is refused here, before a library sees the folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import Finding, InvalidInput

_MAX_JSON_BYTES = 16 << 20
_PICKLES = frozenset(
    {".bin", ".ckpt", ".dill", ".h5", ".joblib", ".msgpack", ".npy", ".npz", ".pickle", ".pkl", ".pt", ".pth"}
)
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_MODULE = re.compile(
    r"sentence_transformers\.(?:models|base\.modules|sentence_transformer\.modules)(?:\.[a-z_]+)*"
    r"\.(?:Dense|Dropout|LayerNorm|Normalize|Pooling|StaticEmbedding|Transformer|WeightedLayerPooling)"
)
_ACTIVATION = re.compile(r"torch\.nn\.modules\.(?:activation|linear)\.[A-Za-z]+")
_ELSEWHERE = (
    *("allow_all_kernels", "base_model_name_or_path", "gguf_file", "tokenizer_name_or_path"),
    *("transformers_weights", "use_kernels"),
)


def check_model_files(folder: Path, auto_class: str = "AutoModel") -> None:
    """Raises ``InvalidInput``, all findings in one report, where files could make a library read what it should not.

    ``auto_class``: the class of transformers that is to load the model, for what is said about pickles.
    """
    findings = [*_pickles(folder, auto_class), *_indexes(folder)]
    for path, config in _configs(folder):
        findings += [Finding("error", _shown(folder, path), what, expected) for what, expected in _faults(config)]
    if (folder / "adapter_config.json").is_file():
        merge = "merge the adapter into its model and save that"
        findings.append(Finding("error", f"{folder.name}/adapter_config.json", "weights of another model", "", merge))
    if findings:
        raise InvalidInput(f"the model in {folder.name} is not loaded", findings)


def missing_weights(folder: Path, auto_class: str = "AutoModel") -> str:
    """What to say of a folder without any safetensors file, as of a hub model that is published as a pickle; else empty."""
    if any(folder.rglob("*.safetensors")):
        return ""
    return f"; it has no safetensors file, and if it comes as a pickle, {_convert(folder, auto_class)}"


def code_needed(folder: Path) -> str | None:
    """The name of a class that comes with the model, or that it takes from elsewhere; None where it needs none.

    A model that names classes of its own is not what the libraries' class of the same ``model_type`` would make of it,
    so that such names count even where a library would go on without them. Raises ``InvalidInput`` for code of a
    further repository, which no revision of the model pins.
    """
    named = list(_named_classes(folder))
    if foreign := [name for name in named if "--" in name]:
        raise InvalidInput(
            f"the model in {folder.name} takes code from another repository ({foreign[0]}), whose revision nothing pins; "
            "copy that code into the model's own folder and change auto_map"
        )
    return next((name for name in named if not _MODULE.fullmatch(name)), None)


def _modules(folder: Path) -> list[Mapping[str, Any]]:
    path = folder / "modules.json"
    modules = _read_json(path) if path.is_file() else []
    if not (isinstance(modules, list) and all(isinstance(m, Mapping) and "type" in m for m in modules)):
        raise InvalidInput(f"{folder.name}/modules.json is not a list of modules with their types")
    return modules


def _named_classes(folder: Path) -> Iterator[str]:
    yield from (str(module["type"]) for module in _modules(folder))
    for _, config in _configs(folder):
        own = config.get("auto_map")
        for value in own.values() if isinstance(own, Mapping) else []:
            yield from (str(name) for name in (value if isinstance(value, list) else [value]) if name)


def _pickles(folder: Path, auto_class: str) -> Iterator[Finding]:
    """Files of weights that a library would fall back to where there is no safetensors file of the name it looks for.

    Libraries look in the model's folder and in those of its modules; exports for other engines may lie beside them.
    """
    places = {folder}
    for module in _modules(folder):
        place = folder / str(module.get("path") or "")
        if not place.resolve().is_relative_to(folder.resolve()):
            yield Finding(
                "error", f"{folder.name}/modules.json", f"path {module['path']!r}", "a folder below the model's"
            )
        elif place.is_dir():
            places.add(place)
    for path in sorted(path for place in places for path in place.iterdir()):
        if path.suffix in _PICKLES and not any((path.parent / name).is_file() for name in _WEIGHTS):
            what = "weights are read from safetensors only, never from a pickle"
            yield Finding("error", _shown(folder, path), what, "", _convert(folder, auto_class))


def _convert(folder: Path, auto_class: str) -> str:
    name, target = repr(folder.name), repr(f"{folder.name}-safetensors")
    plain = f"{auto_class}.from_pretrained({name}).save_pretrained({target}) and the same with AutoTokenizer"
    if auto_class != "AutoModel":
        return f"convert it where you trust it, with {plain}"
    return f"convert it where you trust it, with SentenceTransformer({name}).save({target}), or for a plain encoder {plain}"


def _indexes(folder: Path) -> Iterator[Finding]:
    for path in sorted(folder.rglob("*.index.json")):
        index = _read_json(path)
        weights = index.get("weight_map") if isinstance(index, Mapping) else None
        names = set(weights.values()) if isinstance(weights, Mapping) else set()
        for name in sorted(map(str, names)):
            if not re.fullmatch(r"[\w-][\w.-]*\.safetensors", name):
                yield Finding("error", _shown(folder, path), f"names {name!r}", "safetensors files beside it")


def _configs(folder: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for path in sorted(folder.rglob("*config*.json")):
        content = _read_json(path)
        if isinstance(content, Mapping):
            yield path, content


def _faults(value: Any) -> Iterator[tuple[str, str]]:
    """What a configuration says that would make a library fetch or import something, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from _faults(item)
    if not isinstance(value, Mapping):
        return
    for key, item in value.items():
        if key in _ELSEWHERE and item:
            yield f"{key} = {item!r:.80}", "a model that is complete in its folder, without this key"
        elif key in ("attn_implementation", "_attn_implementation") and isinstance(item, str) and "/" in item:
            yield f"{key} = {item!r:.80}", "an implementation of the installed libraries, no kernel from a hub"
        elif key == "activation_function" and isinstance(item, str) and "." in item and not _ACTIVATION.fullmatch(item):
            yield f"{key} = {item!r:.80}", "an activation of torch.nn"
        yield from _faults(item)


def _read_json(path: Path) -> Any:
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise InvalidInput(f"{path.parent.name}/{path.name} is larger than {_MAX_JSON_BYTES} bytes, which none is")
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise InvalidInput(f"{path.parent.name}/{path.name} is not a JSON file: {error}") from error


def _shown(folder: Path, path: Path) -> str:
    return f"{folder.name}/{path.relative_to(folder).as_posix()}"
