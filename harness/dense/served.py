"""Vectors from a server that speaks OpenAI's /v1/embeddings: vLLM, TEI, Infinity, Ollama, llama.cpp, or one of the sold ones.

An answer is held against what was asked before anything of it is kept: one vector for every text, by its index, all of one
number of dimensions, finite, and of the model that the card names. What was kept is never asked for again.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness import progress
from harness.dense.encoding import packed
from harness.dense.roles import Similarity
from harness.errors import InvalidInput
from harness.files.limits import EMBEDDINGS_BYTES
from harness.files.reading import parse_json
from harness.servers.access import Access
from harness.servers.asking import Asker, Passing, Received, Refused
from harness.servers.kept import KeptAnswers

SERVED_VERSION = 1
"""Raised when the same answers give other vectors than before."""

ENDPOINT = "embeddings"
OWN_FIELDS = ("dimensions", "encoding_format", "input", "model")
KEPT_LINE_BYTES = 1 << 20
"""A vector of 65,536 dimensions in base64 has a third of this."""

_BYTES_OF_A_TOKEN = 4
_MOST_TOKENS = 1 << 32
"""Of one request; a server that counts more counts wrongly."""
_ABOUT_THE_TEXTS = frozenset({400, 413, 422})
"""States of a refusal that fewer or shorter texts may avoid."""
_HEADERS = ("openai-model", "openai-version", "server", "x-compute-type")
"""What answers say of the software and the model; other headers are of networks, accounts and times."""


class ToEncode(NamedTuple):
    """``name``: what messages call the text, such as "passage d1"; ``text`` with its prompt, and what is left of it."""

    name: str
    text: str
    is_cut: bool = False


@dataclass(frozen=True)
class ServedModel:
    """``name``: what the server is asked for; ``answers_as``: what it calls that in its answers.

    ``dimensions``: those to ask for, None for the model's own. A request has at most ``texts`` texts and, by
    ``approximate_tokens``, ``tokens`` tokens.
    """

    name: str
    answers_as: str
    dimensions: int | None
    encoding_format: Literal["float", "base64"]
    texts: int
    tokens: int


class Served(NamedTuple):
    """``vectors``: float32, shape (texts, dimensions), as the server gave them. ``counts``: "tokens", as the server counted
    them, "cut", texts, and "answered by NAME", different texts."""

    vectors: NDArray[np.float32]
    counts: Mapping[str, int]


def approximate_tokens(text: str) -> int:
    """A token for four bytes of UTF-8: no server's tokenizer is known here.

    >>> approximate_tokens("Tea is green."), approximate_tokens("")
    (4, 1)
    """
    return max(1, -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_OF_A_TOKEN))


def key_of(text: str) -> str:
    """By which the vector of a text is kept; a journal is of one model, and of questions or of passages."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def ranked_by(similarity: Similarity, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors whose inner product is that similarity, float32; a vector of zeros stays one."""
    if similarity == "dot":
        return vectors
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    unit: NDArray[np.float32] = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return unit


