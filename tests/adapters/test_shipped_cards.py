"""The cards of models that people use: every value has a source, and none claims to have been run here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.adapters.card import load_card
from harness.adapters.contract import Pin, inputs_of

ROOT = Path(__file__).parents[2]
OF_THE_HUB = (
    *("me5-small", "me5-base", "me5-large", "me5-large-instruct", "labse", "mpnet-multilingual"),
    *("bge-m3", "mcontriever", "gte-multilingual-base", "arctic-m-v2", "qwen3-embedding-0.6b", "embeddinggemma-300m"),
)


@pytest.mark.parametrize("name", OF_THE_HUB)
def test_its_values_have_sources_and_nobody_claims_to_have_run_it(name: str) -> None:
    loaded = load_card(name)
    assert inputs_of(loaded.system()) == {"model": Pin(loaded.card.parameters.get("revision", ""))}
    assert loaded.path
    comments = [line for line in loaded.path.read_text("utf-8").splitlines() if line.startswith("#")]
    card = loaded.card
    addresses = " ".join(comments)
    # A commit is none that somebody remembers: a page that shows it, or who uses it, is named.
    if revision := card.parameters.get("revision"):
        assert revision in addresses or "revision, " in addresses
    assert f"huggingface.co/{card.parameters['model']}" in addresses
    assert re.search(r"arXiv \d{4}\.\d{5}", addresses)
    assert card.training_data
    assert card.paper
    assert card.licence
    assert "Not run by this project" in card.description
    assert not list((ROOT / "runs").glob(f"*/{name}"))
