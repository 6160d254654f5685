"""A Ray cluster of real processes on this machine: every node its own raylet, its own workers and its own cache."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from typing import Any

NODES = 3


class RayCluster:
    """The head, which computes too, and the other nodes; ``homes`` are their caches."""

    def __init__(self) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        from ray.cluster_utils import Cluster

        # Short, since Unix sockets have paths of about a hundred bytes.
        self._folder = tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp")
        self._nodes = 0
        # A node that is gone is noticed in a second or two, not in half a minute.
        system = {
            "health_check_initial_delay_ms": 0,
            "health_check_period_ms": 300,
            "health_check_failure_threshold": 3,
        }
        self._cluster = Cluster()
        self.head = self.add(_system_config=system, include_dashboard=False, dashboard_host="127.0.0.1")
        self.others = [self.add() for _ in range(NODES - 1)]
        self.address = self._cluster.address

    def home(self, number: int) -> Path:
        return Path(self._folder.name) / f"home-{number}"

    def add(self, env_vars: dict[str, str] | None = None, **options: Any) -> Any:
        environment = {"XDR_HOME": str(self.home(self._nodes)), **(env_vars or {})}
        self._nodes += 1
        return self._cluster.add_node(
            num_cpus=1,
            object_store_memory=80 << 20,
            node_ip_address="127.0.0.1",
            temp_dir=self._folder.name,
            env_vars=environment,
            **options,
        )

    def kill(self, node: Any) -> None:
        """SIGKILL of the node's raylet, with which all of its workers end."""
        for kind in ("raylet",):
            for process in node.all_processes[kind]:
                os.kill(process.process.pid, signal.SIGKILL)

    def remove(self, node: Any) -> None:
        self._cluster.remove_node(node, allow_graceful=False)

    def close(self) -> None:
        self._cluster.shutdown()
        self._folder.cleanup()
