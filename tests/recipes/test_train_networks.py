"""Training of generators, readers, encoders with many vectors, and masked language models: each on a tiny network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_readers
import torch
from tiny_training import CONTRASTIVE, TOKENIZER, TRANSFORMER, recipe, write_rows

from harness.dense.loading import EncoderSettings, loaded_model
from harness.errors import InvalidInput
from harness.progress import SilentProgress
from harness.ragged.loading import multi_vector_model
from harness.recipes.reading import ReaderSettings
from harness.recipes.reading.reader import identity_of
from harness.recipes.train import train
from harness.recipes.train.batches import bucketed
from harness.recipes.train.delta import assemble
from harness.recipes.train.loop import Operating
from harness.recipes.train.masked import Masked, masked_job
from harness.recipes.train.multi_vector import MultiVectorNetwork
from harness.recipes.train.networks import prepared
from harness.recipes.train.reading import Read
from harness.recipes.train.recipe import load_recipe
from harness.recipes.train.sequences import GeneratorNetwork
from harness.recipes.train.spans import ReaderNetwork, top_reader

RANDOM = "random = { layers = 1, hidden = 16, heads = 2 }"
GENERATOR = f'{TOKENIZER}\n[model]\nkind = "seq2seq"\n{RANDOM}\nsource_length = 40\ntarget_length = 20\n'
READER = f'{TOKENIZER}\n[model]\nkind = "reader"\n{RANDOM}\nmax_length = 48\nstride = 8\n'
MULTI_VECTOR = f"""{TOKENIZER}
[model]
kind = "multi-vector"
{RANDOM}
dimensions = 8
query_length = 12
passage_length = 16
"""
SQUAD = '[{ kind = "squad", path = "squad.json", languages = ["fi"] }]'


def opened(path: Path) -> tuple[Any, Any, Any]:
    loaded = load_recipe(path)
    data = Read(loaded, SilentProgress())
    return loaded, data, prepared(loaded, data.tokenizer_texts, path.parent / "new", "cpu", SilentProgress()).network


def operating(path: Path) -> Operating:
    return Operating("cpu", path.parent / "work", SilentProgress())


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Of each row of ``logits``, (rows, classes)."""
    shifted = logits - logits.max(1, keepdims=True)
    return np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(targets)), targets]


def loss_and_outputs(model: torch.nn.Module, batch: Any) -> tuple[float, Any]:
    model.eval()
    with torch.no_grad():
        found = model(**batch)
    return float(found.loss), found


def test_a_generator_learns_to_write_a_passages_question(xdr_home: Path, tmp_path: Path) -> None:
    path = recipe(tmp_path, GENERATOR, 'objective = "generate"', steps=6)
    loaded, data, network = opened(path)
    assert isinstance(network, GeneratorNetwork)
    stage = loaded.recipe.stages[0]
    job = network.job(loaded.recipe, stage, bucketed(data.of_stage(stage), [1], "source"), 1, operating(path))
    batch = job.collated([0, 1, 2], 0)
    loss, found = loss_and_outputs(network.trained, batch)
    labels = batch["labels"].numpy()
    own = cross_entropy(found.logits.numpy()[labels != -100], labels[labels != -100])
    assert loss == pytest.approx(own.mean(), rel=1e-5)
    # A new network guesses.
    assert loss == pytest.approx(np.log(found.logits.shape[-1]), rel=0.1)
    tokenizer = network._tokenizer
    # Two letters are in none of the tokenizer's texts.
    assert tokenizer.decode(batch["input_ids"][0], skip_special_tokens=True).startswith("enerate a finnish uestion for")
    assert batch["input_ids"].shape[1] <= 40
    assert (labels != -100).sum(1).max() <= 20

    record = train(path, tmp_path / "out", SilentProgress())
    assert record.stages[0].candidates_per_query is None
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    written = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out")
    ids = AutoTokenizer.from_pretrained(tmp_path / "out")(["a passage"], return_tensors="pt")
    assert written.generate(**ids, max_new_tokens=4).shape[0] == 1
    assert not torch.equal(written.shared.weight, network.trained.shared.weight)


