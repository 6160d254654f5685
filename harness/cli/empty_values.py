"""Options and arguments that are given and empty, as a shell writes a variable that has no value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer


def refuse_empty_values(command: Any) -> None:
    """Have a command and all below it refuse an empty text, which would pass for "not given", and as a path for this folder."""
    for below in getattr(command, "commands", {}).values():
        refuse_empty_values(below)
    for parameter in command.params:
        _refuse_empty_values_of(parameter)


def _refuse_empty_values_of(parameter: Any) -> None:
    consume = parameter.consume_value

    def checked(context: Any, typed: Mapping[str, Any]) -> Any:
        value = typed.get(parameter.name)
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, str) and not one.strip():
                raise typer.BadParameter(
                    "it is empty; say what it is to be, or leave it out", ctx=context, param=parameter
                )
        return consume(context, typed)

    # As it was typed: an empty path would be a path, too.
    parameter.consume_value = checked
