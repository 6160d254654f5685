"""The command ``xdr``: one file per sub-command. What is heavy is imported inside the commands, so that help is quick."""

from __future__ import annotations

import functools
import sys
from typing import Any

import typer

from harness.cli import (
    attack,
    cache,
    compare,
    data,
    diff,
    export,
    findings,
    generate,
    leaderboard,
    list_,
    mine,
    new,
    read,
    report,
    reproduce,
    run,
    score,
    study,
    submit,
    train,
    tune,
    validate,
    withdraw,
)
from harness.cli.console import progress, say
from harness.cli.empty_values import refuse_empty_values
from harness.cli.surroundings import check_platform, ended, prepare
from harness.progress import show_on

app = typer.Typer(
    name="xdr",
    help="Benchmark harness and leaderboard for cross-lingual dense retrieval.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 fine, 1 findings (the input or the result is invalid), 2 wrong usage.",
)
app.command("list")(list_.list_)
app.add_typer(data.app, name="data")
app.command("cache")(cache.cache)
app.command("new")(new.new)
app.command("run")(run.run)
app.command("validate")(validate.validate)
app.command("score")(score.score)
app.command("compare")(compare.compare)
app.command("report")(report.report)
app.command("leaderboard")(leaderboard.leaderboard)
app.command("submit")(submit.submit)
app.command("reproduce")(reproduce.reproduce)
app.command("diff")(diff.diff)
app.command("export")(export.export)
app.command("withdraw")(withdraw.withdraw)
app.command("attack")(attack.attack)
app.command("generate")(generate.generate)
app.command("mine")(mine.mine)
app.command("read")(read.read)
app.command("train")(train.train)
app.command("tune")(tune.tune)
app.command("study")(study.study)
app.command("findings")(findings.findings)


@app.callback(invoke_without_command=True)
def _before_a_command(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Show the version and exit."),
) -> None:
    if version:
        from harness import __version__

        say(f"xdr {__version__}")
        raise typer.Exit
    show_on(progress())


def main() -> None:
    """Run the command line; every failure that is not a defect ends with a message and an exit status, no traceback."""
    prepare()
    status = ended(_command)
    # Written now, while a failure can still be told.
    sys.exit(ended(sys.stdout.flush) or status)


def _command() -> object:
    check_platform()
    return _built()(standalone_mode=False)


@functools.cache
def _built() -> Any:
    """Typer builds all commands out of their signatures each time that ``app`` is called; a process may call it often."""
    command = typer.main.get_command(app)
    refuse_empty_values(command)
    return command
