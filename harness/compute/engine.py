"""Which engine computes the tasks of a run: this process, or the machines of a cluster. Never part of a result."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator

from harness.compute.jobs import Engine, LocalEngine
from harness.errors import WrongUsage, unknown_name

ENGINES = ("local", "ray")


def check_engine(name: str) -> None:
    """Raises ``WrongUsage`` when there is no engine of that name, or it is not installed."""
    if name not in ENGINES:
        raise unknown_name("engine", name, ENGINES)
    if name != "local" and importlib.util.find_spec(name) is None:
        raise WrongUsage(f"the engine {name} is not installed; install it with: pip install 'xdr-bench[{name}]'")


@contextlib.contextmanager
def opened_engine(name: str, threads: int, device: str) -> Iterator[Engine]:
    """The engine of that name. ``threads``: the most that a task may use; ``device``: what its tasks compute on."""
    check_engine(name)
    if name == "local":
        yield LocalEngine(threads)
        return
    from harness.compute.ray_engine import connected

    with connected(threads, device) as engine:
        yield engine
