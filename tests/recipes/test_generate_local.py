"""Texts of models in this process: what transformers gives for each prompt alone, and draws that depend on the text alone."""

from __future__ import annotations

import functools
import itertools
import pickle
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import tiny_generators
from scipy import stats
from tiny_generators import DOCS as ALL_DOCS

from harness.errors import InvalidInput
from harness.recipes.generate.load import kinds
from harness.recipes.generate.local import LocalModel
from harness.recipes.generate.recipe import Operator, Written
from harness.recipes.generate.sampling import gumbel, key_of
from harness.records import Doc

DOCS = ALL_DOCS[:6]
MODELS = {"mt5": "seq2seq", "llama": "causal", "gpt2": "causal"}
GREEDY = {"method": "greedy", "max_output_tokens": 7}
SAMPLE = {"method": "sample", "top_k": 5, "max_output_tokens": 7}
PROMPT = "Generate a {language} question: {title} {passage}"
NAMES = {"fi": "Finnish", "ru": "Russian"}
every_model = pytest.mark.parametrize("name", list(MODELS))


def opened(name: str, operator: Operator = Operator(), folder: Path | None = None, **changes: Any) -> LocalModel:  # noqa: B008
    model = {"name": str(folder or getattr(tiny_generators, name)())}
    recipe = {
        "schema_version": 1, "kind": MODELS[name], "name": "tiny", "title": "Tiny", "languages": list(NAMES),
        "per_language": 1, "prompt": PROMPT, "max_prompt_tokens": 200, "token_budget": 500, "model": model,
        "decoding": GREEDY,
    } | changes  # fmt: skip
    source = kinds()[MODELS[name]].model_validate(recipe).source(Path(), operator)
    return pickle.loads(pickle.dumps(source)).opened(source.files)


def texts(name: str, docs: list[Doc] = DOCS, **changes: Any) -> tuple[tuple[tuple[str, ...], ...], ...]:
    return opened(name, **changes)(docs).texts


@functools.cache
def plain(name: str) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    folder = getattr(tiny_generators, name)()
    auto = AutoModelForSeq2SeqLM if MODELS[name] == "seq2seq" else AutoModelForCausalLM
    return AutoTokenizer.from_pretrained(folder), auto.from_pretrained(folder)


