"""No file of this project unpickles, evaluates or renders what it reads; what a stranger writes stays text."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from yaml.constructor import SafeConstructor

from harness.adapters.card import load_card
from harness.errors import InvalidInput
from harness.files.package import package_root
from harness.files.plain_yaml import FastLoader, PythonLoader
from harness.leaderboard.site.environment import templates
from harness.runs.manifest import FILE_NAME, read_manifest

SOURCES = sorted(p for folder in ("harness", "systems", "benchmarks") for p in (package_root() / folder).rglob("*.py"))
UNPICKLING = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
CALLS = {
    "eval",
    "exec",
    "compile",
    "os.system",
    "os.popen",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "torch.load",
}
PLAIN_YAML = {"FastLoader", "PythonLoader"}
METHODS = {"from_string", "load_module", "read_pickle", "to_pickle"}


def calls_of(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def faults(text: str) -> list[str]:
    """What a source file does that no file of ours may do."""
    tree, found = ast.parse(text), []
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [f"import {name}" for name in names if name.partition(".")[0] in UNPICKLING]
    for name, call in calls_of(tree):
        options = {word.arg: ast.unparse(word.value) for word in call.keywords}
        is_plain = name == "yaml.load" and options.get("Loader") in PLAIN_YAML
        if not is_plain and (name in CALLS or (name.rpartition(".")[2] in METHODS and "." in name)):
            found.append(name)
        if options.get("shell", "False") != "False" or options.get("allow_pickle", "False") != "False":
            found.append(f"{name} with {options}")
        if name in ("np.load", "numpy.load") and "allow_pickle" not in options:
            found.append(f"{name} without allow_pickle=False")
        if options.get("trust_remote_code") == "True" or options.get("autoescape", "True") != "True":
            found.append(f"{name} with {options}")
    return found


@pytest.mark.parametrize("loader", [FastLoader, PythonLoader])
def test_a_yaml_loader_makes_plain_values_alone(loader: Any) -> None:
    assert issubclass(loader, SafeConstructor)
    tags = {tag for tag in loader.yaml_constructors if tag is not None}
    assert tags == {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")}
    assert not loader.yaml_multi_constructors


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(package_root()).as_posix())
def test_a_source_file_reads_no_pickle_and_evaluates_nothing(path: Path) -> None:
    assert faults(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "from dill import loads",
        "eval('1')",
        "yaml.load(text, Loader=yaml.Loader)",
        "environment.from_string(title)",
        "subprocess.run(text, shell=True)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "Environment(autoescape=False)",
        "torch.load(path)",
        "def inside():\n    import shelve",
    ],
)
def test_the_search_finds_what_it_looks_for(text: str) -> None:
    assert faults(text)


@pytest.mark.parametrize(
    "path", sorted((package_root() / "harness/leaderboard/site/templates").glob("*.html")), ids=lambda p: p.name
)
def test_no_template_takes_text_for_markup(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "|safe" not in text.replace(" ", "")
    assert "autoescape false" not in text


def test_templates_escape_and_text_is_no_template() -> None:
    environment = templates()
    assert environment.autoescape is True
    hostile = "{{ 7 * 7 }}<script>alert(1)</script>{% include 'base.html' %}"
    shown = environment.overlay().compile_expression("text|e", undefined_to_none=False)(text=hostile)
    assert str(shown) == "{{ 7 * 7 }}&lt;script&gt;alert(1)&lt;/script&gt;{% include &#39;base.html&#39; %}"


@pytest.mark.parametrize(
    "value",
    [
        '!!python/object/apply:os.system ["touch {mark}"]',
        "!!python/object/new:pathlib.Path [x]",
        "!!python/name:os.system",
        "!!python/module:os",
        "!own text",
    ],
)
def test_a_manifest_with_tags_is_refused_and_nothing_is_made_of_them(tmp_path: Path, value: str) -> None:
    shutil.copy(package_root() / "runs/mini/bm25" / FILE_NAME, tmp_path)
    path, mark = tmp_path / FILE_NAME, tmp_path / "ran"
    assert read_manifest(tmp_path).tag == "bm25"
    path.write_text(path.read_text("utf-8") + f"extra: {value.format(mark=mark)}\n")
    with pytest.raises(InvalidInput, match="is not a YAML file"):
        read_manifest(tmp_path)
    assert not mark.exists()


def test_a_card_is_text_whatever_it_says(tmp_path: Path) -> None:
    title = "{{ cycler.__init__.__globals__.os }} ${HOME} `id` !!python/name:os.system"
    (tmp_path / "card.toml").write_text(f"schema_version = 1\nname = 'x'\ntitle = '{title}'\nadapter = 'bm25'\n")
    assert load_card(str(tmp_path / "card.toml")).card.title == title
