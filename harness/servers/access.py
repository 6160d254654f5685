"""The operator's way to a server: neither address nor key is part of a card or a recipe, and neither is written anywhere."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.errors import WrongUsage


@dataclass(frozen=True)
class Access:
    """``address``: base address of an OpenAI-compatible server; ``key_variable``: the environment variable that holds its key.

    ``requests_per_minute``: no more than so many are begun; 0 for no limit. ``price``: of a million tokens, 0 where it is not
    known, for estimates. Nothing here changes what a server answers.
    """

    address: str
    key_variable: str = ""
    timeout_seconds: float = 120
    requests_per_minute: float = 0
    price: float = 0

    def check(self) -> None:
        """Raises ``WrongUsage`` for an address or a key that is none."""
        self.url("")
        self.headers()

    def url(self, endpoint: str) -> str:
        """The address of an endpoint, such as "embeddings". Raises ``WrongUsage`` for an address that is none of a server."""
        try:
            parts = urlsplit(self.address)
            good = parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment)
        except ValueError:
            good = False
        if not good or "@" in self.address:
            raise WrongUsage(
                "--server: expected an address such as https://host:8000/v1, without user, password or query; "
                "a key is named by --api-key-variable"
            )
        return self.address.rstrip("/").removesuffix(f"/{endpoint}") + f"/{endpoint}"

    def headers(self) -> dict[str, str]:
        """What goes with each request; the key is read where it is used, so that no task carries it.

        Raises ``WrongUsage`` when the variable that was named holds no key.
        """
        name = self.key_variable
        if not name:
            return {}
        key = os.environ.get(name, "").strip()
        if not key:
            raise WrongUsage(f"--api-key-variable {name}: the environment variable {name} is not set or empty")
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise WrongUsage(f"--api-key-variable {name}: the value of {name} is no key: it has blanks or other signs")
        return {"Authorization": f"Bearer {key}"}
