"""The operator's options, written once: where systems run, how much of the machine they may use, what code they trust.

A command that runs systems takes them all:

    @with_operator_options
    def run(track: ..., *, operator: Operator) -> None:

Typer reads a command's signature, so the one parameter ``operator`` is replaced there by one option for each field.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from harness.cli.console import note
from harness.errors import WrongUsage

if TYPE_CHECKING:
    from harness.adapters.card import LoadedCard
    from harness.adapters.consent import Consent
    from harness.adapters.contract import Context
    from harness.servers.access import Access

Result = TypeVar("Result")


@dataclass(frozen=True)
class Operator:
    """What the operator chose; memory and shard size in GiB. A new field is a new option of every such command."""

    device: Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, or auto: cuda where there is one.")] = (
        "auto"
    )
    workers: Annotated[int, typer.Option("--workers", min=1, help="Batches at once; never changes a result.")] = (
        os.cpu_count() or 1
    )
    memory: Annotated[
        float, typer.Option("--memory", min=0.1, help="Memory for batches in GiB; never changes a result.")
    ] = 4
    shard_size: Annotated[float, typer.Option("--shard-size", min=0.0001, help="Size of vector files in GiB.")] = 1
    engine: Annotated[str, typer.Option("--engine", help="local, or ray: a Ray cluster; never changes a result.")] = (
        "local"
    )
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Run the Python code and programs that cards and tracks bring.")
    ] = False
    trust_remote_code: Annotated[
        list[str] | None,
        typer.Option(
            "--trust-remote-code",
            metavar="MODEL@REVISION",
            help="Run the code of this model at this commit or SHA-256.",
        ),
    ] = None

    server: Annotated[
        str,
        typer.Option("--server", metavar="URL", help="Address of an OpenAI-compatible server; texts are sent there."),
    ] = ""
    api_key_variable: Annotated[
        str, typer.Option("--api-key-variable", metavar="NAME", help="Environment variable that holds its key.")
    ] = ""
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Seconds to wait for one answer of the server.")
    ] = 120
    requests_per_minute: Annotated[
        float, typer.Option("--requests-per-minute", min=0, help="Most requests to the server; 0: no limit.")
    ] = 0
    price_per_million_tokens: Annotated[
        float, typer.Option("--price-per-million-tokens", min=0, help="What the server takes, for --dry-run.")
    ] = 0

    def access(self) -> Access | None:
        """Where texts may be sent, None for nowhere. Raises ``WrongUsage`` for an address or a key that is none."""
        from harness.servers.access import Access

        if not self.server:
            return None
        access = Access(
            self.server, self.api_key_variable, self.timeout, self.requests_per_minute, self.price_per_million_tokens
        )
        access.check()
        return access

    def consent(self, cards: Sequence[LoadedCard] = ()) -> Consent:
        """The operator's consent, held against all cards before the first one runs. Raises ``WrongUsage``."""
        from harness.adapters.box.sandbox import why_not
        from harness.adapters.consent import consent_of

        consent = consent_of(self.allow_code, self.trust_remote_code or ())
        for card in cards:
            card.require(consent)
        programs = [card.card.name for card in cards if card.runs_a_program()]
        if programs and (reason := why_not()):
            note(f"warning: {', '.join(programs)}: runs without isolation, with all your rights, since {reason}")
        return consent

    def context(self, consent: Consent) -> Context:
        """Where and how systems run. Raises ``WrongUsage`` for an engine or a device that is not there."""
        from harness.adapters.contract import Context
        from harness.compute.engine import check_engine
        from harness.files.writing import cache_home
        from harness.progress import shown

        check_engine(self.engine)
        check_device(self.device)
        return Context(
            cache=cache_home(),
            work=cache_home() / "work",
            device=self.device,
            workers=self.workers,
            memory_bytes=int(self.memory * (1 << 30)),
            shard_bytes=int(self.shard_size * (1 << 30)),
            engine=self.engine,
            progress=shown(),
            consent=consent,
            server=self.access(),
        )


_DEVICES = re.compile(r"auto|cpu|cuda(?::([0-9]{1,3}))?")


def check_device(device: str) -> None:
    """Before anything is read: not at the first model, nor never where all is recorded."""
    known = _DEVICES.fullmatch(device)
    if known is None:
        hint = {"gpu": "; did you mean cuda?"}.get(device.lower(), "")
        if not hint and _DEVICES.fullmatch(device.lower()):
            hint = f"; did you mean {device.lower()}?"
        raise WrongUsage(f"--device {device}: expected auto, cpu, cuda, or one of several as cuda:1{hint}")
    if device.startswith("cuda"):
        import torch

        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(known[1] or 0) >= count:
            there = f"has {count} of them, cuda:0 to cuda:{count - 1}" if count else "finds none"
            raise WrongUsage(f"--device {device}: there is no such GPU here; PyTorch {torch.__version__} {there}")


def with_operator_options(command: Callable[..., Result], without: Sequence[str] = ()) -> Callable[..., Result]:
    """The command with the options of ``Operator``, but those ``without``, in place of its keyword parameter ``operator``."""
    hints = get_type_hints(command, include_extras=True)
    option_hints = get_type_hints(Operator, include_extras=True)
    options = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=option_hints[field.name]
        )
        for field in dataclasses.fields(Operator)
        if field.name not in without
    ]
    signature = inspect.signature(command)
    own = [
        parameter.replace(annotation=hints[name])
        for name, parameter in signature.parameters.items()
        if name != "operator"
    ]

    @functools.wraps(command)
    def with_options(**given: Any) -> Result:
        operator = Operator(**{option.name: given.pop(option.name) for option in options})
        return command(**given, operator=operator)

    parameters = [*own, *options]
    with_options.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=parameters, return_annotation=hints.get("return", inspect.Signature.empty)
    )
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_options
