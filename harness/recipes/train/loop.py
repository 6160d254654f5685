"""One stage's steps: the library's trainer over our batches, with checkpoints from which a killed training goes on.

A checkpoint counts when every process has written its ledger into it, last of all: what was killed while it was written is
passed over. What is drawn in training is drawn from generators whose states lie in it, so that the bytes of the model do
not show where a training was interrupted.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.compute.platform import PeakMemory
from harness.errors import InvalidInput
from harness.files.reading import parse_json
from harness.files.writing import write_text
from harness.progress import Advance, Progress
from harness.recipes.train.batches import ALONE, GroupedBatches, Share

if TYPE_CHECKING:
    import torch

    from harness.recipes.train.stages import StageRecipe

Precision = Literal["float32", "bfloat16", "float16"]
WEIGHTS = "trained.safetensors"


@dataclass(frozen=True)
class Operating:
    """What the operator of the command chooses, and where the work lies. Nothing in it changes a model, except the device.

    ``steps``: stop after so many, as where it is only looked how long a training will take.
    """

    device: str
    work: Path
    progress: Progress
    checkpoint_seconds: float = 300.0
    share: Share = ALONE
    steps: int | None = None


@dataclass(frozen=True)
class StageJob:
    """What one stage does. ``collated(numbers, epoch)``: the batch of these rows, as the trainer takes it.

    ``candidates(numbers, rows)``: passages that each question is compared with in a batch with these, of so many rows over
    all processes.
    ``trainer(base keyword arguments)`` makes the library's trainer of a subclass of ``base`` and its arguments.
    """

    stage: StageRecipe
    seed: int
    precision: Precision
    model: Any
    batches: GroupedBatches
    collated: Callable[[Sequence[int], int], Mapping[str, Any]]
    candidates: Callable[[Sequence[int], int], int]
    trainer: Callable[[Callable[[type], type], Mapping[str, Any]], Any]
    generators: tuple[torch.Generator, ...] = ()


@dataclass
class Ledger:
    """What a stage has come to, through all interruptions. ``loss``: sum over the steps, of this process."""

    steps: int = 0
    loss: float = 0.0
    tokens: int = 0
    candidates: int = 0
    seconds: float = 0.0
    peak: int | None = None
    device_peak: int | None = None
    interruptions: int = 0


def run_stage(job: StageJob, operating: Operating) -> Ledger:
    """Train to the stage's end, from the last checkpoint where there is one.

    Raises ``InvalidInput`` for pairs of which no batch can be made, and for a loss that is not finite.
    """
    steps = steps_of(job)
    checkpoint = _last_checkpoint(operating.work, operating.share.processes)
    content = parse_json((checkpoint / _ledger_name(operating.share.number)).read_bytes()) if checkpoint else {}
    ledger = Ledger(**content.get("ledger", {}))
    ledger.interruptions += bool(checkpoint)
    run = _Run(job, operating, ledger)
    with operating.progress.task(
        f"train {job.stage.name}", total=steps, unit="steps", done=ledger.steps
    ) as run.advance:
        trainer = job.trainer(run.checkpointed, _arguments(job, operating, steps))
        # One device each process: with several visible ones the library would divide batches among threads.
        trainer.args._n_gpu = min(1, trainer.args.n_gpu)
        run.watch(trainer)
        _set_states(job.generators, content.get("generators", ()))
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    run.note()
    return _of_all_processes(ledger, operating)


def steps_of(job: StageJob) -> int:
    """Raises ``InvalidInput`` where no batch can be made."""
    per_epoch = len(job.batches)
    if not per_epoch:
        raise InvalidInput(
            f"stage {job.stage.name}: no batch can be made of its pairs: those of one question or passage never share one"
        )
    return job.stage.steps or per_epoch * (job.stage.epochs or 1)


def _arguments(job: StageJob, operating: Operating, steps: int) -> dict[str, Any]:
    stage, optimizer = job.stage, job.stage.optimizer
    return {
        "output_dir": str(operating.work),
        "num_train_epochs": stage.epochs or 1,
        # The learning rate falls over the stage's steps, however few of them are looked at.
        "max_steps": stage.steps or -1,
        "per_device_train_batch_size": max(1, stage.batch_size // operating.share.processes),
        "learning_rate": optimizer.learning_rate,
        "warmup_steps": round(optimizer.warmup * steps),
        "max_grad_norm": optimizer.max_grad_norm,
        "weight_decay": optimizer.weight_decay,
        "seed": job.seed,
        "use_cpu": operating.device == "cpu",
        "bf16": job.precision == "bfloat16",
        "fp16": job.precision == "float16",
        "save_strategy": "no",
        "save_total_limit": 2,
        "logging_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "remove_unused_columns": False,
        "ddp_find_unused_parameters": False,
        # Said to quiet the library: which rows a batch leaves out is for our batches to say.
        "dataloader_drop_last": operating.share.processes > 1,
        "ddp_backend": "gloo" if operating.device == "cpu" and operating.share.processes > 1 else None,
    }


class _Run:
    """What the trainer's subclass and its callback share."""

    def __init__(self, job: StageJob, operating: Operating, ledger: Ledger) -> None:
        self.job, self.operating, self.ledger = job, operating, ledger
        self.advance: Advance
        self._peak = PeakMemory()
        self._began, self._before = time.perf_counter(), ledger.seconds
        self._saved = time.monotonic()

    def note(self) -> None:
        """Bring times and memory up to date."""
        ledger = self.ledger
        ledger.seconds = self._before + time.perf_counter() - self._began
        ledger.peak = max((b for b in (ledger.peak, self._peak.bytes()) if b is not None), default=None)
        if self.operating.device != "cpu":
            import torch

            ledger.device_peak = max(ledger.device_peak or 0, torch.cuda.max_memory_allocated())

    def checkpointed(self, base: type) -> type:
        """A subclass of the trainer over our batches, which keeps what it needs to go on."""
        from safetensors.torch import load_file, save_file

        run, job, ledger = self, self.job, self.ledger
        loader = _loader(job, ledger)

        class Checkpointed(base):  # type: ignore[misc]
            def get_train_dataloader(self) -> Any:
                return loader

            def training_step(self, *arguments: Any, **named: Any) -> Any:
                loss = super().training_step(*arguments, **named)
                value = float(loss)
                if not math.isfinite(value):
                    raise InvalidInput(
                        f"stage {job.stage.name}: the loss of step {ledger.steps + 1} is {value}; a lower learning_rate, a "
                        'longer warmup or precision = "float32" may help'
                    )
                ledger.loss += value
                return loss

            def _save(self, output_dir: str | None = None, state_dict: object = None) -> None:
                folder = Path(output_dir or self.args.output_dir)
                folder.mkdir(parents=True, exist_ok=True)
                save_file(trained_tensors(job.model), folder / WEIGHTS)

            def _load_from_checkpoint(self, checkpoint: str, model: object = None) -> None:
                load_tensors(job.model, load_file(Path(checkpoint) / WEIGHTS))

            def _save_checkpoint(self, *arguments: Any, **named: Any) -> None:
                super()._save_checkpoint(*arguments, **named)
                run.note()
                states = [bytes(generator.get_state().numpy().tobytes()).hex() for generator in job.generators]
                folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
                folder.mkdir(parents=True, exist_ok=True)
                content = {"ledger": dataclasses.asdict(ledger), "generators": states}
                write_text(folder / _ledger_name(run.operating.share.number), json.dumps(content))

        return Checkpointed

    def watch(self, trainer: Any) -> None:
        from transformers import PrinterCallback, TrainerCallback

        run = self

        class Steps(TrainerCallback):  # type: ignore[misc]
            def on_step_end(self, _: Any, state: Any, control: Any, **__: object) -> Any:
                run.ledger.steps = state.global_step
                run.advance(1)
                if run.is_due():
                    control.should_save = True
                if run.operating.steps is not None and state.global_step >= run.operating.steps:
                    control.should_training_stop = True
                return control

        trainer.add_callback(Steps())
        # Progress is reported by the callback alone.
        trainer.remove_callback(PrinterCallback)

    def is_due(self) -> bool:
        """Whether it is time for a checkpoint, which is for all processes what it is for the first."""
        due = time.monotonic() - self._saved >= self.operating.checkpoint_seconds
        if self.operating.share.processes > 1:
            from accelerate.utils import broadcast_object_list

            due = bool(broadcast_object_list([due])[0])
        if due:
            self._saved = time.monotonic()
        return due


