"""Run every command of `xdr` once, with the Python that runs this, in an empty folder and with an empty cache.

python .ci/every_command.py

It shows that an installation is whole: that no command needs a library that the package does not declare. It uses the installed
package and the recorded runs of the checkout, and no network.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BM25 = "runs/mini/bm25"
RECIPE = """schema_version = 1
kind = "server"
name = "stub"
title = "Stub"
languages = ["fi"]
per_language = 1
prompt = "{language} {title} {passage}"
model = "stub"
max_output_tokens = 8
temperature = 0.0
top_p = 1.0
"""
# Exit status, command. `import`, `fetch`, `overlap` and `diff` find something to complain about, as they should; `train` lacks its
# extra, or else its data.
COMMANDS = [
    (0, ["--version"]),
    (0, ["list"]),
    (0, ["data", "list"]),
    (1, ["data", "import", "."]),
    (0, ["data", "verify", "xquad/xquad.en.json"]),
    (1, ["data", "fetch", "xquad/xquad.en.json"]),
    (0, ["data", "export", "xdr-mini/fi", "exported"]),
    (1, ["data", "overlap", "questions.txt", "mini"]),
    (0, ["cache"]),
    (0, ["new", "my-system"]),
    (0, ["submit", "mini", "my-system/card.toml", "--allow-code"]),
    (0, ["run", "mini", "bm25", "mini-xdr", "--runs", "again"]),
    (0, ["validate", BM25]),
    (0, ["score", "mini"]),
    (0, ["compare", "mini"]),
    (0, ["report", BM25]),
    (0, ["leaderboard", "mini"]),
    (0, ["leaderboard", "mini", "--check"]),
    (0, ["reproduce", BM25]),
    (1, ["diff", BM25, "runs/mini/mini-xdr"]),
    (0, ["export", "runs/mini", "--format", "latex"]),
    (0, ["tune", "bm25", "--track", "mini-dev", "--grid", "k1=0.9,1.5"]),
    (0, ["withdraw", "runs/mini/my-system", "--reason", "only tried"]),
    (0, ["generate", "xdr-mini/fi", "stub.toml", "--out", "texts.jsonl", "--server", "SERVER"]),
    (2, ["train", "mini-xdr", "model"]),
]


class Stub(BaseHTTPRequestHandler):
    """A server that asks the same question about every passage."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        choice = {"message": {"role": "assistant", "content": "Mikä?"}, "finish_reason": "stop"}
        answer = json.dumps({"model": "stub", "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing: what counts is what the command says."""


def unnamed() -> set[str]:
    """Commands of the package that stand in no line above."""
    from harness.cli import app
    from harness.cli.data import app as data

    tried = {" ".join(command[: 2 if command[0] == "data" else 1]) for _, command in COMMANDS}
    known = {str(command.name) for command in app.registered_commands}
    known |= {f"data {command.name or command.callback.__name__}" for command in data.registered_commands}
    return known - tried


def main() -> int:
    if missing := unnamed():
        print("not tried:", ", ".join(sorted(missing)))
        return 1
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "runs" / "mini", folder / "runs" / "mini")
        (folder / "stub.toml").write_text(RECIPE, "utf-8")
        asked = (ROOT / "harness/collections/mini/test/queries.jsonl").read_text("utf-8").splitlines()
        questions = [json.loads(line)["text"] for line in asked]
        (folder / "questions.txt").write_text("\n".join(questions[:3]) + "\n", "utf-8")
        nowhere = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")
        environment = {**os.environ, **nowhere, "XDR_HOME": str(folder / "home"), "HF_HUB_OFFLINE": "1"}
        xdr = Path(sys.executable).parent / "xdr"
        for expected, command in COMMANDS:
            arguments = [f"http://127.0.0.1:{server.server_port}/v1" if a == "SERVER" else a for a in command]
            done = subprocess.run(
                [xdr, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
            )
            fine = done.returncode == expected and "Traceback" not in done.stderr
            failed += not fine
            print("ok  " if fine else f"status {done.returncode}, expected {expected}:", "xdr", *command, flush=True)
            if not fine:
                print(done.stdout[-1000:], done.stderr[-3000:], sep="\n", flush=True)
    server.shutdown()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