def squad(path: Path) -> Path:
    long = " ".join(["Joki virtaa merelle."] * 12)
    paragraphs = []
    for city in ("Helsinki", "Turku", "Oulu", "Vaasa", "Kuopio", "Lahti"):
        context = f"{long} Kaupunki {city} on pohjoisessa. {long}"
        answer = {"text": city, "answer_start": context.index(city)}
        question = {"id": city, "question": f"Mikä kaupunki on {city[:2]}?", "answers": [answer]}
        paragraphs.append({"context": context, "qas": [question]})
    path.write_text(json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]}), "utf-8")
    return path


def read_recipe(folder: Path) -> Path:
    squad(folder / "squad.json")
    path = recipe(folder, READER, 'objective = "read"', steps=4)
    text = path.read_text("utf-8")
    head, stage = text.split("[[stages]]")
    path.write_text(f'{head}[[stages]]{stage.replace("""[{ kind = "rows", path = "rows.jsonl" }]""", SQUAD)}', "utf-8")
    return path


def test_a_reader_learns_where_answers_stand(xdr_home: Path, tmp_path: Path) -> None:
    path = read_recipe(tmp_path)
    loaded, data, network = opened(path)
    assert isinstance(network, ReaderNetwork)
    stage = loaded.recipe.stages[0]
    pairs = data.of_stage(stage)[0]
    windows = network.windows(pairs)
    assert len(windows) > len(pairs)
    answered = [window for window in windows if window.end]
    assert len(answered) >= len(pairs)
    for window in answered:
        ids = window.features["input_ids"][window.start : window.end + 1]
        assert network._tokenizer.decode(ids).strip() in {
            pair.positive.text[slice(*pair.answer)].lower() for pair in pairs
        }
    job = network.job(loaded.recipe, stage, [pairs], 1, operating(path))
    batch = job.collated(list(range(4)), 0)
    assert max(map(len, batch["input_ids"])) <= 48
    loss, found = loss_and_outputs(network.trained, batch)
    starts, ends = (batch[f"{side}_positions"].numpy() for side in ("start", "end"))
    sides = (cross_entropy(found.start_logits.numpy(), starts), cross_entropy(found.end_logits.numpy(), ends))
    assert loss == pytest.approx(np.mean([side.mean() for side in sides]), rel=1e-5)

    record = train(path, tmp_path / "out", SilentProgress())
    assert record.stages[0].steps == 4
    from transformers import AutoModelForQuestionAnswering

    written = AutoModelForQuestionAnswering.from_pretrained(tmp_path / "out")
    assert not torch.equal(written.qa_outputs.weight, network.trained.qa_outputs.weight)


def top_layer_recipe(folder: Path, saved: str) -> Path:
    """As ``read_recipe``, from a reader's folder, of whose two layers the upper one learns."""
    path = read_recipe(folder)
    stages = path.read_text("utf-8").split("[[stages]]")[1]
    model = f'[model]\nkind = "reader"\nstart = "start"\nmax_length = 48\nstride = 8\ntrained_layers = 1\nsaved = "{saved}"\n'
    head = 'schema_version = 2\nname = "top"\ntitle = "T"\n\n'
    path.write_text(f"{head}{model}\n[[stages]]{stages}", "utf-8")
    tiny_readers.reader(folder / "start")
    return path


