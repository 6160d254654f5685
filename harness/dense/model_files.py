"""A model's files, held against what may be read: safetensors, and no code but that of the installed libraries.

The libraries' own switches (``use_safetensors``, ``trust_remote_code``) leave gaps that a folder's files can use: modules
that read ``pytorch_model.bin``, an index that names a pickle, class names that are imported, kernels and tokenizers from
elsewhere, pipes that nothing is ever written to. What is not known to be harmless is refused here, before a library sees
the folder.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from harness.errors import Finding, InvalidInput
from harness.files.limits import MODEL_FILES, MODEL_JSON_BYTES
from harness.files.reading import read_bytes

_PICKLES = frozenset(
    {".bin", ".ckpt", ".dill", ".h5", ".joblib", ".msgpack", ".npy", ".npz", ".pickle", ".pkl", ".pt", ".pth"}
)
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_PLACES = (
    r"sentence_transformers\.(?:models|base\.modules|(?:sentence_transformer|multi_vector_encoder)\.modules"
    r"|sparse_encoder\.(?:models|modules))(?:\.[a-z_]+)*"
)
_KNOWN = (
    *("Asym", "Dense", "Dropout", "LayerNorm", "Normalize", "Pooling", "Router", "StaticEmbedding", "Transformer"),
    *("WeightedLayerPooling", "MultiVectorMask", "HierarchicalTokenPooling"),
    *("MLMTransformer", "SparseAutoEncoder", "SparseStaticEmbedding", "SpladePooling"),
)
# PyLate's own layer is read as that of sentence-transformers.
_MODULE = re.compile(rf"{_PLACES}\.(?:{'|'.join(_KNOWN)})|pylate\.models\.Dense\.Dense")
_ROUTER = re.compile(_PLACES + r"\.(?:Asym|Router)")
_LIBRARIES = ("sentence_transformers", "transformers")
_ACTIVATION = re.compile(r"torch\.nn\.modules\.(?:activation|linear)\.[A-Za-z]+")
_ELSEWHERE = (
    *("allow_all_kernels", "base_model_name_or_path", "gguf_file", "tokenizer_name_or_path"),
    *("transformers_weights", "use_kernels"),
)
_ROUTERS_DEEP = 4
_PATH_LENGTH, _NAME_BYTES = 1024, 255


class Module(NamedTuple):
    """One module of a sentence-transformers model: the file that names it, its folder there, and its class."""

    named_in: str
    path: str
    type: str


def model_name(folder: Path) -> str:
    """A model's name for people: the folder's, or of a snapshot in the hub's cache the repository's.

    >>> model_name(Path("models--org--name/snapshots/0123abc")), model_name(Path("models/mine"))
    ('org/name', 'mine')
    """
    repository = folder.parent.parent.name
    if folder.parent.name == "snapshots" and repository.startswith("models--"):
        return repository.removeprefix("models--").replace("--", "/")
    return folder.name


def check_model_files(folder: Path, auto_class: str = "AutoModel") -> None:
    """Raises ``InvalidInput``, all findings in one report, where files could make a library read what it should not.

    ``auto_class``: the class of transformers that is to load the model, for what is said about pickles.
    """
    findings = [*_strange_files(folder)]
    # What is a pipe or lies nowhere is not read for more findings.
    if not findings:
        findings = [*_places_of_modules(folder), *_pickles(folder, auto_class), *_indexes(folder)]
        findings += _weights_by_name(folder)
        for path, config in _configs(folder):
            findings += [Finding("error", _shown(folder, path), what, expected) for what, expected in _faults(config)]
        if (folder / "adapter_config.json").is_file():
            merge = "merge the adapter into its model and save that"
            findings.append(
                Finding("error", f"{model_name(folder)}/adapter_config.json", "weights of another model", "", merge)
            )
    if findings:
        raise InvalidInput(f"the model in {model_name(folder)} is not loaded", findings)


def missing_weights(folder: Path, auto_class: str = "AutoModel") -> str:
    """What to say of a folder without any safetensors file, as of a hub model that is published as a pickle; else empty."""
    if any(folder.rglob("*.safetensors")):
        return ""
    said = f"; it has no safetensors file, and if it comes as a pickle, {_convert(folder, auto_class)}"
    if model_name(folder) != folder.name:
        said += "; if its safetensors files are missing from this machine's cache alone, let them be fetched again"
    return said


def code_needed(folder: Path) -> str | None:
    """The name of a class that comes with the model, or that it takes from elsewhere; None where it needs none.

    A model that names classes of its own is not what the libraries' class of the same ``model_type`` would make of it,
    so that such names count even where a library would go on without them. Raises ``InvalidInput`` for code of a
    further repository, which no revision of the model pins, and for a module of the libraries that is not used here.
    """
    named = list(_named_classes(folder))
    if foreign := [name for name in named if "--" in name]:
        raise InvalidInput(
            f"the model in {model_name(folder)} takes code from another repository ({foreign[0]!r:.200}), whose revision "
            "nothing pins; copy that code into the model's own folder and change auto_map"
        )
    unknown = [name for name in named if not _MODULE.fullmatch(name)]
    if unused := [name for name in unknown if name.partition(".")[0] in _LIBRARIES]:
        raise InvalidInput(
            f"the model in {model_name(folder)} has a module that is not supported ({unused[0]!r:.200}); supported are "
            f"{', '.join(_KNOWN[1:])} of sentence-transformers"
        )
    return next(iter(unknown), None)


def modules_of(folder: Path) -> list[Module]:
    """The modules that modules.json names, and those that its routers name; none where it is a plain model.

    Raises ``InvalidInput`` where one of these files is not what sentence-transformers writes.
    """
    path = folder / "modules.json"
    if not path.is_file():
        return []
    named_in = f"{model_name(folder)}/modules.json"
    modules = read_model_json(path)
    if not (isinstance(modules, list) and modules and all(_is_module(module) for module in modules)):
        raise InvalidInput(f"{named_in} is not a list of modules, each with its type, name and path as texts")
    top = [Module(named_in, module.get("path") or "", module["type"]) for module in modules]
    return [found for module in top for found in (module, *_routed(folder, module, _ROUTERS_DEEP))]


def _is_module(module: Any) -> bool:
    return (
        isinstance(module, Mapping)
        and isinstance(module.get("type"), str)
        and isinstance(module.get("path", ""), str | None)
    )


def _routed(folder: Path, router: Module, depth: int) -> Iterator[Module]:
    if not _ROUTER.fullmatch(router.type) or _below(folder, router.path) is None:
        return
    if not depth:
        raise InvalidInput(f"{router.named_in} has routers inside of routers, more than {_ROUTERS_DEEP} deep")
    home = folder / router.path
    file = next((home / name for name in ("router_config.json", "config.json") if (home / name).is_file()), None)
    config = read_model_json(file) if file is not None else None
    types = config.get("types") if isinstance(config, Mapping) else None
    named_in = _shown(folder, file) if file is not None else f"{router.named_in}, {router.path or '.'}"
    if not (isinstance(types, Mapping) and all(isinstance(kind, str) for kind in types.values())):
        raise InvalidInput(f"{named_in}: no `types` of a router's modules, as sentence-transformers writes them")
    for name, kind in types.items():
        # A route's folder lies in the router's; what is not a folder's name is reported with the modules' paths.
        module = Module(named_in, f"{router.path}/{name}".removeprefix("/"), kind)
        yield module
        yield from _routed(folder, module, depth - 1)


def _below(folder: Path, path: str) -> Path | None:
    """The place of that relative path; None where it is no path, or leads out of the folder."""
    if "\0" in path or path.startswith("/") or ".." in PurePosixPath(path).parts or len(path) > _PATH_LENGTH:
        return None
    try:
        if any(len(os.fsencode(part)) > _NAME_BYTES for part in PurePosixPath(path).parts):
            return None
        place = folder / path
        # A snapshot of the hub is a folder of links, its folders are none.
        return place if place.resolve().is_relative_to(folder.resolve()) else None
    except (OSError, ValueError, RuntimeError):
        return None


def _places_of_modules(folder: Path) -> Iterator[Finding]:
    for module in modules_of(folder):
        if _below(folder, module.path) is None:
            yield Finding("error", module.named_in, f"path {module.path!r:.200}", "a folder below the model's")


def _weights_by_name(folder: Path) -> Iterator[Finding]:
    """Weights of words that a library would look for in the current folder first, and then on a hub."""
    for module in modules_of(folder):
        place = _below(folder, module.path)
        path = place / "config.json" if place is not None else None
        if not module.type.endswith(".SparseStaticEmbedding") or path is None or not path.is_file():
            continue
        config = read_model_json(path)
        if isinstance(config, Mapping) and config.get("path"):
            what = f"path = {config['path']!r:.200}"
            yield Finding("error", _shown(folder, path), what, "its weights in its own model.safetensors")


def _strange_files(folder: Path) -> Iterator[Finding]:
    """Pipes, devices and sockets, which a library would read for ever. Raises ``InvalidInput`` for far too many files."""
    count = 0
    for home, folders, files in os.walk(folder):
        count += len(folders) + len(files)
        if count > MODEL_FILES:
            raise InvalidInput(f"the model in {model_name(folder)} has over {MODEL_FILES:,} files, which none has")
        for name in sorted(files):
            path = Path(home) / name
            try:
                mode = path.stat().st_mode
            except OSError as error:
                yield Finding("error", _shown(folder, path), f"cannot be read: {error.strerror}", "a file")
                continue
            if not stat.S_ISREG(mode):
                yield Finding("error", _shown(folder, path), "a pipe, a device or a socket", "a file")


def _named_classes(folder: Path) -> Iterator[str]:
    yield from (module.type for module in modules_of(folder))
    for _, config in _configs(folder):
        own = config.get("auto_map")
        for value in own.values() if isinstance(own, Mapping) else []:
            yield from (str(name) for name in (value if isinstance(value, list) else [value]) if name)


def _pickles(folder: Path, auto_class: str) -> Iterator[Finding]:
    """Files of weights that a library would fall back to where there is no safetensors file of the name it looks for.

    Libraries look in the model's folder and in those of its modules; exports for other engines may lie beside them.
    """
    named = (_below(folder, module.path) for module in modules_of(folder))
    places = {folder, *(place for place in named if place is not None and place.is_dir())}
    for path in sorted(path for place in places for path in place.iterdir()):
        if path.suffix in _PICKLES and not any((path.parent / name).is_file() for name in _WEIGHTS):
            what = "weights are read from safetensors only, never from a pickle"
            yield Finding("error", _shown(folder, path), what, "", _convert(folder, auto_class))


def _convert(folder: Path, auto_class: str) -> str:
    name, target = repr(model_name(folder)), repr(f"{model_name(folder).replace('/', '-')}-safetensors")
    plain = f"{auto_class}.from_pretrained({name}).save_pretrained({target}) and the same with AutoTokenizer"
    if auto_class != "AutoModel":
        return f"convert it where you trust it, with {plain}"
    return f"convert it where you trust it, with SentenceTransformer({name}).save({target}), or for a plain encoder {plain}"


def _indexes(folder: Path) -> Iterator[Finding]:
    for path in sorted(folder.rglob("*.index.json")):
        index = read_model_json(path)
        weights = index.get("weight_map") if isinstance(index, Mapping) else None
        if not isinstance(weights, Mapping):
            continue
        for name in sorted({str(name) for name in weights.values()}):
            if not re.fullmatch(r"[\w-][\w.-]*\.safetensors", name):
                yield Finding("error", _shown(folder, path), f"names {name!r:.200}", "safetensors files beside it")
            # Path.is_file would raise for a name of 5,000 characters.
            elif not os.path.isfile(path.parent / name):  # noqa: PTH113
                yield Finding("error", _shown(folder, path), f"names {name!r:.200}, which is not there")


def _configs(folder: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for path in sorted(folder.rglob("*config*.json")):
        content = read_model_json(path)
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


def read_model_json(path: Path) -> Any:
    """A JSON file of a model. Raises ``InvalidInput``: not JSON, not a file, larger than any such file is."""
    where = f"{model_name(path.parent)}/{path.name}"
    try:
        # Not `parse_json`: tokenizers write numbers of a hundred bits for "no maximum".
        return json.loads(read_bytes(path, MODEL_JSON_BYTES))
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{where} is not a JSON file: {error}") from error


def _shown(folder: Path, path: Path) -> str:
    return f"{model_name(folder)}/{path.relative_to(folder).as_posix()}"
