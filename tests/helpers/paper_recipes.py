"""The recipes of the xQG paper's models made small: another start, other sizes, sources and steps, and all else as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import tiny_models
from tiny_training import CITIES, write_rows

RECIPES = Path(__file__).parents[2] / "systems/recipes"
ENCODERS = {
    "mbert-xdr": "bert",
    "xlmr-xdr": "xlm-roberta",
    "mbert-zero-shot": "bert",
    "xlmr-zero-shot": "xlm-roberta",
}


def text_of(name: str) -> str:
    return (RECIPES / f"{name}.toml").read_text("utf-8")


def small(folder: Path, name: str) -> Path:
    """The recipe with a tiny start and a few rows beside it. What is replaced must stand in it once."""
    text = text_of(name)
    is_encoder = name in ENCODERS
    (tiny_encoder if is_encoder else tiny_mt5)(folder / "start", ENCODERS.get(name, ""))
    changes = {r"(?m)^start = .*$": 'start = "start"', r"(?m)^path = .*$": 'path = "rows"'}
    changes[r"(?m)^batch_size = .*$"] = "batch_size = 8"
    if is_encoder:
        write_rows(folder / "rows.jsonl").rename(folder / "rows")
        # Half precision is for GPUs.
        changes |= {r"(?m)^epochs = .*$": "steps = 6", '"float16"': '"float32"'}
    else:
        write_gold_paragraphs(folder / "rows")
        changes[r"(?m)^steps = .*$"] = "steps = 6"
    for old, new in changes.items():
        text, count = re.subn(old, new, text, count=2)
        assert count == 1, (name, old)
    path = folder / f"{name}.toml"
    path.write_text(text, "utf-8")
    return path


def tiny_encoder(folder: Path, family: str) -> None:
    """Two layers of BERT or XLM-R, with as many places as their lengths need."""
    import torch
    from transformers import AutoModel, XLMRobertaConfig

    tiny_models.bert(folder)
    if family == "bert":
        return
    tokenizer = tiny_models.raw_tokenizer()
    config = XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=162, type_vocab_size=1, pad_token_id=0, initializer_range=0.3,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        AutoModel.from_config(config).eval().save_pretrained(folder)


def tiny_mt5(folder: Path, _family: str = "") -> None:
    import torch
    from tiny_generators import mt5
    from transformers import AutoTokenizer, MT5Config, MT5ForConditionalGeneration

    tokenizer = AutoTokenizer.from_pretrained(mt5())
    config = MT5Config(
        vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_decoder_layers=2, num_heads=2,
        pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
        # With the default of 1 the loss begins far above that of guessing.
        initializer_factor=0.1,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        MT5ForConditionalGeneration(config).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def gold_record(city: str, lang: str = "fi", number: int = 0, **changes: Any) -> dict[str, Any]:
    """A record as XOR-TyDi's file has it: a paragraph of an article, and a question in another language about it."""
    asked = {"id": f"{city}{number}", "lang": lang, "question": f"Missä maassa sijaitsee {city}?", "answers": []}
    context = f"The town of {city} lies in the north,\nby a river."
    record = {"title": f"title:{city}_parentSection:Geography", "paragraphs": [{"context": context, "qas": [asked]}]}
    return record | changes


def write_gold_paragraphs(path: Path) -> None:
    records = [gold_record(city, ("fi", "ru", " ar")[place % 3]) for place, city in enumerate(CITIES)]
    path.write_text(json.dumps({"data": records}), "utf-8")
