"""What code of an adapter may change for the whole process, put back or begun anew for each run."""

from __future__ import annotations

import contextlib
import os
import random
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np


def seed_everything(seed: int) -> None:
    """Start global generators of random numbers from ``seed``, whatever was drawn before in this process."""
    random.seed(seed)
    np.random.seed(seed % (1 << 32))
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)
        # Threads that have not used torch yet would take the number that a pool of an earlier run was told.
        torch.set_num_threads(torch.get_num_threads())


@contextlib.contextmanager
def put_back() -> Iterator[None]:
    """Around code of a card: the current folder, environment variables and numerical settings are afterwards as they were."""
    folder, environment, errors = os.getcwd(), dict(os.environ), np.geterr()  # noqa: PTH109 - put back as it is named
    torch: Any = sys.modules.get("torch")
    dtype = torch.get_default_dtype() if torch else None
    try:
        yield
    finally:
        os.chdir(folder)
        if os.environ != environment:
            os.environ.clear()
            os.environ.update(environment)
        np.seterr(**errors)
        if torch:
            torch.set_default_dtype(dtype)
