"""The operator's options are written once, and every command that runs systems takes them all."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from harness.cli import app
from harness.cli.operator_options import Operator, with_operator_options
from harness.errors import WrongUsage

NAMES = ["--" + field.name.replace("_", "-") for field in dataclasses.fields(Operator)]


@pytest.mark.parametrize("command", ["run", "leaderboard", "submit", "reproduce"])
def test_every_command_that_runs_systems_shows_all_the_operators_options(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
    assert [name for name in NAMES if shown.count(f"\n  {name} ") != 1] == []
    assert "operator" not in shown.lower()


def test_a_command_gets_its_own_arguments_and_what_the_operator_typed() -> None:
    received: list[object] = []
    small = typer.Typer()

    @small.command()
    @with_operator_options
    def look(name: Annotated[str, typer.Argument()], loud: bool = False, *, operator: Operator) -> None:
        received.extend([name, loud, operator])

    typed = ["nile", "--loud", "--device", "cuda:1", "--memory", "2.5", "--trust-remote-code", "a@b", "--allow-code"]
    done = CliRunner().invoke(small, typed)
    assert (done.exit_code, done.output) == (0, "")
    expected = Operator(device="cuda:1", memory=2.5, trust_remote_code=["a@b"], allow_code=True)
    assert received == ["nile", True, expected]


def test_an_option_out_of_its_bounds_is_wrong_usage() -> None:
    done = CliRunner().invoke(app, ["run", "mini", "bm25", "--workers", "0"])
    assert done.exit_code == 2
    assert "--workers" in done.output


@pytest.mark.parametrize(
    "command", ["read runs reader", "mine runs gold --out rows.jsonl", "train r.toml --output model"]
)
@pytest.mark.parametrize(("device", "said"), [("tpu", "expected auto, cpu, cuda"), ("cuda:977", "no such GPU here")])
def test_commands_with_a_device_alone_refuse_what_is_none_as_all_others_do(
    command: str, device: str, said: str
) -> None:
    done = CliRunner().invoke(app, [*command.split(), "--device", device])
    assert isinstance(done.exception, WrongUsage)
    assert said in str(done.exception)