def _loader(job: StageJob, ledger: Ledger) -> Any:
    import torch

    def collated(numbers: list[int]) -> Mapping[str, Any]:
        batch = job.collated(numbers, job.batches.epoch)
        ledger.tokens += sum(tokens_in(batch))
        ledger.candidates += job.candidates(numbers, job.batches.processes * len(numbers))
        return batch

    class Loader(torch.utils.data.DataLoader):  # type: ignore[type-arg]
        # Each process iterates over its own part already; accelerate would divide the batches once more.
        _is_accelerate_prepared = True

        def set_epoch(self, epoch: int) -> None:
            job.batches.set_epoch(epoch)

    # The generator: that of the iterator's own seed, which would otherwise be drawn from that of the model's dropout.
    numbers: Any = range(job.batches.rows)
    return Loader(numbers, batch_sampler=job.batches, collate_fn=collated, generator=torch.Generator())


def tokens_in(batch: Mapping[str, Any]) -> list[int]:
    """Tokens of each column of a batch, padding excluded."""
    masks = {
        key.removesuffix("attention_mask"): value for key, value in batch.items() if key.endswith("attention_mask")
    }
    ids = {key.removesuffix("input_ids"): value for key, value in batch.items() if key.endswith("input_ids")}
    return [int(masks[name].sum()) if name in masks else int(ids[name].numel()) for name in ids]


