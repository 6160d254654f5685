"""Texts from a server that speaks OpenAI's chat completions: vLLM, llama.cpp, Ollama, or one of the sold ones.

One request for each text, with a seed of its own. Whether a server keeps to the seed, and what model it really runs, is beyond
what can be checked here; the manifest says what it called its model. The address and the key are the operator's: neither is
part of a recipe, and neither is written anywhere.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field, field_validator

from harness.compute.platform import library_versions
from harness.errors import WrongUsage
from harness.files.reading import parse_json
from harness.recipes.generate.answers import Answers
from harness.recipes.generate.outputs import Output, cleaned
from harness.recipes.generate.prompts import Prompt
from harness.recipes.generate.recipe import Operator, Recipe, Written
from harness.recipes.generate.sampling import key_of
from harness.records import Doc
from harness.servers.asking import Asker, Passing, Received

ENDPOINT = "chat/completions"
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
        source.asker()
        return source


@dataclass(frozen=True)
class ServerSource:
    recipe: ServerRecipe
    operator: Operator

    def provenance(self) -> Mapping[str, Any]:
        return {"libraries": library_versions(("requests",))}

    def asker(self) -> Asker:
        """Raises ``WrongUsage`` when the operator gave no address, or when it or the key is none."""
        if self.operator.server is None:
            raise WrongUsage("a recipe of kind server needs --server URL, such as --server http://localhost:8000/v1")
        return Asker(self.operator.server, ENDPOINT, self.operator.workers)

    @property
    def files(self) -> Mapping[str, Path]:
        return {}

    def opened(self, files: Mapping[str, Path]) -> Server:
        return Server(self)


class _Request(NamedTuple):
    doc_id: str
    body: dict[str, Any]


class Server:
    """Asked for the texts of a block of passages, ``workers`` requests at once."""

    def __init__(self, source: ServerSource) -> None:
        self._recipe, self._asker = source.recipe, source.asker()
        self._prompt, self._names = Prompt(source.recipe.prompt), source.recipe.names()
        self._answered = Answers(source.operator.answers)

    def __call__(self, docs: Sequence[Doc]) -> Written:
        recipe, count = self._recipe, self._recipe.per_language
        rows = [(doc, lang) for doc in docs for lang in recipe.languages]
        asked = [
            _Request(doc.doc_id, self._body(doc, lang, number))
            for (doc, lang), number in itertools.product(rows, range(count))
        ]
        self._answered.keep_only(request.body for request in asked)
        answers = self._asker.all_of(asked, self._answer)
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

    def _answer(self, request: _Request) -> tuple[Output, str]:
        if (known := self._answered.get(request.body)) is not None:
            return known
        answer = self._asker.answer(request.body, _read, f"passage {request.doc_id}")
        self._answered.add(request.body, answer)
        return answer


def _read(answer: Received) -> tuple[Output, str]:
    try:
        found = parse_json(answer.content)
        choice = found["choices"][0]
        text, reason = choice["message"]["content"], choice.get("finish_reason")
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Passing(f"an answer without choices{answer.said}") from None
    # A model that refuses, or that thought until the greatest length, has no content.
    if not isinstance(text, str | None):
        raise Passing("an answer whose content is no text")
    return Output(text or "", is_cut=reason == "length"), f"{found.get('model', '(not named)')!s:.100}"
