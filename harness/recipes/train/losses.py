"""The loss of each stage: sentence-transformers' own where it has one, and two that it lacks."""

from __future__ import annotations

from typing import Any

from harness.recipes.train.columns import EncoderStage
from harness.recipes.train.stages import AlignStage, ContrastiveStage, DistilStage


def loss_of(stage: EncoderStage, model: Any, *, gathered: bool) -> Any:
    """The module that the trainer calls. ``gathered``: passages of all processes are candidates."""
    from sentence_transformers.sentence_transformer.losses import (
        CachedMultipleNegativesRankingLoss,
        DistillKLDivLoss,
        MSELoss,
        MultipleNegativesRankingLoss,
    )
    from sentence_transformers.util import cos_sim, dot_score, pairwise_cos_sim, pairwise_dot_score

    if isinstance(stage, AlignStage):
        return MSELoss(model)
    is_cosine = stage.similarity == "cosine"
    if isinstance(stage, ContrastiveStage):
        both = stage.directions == "both"
        settings: dict[str, Any] = {
            "scale": stage.factor,
            "similarity_fct": cos_sim if is_cosine else dot_score,
            "gather_across_devices": gathered,
            "directions": ("query_to_doc", "doc_to_query") if both else ("query_to_doc",),
            "partition_mode": "per_direction",
        }
        if stage.micro_batch is None:
            return MultipleNegativesRankingLoss(model, **settings)
        return CachedMultipleNegativesRankingLoss(model, mini_batch_size=stage.micro_batch, **settings)
    if isinstance(stage, DistilStage):
        teacher = stage.teacher
        student = teacher.student_temperature or teacher.temperature
        if stage.candidates == "batch":
            return _batch_distillation(model, stage, gathered)
        pairwise = pairwise_cos_sim if is_cosine else pairwise_dot_score
        return DistillKLDivLoss(
            model,
            similarity_fct=lambda questions, passages: pairwise(questions, passages) * stage.factor,
            student_temperature=student,
            teacher_temperature=teacher.temperature,
        )
    return _self_teaching(model, stage, gathered)


def _batch_distillation(model: Any, stage: DistilStage, gathered: bool) -> Any:
    import torch

    class BatchDistillation(torch.nn.Module):
        """``t^2 KL(softmax(teacher / T) || softmax(student / t))`` over all passages of the batch, mean of the questions.

        As ``DistillKLDivLoss``, whose candidates are the row's own alone. Labels: the teacher's vectors, (batch,
        1 + passages of a row, dimensions), the question's first.
        """

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, features: Any, labels: torch.Tensor) -> torch.Tensor:
            questions, passages = _embedded(self.model, features, gathered)
            taught = _all(labels[:, 1:].transpose(0, 1).flatten(0, 1), gathered, parts=labels.shape[1] - 1)
            target = labels[:, 0] @ taught.T / stage.teacher.temperature
            temperature = stage.teacher.student_temperature or stage.teacher.temperature
            found = _similarities(questions, passages, stage.similarity, stage.factor) / temperature
            divergence = torch.nn.functional.kl_div(
                found.log_softmax(1), target.log_softmax(1), reduction="batchmean", log_target=True
            )
            return divergence * temperature**2

    return BatchDistillation()


def _self_teaching(model: Any, stage: Any, gathered: bool) -> Any:
    import torch

    class SelfTeaching(torch.nn.Module):
        """Cross-entropy of the clean question, and KL of the disturbed one to it, over all passages of the batch.

        ``CE(S(q, P)) + strength KL(softmax(S(q, P) / T) || softmax(S(q', P)))``, no gradient through the former (arXiv
        2204.00716; ielab/CharacterBERT-DR, modeling.py, with T 1 and strength 1).
        """

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, features: Any, labels: torch.Tensor | None = None) -> torch.Tensor:
            *compared, disturbed = list(features)
            questions, passages = _embedded(self.model, compared, gathered)
            noisy = self.model(disturbed)["sentence_embedding"]
            scores = _similarities(questions, passages, stage.similarity, stage.factor)
            found = _similarities(noisy, passages, stage.similarity, stage.factor)
            first = _rank() * len(questions) if gathered else 0
            own = torch.arange(first, first + len(questions), device=scores.device)
            target = (scores.detach() / stage.temperature).log_softmax(1)
            divergence = torch.nn.functional.kl_div(
                found.log_softmax(1), target, reduction="batchmean", log_target=True
            )
            loss: torch.Tensor = torch.nn.functional.cross_entropy(scores, own) + stage.strength * divergence
            return loss

    return SelfTeaching()


def _embedded(model: Any, features: Any, gathered: bool) -> tuple[Any, Any]:
    """Vectors of this process's questions, and of all passages: every row's first, then every row's second, and so on."""
    questions, *columns = [model(column)["sentence_embedding"] for column in features]
    import torch

    return questions, torch.cat([_all(column, gathered) for column in columns])


def _all(vectors: Any, gathered: bool, parts: int = 1) -> Any:
    """The vectors of all processes, for each part those of every process in turn."""
    if not gathered:
        return vectors
    import torch
    from sentence_transformers.util import all_gather_with_grad

    return torch.cat([all_gather_with_grad(part.contiguous()) for part in vectors.chunk(parts)])


def _rank() -> int:
    import torch

    return int(torch.distributed.get_rank())


def _similarities(questions: Any, passages: Any, similarity: str, scale: float) -> Any:
    from sentence_transformers.util import cos_sim, dot_score

    return (cos_sim if similarity == "cosine" else dot_score)(questions, passages) * scale


def multi_vector_loss(stage: ContrastiveStage | DistilStage, model: Any, *, gathered: bool) -> Any:
    from sentence_transformers.multi_vector_encoder.losses import (
        CachedMultiVectorMultipleNegativesRankingLoss,
        MultiVectorDistillKLDivLoss,
        MultiVectorMultipleNegativesRankingLoss,
    )

    if isinstance(stage, DistilStage):
        teacher = stage.teacher
        return MultiVectorDistillKLDivLoss(
            model,
            student_temperature=teacher.student_temperature or teacher.temperature,
            teacher_temperature=teacher.temperature,
        )
    if stage.micro_batch is None:
        return MultiVectorMultipleNegativesRankingLoss(model, scale=stage.factor, gather_across_devices=gathered)
    return CachedMultiVectorMultipleNegativesRankingLoss(
        model, scale=stage.factor, mini_batch_size=stage.micro_batch, gather_across_devices=gathered
    )
