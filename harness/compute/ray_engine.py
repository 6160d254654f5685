"""The engine ``ray``: tasks on the machines of a Ray cluster, to the bytes of the local engine.

A bounded number of tasks is under way; their results are handed out in the order of the tasks. A task that is lost with
its process or its machine is begun again elsewhere by Ray; one that fails is not, and fails the run as it would here.
"""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.compute.jobs import Job, Result, Task
from harness.compute.ray_files import FileServer, Sent, members_of, placed
from harness.compute.ray_nodes import differences, facts_of_node
from harness.errors import Finding, InvalidInput, WrongUsage, XdrError
from harness.files.writing import sha256_of_tree

_TASK_BYTES = 64 << 20
_RETRIES = 5
_ANSWER_SECONDS = 300


@contextlib.contextmanager
def connected(threads: int, device: str) -> Iterator[RayEngine]:
    """The cluster that ``RAY_ADDRESS`` names, else the one that this machine belongs to, after all its nodes were checked.

    Raises ``WrongUsage`` when there is none, ``InvalidInput`` with all differences when its nodes are not alike.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    address = os.environ.get("RAY_ADDRESS", "auto")
    if address.startswith("ray://"):
        raise WrongUsage("RAY_ADDRESS: a ray:// address is of a client; give HOST:PORT, from a machine of the cluster")
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise WrongUsage(
            f"no Ray cluster to be reached ({address}): {str(error).splitlines()[0]}; start one on this machine with: "
            "ray start --head --include-dashboard=false --disable-usage-stats (see docs/cluster.md)"
        ) from error
    try:
        yield RayEngine(threads, device)
    finally:
        ray.shutdown()


class RayEngine:
    """Made while connected. ``threads``: as many as every node has, and no more than were asked for."""

    def __init__(self, threads: int, device: str) -> None:
        import ray

        self._ray = ray
        nodes = _nodes()
        self.threads = max(1, min([threads, *(int(node["Resources"]["CPU"]) for node in nodes)]))
        self._options: dict[str, Any] = {"num_cpus": self.threads, "num_gpus": int(device.startswith("cuda"))}
        self._device = "cuda" if device.startswith("cuda") else device
        self._node = ray.get_runtime_context().get_node_id()
        self._expected = self._checked(nodes)
        store = min(int(node["Resources"].get("object_store_memory", 1 << 30)) for node in nodes)
        self.task_bytes = max(1, min(_TASK_BYTES, store // (4 * self._at_once())))
        self._open: tuple[Any, tuple[Any, ...]] | None = None

    def results(self, job: Job[Task, Result], tasks: Iterable[Task]) -> Iterator[Result]:
        if self._open is None or self._open[0] is not job:
            self._open = None
            self._open = (job, self._shared(job))
        shared = self._open[1]
        compute = self._ray.remote(_computed).options(max_retries=_RETRIES, **self._options)
        under_way: deque[Any] = deque()
        waiting = iter(tasks)
        try:
            for task in waiting:
                under_way.append(compute.remote(*shared, task))
                if len(under_way) >= self._at_once():
                    yield self._result(under_way.popleft())
            while under_way:
                yield self._result(under_way.popleft())
        finally:
            for reference in under_way:
                self._ray.cancel(reference, force=True)

    def _at_once(self) -> int:
        """Tasks under way: those that all nodes can compute at once, and as many that wait beside them."""
        return 2 * max(1, sum(int(node["Resources"]["CPU"]) // self.threads for node in _nodes()))

    def _result(self, reference: Any) -> Any:
        errors = self._ray.exceptions
        try:
            outcome = self._ray.get(reference)
        except (errors.RayTaskError, errors.TaskUnschedulableError) as error:
            absent = getattr(getattr(error, "cause", None), "client_exc", None)
            if not isinstance(absent, ModuleNotFoundError):
                raise
            raise WrongUsage(
                f"the machines of the cluster have no module {absent.name!r}: what computes there must be installed with "
                "xdr-bench, and an adapter that is a file with tasks of its own is not; leave out --engine"
            ) from error
        except errors.RayError as error:
            raise InvalidInput(
                f"a task was lost {_RETRIES + 1} times with the process or the machine that computed it "
                f"({type(error).__name__}); most often that is memory: give --memory or --workers a smaller number. "
                "The same command goes on from what is finished"
            ) from error
        if isinstance(outcome, XdrError):
            raise outcome
        return outcome

    def _shared(self, job: Job[Any, Any]) -> tuple[Any, ...]:
        """The arguments that all tasks of a job have in common, once every node has the job's files."""
        sent = {name: self._sent(path) for name, path in job.files.items()}
        if sent:
            for outcome in self._ray.get([self._on(node, _placed).remote(sent) for node in _nodes()]):
                if isinstance(outcome, XdrError):
                    raise outcome
        return uuid.uuid4().hex, self._ray.put(job), sent, self._expected, self._device

    def _sent(self, path: Path) -> Sent:
        server = self._ray.remote(FileServer).options(num_cpus=0, scheduling_strategy=self._affinity(self._node))
        path = path.resolve()
        return Sent(path, sha256_of_tree(path), members_of(path), self._node, server.remote(path))

    def _checked(self, nodes: list[dict[str, Any]]) -> dict[str, str]:
        """What every process that computes must find on its machine. Raises ``InvalidInput`` with every difference."""
        gpus = self._options["num_gpus"]
        answers = [self._on(node, facts_of_node, num_gpus=gpus).remote(self._device) for node in nodes]
        expected = facts_of_node("cpu")
        findings: list[Finding] = []
        for node, answer in zip(nodes, answers, strict=True):
            where = f"node {node['NodeManagerAddress']} ({node['NodeID'][:8]})"
            try:
                facts = self._ray.get(answer, timeout=_ANSWER_SECONDS)
            except self._ray.exceptions.RayError as error:
                what = f"cannot say what it has: {str(error).strip().splitlines()[-1]}"
                findings.append(Finding("error", where, what, "the same xdr-bench, installed with the same libraries"))
                continue
            # The machine of this command need not have a GPU: the first node's counts.
            expected = {**{name: facts[name] for name in ("GPU",) if name in facts}, **expected}
            findings += differences(where, expected, facts)
        if findings:
            raise InvalidInput("the machines of the cluster would not give the bytes of this one", findings)
        return expected

    def _on(self, node: Mapping[str, Any], function: Callable[..., Any], **options: Any) -> Any:
        strategy = self._affinity(node["NodeID"])
        return self._ray.remote(function).options(num_cpus=0, max_retries=1, scheduling_strategy=strategy, **options)

    def _affinity(self, node: str) -> Any:
        return self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)


def _nodes() -> list[dict[str, Any]]:
    """The living nodes that compute. Raises ``WrongUsage`` when there are none."""
    import ray

    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    if not nodes:
        raise WrongUsage("the Ray cluster has no node that computes; start one with: ray start --address=HOST:PORT")
    return sorted(nodes, key=lambda node: str(node["NodeID"]))


# In a worker process: the job that is open there, by the key of its run, and whether this machine was held against the others.
_open_here: dict[str, Callable[[Any], Any]] = {}


def _computed(key: str, job: Any, sent: Mapping[str, Sent], expected: Mapping[str, str], device: str, task: Any) -> Any:
    """A task's result, or the error that is meant for the user: whatever else is raised is a fault of a program."""
    try:
        if key not in _open_here:
            _open_here.clear()
            if findings := list(differences("a node that came later", expected, facts_of_node(device))):
                raise InvalidInput("the machines of the cluster would not give the bytes of this one", findings)
            _open_here[key] = job.opened({name: placed(files) for name, files in sent.items()})
        return _open_here[key](task)
    except XdrError as error:
        return error


def _placed(sent: Mapping[str, Sent]) -> XdrError | None:
    try:
        for files in sent.values():
            placed(files)
    except XdrError as error:
        return error
    return None
