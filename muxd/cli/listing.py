"""Commands that show something, and have subcommands beside that."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["unless_a_command_follows"]


def unless_a_command_follows(listing: Callable[..., Any]) -> Callable[..., Any]:
    """Call it only if no subcommand follows; options that stand before one would be lost."""

    @wraps(listing)
    def call(**arguments: Any) -> Any:
        context = click.get_current_context()
        if context.invoked_subcommand is None:
            return listing(**arguments)
        for parameter in context.command.params:
            source = context.get_parameter_source(parameter.name or "")
            if source is click.core.ParameterSource.COMMANDLINE:
                raise click.UsageError(
                    f"give {parameter.opts[0]} behind {context.invoked_subcommand!r}"
                )
        return None

    return call
