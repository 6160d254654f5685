"""A Ray cluster of real processes on this machine: every node its own raylet, its own workers and its own cache."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from typing import Any

NODES = 3


class RayCluster:
    """The head, which computes too, and the other nodes, each with one processor and a cache of its own."""

    def __init__(self) -> None:
        # Short, since Unix sockets have paths of about a hundred bytes.
        self._folder = tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp")
        os.environ["RAY_TMPDIR"] = self._folder.name
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        from ray.cluster_utils import Cluster

        # A node that is gone is noticed in a second or two, not in half a minute.
        system = {
            "health_check_initial_delay_ms": 0,
            "health_check_period_ms": 300,
            "health_check_failure_threshold": 3,
        }
        no_extras = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
        self._cluster = Cluster()
        self._add(0, wait=True, _system_config=system, dashboard_host="127.0.0.1", **no_extras)
        self._others = [self._add(number, wait=False) for number in range(1, NODES)]
        self._cluster.wait_for_nodes()
        self.address = self._cluster.address

    def home(self, number: int) -> Path:
        """``XDR_HOME`` of a node; number 0 is the head."""
        return Path(self._folder.name) / f"home-{number}"

    def freeze_workers(self) -> None:
        """Stop the workers of the last node: a task that is on them, or comes to them, does not end."""
        for process in self._raylet().children():
            process.suspend()

    def kill(self) -> None:
        """SIGKILL of all processes of the last node, as when its machine loses its power."""
        raylet = self._raylet()
        workers = raylet.children()
        for process in (raylet, *workers):
            process.send_signal(signal.SIGKILL)

    def close(self) -> None:
        self._cluster.shutdown()
        self._folder.cleanup()

    def _add(self, number: int, **options: Any) -> Any:
        environment = {"XDR_HOME": str(self.home(number))}
        return self._cluster.add_node(num_cpus=1, object_store_memory=80 << 20, env_vars=environment, **options)

    def _raylet(self) -> Any:
        import psutil

        [started] = self._others[-1].all_processes["raylet"]
        return psutil.Process(started.process.pid)
