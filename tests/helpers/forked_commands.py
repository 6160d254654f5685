"""``xdr`` in processes of its own, forked from one that imported other people's libraries alone, and nothing of ours.

What is installed is looked for once in each process, so that a test of it needs a new one; importing all libraries anew takes
longer than most commands. ``python forked_commands.py`` is the process that forks: it reads requests and answers with statuses.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

LIBRARIES = ("bm25s", "ir_datasets", "ir_measures", "jinja2", "numpy", "pyarrow.parquet", "scipy.stats", "typer")


def xdr_anew(*arguments: str, cwd: Path, modules: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command's status and what it wrote, in the environment that this process has now.

    ``modules``: where this package is to lie, if not just anywhere that the environment has it.
    """
    server = _server()
    with tempfile.TemporaryDirectory(prefix="forked-") as folder:
        streams = {name: f"{folder}/{name}" for name in ("stdout", "stderr")}
        where = {"cwd": str(cwd), "modules": str(modules or "/")}
        request = {"arguments": arguments, "environment": dict(os.environ), **where, **streams}
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        out, err = (Path(path).read_text("utf-8") for path in streams.values())
    return subprocess.CompletedProcess(["xdr", *arguments], status, out, err)


@functools.cache
def _server() -> subprocess.Popen[str]:
    """One for all tests of this process, and ended with it."""
    command = [sys.executable, "-E", __file__]  # Paths that a test adds are those of its requests.
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.communicate)
    return server


def serve() -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
    ours = [name for name in sys.modules if name.partition(".")[0] in ("harness", "systems", "xdr_bench")]
    assert not ours, ours
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(json.loads(line))
        _, ended = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(ended), flush=True)


def _become(request: dict[str, Any]) -> None:
    """What ``python -c "from harness.cli import main; main()"`` does in the folder and the environment of the request."""
    status = 1
    try:
        for number, name in enumerate(("stdout", "stderr"), 1):
            os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.path[:1] = ["", *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        sys.argv = ["xdr", *request["arguments"]]
        import harness
        from harness.cli import main

        assert Path(harness.__file__).is_relative_to(request["modules"]), harness.__file__
        main()
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
