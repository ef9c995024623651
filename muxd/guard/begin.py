"""How a guard begins: `muxd start` divides into the daemon, and the guard."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

from muxd.guard import processes
from muxd.guard.guard import Plan
from muxd.guard.link import VARIABLE, Link, new_stack_file

__all__ = ["under_guard"]

HELD_BACK = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def under_guard(state_dir: Path, *, blocked_limit: float, log_format: str, colours: bool) -> Link:
    """Have a guard from here on. Returns in the daemon's process only, which then goes on.

    The first time this process becomes the guard, and the daemon is a fork of it: so it need not
    import anything again, and whoever started muxd has the guard as their child. A daemon that the
    guard starts later finds it by the environment. To be called while there is one thread.

    Args:
      state_dir: where the guard leaves notes.
      blocked_limit: for how long the daemon may be blocked, seconds.
      log_format: ``console`` or ``json``.
      colours: whether the guard's lines have colours.

    Raises:
      OSError: there can be no further process.
    """
    found = os.environ.pop(VARIABLE, None)
    if found is not None:
        link = Link.from_text(found)
        if link is None:
            sys.exit("muxd: the guard that started this process is gone, and so it ends")
        for fd in (link.socket, link.stack, link.lock):
            if fd is not None:
                os.set_inheritable(fd, False)
        processes.die_with_parent(link.guard)
        return link
    ours, theirs = socket.socketpair()
    stack, guard = new_stack_file(), os.getpid()
    spared = sorted(processes.children(guard))
    processes.adopt_orphans()
    sys.stdout.flush()
    sys.stderr.flush()
    # Signals wait until the guard, too, can take them.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
    pid = os.fork()
    if pid == 0:
        ours.close()
        processes.die_with_parent(guard)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return Link(guard, theirs.detach(), stack)
    try:
        os.set_inheritable(ours.fileno(), True)
        os.set_inheritable(stack, True)
        plan = Plan(
            command=[sys.executable, *sys.orig_argv[1:]],
            state_dir=str(state_dir),
            blocked_limit=blocked_limit,
            log_format=log_format,
            colours=colours,
            pid=pid,
            socket=ours.fileno(),
            stack=stack,
            spared=spared,
        )
        main = Path(__file__).with_name("__main__.py")
        os.execv(sys.executable, [sys.executable, "-I", "-S", str(main), plan.as_json()])
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
