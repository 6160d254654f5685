from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from harness.adapters.card import card_names, load_card
from harness.adapters.consent import Consent
from harness.adapters.loading import adapter_names
from harness.errors import InvalidInput, WrongUsage
from harness.files.toml_records import read_toml

ALLOWED = Consent(code=True)
CARD = 'schema_version = 1\nname = "mine"\ntitle = "Mine"\n'
ADAPTER = """
from __future__ import annotations

import dataclasses
from pathlib import Path

from harness.adapters.card import CardPath
from harness.files.toml_records import Record


@dataclasses.dataclass
class Helper:
    name: str


class Adapter:
    class Parameters(Record):
        model: CardPath
        others: tuple[Path, ...] = ()
        depth: int = 1

    def __init__(self, parameters):
        self.parameters = parameters

    def search(self, request, context):
        return iter(())


class Bare:
    def __init__(self, parameters):
        self.parameters = parameters
"""


def card(folder: Path, text: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "adapter.py").write_text(ADAPTER)
    path = folder / "card.toml"
    path.write_text(CARD + text)
    return str(path)


@pytest.mark.parametrize("name", card_names())
def test_every_shipped_card_is_in_order_and_bears_its_file_name(name: str) -> None:
    loaded = load_card(name)
    assert loaded.card.name == name
    assert loaded.adapter_class().__name__
    assert loaded.own_code() is None


@pytest.mark.parametrize("name", adapter_names())
def test_every_adapter_loads_by_its_entry_point(tmp_path: Path, name: str) -> None:
    adapter = load_card(card(tmp_path, f'adapter = "{name}"')).adapter_class(ALLOWED)
    assert adapter.__name__.lower() == name.replace("-", "")
    assert callable(adapter.search)


def test_a_class_in_a_file_beside_the_card_loads_and_its_source_is_found(tmp_path: Path) -> None:
    text = 'adapter = "./adapter.py:Adapter"\n[parameters]\nmodel = "models/small"\n'
    adapter = load_card(card(tmp_path, text)).adapter_class(ALLOWED)
    assert adapter.__name__ == "Adapter"
    assert Path(inspect.getfile(adapter)).resolve() == (tmp_path / "adapter.py").resolve()


def test_relative_paths_start_from_the_card_whatever_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = card(tmp_path / "cards", 'adapter = "adapter.py:Adapter"\n[parameters]\nmodel = "../models/small"\n')
    monkeypatch.chdir("/")
    assert load_card(path).system(ALLOWED).parameters.model == tmp_path / "cards" / "../models/small"  # type: ignore[attr-defined]


def test_absolute_paths_stay(tmp_path: Path) -> None:
    path = card(tmp_path, f'adapter = "adapter.py:Adapter"\n[parameters]\nmodel = "{tmp_path}/m"\n')
    assert load_card(path).system(ALLOWED).parameters.model == tmp_path / "m"  # type: ignore[attr-defined]


def test_an_adapter_without_a_model_of_its_parameters_gets_them_as_they_are(tmp_path: Path) -> None:
    path = card(tmp_path, 'adapter = "adapter.py:Bare"\n[parameters]\nanything = [1, 2]\n')
    assert load_card(path).system(ALLOWED).parameters == {"anything": [1, 2]}  # type: ignore[attr-defined]


def test_an_executable_becomes_a_command(tmp_path: Path) -> None:
    program = tmp_path / "search.sh"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    loaded = load_card(card(tmp_path, 'adapter = "./search.sh"\n[parameters]\ntimeout_seconds = 5\n'))
    assert loaded.adapter_class(ALLOWED).__name__ == "Command"
    assert loaded.parameters() == {"command": ["./search.sh"], "timeout_seconds": 5}
    assert loaded.system(ALLOWED).inputs()["search.sh"] == tmp_path.resolve() / "search.sh"  # type: ignore[attr-defined]


def test_a_program_that_may_not_be_executed_says_so(tmp_path: Path) -> None:
    (tmp_path / "search.sh").write_text("#!/bin/sh\n")
    with pytest.raises(WrongUsage, match=r"not an executable file .* \(chmod \+x\?\)"):
        load_card(card(tmp_path, 'adapter = "./search.sh"')).adapter_class(ALLOWED)


