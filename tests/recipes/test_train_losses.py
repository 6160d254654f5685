"""Every loss that a recipe can name, against its formula in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from harness.recipes.train.losses import loss_of
from harness.recipes.train.stages import AlignStage, ContrastiveStage, DistilStage, SelfTeachStage

COMMON: dict[str, Any] = {
    "name": "a",
    "steps": 1,
    "batch_size": 4,
    "optimizer": {"learning_rate": 0.1},
    "sources": [{"kind": "ntrex"}],
}


class Given(torch.nn.Module):
    """In the place of an encoder: the vectors that it is given."""

    def __getitem__(self, _: int) -> Given:
        return self

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"sentence_embedding": features["vectors"]}


def vectors(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def found(stage: Any, columns: list[np.ndarray], labels: np.ndarray | None = None) -> float:
    loss = loss_of(stage, Given(), gathered=False)
    features = [{"vectors": torch.from_numpy(column).requires_grad_()} for column in columns]
    return float(loss(features, None if labels is None else torch.from_numpy(labels)).detach())


def log_softmax(scores: np.ndarray) -> np.ndarray:
    shifted = scores - scores.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def compared(questions: np.ndarray, passages: np.ndarray, similarity: str) -> np.ndarray:
    if similarity == "cosine":
        questions, passages = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (questions, passages))
    return questions @ passages.T


def divergence(target: np.ndarray, scores: np.ndarray) -> float:
    """Of softmax(scores) from softmax(target), mean of the rows."""
    wanted, got = log_softmax(target), log_softmax(scores)
    return float((np.exp(wanted) * (wanted - got)).sum(1).mean())


@pytest.mark.parametrize(("similarity", "scale"), [("dot", 1.0), ("cosine", 20.0)])
@pytest.mark.parametrize("micro_batch", [None, 3])
def test_contrastive_has_all_positives_and_negatives_of_the_batch_as_candidates(
    similarity: str, scale: float, micro_batch: int | None
) -> None:
    keys = {"similarity": similarity, "negatives": 2, "micro_batch": micro_batch}
    stage = ContrastiveStage(objective="contrastive", **COMMON, **keys)
    columns = [vectors(seed, 5, 6) for seed in range(4)]
    scores = scale * compared(columns[0], np.concatenate(columns[1:]), similarity)
    assert scores.shape == (5, 15)
    assert found(stage, columns) == pytest.approx(-log_softmax(scores).diagonal().mean(), rel=1e-5)


def test_contrastive_in_both_directions_is_the_mean_of_them() -> None:
    stage = ContrastiveStage(objective="contrastive", directions="both", **COMMON)
    columns = [vectors(seed, 5, 6) for seed in range(2)]
    scores = 20 * compared(*columns, "cosine")
    each = [-log_softmax(s).diagonal().mean() for s in (scores, scores.T)]
    assert found(stage, columns) == pytest.approx(np.mean(each), rel=1e-5)


def test_alignment_is_the_mean_squared_error_of_both_sides() -> None:
    stage = AlignStage(objective="align", teacher={"card": "x"}, **COMMON)
    english, other, teacher = (vectors(seed, 5, 6) for seed in range(3))
    expected = (((english - teacher) ** 2).mean() + ((other - teacher) ** 2).mean()) / 2
    assert found(stage, [english, other], teacher) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
@pytest.mark.parametrize("student", [None, 0.5])
def test_distilled_scores_of_a_rows_own_passages(similarity: str, student: float | None) -> None:
    taught = {"scores": "rows", "temperature": 0.2, "student_temperature": student}
    stage = DistilStage(objective="distil-scores", candidates=3, similarity=similarity, teacher=taught, **COMMON)
    questions, *passages = (vectors(seed, 5, 6) for seed in range(4))
    scores = vectors(9, 5, 3)
    own = np.stack([compared(questions, column, similarity).diagonal() for column in passages], axis=1)
    temperature = student or 0.2
    expected = temperature**2 * divergence(scores / 0.2, own / temperature)
    assert found(stage, [questions, *passages], scores) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_distilled_scores_of_all_passages_of_the_batch(similarity: str) -> None:
    taught = {"card": "x", "temperature": 0.5, "student_temperature": 0.8}
    stage = DistilStage(objective="distil-scores", negatives=1, similarity=similarity, teacher=taught, **COMMON)
    questions, *passages = (vectors(seed, 5, 6) for seed in range(3))
    teacher = vectors(9, 5, 3, 4)
    target = teacher[:, 0] @ np.concatenate([teacher[:, 1], teacher[:, 2]]).T
    scores = compared(questions, np.concatenate(passages), similarity)
    expected = 0.8**2 * divergence(target / 0.5, scores / 0.8)
    assert found(stage, [questions, *passages], teacher) == pytest.approx(expected, rel=1e-4)


def test_self_teaching_is_cross_entropy_and_divergence_of_the_disturbed_question() -> None:
    keys = {"similarity": "dot", "negatives": 1, "temperature": 2.0, "strength": 0.5}
    stage = SelfTeachStage(objective="self-teach", **COMMON, **keys)
    questions, positives, negatives, noisy = (vectors(seed, 5, 6) for seed in range(4))
    passages = np.concatenate([positives, negatives])
    clean = questions @ passages.T
    expected = -log_softmax(clean).diagonal().mean() + 0.5 * divergence(clean / 2, noisy @ passages.T)
    assert found(stage, [questions, positives, negatives, noisy]) == pytest.approx(expected, rel=1e-5)


def test_no_gradient_flows_through_what_the_disturbed_question_is_held_against() -> None:
    stage = SelfTeachStage(objective="self-teach", similarity="dot", **COMMON)
    loss = loss_of(stage, Given(), gathered=False)
    questions, positives, noisy = (torch.from_numpy(vectors(seed, 3, 4)) for seed in range(3))
    questions.requires_grad_()
    loss([{"vectors": x} for x in (questions, positives, noisy)]).backward()
    scores = (questions @ positives.T).softmax(1) - torch.eye(3)
    assert questions.grad is not None
    torch.testing.assert_close(questions.grad, (scores @ positives / 3).detach(), rtol=1e-4, atol=1e-5)


def test_a_gradient_cache_gives_the_gradients_of_the_whole_batch() -> None:
    grads = []
    for micro_batch in (None, 2):
        stage = ContrastiveStage(objective="contrastive", micro_batch=micro_batch, similarity="dot", **COMMON)
        encoder = torch.nn.Linear(6, 3, bias=False)
        with torch.no_grad():
            encoder.weight.copy_(torch.from_numpy(vectors(5, 3, 6)))

        class Encoding(Given):
            def __init__(self, linear: torch.nn.Module) -> None:
                super().__init__()
                self.linear = linear

            def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
                return {"sentence_embedding": self.linear(features["vectors"])}

        loss = loss_of(stage, Encoding(encoder), gathered=False)
        loss([{"vectors": torch.from_numpy(vectors(seed, 5, 6))} for seed in (1, 2)], None).backward()
        grads.append(encoder.weight.grad)
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-4, atol=1e-6)
