"""Records in YAML, and plain values as they are digested and written down."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.errors import InvalidInput
from harness.files.dataset_paths import map_paths
from harness.files.limits import RECORD_BYTES
from harness.files.reading import decoded, parse_yaml, read_bytes


def digest_of(value: Any) -> str:
    """SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """JSON without blanks, keys in their order."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


_ABSOLUTE = re.compile(r"^/(?:.*/)?([^/]+)/?$")


def without_absolute_paths(value: Any) -> Any:
    """The value with every text that is an absolute path cut to its last name: a manifest tells nothing of a machine.

    >>> without_absolute_paths({"model": "/home/someone/encoder", "alpha": 0.1})
    {'model': 'encoder', 'alpha': 0.1}
    """
    if isinstance(value, Mapping):
        return {key: without_absolute_paths(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_absolute_paths(item) for item in value]
    return map_paths(_last_name(value), _last_name) if isinstance(value, str) else value


def _last_name(text: str) -> str:
    return _ABSOLUTE.sub(r"\1", text)


def yaml_text(content: Mapping[str, Any]) -> str:
    """Plain values as YAML that ``parsed_yaml`` reads."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Equal values are written out each time: the reader takes no aliases."""
        return True


def parsed_yaml(path: Path) -> dict[str, Any]:
    """The keys of a YAML file of ours. Raises ``InvalidInput`` when it cannot be read or holds no keys.

    Raises ``WrongUsage`` when there is no such file.
    """
    try:
        content = parse_yaml(decoded(read_bytes(path, RECORD_BYTES)))
    except ValueError as error:
        raise InvalidInput(f"{path} is not a YAML file: {error}") from error
    if not isinstance(content, Mapping):
        raise InvalidInput(f"{path} is not a {path.stem}: it holds no keys")
    return dict(content)
