"""systemd's unit for muxd, as text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MARK", "NAME", "Unit"]

NAME = "muxd.service"
MARK = "# Written by `muxd service install`"
"""A unit that does not begin so is somebody else's, and is left alone."""
ORDERLY = 90.0
"""How much longer than its grace muxd may take to stop before systemd kills it, seconds."""

_HEAD = """\
{mark}; `muxd service show` prints it again. To change
# something, use `systemctl{scope} edit muxd`: what is edited here is lost with the next install.
"""

_BODY = """\
[Unit]
Description=muxd, cron for one browser
{after}StartLimitIntervalSec=10min
StartLimitBurst=5

[Service]
# The main process is the guard; the daemon, its child, is who says how it is.
Type=notify
NotifyAccess=all
ExecStart={command}
ExecReload={reload}
# For what jobs want in their environment, NAME=value a line; it need not be there.
EnvironmentFile=-{environment}
Restart=on-failure
RestartSec=5s
# A mistake in the configuration, or another daemon on the same state: the log says what to do.
RestartPreventExitStatus=2
# muxd gives a sign of life twice as often, as long as it gets on with its work. Its guard is much
# quicker: this is for what even the guard does not see.
WatchdogSec=3min
WatchdogSignal=SIGKILL
TimeoutStartSec=5min
TimeoutStopSec={stop}s
# The guard hears of the stop, and ends the rest in order; what is left is killed.
KillMode=mixed
# A renderer that takes too much memory costs its run; muxd goes on.
OOMPolicy=continue
UMask=0077
{service}
[Install]
WantedBy={target}
"""

_SYSTEM = """\
User={user}
StateDirectory=muxd
StateDirectoryMode=0700
# As little as Chromium can do with. Its own sandbox makes namespaces and calls chroot in them, or on
# some systems has a setuid helper: so no NoNewPrivileges. Its JavaScript needs memory that is written
# and run: no MemoryDenyWriteExecute.
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectProc=invisible
RestrictNamespaces=user pid net
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @debug @module @mount @obsolete @raw-io @reboot @swap
SystemCallFilter=chroot
SystemCallErrorNumber=EPERM
LockPersonality=yes
CapabilityBoundingSet=
RemoveIPC=yes
"""


@attrs.frozen(kw_only=True)
class Unit:
    """One unit."""

    command: Sequence[str]
    """What is started, the program by its absolute path; ``start`` and its options come last."""
    grace: float
    """How long the run in progress may go on when muxd is stopped, seconds."""
    user: str | None = None
    """Whose; None: of the user manager, who is who installs it."""

    @property
    def text(self) -> str:
        """The file."""
        return _HEAD.format(mark=MARK, scope="" if self.user else " --user") + self.body

    @property
    def body(self) -> str:
        """The file without its first words, which say who wrote it."""
        system = self.user is not None
        after = "Wants=network-online.target\nAfter=network-online.target\n"
        return _BODY.format(
            after=after if system else "",
            command=_line(self.command),
            reload=_line(self._reload()),
            environment="/etc/muxd/env" if system else "%E/muxd/env",
            stop=round(self.grace + ORDERLY),
            service=_SYSTEM.format(user=self.user) if system else "",
            target="multi-user.target" if system else "default.target",
        )

    def _reload(self) -> Sequence[str]:
        """What tells the daemon to read its configuration anew: the same muxd, the same state."""
        at = self.command.index("start")
        place, rest = [], iter(self.command[at + 1 :])
        for word in rest:
            if word in ("--config", "--state-dir"):
                place += [word, next(rest)]
        return [*self.command[:at], "reload", *place]


def _line(command: Sequence[str]) -> str:
    return " ".join([_quoted(command[0]), *map(_argument, command[1:])])


def _quoted(text: str) -> str:
    """As systemd reads it back: see Quoting and Specifiers in systemd.service(5), systemd.unit(5)."""
    text = text.replace("%", "%%")
    if re.fullmatch(r"[\w@%+=:,./-]+", text, re.ASCII):
        return text
    for mark, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        text = text.replace(mark, escaped)
    return f'"{text}"'


def _argument(text: str) -> str:
    return _quoted(text.replace("$", "$$"))  # else a variable
