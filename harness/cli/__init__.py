"""The command ``xdr``: one file per sub-command. What is heavy is imported inside the commands, so that help is quick."""

from __future__ import annotations

import os
import sys

import typer

from harness.cli import (
    compare,
    data,
    diff,
    export,
    generate,
    leaderboard,
    list_,
    new,
    report,
    reproduce,
    run,
    score,
    submit,
    train,
    tune,
    validate,
    withdraw,
)
from harness.cli.console import print_error, progress
from harness.errors import XdrError
from harness.progress import show_on

# Newer versions of typer carry their own copy of click; this is the base of the usage errors of either.
ClickException: type[Exception] = next(b for b in typer.BadParameter.__mro__ if b.__name__ == "ClickException")

app = typer.Typer(
    name="xdr",
    help="Benchmark harness and leaderboard for cross-lingual dense retrieval.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit status: 0 fine, 1 findings (the input or the result is not in order), 2 wrong usage.",
)
app.command("list")(list_.list_)
app.add_typer(data.app, name="data")
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
app.command("generate")(generate.generate)
app.command("train")(train.train)
app.command("tune")(tune.tune)


@app.callback(invoke_without_command=True)
def _before_a_command(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Show the version and exit."),
) -> None:
    if version:
        from harness import __version__

        print(f"xdr {__version__}")
        raise typer.Exit
    show_on(progress())


def main() -> None:
    """Run the command line; every failure that is not a defect ends with a message and an exit status, no traceback."""
    try:
        status = app(standalone_mode=False)
    except XdrError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except ClickException as error:
        error.show()  # type: ignore[attr-defined]
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)
    except BrokenPipeError:
        # The reader went away (`xdr ... | head`): nothing to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        # What the operating system refuses is no defect of ours: an unreadable folder, a device that fails.
        where = f"{error.filename}: " if error.filename else ""
        print(f"xdr: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where this one stopped", file=sys.stderr)
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)