def test_a_readers_top_layers_learn_over_the_states_of_those_below(xdr_home: Path, tmp_path: Path) -> None:
    path = top_layer_recipe(tmp_path, "whole")
    loaded, data, network = opened(path)
    assert isinstance(network, ReaderNetwork)
    pairs = data.of_stage(loaded.recipe.stages[0])[0]
    windows = network.windows(pairs)
    job = network.job(loaded.recipe, loaded.recipe.stages[0], [pairs], 1, operating(path))
    numbers = [0, 5, 1, len(windows) - 1]
    batch = job.collated(numbers, 0)
    top = top_reader(network.trained, network._parts[1]).eval()  # type: ignore[index]
    with torch.no_grad():
        loss = float(top(**batch)["loss"])
    alone = []
    for place, number in enumerate(numbers):
        whole = network._tokenizer.pad([dict(windows[number].features)], return_tensors="pt")
        places = {f"{side}_positions": batch[f"{side}_positions"][place : place + 1] for side in ("start", "end")}
        alone.append(loss_and_outputs(network.trained, {**whole, **places})[0])
    # Each window by itself: what fills a batch up is no place for an answer.
    expected = np.mean(alone)
    assert loss == pytest.approx(expected, rel=1e-5)

    train(path, tmp_path / "out", SilentProgress())
    from transformers import AutoModelForQuestionAnswering

    start, written = (AutoModelForQuestionAnswering.from_pretrained(tmp_path / name) for name in ("start", "out"))
    changed = {name for name, value in written.state_dict().items() if not torch.equal(value, start.state_dict()[name])}
    assert changed
    assert all(name.startswith(("bert.encoder.layer.1.", "qa_outputs.")) for name in changed)
    assert "qa_outputs.weight" in changed


def test_a_readers_delta_and_its_start_are_the_whole(xdr_home: Path, tmp_path: Path) -> None:
    train(top_layer_recipe(tmp_path, "whole"), tmp_path / "whole", SilentProgress())
    path = top_layer_recipe(tmp_path, "delta")
    train(path, tmp_path / "delta", SilentProgress())
    assert not (tmp_path / "delta/model.safetensors").exists()
    assemble(path, tmp_path / "delta", tmp_path / "made", SilentProgress())
    whole, made = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "made"))
    assert whole == made
    assert identity_of(ReaderSettings(tmp_path / "whole")) == identity_of(ReaderSettings(tmp_path / "made"))


def test_answers_that_do_not_stand_where_they_are_said_to_are_named(xdr_home: Path, tmp_path: Path) -> None:
    path = read_recipe(tmp_path)
    content = json.loads((tmp_path / "squad.json").read_text("utf-8"))
    content["data"][0]["paragraphs"][2]["qas"][0]["answers"][0]["answer_start"] += 1
    (tmp_path / "squad.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(InvalidInput, match="question 'Oulu': its answer does not stand at character"):
        train(path, tmp_path / "out", SilentProgress())


def max_sim(questions: list[np.ndarray], passages: list[np.ndarray]) -> np.ndarray:
    return np.array([[(q @ p.T).max(1).sum() for p in passages] for q in questions])


def test_an_encoder_with_many_vectors_learns_by_max_sim(xdr_home: Path, tmp_path: Path) -> None:
    contrastive = f'{CONTRASTIVE}\nsimilarity = "dot"\nscale = 2.0'
    distil = 'objective = "distil-scores"\nsimilarity = "dot"\ncandidates = 3\nteacher = { scores = "rows", temperature = 0.5 }'
    path = recipe(tmp_path, MULTI_VECTOR, contrastive, distil, steps=3)
    loaded, data, network = opened(path)
    assert isinstance(network, MultiVectorNetwork)
    from harness.recipes.train.losses import multi_vector_loss

    network.model.eval()
    texts = [[row[column] for row in rows] for rows in [rows_of(data, loaded)] for column in rows[0]]
    questions = [v.float().numpy() for v in network.model.encode_query(texts[0])]
    passages = [[v.float().numpy() for v in network.model.encode_document(column)] for column in texts[1:]]
    features = [network.model.preprocess(texts[0], task="query") | {"task": "query"}]
    features += [network.model.preprocess(column, task="document") | {"task": "document"} for column in texts[1:]]
    loss = float(multi_vector_loss(loaded.recipe.stages[0], network.model, gathered=False)(features, None).detach())
    scores = 2 * max_sim(questions, [p for column in passages for p in column])
    assert loss == pytest.approx(cross_entropy(scores, np.arange(len(questions))).mean(), rel=1e-4)

    labels = np.random.default_rng(1).normal(size=(len(questions), 3)).astype(np.float32)
    loss = float(
        multi_vector_loss(loaded.recipe.stages[1], network.model, gathered=False)(
            features, torch.from_numpy(labels)
        ).detach()
    )
    own = np.stack([max_sim(questions, column).diagonal() for column in passages], axis=1)
    wanted, got = (
        -np.stack([cross_entropy(x / 0.5, np.full(len(x), k)) for k in range(3)], axis=1) for x in (labels, own)
    )
    assert loss == pytest.approx(0.25 * (np.exp(wanted) * (wanted - got)).sum(1).mean(), rel=1e-3)

    record = train(path, tmp_path / "out", SilentProgress())
    assert [stage.candidates_per_query for stage in record.stages] == [12.0, 3.0]
    written = loaded_model(EncoderSettings(tmp_path / "out", "model", None, "float32", "cpu"), multi_vector_model)
    vectors = written.encode_document(["The town of Turku"])[0]
    assert vectors.shape[1] == 8
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(vectors)))