class ServedEncoder:
    """``at_once``: requests at a time. Raises ``WrongUsage`` when it is made, for an address or a key that is none.

    ``dimensions`` is None until a vector was seen; ``headers``: of answers; ``halved``: requests that the server refused and
    that were asked again as two.
    """

    def __init__(self, model: ServedModel, access: Access, at_once: int) -> None:
        self._model = model
        self._asker = Asker(access, ENDPOINT, at_once, EMBEDDINGS_BYTES)
        self._lock = threading.Lock()
        self.dimensions = model.dimensions
        self.headers: dict[str, str] = {}
        self.halved = 0

    def encoded(self, texts: Sequence[ToEncode], body: Mapping[str, Any], kept: KeptAnswers) -> Served:
        """The vectors of at least one text, each asked for once and kept when its answer comes; ``body``: further fields.

        Raises ``InvalidInput`` that names a text, where the server refuses it or its answer is invalid; what was
        answered before stays kept.
        """
        different = list({one.text: one for one in texts}.values())
        batches = packed([approximate_tokens(one.text) for one in different], self._model.tokens)
        most = self._model.texts
        requests = [
            [different[place] for place in batch[i : i + most]] for batch in batches for i in range(0, len(batch), most)
        ]
        # Batches are those of all texts, so that what was kept changes none.
        open_ones = [[one for one in request if kept.get(key_of(one.text)) is None] for request in requests]
        left = sum(map(len, open_ones))
        with progress.task("ask the server", len(different), "texts", done=len(different) - left) as advance:

            def ask(request: list[ToEncode]) -> None:
                self._ask(request, body, kept)
                with self._lock:
                    advance(len(request))

            self._asker.all_of([request for request in open_ones if request], ask)
        return self._assembled(texts, different, kept)

    def _ask(self, request: list[ToEncode], body: Mapping[str, Any], kept: KeptAnswers) -> None:
        try:
            read = functools.partial(self._read, request)
            answers = self._asker.answer(self._body(request, body), read, _who(request))
        except Refused as refusal:
            if refusal.status not in _ABOUT_THE_TEXTS:
                raise
            if len(request) == 1:
                raise InvalidInput(
                    f"{refusal.message}; the text has {len(request[0].text):,} characters: where that is too long for the "
                    "model, say max_characters in the card, and all are cut there"
                ) from refusal
            with self._lock:
                self.halved += 1
            middle = len(request) // 2
            self._ask(request[:middle], body, kept)
            self._ask(request[middle:], body, kept)
            return
        kept.add(answers)

    def _body(self, request: Sequence[ToEncode], body: Mapping[str, Any]) -> dict[str, Any]:
        model = self._model
        own: dict[str, Any] = {"model": model.name, "encoding_format": model.encoding_format}
        if model.dimensions is not None:
            own["dimensions"] = model.dimensions
        return {**body, **own, "input": [one.text for one in request]}

    def _read(self, request: Sequence[ToEncode], answer: Received) -> dict[str, tuple[Any, ...]]:
        """As it is kept: by text, vector, tokens, and name of the model. The tokens of a request stand with its first text."""
        who = _who(request)
        try:
            found = parse_json(answer.content)
        except json.JSONDecodeError:
            raise Passing(f"an answer that is not JSON{answer.said}") from None
        except ValueError as error:
            raise InvalidInput(f"{who}: the server's answer is invalid: {error}") from None
        if not isinstance(found, Mapping) or not isinstance(rows := found.get("data"), list):
            raise InvalidInput(f"{who}: the server's answer has no list `data` of vectors{answer.said}")
        model = self._named_model(found.get("model"), who)
        if len(rows) != len(request):
            raise InvalidInput(f"{who}: the server gave {len(rows)} vectors for {len(request)} texts")
        vectors: dict[int, NDArray[np.float32]] = {}
        for row in rows:
            place = row.get("index") if isinstance(row, Mapping) else None
            if type(place) is not int or not 0 <= place < len(request) or place in vectors:
                twice = " a second time" if type(place) is int and place in vectors else ""
                raise InvalidInput(
                    f"{who}: an answer's vector has the index {place!r:.50}{twice}; expected are 0 to {len(request) - 1}, "
                    "each once"
                )
            vectors[place] = self._vector(row.get("embedding"), request[place].name)
        for name in _HEADERS:
            if said := answer.headers.get(name):
                self.headers[name] = said
        tokens = _tokens_in(found)
        return {
            key_of(one.text): (_in_base64(vectors[place]), 0 if place else tokens, model)
            for place, one in enumerate(request)
        }

    def _named_model(self, answered: Any, who: str) -> str:
        """Empty where an answer names none. Raises ``InvalidInput`` where it names another than the card expects."""
        if answered is None or answered == "":
            return ""
        expected = self._model.answers_as
        if answered != expected:
            raise InvalidInput(
                f"{who}: the server answers as model {answered!r:.200}, and not as {expected!r:.200}; if that is the model "
                f"that is meant, say answers_as = {json.dumps(answered)[:200]} in the card"
            )
        return expected

    def _vector(self, value: Any, name: str) -> NDArray[np.float32]:
        vector = _numbers(value)
        if vector is None or not vector.size:
            raise InvalidInput(f"{name}: the server gave no list of numbers, and no base64 of such, as its vector")
        if not np.isfinite(vector).all():
            raise InvalidInput(f"{name}: the server gave a vector that is not finite in float32")
        self._check_dimensions(vector, name)
        return vector

    def _check_dimensions(self, vector: NDArray[np.float32], name: str) -> None:
        with self._lock:
            if self.dimensions is None:
                self.dimensions = len(vector)
        if len(vector) != self.dimensions:
            expected = "as the card says" if self._model.dimensions is not None else "as others have"
            raise InvalidInput(
                f"{name}: the server gave a vector of {len(vector)} dimensions, not of {self.dimensions}, {expected}"
            )

    def _assembled(self, texts: Sequence[ToEncode], different: Sequence[ToEncode], kept: KeptAnswers) -> Served:
        known: dict[str, NDArray[np.float32]] = {}
        counts = Counter({"tokens": 0, "cut": sum(one.is_cut for one in texts)})
        for one in different:
            found = kept.get(key_of(one.text))
            assert found is not None, "every text was answered"
            encoded, tokens, model = found
            known[one.text] = np.frombuffer(base64.b64decode(encoded), "<f4").astype(np.float32)
            self._check_dimensions(known[one.text], one.name)
            counts.update({"tokens": int(tokens), f"answered by {model or '(not named)'}": 1})
        return Served(np.stack([known[one.text] for one in texts]), counts)


def _who(request: Sequence[ToEncode]) -> str:
    """
    >>> _who([ToEncode("passage d1", "")]), _who([ToEncode("question q1", "")] * 3)
    ('passage d1', 'question q1 and 2 other texts')
    """
    more = len(request) - 1
    return request[0].name + (f" and {more} other text{'s' * (more > 1)}" if more else "")


def _numbers(value: Any) -> NDArray[np.float32] | None:
    """A row of numbers from a list or from base64, float32; None where it is neither."""
    if isinstance(value, str):
        try:
            data = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return None
        return None if len(data) % 4 else np.frombuffer(data, "<f4").astype(np.float32)
    try:
        numbers = np.asarray(value)
    except ValueError:
        return None
    if numbers.ndim != 1 or numbers.dtype.kind not in "fi":
        return None
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32)


def _in_base64(vector: NDArray[np.float32]) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")


def _tokens_in(found: Mapping[str, Any]) -> int:
    usage = found.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, Mapping) else None
    return tokens if type(tokens) is int and 0 < tokens <= _MOST_TOKENS else 0