def trained_tensors(model: Any) -> dict[str, torch.Tensor]:
    """Copies of the parameters that learn, on the CPU."""
    return {
        name: parameter.detach().to("cpu", copy=True).contiguous()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def load_tensors(model: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Raises ``InvalidInput`` where they are not those of this model."""
    import torch

    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    wrong = sorted(set(own) ^ set(tensors)) or [name for name in own if own[name].shape != tensors[name].shape]
    if wrong:
        raise InvalidInput(f"the weights are not those of this model: {', '.join(wrong[:3])}")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(tensors[name])


def _ledger_name(process: int) -> str:
    return f"ledger-{process}.json"


def _last_checkpoint(work: Path, processes: int) -> Path | None:
    found = [
        folder
        for folder in work.glob("checkpoint-*")
        if folder.name.removeprefix("checkpoint-").isdigit()
        and all((folder / _ledger_name(number)).is_file() for number in range(processes))
    ]
    return max(found, key=lambda folder: int(folder.name.removeprefix("checkpoint-")), default=None)


def _set_states(generators: Sequence[torch.Generator], states: Sequence[str]) -> None:
    """As they were at the checkpoint: making a trainer may draw from them."""
    import torch

    for generator, state in zip(generators, states, strict=bool(states)):
        generator.set_state(torch.frombuffer(bytearray.fromhex(state), dtype=torch.uint8))


def _of_all_processes(ledger: Ledger, operating: Operating) -> Ledger:
    """Mean loss and all tokens; candidates are counted for all by each."""
    if operating.share.processes == 1:
        return ledger
    import torch

    sums = torch.tensor([ledger.loss, float(ledger.tokens)], dtype=torch.float64, device=operating.device)
    torch.distributed.all_reduce(sums)
    loss, tokens = sums.tolist()
    return dataclasses.replace(ledger, loss=loss / operating.share.processes, tokens=int(tokens))