def rows_of(data: Read, loaded: Any) -> list[dict[str, str]]:
    pairs = data.of_stage(loaded.recipe.stages[0])[0][:3]
    return [
        {"q": p.anchor.text, "p": p.positive.text, "n": p.negatives[0].text, "m": p.negatives[1].text} for p in pairs
    ]


@pytest.mark.parametrize("objective", ["mlm", "tlm"])
def test_hidden_pieces_are_told(xdr_home: Path, tmp_path: Path, objective: str) -> None:
    path = recipe(tmp_path, TRANSFORMER, f'objective = "{objective}"\nprobability = 0.3\nmax_length = 16', steps=3)
    loaded, data, network = opened(path)
    stage = loaded.recipe.stages[0]
    job = masked_job(loaded.recipe, network, Masked(stage, data.of_stage(stage), 1), operating(path))
    batch = job.collated(list(range(8)), 0)
    labels = batch["labels"].numpy()
    assert 0.1 < (labels != -100).sum() / int(batch["attention_mask"].sum()) < 0.5
    loss, found = loss_and_outputs(job.model, batch)
    own = cross_entropy(found.logits.numpy()[labels != -100], labels[labels != -100])
    assert loss == pytest.approx(own.mean(), rel=1e-5)
    separators = (batch["input_ids"] == network.model[0].tokenizer.sep_token_id).sum(1)
    assert set(separators.tolist()) == ({2} if objective == "tlm" else {1})
    # The layers are the encoder's own.
    assert job.model.bert.encoder is network.model[0].model.encoder

    before = {name: tensor.clone() for name, tensor in network.model.state_dict().items()}
    train(path, tmp_path / "out", SilentProgress())
    after = loaded_model(EncoderSettings(tmp_path / "out", "model", None, "float32", "cpu"), _sentence()).state_dict()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert "0.model.embeddings.word_embeddings.weight" in changed


def _sentence() -> Any:
    from harness.dense.loading import sentence_transformer

    return sentence_transformer


def test_what_many_vectors_cannot_be_trained_with_is_refused(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl")
    distil = 'objective = "distil-scores"\nteacher = { card = "x" }\nscale = 2'
    with pytest.raises(InvalidInput) as error:
        load_recipe(recipe(tmp_path, MULTI_VECTOR, CONTRASTIVE, distil))
    report = str(error.value)
    assert (
        "stages.0: models of kind 'multi-vector' are compared by sums of products: say similarity = \"dot\"" in report
    )
    assert "stages.1: candidates = \"batch\" is not supported for kind 'multi-vector'" in report
    assert "stages.1: `scale` is not supported" in report
