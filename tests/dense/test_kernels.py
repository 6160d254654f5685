"""A card's kernel: in the manifest, part of what identifies a run whose card names it, and torch's own but for rounding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_models
from small_dense import run, write_card, write_track

from harness.adapters.card import load_card
from harness.compute.linear import has_onednn
from harness.dense.encoder import Encoder
from harness.dense.loading import EncoderSettings
from harness.errors import InvalidInput
from harness.runs.identity import compared, identity_of, versions_of
from harness.runs.manifest import read_manifest, run_file
from harness.runs.trec import read_run

needs_onednn = pytest.mark.skipif(not has_onednn(), reason="the installed torch has no oneDNN")


@needs_onednn
@pytest.mark.parametrize("folder", ["plain", "sentence"])
def test_vectors_of_both_kernels_agree_to_five_digits(folder: str) -> None:
    path: Path = getattr(tiny_models.shared(), folder)
    pooling = "cls" if folder == "plain" else "model"
    texts = [f"the river {n} flows to the sea" for n in range(20)]
    found = {
        kernel: Encoder(EncoderSettings(path, pooling, "dot", "float32", "cpu", kernel=kernel)).encode(texts)  # type: ignore[arg-type]
        for kernel in ("torch", "torch-fused", None)
    }
    scale = np.abs(found["torch"]).max(axis=1, keepdims=True)
    assert (np.abs(found["torch-fused"] - found["torch"]) <= 1e-5 * scale).all()
    np.testing.assert_array_equal(found[None], found["torch-fused"])


@needs_onednn
def test_a_named_kernel_makes_another_run_and_stands_in_its_manifest(tmp_path: Path) -> None:
    track = write_track(tmp_path)
    manifests, rankings = {}, {}
    for kernel in ("torch", "torch-fused", None):
        home = tmp_path / str(kernel)
        own = {} if kernel is None else {"kernel": kernel}
        outcome = run(home, track, write_card(home, **own))
        manifests[kernel] = read_manifest(outcome.folder)
        rankings[kernel] = read_run(run_file(outcome.folder, "fi"))[0].rankings
    assert [manifests[kernel].execution.kernel for kernel in manifests] == ["torch", "torch-fused", "torch-fused"]
    versions = {kernel: manifest.implementation.versions or {} for kernel, manifest in manifests.items()}
    assert versions["torch"].keys() - versions[None].keys() == {"kernel torch"}
    assert versions["torch-fused"]["kernel torch-fused"] == 1
    told = compared(identity_of(manifests["torch"]), identity_of(manifests["torch-fused"])).differences
    assert any(line.startswith("parameters.kernel") for line in told)
    for query_id, ranked in rankings["torch-fused"].items():
        assert ranked.doc_ids == rankings[None][query_id].doc_ids
        np.testing.assert_array_equal(ranked.scores, rankings[None][query_id].scores)


@pytest.mark.parametrize("name", ["mini-xdr", "mini-xdr-xqg", "mini-zero-shot"])
def test_cards_that_name_no_kernel_are_the_runs_that_they_were(name: str) -> None:
    recorded = read_manifest(Path(__file__).parents[2] / "runs/mini" / name)
    assert recorded.implementation.versions in (None, versions_of(load_card(name).system()))


def test_a_kernel_that_nobody_knows_or_that_cannot_compute_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="unknown kernel 'torch-fusd'; did you mean 'torch-fused'"):
        load_card(str(write_card(tmp_path, kernel="torch-fusd"))).system()
    card = write_card(tmp_path / "card", kernel="torch-fused", dtype="bfloat16")
    with pytest.raises(InvalidInput, match="not in bfloat16 on cpu"):
        run(tmp_path, write_track(tmp_path), card)