def alone(name: str, doc: Doc, language: str, **options: Any) -> list[str]:
    """What transformers generates for one prompt alone, by its own generate and defaults."""
    tokenizer, model = plain(name)
    inputs = tokenizer(f"Generate a {language} question: {doc.title} {doc.text}", return_tensors="pt")
    ids = model.generate(**inputs, max_new_tokens=7, do_sample=False, **options)
    start = 0 if MODELS[name] == "seq2seq" else inputs["input_ids"].shape[1]
    decoded = tokenizer.batch_decode(ids[:, start:], skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return [" ".join(text.strip().splitlines()).strip() for text in decoded]


@every_model
def test_greedy_texts_are_those_of_each_prompt_alone(name: str) -> None:
    found = texts(name)
    for doc, own in zip(DOCS, found, strict=True):
        assert own == tuple((alone(name, doc, language)[0],) for language in NAMES.values())
    assert len({text for own in found for (text,) in own}) > 2


@every_model
def test_greedy_texts_are_the_likeliest_tokens_one_by_one(name: str) -> None:
    """Held against the model's own forward pass on growing sequences: no cache, no batch, and no generate of transformers."""
    import torch

    tokenizer, model = plain(name)
    ours = opened(name)
    for doc, own in zip(DOCS[:4], ours(DOCS[:4]).texts, strict=True):
        prompt = ours.prompt_ids(doc, "Finnish").ids
        written = [model.config.decoder_start_token_id] if MODELS[name] == "seq2seq" else list(prompt)
        start = 1 if MODELS[name] == "seq2seq" else len(prompt)
        while len(written) < start + 7 and (len(written) == start or written[-1] != tokenizer.eos_token_id):
            given = {"input_ids": torch.tensor([prompt]), "decoder_input_ids": torch.tensor([written])}
            inputs = given if MODELS[name] == "seq2seq" else {"input_ids": torch.tensor([written])}
            with torch.inference_mode():
                written.append(int(model(**inputs).logits[0, -1].argmax()))
        text = tokenizer.decode(written[start:], skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert own[0] == (" ".join(text.strip().splitlines()).strip(),)


@every_model
def test_beams_are_those_of_each_prompt_alone(name: str) -> None:
    decoding = {"method": "beam", "beams": 3, "max_output_tokens": 7}
    found = texts(name, DOCS[:4], decoding=decoding, per_language=2)
    for doc, (own, _) in zip(DOCS[:4], found, strict=True):
        assert list(own) == alone(name, doc, "Finnish", num_beams=3, num_return_sequences=2)


@every_model
def test_samples_depend_on_no_batch_no_neighbour_and_no_worker(name: str) -> None:
    options = {"decoding": SAMPLE, "per_language": 3}
    found = texts(name, **options)
    assert len({text for own in found for by_language in own for text in by_language}) > 20
    assert texts(name, token_budget=300, **options) == found
    assert texts(name, token_budget=10**6, **options) == found
    assert texts(name, operator=Operator(workers=3), **options) == found
    assert texts(name, DOCS[::-1], **options) == found[::-1]
    assert texts(name, DOCS[3:5], **options) == found[3:5]
    assert texts(name, languages=["ru", "fi"], **options) == tuple(own[::-1] for own in found)
    assert [own[0][:2] for own in texts(name, decoding=SAMPLE, per_language=2)] == [own[0][:2] for own in found]


def test_another_seed_draws_other_texts() -> None:
    first, second = (texts("mt5", decoding=SAMPLE, seed=seed) for seed in (1, 2))
    assert sum(a != b for a, b in zip(first, second, strict=True)) > len(DOCS) // 2


@every_model
def test_the_likeliest_token_alone_is_greedy_decoding(name: str) -> None:
    assert texts(name, decoding=SAMPLE | {"top_k": 1}) == texts(name)
    assert texts(name, decoding=SAMPLE | {"top_p": 1e-6}) == texts(name)


def first_tokens(count: int, decoding: dict[str, Any]) -> tuple[Counter[int], dict[int, float]]:
    """The first tokens drawn for one prompt, and their softmax by the model's own forward pass in float64."""
    import torch

    model = opened("mt5", decoding=decoding)
    ids = model.prompt_ids(DOCS[1], "Finnish").ids
    with torch.inference_mode():
        drawn = model.generate([ids] * count, [key_of(0, f"d{n}", "fi", 0) for n in range(count)])
        inputs = {"input_ids": torch.tensor([ids]), "decoder_input_ids": torch.tensor([[0]])}
        scores = model.model(**inputs).logits[0, 0].double() / decoding.get("temperature", 1)
    best = scores.topk(decoding["top_k"])
    return Counter(own[0] for own in drawn), dict(
        zip(best.indices.tolist(), best.values.softmax(0).tolist(), strict=True)
    )


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_draws_follow_the_softmax_of_the_top_k_and_nothing_else(temperature: float) -> None:
    count = 4000
    decoding = {"method": "sample", "top_k": 6, "max_output_tokens": 1, "temperature": temperature}
    drawn, expected = first_tokens(count, decoding)
    assert set(drawn) <= set(expected)
    observed = [drawn[token] for token in expected]
    assert stats.chisquare(observed, [count * p for p in expected.values()]).pvalue > 0.01


def test_noise_is_gumbels_and_independent_between_places_and_tokens() -> None:
    import torch

    keys, tokens = torch.arange(2000), torch.arange(20).expand(2000, 20)
    rows = [gumbel(keys, place, tokens) for place in (0, 1)]
    for noise in rows:
        assert stats.kstest(noise.flatten().numpy(), stats.gumbel_r.cdf).pvalue > 0.01
    for one, two in itertools.pairwise([*rows[0].T[:3], rows[1].T[2]]):
        assert abs(stats.pearsonr(one.numpy(), two.numpy()).statistic) < 0.06


@pytest.mark.parametrize("name", ["llama", "mt5"])
def test_long_prompts_are_cut_and_counted(name: str) -> None:
    long = Doc("long", "Volga", "past lakes and mountains " * 40)
    model = opened(name, max_prompt_tokens=40)
    cut = model.prompt_ids(long, "Finnish")
    assert cut.is_cut
    assert len(cut.ids) <= 40
    written = model([long, DOCS[0]])
    assert written.counts["prompts"] == 4
    assert written.counts["prompts cut"] == sum(
        model.prompt_ids(d, n).is_cut for d in (long, DOCS[0]) for n in NAMES.values()
    )


def test_a_causal_prompt_keeps_the_words_after_the_passage() -> None:
    long = Doc("long", "Volga", "past lakes and mountains " * 40)
    model = opened("llama", max_prompt_tokens=60, prompt="{language}: {passage} Question:")
    kept = model.tokenizer.decode(model.prompt_ids(long, "Finnish").ids, skip_special_tokens=True)
    assert kept.startswith("Finnish: past lakes")
    assert kept.endswith(" Question:")
    with pytest.raises(
        InvalidInput, match=r"passage d02 has .* tokens without any of its text; raise max_prompt_tokens"
    ):
        opened("llama", max_prompt_tokens=8)([DOCS[2]])


def test_a_chat_model_gets_its_own_template() -> None:
    model = opened("llama", chat=True)
    ids = model.prompt_ids(DOCS[1], "Finnish").ids
    assert (
        model.tokenizer.decode(ids)
        == f"<user>{PROMPT.format(language='Finnish', title='Volga', passage=DOCS[1].text)}</s><bot>"
    )


def test_what_the_models_own_generation_settings_say_does_not_count(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(tiny_generators.llama(), folder)
    before = (folder / "generation_config.json").read_text()
    (folder / "generation_config.json").write_text(
        before.replace("{", '{"repetition_penalty": 9.0, "max_length": 3,', 1)
    )
    assert texts("llama", folder=folder) == texts("llama")


def without(folder: Path, tmp_path: Path, part: str) -> Path:
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path / "broken")
    path = tmp_path / "broken/model.safetensors"
    save_file({name: weights for name, weights in load_file(path).items() if part not in name}, path, {"format": "pt"})
    return tmp_path / "broken"


def test_weights_that_are_missing_are_not_made_up(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"lack weights that it computes with \(decoder.final_layer_norm.weight\)"):
        opened("mt5", folder=without(tiny_generators.mt5(), tmp_path, "decoder.final_layer_norm"))


def test_a_pickle_is_refused_with_the_class_that_converts_it(tmp_path: Path) -> None:
    shutil.copytree(tiny_generators.mt5(), tmp_path / "pickled")
    (tmp_path / "pickled/model.safetensors").rename(tmp_path / "pickled/pytorch_model.bin")
    with pytest.raises(InvalidInput, match=r"never from a pickle; convert .* AutoModelForSeq2SeqLM\.from_pretrained"):
        opened("mt5", folder=tmp_path / "pickled")


def test_scores_that_are_no_numbers_end_it(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny_generators.gpt2(), tmp_path / "nan")
    path = tmp_path / "nan/model.safetensors"
    save_file({name: weights * float("nan") for name, weights in load_file(path).items()}, path, {"format": "pt"})
    with pytest.raises(InvalidInput, match="scores that are no numbers in float32"):
        texts("gpt2", folder=tmp_path / "nan")


def test_lengths_can_be_asked_without_generating() -> None:
    model = opened("mt5")
    counts = model.token_counts(DOCS)
    assert len(counts) == len(DOCS) * len(NAMES)
    assert counts[2] == len(
        model.tokenizer(PROMPT.format(language="Finnish", title="Volga", passage=DOCS[1].text))["input_ids"]
    )


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be loaded as AutoModelForSeq2SeqLM"):
        opened("mt5", folder=tiny_generators.llama())


def test_results_are_picklable() -> None:
    written = opened("mt5")(DOCS[:1])
    assert isinstance(pickle.loads(pickle.dumps(written)), Written)