def test_two_cards_may_use_files_of_one_name(tmp_path: Path) -> None:
    one = card(tmp_path / "one", 'adapter = "adapter.py:Adapter"')
    two = card(tmp_path / "two", 'adapter = "adapter.py:Adapter"')
    (tmp_path / "two" / "adapter.py").write_text("class Adapter:\n    which = 'two'\n")
    first = load_card(one).adapter_class(ALLOWED)
    second = load_card(two).adapter_class(ALLOWED)
    assert not hasattr(first, "which")
    assert second.which == "two"


@pytest.mark.parametrize(
    ("adapter", "told"),
    [
        ("dumy", "unknown adapter 'dumy'; did you mean 'dummy'?"),
        ("adapter.py:Adaptor", "'Adaptor'; did you mean 'Adapter'?"),
        ("adapter.py:Helping", "'Helping'; did you mean 'Helper'?"),
        ("other.py:Adapter", "adapter 'other.py:Adapter': no file"),
        ("adapter.py:ADAPTER_PATH", "known: Adapter, Bare, Helper"),
    ],
)
def test_an_unknown_adapter_suggests_known_ones(tmp_path: Path, adapter: str, told: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        load_card(card(tmp_path, f'adapter = "{adapter}"')).adapter_class(ALLOWED)
    assert told in str(caught.value)


def test_a_file_that_cannot_be_imported_names_its_error(tmp_path: Path) -> None:
    path = card(tmp_path, 'adapter = "adapter.py:Adapter"')
    (tmp_path / "adapter.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(InvalidInput, match=r"adapter\.py cannot be imported: ModuleNotFoundError: No module named"):
        load_card(path).adapter_class(ALLOWED)


def test_an_unknown_card_suggests_known_ones_and_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match=r"unknown system 'dumy'; did you mean 'dummy'\?"):
        load_card("dumy")
    with pytest.raises(WrongUsage, match="no file"):
        load_card(str(tmp_path / "none.toml"))


def test_all_faults_of_a_card_are_in_one_report(tmp_path: Path) -> None:
    path = tmp_path / "card.toml"
    path.write_text('schema_version = "two"\nname = "Has Blanks"\ntitel = "x"\nkind = "magic"\nadapter = ""\n')
    with pytest.raises(InvalidInput) as caught:
        load_card(str(path))
    places = {finding.where.removeprefix(f"{path}: ") for finding in caught.value.findings}
    assert places == {"schema_version", "name", "titel", "title", "kind", "adapter"}
    assert "titel: unknown key; did you mean 'title'?" in str(caught.value)


@pytest.mark.parametrize("key", ["weights", "dimensions"])
@pytest.mark.parametrize("value", ["true", "1.0", '"1"', "0"])
def test_sizes_are_whole_numbers_and_nothing_that_passes_for_one(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=f": {key}: "):
        load_card(card(tmp_path, f'adapter = "dummy"\n{key} = {value}'))


@pytest.mark.parametrize("name", ["../up", ".hidden", "a/b", "a b", "", "x" * 65, "é"])
def test_a_name_that_would_be_no_good_folder_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "card.toml"
    path.write_text(f'schema_version = 1\nname = "{name}"\ntitle = "t"\nadapter = "dummy"\n')
    with pytest.raises(InvalidInput, match="name: "):
        load_card(str(path))


def test_misspelt_parameters_name_the_card_and_suggest(tmp_path: Path) -> None:
    path = card(tmp_path, 'adapter = "adapter.py:Adapter"\n[parameters]\nmodle = "x"\ndepth = "deep"\n')
    with pytest.raises(InvalidInput) as caught:
        load_card(path).system(ALLOWED)
    told = str(caught.value)
    assert "card mine, [parameters]: modle: unknown key; did you mean 'model'?" in told
    assert "card mine, [parameters]: model: missing" in told
    assert "card mine, [parameters]: depth: 'deep'" in told


def test_languages_are_all_or_those_declared(tmp_path: Path) -> None:
    everything = load_card(card(tmp_path, 'adapter = "dummy"')).card
    some = load_card(card(tmp_path, 'adapter = "dummy"\nlanguages = ["ar", "fi"]')).card
    assert everything.serves("ko")
    assert [lang for lang in ("ar", "fi", "ko") if some.serves(lang)] == ["ar", "fi"]


def test_shipped_cards_hold_no_absolute_paths() -> None:
    for name in card_names():
        assert "/home" not in str(read_toml(load_card(name).folder / f"{name}.toml"))
