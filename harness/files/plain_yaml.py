"""YAML's core in a safe form: null, truth values, numbers, texts, lists and tables; no aliases, tags, merges or dates.

libyaml finds the events where PyYAML was built with it, several times as fast as PyYAML's own parser, which does it elsewhere.
What is made of the events is this file's either way.
"""

from __future__ import annotations

from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import Resolver
from yaml.scanner import Scanner

from harness.files.limits import NESTING

TOO_DEEP = f"lists and tables stand more than {NESTING} deep in each other"


class _Plain(Composer, SafeConstructor, Resolver):
    """Plain values of events. A look at every node while it is composed keeps depth and aliases from costing anything."""

    depth = 0

    def __init__(self) -> None:
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):  # type: ignore[attr-defined]
            raise yaml.YAMLError("an alias (*name), which files of this project do not have")
        self.depth += 1
        if self.depth > NESTING + 1:
            raise yaml.YAMLError(TOO_DEEP)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: a key that is not a text")
            if key.value in seen:
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: the key {key.value!r:.80} is a duplicate")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_CORE = ("null", "bool", "int", "float", "str", "seq", "map")
_Plain.yaml_constructors = {
    tag: make
    for tag, make in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.removeprefix("tag:yaml.org,2002:") in _CORE
}
# A date stays the text that it is in the file.
_Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class PythonLoader(_Plain, Reader, Scanner, Parser):
    """Events of PyYAML's own parser."""

    def __init__(self, stream: Any) -> None:
        Reader.__init__(self, stream)
        Scanner.__init__(self)
        Parser.__init__(self)
        _Plain.__init__(self)


try:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]
except ImportError:
    FastLoader: Any = PythonLoader
else:

    class LibyamlLoader(_Plain, CParser):
        """Events of libyaml's parser."""

        def __init__(self, stream: Any) -> None:
            CParser.__init__(self, stream)
            _Plain.__init__(self)

    FastLoader = LibyamlLoader


def plain_yaml(text: str) -> Any:
    """The value of a document. Raises ``yaml.YAMLError``, and ``ValueError`` for a number of too many digits.

    What the fast parser refuses goes to PyYAML's own, so that a document has the same problem on every machine.
    """
    try:
        return yaml.load(text, Loader=FastLoader)
    except yaml.YAMLError:
        return yaml.load(text, Loader=PythonLoader)  # type: ignore[arg-type]
