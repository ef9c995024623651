"""What is kept of runs that did not end well, as it is configured."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import structlog

from muxd.artifacts import Artifacts
from muxd.evidence import Evidence
from muxd.logfile import LogFile
from muxd.secrets import KnownSecrets

if TYPE_CHECKING:
    from muxd.config import Config
    from muxd.floors import Shortage
    from muxd.state import StateDir

__all__ = ["artifacts_of", "evidence_of", "log_file_of", "make_room", "secrets_of"]


def artifacts_of(config: Config, state: StateDir) -> Artifacts:
    """The folders of runs, with the caps that are configured."""
    wanted = config.evidence
    return Artifacts(
        state.artifacts, keep=wanted.keep, max_size=wanted.max_size, max_runs=wanted.max_runs
    )


def make_room(artifacts: Artifacts, shortage: Shortage) -> None:
    """Remove the oldest folders where the disk is short, as many as it takes. Blocks."""
    if shortage.what == "files":
        removed = artifacts.make_room(files=shortage.missing)
    else:
        removed = artifacts.make_room(size=shortage.missing)
    if removed:
        structlog.get_logger().warning(
            "the disk is short: the evidence of old runs is removed", runs=len(removed)
        )


def log_file_of(config: Config, state: StateDir, secrets: KnownSecrets) -> LogFile | None:
    """The log in files, without these secrets; None if there is to be none."""
    if not config.daemon.log_files:
        return None
    return LogFile(
        state.logs,
        files=config.daemon.log_files,
        size=config.daemon.log_size,
        mask=secrets.mask,
    )


def secrets_of(config: Config) -> KnownSecrets:
    """What is named as secret by the configuration, to begin with."""
    named = (os.environ.get(name, "") for name in config.evidence.mask_env)
    return KnownSecrets([*config.evidence.mask, *named])


def evidence_of(
    config: Config, state: StateDir, secrets: KnownSecrets | None = None
) -> Evidence | None:
    """Who takes the evidence, without these secrets; None if none is to be taken."""
    if not config.evidence.enabled:
        return None
    return Evidence(
        artifacts_of(config, state),
        secrets=secrets if secrets is not None else secrets_of(config),
        trace=config.evidence.trace,
    )
