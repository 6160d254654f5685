"""Plug-ins by name: those of others beside our own, clashes, and what cannot be imported."""

from __future__ import annotations

from pathlib import Path

import pytest
from distributions import install

from harness.errors import InvalidInput, WrongUsage
from harness.recipes.generate.load import load_recipe
from harness.registry import Plugins

THINGS = Plugins("thing", "xdr.things")
MODULES = {"their_things.py": "ONE = 1\nTWO = 2\n", "their_worse.py": "raise SystemExit('no')\n"}


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    things = {"one": "their_things:ONE", "two": "their_things:TWO", "worse": "their_worse", "lost": "their_things:LOST"}
    install(tmp_path, "their-things", MODULES, {"xdr.things": things}, monkeypatch)
    return tmp_path


@pytest.mark.usefixtures("theirs")
def test_what_others_declare_is_found_and_says_where_from() -> None:
    assert THINGS.find("one") == 1
    assert THINGS.find("three") is None
    assert THINGS.get("two") == 2
    assert THINGS.names() == ["lost", "one", "two", "worse"]
    assert THINGS.outside() == dict.fromkeys(THINGS.names(), "their-things 1.0")
    assert THINGS.own() == []


@pytest.mark.usefixtures("theirs")
def test_a_misspelt_name_gets_suggestions() -> None:
    with pytest.raises(WrongUsage, match="unknown thing 'oen'; did you mean 'one'"):
        THINGS.get("oen")


@pytest.mark.parametrize(
    ("name", "said"), [("worse", "their_worse. cannot be used: SystemExit: no"), ("lost", "AttributeError: .*'LOST'")]
)
@pytest.mark.usefixtures("theirs")
def test_what_cannot_be_imported_is_told_with_its_distribution(name: str, said: str) -> None:
    said = said.replace(". cannot", r"\) cannot")
    with pytest.raises(InvalidInput, match=rf"the thing '{name}' of their-things 1.0 \(xdr.things: .*{said}") as raised:
        THINGS.find(name)
    assert raised.value.message.endswith("fix that distribution, or uninstall it")
    assert THINGS.find("one") == 1


def test_two_claims_are_both_named(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match=r"the thing 'one' is claimed by xdr-bench itself and by their-things 1.0"):
        THINGS.find("one", own=True)
    install(
        theirs, "more-things", {"more_things.py": "ONE = 3\n"}, {"xdr.things": {"one": "more_things:ONE"}}, monkeypatch
    )
    with pytest.raises(InvalidInput, match=r"is claimed by more-things 1.0 and by their-things 1.0"):
        THINGS.find("one")
    assert THINGS.outside(["two"]) == {
        "lost": "their-things 1.0",
        "one": "more-things 1.0 and their-things 1.0, which clash",
        "two": "their-things 1.0 and xdr-bench, which clash",
        "worse": "their-things 1.0",
    }
    assert THINGS.find("two") == 2


GENERATOR = """
from typing import Literal
from harness.recipes.generate.recipe import Recipe

class Echo(Recipe):
    kind: Literal["echo"]
    shout: bool = False

    def source(self, folder, operator):
        raise NotImplementedError

class Half(Recipe):
    kind: Literal["half"]
"""
RECIPE = """
schema_version = 1
kind = "{kind}"
name = "mine"
title = "Mine"
languages = ["fi"]
per_language = 1
prompt = "{{language}}: {{passage}}"
shout = true
"""


def test_a_kind_of_generator_of_others_reads_its_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {"echo": "their_echo:Echo", "number": "their_echo:Literal", "half": "their_echo:Half"}
    install(tmp_path, "their-echo", {"their_echo.py": GENERATOR}, {"xdr.generators": kinds}, monkeypatch)
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(kind="echo"), "utf-8")
    recipe = load_recipe(str(path)).recipe
    assert (type(recipe).__name__, recipe.model_dump()["shout"]) == ("Echo", True)
    path.write_text(RECIPE.format(kind="ecko"), "utf-8")
    with pytest.raises(InvalidInput, match="one of causal, seq2seq, server, echo, half, number"):
        load_recipe(str(path))
    for kind, said in (("number", "is no class that is"), ("half", "it lacks source")):
        path.write_text(RECIPE.format(kind=kind), "utf-8")
        with pytest.raises(InvalidInput, match=rf"the kind of recipe '{kind}' of their-echo 1.0 .* {said}"):
            load_recipe(str(path))
