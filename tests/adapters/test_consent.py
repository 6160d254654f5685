"""Code of cards and models runs only if the operator of the command says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from programs import needs_bwrap
from small_track import write_track

from harness.adapters.card import Card, card_names, load_card
from harness.adapters.consent import NOTHING, Consent, PinnedModel, consent_of
from harness.adapters.contract import Context
from harness.compare.ablations import LoadedCard
from harness.errors import InvalidInput, WrongUsage
from harness.runs.execute import run_system
from harness.runs.track_runs import TrackRuns
from harness.scaffold.scaffold import PROGRAM, write_scaffold
from harness.tracks import load_track

CARD = 'schema_version = 1\nname = "mine"\ntitle = "Mine"\n'
COMMIT, TREE = "0123456789abcdef" * 2 + "01234567", "0123456789abcdef" * 4


def xdr(*arguments: str, cwd: Path, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from harness.cli import main; main()", *arguments]
    environment = {**os.environ, "XDR_HOME": str(cwd / "home"), "PATH": path}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment, check=False)


def brings(folder: Path, text: str) -> LoadedCard:
    """A card whose own code would leave a file ``ran`` behind."""
    mark = folder / "ran"
    (folder / "adapter.py").write_text(f"open({str(mark)!r}, 'w')\nclass Adapter: pass\n")
    (folder / "search.sh").write_text(f"#!/bin/sh\ntouch '{mark}'\n")
    (folder / "search.sh").chmod(0o755)
    (folder / "card.toml").write_text(CARD + text)
    return load_card(str(folder / "card.toml"))


@pytest.mark.parametrize(
    "text",
    [
        'adapter = "adapter.py:Adapter"',
        'adapter = "./adapter.py:Adapter"',
        'adapter = "./search.sh"',
        'adapter = "search.sh"',
        'adapter = "command"\n[parameters]\ncommand = ["sh", "search.sh"]',
        'adapter = "command"\n[parameters]\ncommand = ["/bin/sh", "-c", "touch ran"]',
    ],
)
def test_code_of_a_card_is_not_run_unasked(tmp_path: Path, text: str) -> None:
    loaded = brings(tmp_path, text)
    context = Context(cache=tmp_path / "cache", work=tmp_path / "work")
    for attempt in (
        loaded.adapter_class,
        loaded.system,
        lambda: run_system(TrackRuns(load_track("mini"), tmp_path / "runs"), loaded, context),
    ):
        with pytest.raises(WrongUsage, match=r"card mine brings code of its own: .*--allow-code"):
            attempt()
    assert not (tmp_path / "ran").exists()
    assert loaded.adapter_class(Consent(code=True)) is not None


def test_a_card_in_a_manifest_gains_nothing_by_the_name_of_a_shipped_one(tmp_path: Path) -> None:
    brings(tmp_path, 'adapter = "bm25"')
    shipped = load_card("bm25")
    path = os.path.relpath(tmp_path / "adapter.py", shipped.folder)
    forged = LoadedCard(Card(**(shipped.card.model_dump() | {"adapter": f"{path}:Adapter"})), shipped.folder)
    with pytest.raises(WrongUsage, match="--allow-code"):
        forged.system()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", card_names())
def test_shipped_cards_need_no_consent(name: str) -> None:
    load_card(name).require(NOTHING)


@pytest.mark.parametrize("key", ["allow_code", "trust_remote_code", "consent"])
@pytest.mark.parametrize("where", ["", "\n[parameters]\n"])
def test_a_card_cannot_give_consent(tmp_path: Path, key: str, where: str) -> None:
    (tmp_path / "model").mkdir()
    text = f'adapter = "dense"{where or chr(10)}{key} = true\n' + ('model = "model"\n' if where else "")
    with pytest.raises(InvalidInput, match=f"{key}: unknown key"):
        brings(tmp_path, text).system()


def test_trust_names_a_model_and_its_exact_revision() -> None:
    given = consent_of(False, [f"organisation/model@{COMMIT}", f"./model@{TREE}"])
    assert given.models == {PinnedModel("organisation/model", COMMIT), PinnedModel("./model", TREE)}
    assert not given.code
    given.require_model_code(PinnedModel("organisation/model", COMMIT), "own.Own")
    for other in (PinnedModel("organisation/model", COMMIT[::-1]), PinnedModel("organisation/other", COMMIT)):
        with pytest.raises(WrongUsage, match=f"add --trust-remote-code {other}"):
            given.require_model_code(other, "own.Own")


@pytest.mark.parametrize("text", ["model", "model@main", f"@{COMMIT}", f"model@{COMMIT[:7]}", f"model@{COMMIT}\n", "*"])
def test_trust_without_a_full_revision_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match=r"expected MODEL@REVISION"):
        consent_of(True, [text])


@pytest.mark.parametrize("command", ["run", "leaderboard"])
def test_commands_ask_before_anything_is_done(tmp_path: Path, command: str) -> None:
    write_scaffold("mine", tmp_path / "mine", PROGRAM)
    arguments = [command, "mini", *(["bm25"] if command == "run" else []), "mine/card.toml"]
    refused = xdr(*arguments, cwd=tmp_path)
    assert refused.returncode == 2
    assert "card mine brings code of its own: the program './search.awk'" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"], "something was begun"


def test_consent_runs_the_program_and_says_where_there_is_no_isolation(tmp_path: Path) -> None:
    write_track(tmp_path)
    write_scaffold("mine", tmp_path / "mine", PROGRAM)
    bare = xdr("run", "track.toml", "mine/card.toml", "--allow-code", cwd=tmp_path, path="/nowhere")
    assert bare.returncode == 0, bare.stderr
    assert (
        "warning: mine: runs without isolation, with all your rights, since bubblewrap is not installed" in bare.stderr
    )
    manifest = (tmp_path / "runs/rivers/mine/manifest.yaml").read_text()
    assert "isolation: none" in manifest
    assert json.dumps(8 << 30) in manifest


@needs_bwrap
def test_the_row_says_that_its_program_was_isolated(tmp_path: Path) -> None:
    write_track(tmp_path)
    write_scaffold("mine", tmp_path / "mine", PROGRAM)
    done = xdr("run", "track.toml", "mine/card.toml", "--allow-code", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "without isolation" not in done.stderr
    shown = xdr("report", "runs/rivers/mine", "--track", "track.toml", cwd=tmp_path)
    assert "isolation bwrap" in shown.stdout, shown.stderr
