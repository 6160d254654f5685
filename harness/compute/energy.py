"""Energy that the processors have taken, where the machine tells: RAPL, as Linux has it under /sys/class/powercap.

Counted are whole packages, with all that else ran on them meanwhile; memory, disks, fans and accelerators are not in it. Since
2020 the counters of most systems may be read by root alone: what cannot be read is not known, never 0.
"""

from __future__ import annotations

import functools
import re
import threading
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
_ZONE = re.compile(r"intel-rapl:\d+")
"""The driver's name for zones of every vendor; a second number is a part of one."""
_PACKAGE = "package"
"""So begins a package's ``name``: package-0, package-0-die-1. The zone psys, a whole machine, has packages in it."""
_SECONDS = 20.0
"""Between looks. Counters begin again at ``max_energy_range_uj``, after minutes at full load: 262 kJ or 65 kJ."""


class Energy:
    """Joules since it was made, of all packages below a folder of the kernel's; counters that began again are continued."""

    def __init__(self, folder: Path = POWERCAP) -> None:
        names = {zone: _text(zone / "name") for zone in folder.glob("intel-rapl:*") if _ZONE.fullmatch(zone.name)}
        zones = sorted(zone for zone, name in names.items() if name is None or name.startswith(_PACKAGE))
        self._guard = threading.Lock()
        self._last: dict[Path, int] = {}
        self._largest: dict[Path, int] = {}
        self._microjoules = 0
        for zone in zones:
            value, largest = _read(zone / "energy_uj"), _read(zone / "max_energy_range_uj")
            if names[zone] is not None and value is not None and largest:
                self._last[zone], self._largest[zone] = value, largest
        # One package of two would be half of the truth.
        self.is_known = bool(zones) and len(self._last) == len(zones)

    def joules(self) -> float | None:
        """None where the machine does not tell, or has ceased to."""
        with self._guard:
            for zone, before in self._last.items():
                value = _read(zone / "energy_uj")
                if value is None:
                    self.is_known = False
                    break
                self._microjoules += (value - before) if value >= before else value + self._largest[zone] - before
                self._last[zone] = value
            return self._microjoules / 1e6 if self.is_known else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError):
        return None


def _read(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text is not None and text.isdecimal() else None


@functools.cache
def _of_this_machine() -> Energy:
    energy = Energy()
    if energy.is_known:
        threading.Thread(target=_watch, args=(energy,), name="energy", daemon=True).start()
    return energy


def _watch(energy: Energy) -> None:
    pause = threading.Event()
    while energy.joules() is not None:
        pause.wait(_SECONDS)


def joules_so_far() -> float | None:
    """By this machine's processors since this was first asked; None where the machine does not tell."""
    return _of_this_machine().joules()
