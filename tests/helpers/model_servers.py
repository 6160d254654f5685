"""Servers of models on this machine, which answer as they are told to, well or badly; by themselves, of embeddings."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MODEL = "stub-embedder"
DIMENSIONS = 16


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    content: bytes


Body = dict[str, Any]
Answering = Callable[[Body, int], "Reply | None"]
"""What to answer to a request with that body, and which in the row it is; None: close the connection without a word."""


def of_words(texts: Sequence[str]) -> NDArray[np.float32]:
    """Sums of pseudo-random vectors of the words: equal texts have equal vectors, shared words make texts alike."""
    vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().split():
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
            vectors[row] += np.random.default_rng(seed).standard_normal(DIMENSIONS, np.float32)
    return vectors


def answer_of(body: Body, vectors: NDArray[np.float32], model: str = MODEL, **usage: int) -> dict[str, Any]:
    """As the API has it; vectors in the format that the request asks for."""
    in_base64 = body.get("encoding_format") == "base64"
    rows = [base64.b64encode(v.astype("<f4").tobytes()).decode() if in_base64 else v.tolist() for v in vectors]
    data = [{"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(rows)]
    counted = usage or {"prompt_tokens": sum(len(text.split()) for text in body["input"])}
    return {"object": "list", "model": model, "data": data, "usage": counted}


def said(answer: Any, **headers: str) -> Reply:
    return Reply(200, {"x-compute-type": "cpu", **headers}, json.dumps(answer).encode())


def well(body: Body, number: int) -> Reply:
    return said(answer_of(body, of_words(body["input"])))


class Stub:
    """``bodies``, ``keys`` and ``paths`` of the requests; ``answered``: texts of those that were answered well."""

    def __init__(self, answering: Answering) -> None:
        self.bodies: list[Body] = []
        self.keys: list[str | None] = []
        self.paths: list[str] = []
        self.answered: list[str] = []
        stub, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    stub.bodies.append(body)
                    stub.keys.append(self.headers.get("Authorization"))
                    stub.paths.append(self.path)
                    number = len(stub.bodies)
                reply = answering(body, number)
                with contextlib.suppress(OSError):
                    if reply is None:
                        self.close_connection = True
                        self.connection.close()
                        return
                    if reply.status == 200:
                        stub.answered.extend(body.get("input", ()))
                    self.send_response(reply.status)
                    for name, value in {**reply.headers, "Content-Length": str(len(reply.content))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(reply.content)

            def log_message(self, *_: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"


@contextlib.contextmanager
def running(answering: Answering = well) -> Iterator[Stub]:
    stub = Stub(answering)
    thread = threading.Thread(target=stub.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.http.shutdown()
        stub.http.server_close()
        thread.join()


def started(answering: Answering = well) -> Stub:
    """One that ends with the process."""
    stub = Stub(answering)
    threading.Thread(target=stub.http.serve_forever, daemon=True).start()
    return stub
