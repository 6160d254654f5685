"""Rows and recipes of which a training takes a second, in files, so that a process of its own can read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import InvalidInput

CITIES = (
    "Helsinki", "Turku", "Oulu", "Vaasa", "Kuopio", "Lahti", "Kotka", "Pori", "Rauma", "Espoo", "Vantaa", "Tampere",
    "Joensuu", "Kajaani", "Kouvola", "Porvoo",
)  # fmt: skip


def write_rows(path: Path, cities: tuple[str, ...] = CITIES) -> Path:
    """A Finnish question for each city, with its English translation, a passage, three that do not answer, and scores."""
    lines = []
    for place, city in enumerate(cities):
        others = [cities[(place + step) % len(cities)] for step in (1, 2, 3)]
        row = {
            "query_id": f"q{place}",
            "query": f"Missä maassa sijaitsee {city} ja milloin {city} perustettiin?",
            "positive_passages": [_passage(city, 0.9)],
            "negative_passages": [_passage(other, 0.5 - step / 10, "far") for step, other in enumerate(others)],
            "lang": "fi",
            "source": "test",
            "label": "gold",
            "query_en": f"In which country is {city} and when was {city} founded?",
        }
        lines.append(json.dumps(row, ensure_ascii=False))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def _passage(city: str, score: float, kind: str = "near") -> dict[str, object]:
    text = f"The town of {city} lies in the {kind} north, by a river."
    return {"docid": f"{city} {kind}", "title": city, "text": text, "score": score}


TOKENIZER = """
[tokenizer]
vocabulary = 150
sources = [{ kind = "rows", path = "rows.jsonl" }]
"""
STATIC = f"""{TOKENIZER}
[model]
kind = "static"
dimensions = 8
"""
TRANSFORMER = f"""{TOKENIZER}
[model]
kind = "transformer"
random = {{ layers = 2, hidden = 16, heads = 2 }}
pooling = "mean"
query_length = 12
passage_length = 16
"""
CONTRASTIVE = 'objective = "contrastive"\nnegatives = 2'


def recipe(folder: Path, model: str, *stages: str, name: str = "recipe", steps: int = 8, more: str = "") -> Path:
    """A recipe beside its rows; each stage is given by the keys of its objective."""
    if not (folder / "rows.jsonl").exists():
        write_rows(folder / "rows.jsonl")
    text = f'schema_version = 2\nname = "tiny"\ntitle = "A tiny model"\nseed = 7\n{more}\n{model}\n'
    for number, stage in enumerate(stages):
        text += f"""
[[stages]]
name = "s{number}"
steps = {steps}
batch_size = 4
optimizer = {{ learning_rate = 0.01 }}
sources = [{{ kind = "rows", path = "rows.jsonl" }}]
{stage}
"""
    path = folder / f"{name}.toml"
    path.write_text(text, "utf-8")
    return path


def compare_with_embedded_questions(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Trainings find the questions of the embedded collection alone, and not what other tests brought here before them.

    ``home``: a cache without data, for trainings in other processes.
    """
    import harness.collections
    from harness.recipes.train import overlap

    load, found = harness.collections.load, overlap.evaluation_questions

    def embedded(dataset_id: str) -> Any:
        if dataset_id.partition("/")[0] != "xdr-mini":
            raise InvalidInput(f"{dataset_id} is left out in this test")
        return load(dataset_id)

    def of_embedded(*declared: Any, **named: Any) -> overlap.Questions:
        with pytest.MonkeyPatch.context() as inside:
            inside.setattr(harness.collections, "load", embedded)
            return found(*declared, **named)

    patch.setattr(overlap, "evaluation_questions", of_embedded)
    patch.setenv("XDR_HOME", str(home))
