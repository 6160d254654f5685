"""Texts from a server that speaks OpenAI's chat completions: vLLM, llama.cpp, Ollama, or one of the sold ones.

One request for each text, with a seed of its own. Whether a server keeps to the seed, and what model it really runs, is beyond
what can be checked here; the manifest says what it called its model. The address and the key are the operator's: neither is
part of a recipe, and neither is written anywhere.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from harness.compute.platform import library_versions
from harness.errors import InvalidInput, WrongUsage
from harness.files.limits import ANSWER_BYTES
from harness.files.reading import parse_json
from harness.recipes.generate.answers import Answers
from harness.recipes.generate.outputs import Output, cleaned
from harness.recipes.generate.prompts import Prompt
from harness.recipes.generate.recipe import Operator, Recipe, Written
from harness.recipes.generate.sampling import key_of
from harness.records import Doc

if TYPE_CHECKING:
    import requests

TRIES = 6
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
_CONNECT_SECONDS = 10.0
_PASSING_STATES = frozenset({408, 425, 429, 500, 502, 503, 504})
_OWN_FIELDS = ("max_tokens", "messages", "model", "n", "seed", "stream", "temperature", "top_p")


class ServerRecipe(Recipe):
    """``model``: as the server names it. ``body``: further fields of the request, such as ``top_k`` for vLLM.

    ``max_passage_characters``: longer passages are cut, and counted.
    """

    kind: Literal["server"]
    model: str = Field(min_length=1, max_length=1000)
    max_output_tokens: int = Field(ge=1, le=100_000)
    max_passage_characters: int = Field(default=4000, ge=1)
    temperature: float = Field(default=1.0, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)
    body: dict[str, Any] = Field(default_factory=dict)

    @field_validator("body")
    @classmethod
    def _no_field_twice(cls, body: dict[str, Any]) -> dict[str, Any]:
        if own := sorted(set(body) & set(_OWN_FIELDS)):
            raise ValueError(f"{own[0]!r} is set from the recipe's other keys")
        return body

    def source(self, folder: Path, operator: Operator) -> ServerSource:
        source = ServerSource(self, operator)
        source.headers()
        return source


@dataclass(frozen=True)
class ServerSource:
    recipe: ServerRecipe
    operator: Operator

    def provenance(self) -> Mapping[str, Any]:
        return {"libraries": library_versions(("requests",))}

    def address(self) -> str:
        """Raises ``WrongUsage`` when the operator gave no address, or one that is none of a server."""
        server = self.operator.server
        if not server:
            raise WrongUsage("a recipe of kind server needs --server URL, such as --server http://localhost:8000/v1")
        try:
            parts = urlsplit(server)
            good = parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment)
        except ValueError:
            good = False
        if not good or "@" in server:
            raise WrongUsage(
                "--server: expected an address such as https://host:8000/v1, without user, password or query; "
                "a key is named by --api-key-variable"
            )
        return server.rstrip("/").removesuffix("/chat/completions") + "/chat/completions"

    def headers(self) -> dict[str, str]:
        """What goes with each request; the key is read where it is used, so that no task carries it.

        Raises ``WrongUsage`` as ``address``, and when the variable that was named holds no key.
        """
        self.address()
        name = self.operator.key_variable
        if not name:
            return {}
        key = os.environ.get(name, "").strip()
        if not key:
            raise WrongUsage(f"--api-key-variable {name}: the environment variable {name} is not set or empty")
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise WrongUsage(f"--api-key-variable {name}: the value of {name} is no key: it has blanks or other signs")
        return {"Authorization": f"Bearer {key}"}

    @property
    def files(self) -> Mapping[str, Path]:
        return {}

    def opened(self, files: Mapping[str, Path]) -> Server:
        return Server(self)


class _Passing(Exception):
    """What another try may mend. ``pause``: seconds that the server asks to wait."""

    def __init__(self, what: str, pause: float = 0) -> None:
        super().__init__(what)
        self.pause = pause


class _Request(NamedTuple):
    doc_id: str
    body: dict[str, Any]


class Server:
    """Asked for the texts of a block of passages, ``workers`` requests at once."""

    def __init__(self, source: ServerSource) -> None:
        self._recipe, self._operator = source.recipe, source.operator
        self._address, self._headers = source.address(), source.headers()
        self._prompt, self._names = Prompt(source.recipe.prompt), source.recipe.names()
        self._answered = Answers(source.operator.answers)
        self._own = threading.local()
        self._stopped = threading.Event()
        self._failure = InvalidInput("interrupted")

    def __call__(self, docs: Sequence[Doc]) -> Written:
        recipe, count = self._recipe, self._recipe.per_language
        rows = [(doc, lang) for doc in docs for lang in recipe.languages]
        asked = [
            _Request(doc.doc_id, self._body(doc, lang, number))
            for (doc, lang), number in itertools.product(rows, range(count))
        ]
        self._answered.keep_only(request.body for request in asked)
        answers = self._answers(asked)
        longest = recipe.max_passage_characters
        counts = Counter({"prompts": len(rows), "prompts cut": sum(len(doc.text) > longest for doc, _ in rows)})
        texts = []
        for start in range(0, len(answers), count):
            own = answers[start : start + count]
            kept, seen = cleaned([output for output, _ in own], recipe.outputs)
            texts.append(kept)
            counts.update(seen)
            counts.update(f"answered by model {name}" for _, name in own)
        width = len(recipe.languages)
        return Written(tuple(tuple(texts[i : i + width]) for i in range(0, len(texts), width)), counts)

    def _body(self, doc: Doc, lang: str, number: int) -> dict[str, Any]:
        recipe = self._recipe
        prompt = self._prompt.filled(self._names[lang], doc.title, doc.text[: recipe.max_passage_characters])
        return {
            **recipe.body,
            "model": recipe.model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": recipe.max_output_tokens,
            "temperature": recipe.temperature,
            "top_p": recipe.top_p,
            # Servers take seeds of 31 bits at least.
            "seed": key_of(recipe.seed, doc.doc_id, lang, number) & 0x7FFFFFFF,
        }

    def _answers(self, requests: Sequence[_Request]) -> list[tuple[Output, str]]:
        self._stopped.clear()
        with ThreadPoolExecutor(self._operator.workers) as pool:
            try:
                return list(pool.map(self._answer, requests))
            except BaseException:
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _answer(self, request: _Request) -> tuple[Output, str]:
        """The first failure ends the waiting of all threads, and is what each of them raises from then on."""
        if (known := self._answered.get(request.body)) is not None:
            return known
        try:
            answer = self._asked_until_answered(request)
        except InvalidInput as error:
            if not self._stopped.is_set():
                self._failure = error
                self._stopped.set()
            raise self._failure from None
        self._answered.add(request.body, answer)
        return answer

    def _asked_until_answered(self, request: _Request) -> tuple[Output, str]:
        pause, what = FIRST_PAUSE_SECONDS, "interrupted"
        for number in range(1, TRIES + 1):
            if self._stopped.is_set():
                break
            try:
                return self._asked(request)
            except _Passing as fault:
                what = str(fault)
                if number < TRIES:
                    self._stopped.wait(min(LONGEST_PAUSE_SECONDS, max(pause, fault.pause)))
                    pause *= 2
        raise InvalidInput(
            f"passage {request.doc_id}: the server gave no answer in {TRIES} tries: {what}; "
            "when it is well again, the same command goes on where this one stopped"
        )

    def _asked(self, request: _Request) -> tuple[Output, str]:
        """One try. Raises ``_Passing``, or ``InvalidInput`` for what will not pass."""
        status, answer = self._posted(request.body)
        if status != 200:
            hint = {401: "; is the key right?", 403: "; is the key right?", 404: "; is the address right?"}
            raise InvalidInput(
                f"passage {request.doc_id}: the server refuses with HTTP status {status}{self._said(answer)}"
                f"{hint.get(status, '')}"
            )
        try:
            found = parse_json(answer)
            choice = found["choices"][0]
            text, reason = choice["message"]["content"], choice.get("finish_reason")
        except (ValueError, LookupError, TypeError, AttributeError):
            raise _Passing(f"an answer without choices{self._said(answer)}") from None
        # A model that refuses, or that thought until the greatest length, has no content.
        if not isinstance(text, str | None):
            raise _Passing("an answer whose content is no text")
        return Output(text or "", is_cut=reason == "length"), f"{found.get('model', '(not named)')!s:.100}"

    def _posted(self, body: Mapping[str, Any]) -> tuple[int, bytes]:
        """Status and body of the answer. Raises ``_Passing`` where there is none in time.

        The library's timeouts are for each piece of an answer. So that none can be longer than it may by coming drop by drop,
        headers or body, it is received by a thread of its own, which is left to itself at the deadline.
        """
        patience = self._operator.timeout_seconds
        received: Future[tuple[int, bytes]] = Future()
        session = self._session()

        def receive() -> None:
            try:
                received.set_result(self._received(session, body, time.monotonic() + patience))
            except BaseException as error:
                received.set_exception(error)

        threading.Thread(target=receive, daemon=True).start()
        try:
            return received.result(patience)
        except TimeoutError:
            # That thread still has it.
            del self._own.session
            raise _Passing(f"no complete answer in {patience:g} seconds") from None

    def _received(self, session: requests.Session, body: Mapping[str, Any], deadline: float) -> tuple[int, bytes]:
        import requests

        patience = self._operator.timeout_seconds
        try:
            with session.post(
                self._address,
                json=body,
                auth=self._with_key,
                timeout=(min(_CONNECT_SECONDS, patience), patience),
                # Who is redirected would send the texts, if not the key, to another server.
                allow_redirects=False,
                stream=True,
            ) as response:
                answer = b""
                for chunk in response.iter_content(1 << 10):
                    answer += chunk
                    if len(answer) > ANSWER_BYTES:
                        raise InvalidInput(f"the server's answer has more than {ANSWER_BYTES} bytes, which none has")
                    if time.monotonic() > deadline:
                        raise _Passing(f"no complete answer in {patience:g} seconds")
                if response.status_code in _PASSING_STATES:
                    raise _Passing(f"HTTP status {response.status_code}{self._said(answer)}", _asked_pause(response))
                return response.status_code, answer
        except requests.Timeout:
            raise _Passing(f"no answer in {patience:g} seconds") from None
        except requests.RequestException as error:
            raise _Passing(f"{type(error).__name__}, is it running at the address given?") from None

    def _session(self) -> requests.Session:
        import requests

        if not hasattr(self._own, "session"):
            self._own.session = requests.Session()
        session: requests.Session = self._own.session
        return session

    def _with_key(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Given as ``auth``, so that requests does not look for other keys in a .netrc file."""
        request.headers.update(self._headers)
        return request

    def _said(self, answer: bytes) -> str:
        """The beginning of what a server says, on one line and without the key, should it repeat that."""
        text = answer[:2000].decode("utf-8", "replace")
        key = self._headers.get("Authorization", "").removeprefix("Bearer ")
        text = text.replace(key, "(key)") if key else text
        text = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
        return f": {text[:200]}" if text else ""


def _asked_pause(response: requests.Response) -> float:
    try:
        return max(0.0, float(response.headers.get("Retry-After", "0")))
    except ValueError:
        return 0.0
