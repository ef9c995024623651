"""The process that looks at plugins and ledger: loads them, and writes what it finds to a pipe.

``python -m muxd.cli.doctor.asked FD``, with the configuration's place on standard input.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

    from muxd.config import Config
    from muxd.plugins import Plugins

__all__ = ["ask"]


def ask(given: dict[str, Any], tell: Callable[[dict[str, Any]], object]) -> None:
    """Load the plugins of a configuration, then look through the store: each is told."""
    from muxd.configfile import load_config
    from muxd.errors import ConfigError
    from muxd.plugins import load_plugins

    file = given["file"] and Path(given["file"])
    options = {key: tuple(value) for key, value in given["options"].items()}
    try:
        config = load_config(file, options)
    except ConfigError:  # the doctor has told of it
        config = load_config(file, options, needs=())
    # None is fatal here: all of them are to be named.
    config = attrs.evolve(config, plugins=attrs.evolve(config.plugins, strict=False))
    wrong: list[str] = []
    try:
        plugins = load_plugins(config)
    except ConfigError as error:  # what the configuration says of their jobs
        wrong = list(map(str, error.problems))
        plugins = load_plugins(config, lenient=True)
    else:
        for hook in (plugins.slotters, plugins.sinks, plugins.services):
            try:
                hook()
            except ConfigError as error:  # what a plugin says of its section when a daemon starts
                wrong += map(str, error.problems)
    tell({"overrides": wrong})
    store = _store(config, plugins)
    tell(
        {
            "plugins": {
                "problems": list(map(str, plugins.problems)),
                "warnings": list(plugins.warnings),
                "states": [plugin.state for plugin in plugins.found],
                "jobs": len(plugins.jobs),
            }
        }
    )
    tell({"ledger": store()})


def _store(config: Config, plugins: Plugins) -> Callable[[], dict[str, Any]]:
    """What looks through the store; which plugin gives it is found out here."""
    from muxd.errors import MuxdError

    state = config.daemon.state_dir
    if not state.is_dir():
        return lambda: {"words": "there is none yet"}
    try:
        store = plugins.store(state)
    except MuxdError as error:
        said = str(error)
        return lambda: {"error": said}

    def look() -> dict[str, Any]:
        import trio

        try:
            return {"words": trio.run(store.inspect)}
        except MuxdError as error:
            return {"error": str(error)}
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}

    return look


def main(fd: int) -> None:
    """Answer, and end whatever a plugin has left running."""
    os.set_inheritable(fd, False)
    given, answers = json.load(sys.stdin), os.fdopen(fd, "wb")

    def tell(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()

    code = 1
    try:
        ask(given, tell)
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]))
