"""What a login is called: its job, and the note of the jobs that wait for one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from muxd.errors import UserError
from muxd.job import LONGEST, Job

if TYPE_CHECKING:
    from muxd.job import Body

__all__ = [
    "LONGEST_LOGIN",
    "is_login",
    "login_job",
    "login_name",
    "login_note",
    "login_session",
    "login_url",
]

LONGEST_LOGIN = 86_400.0
"""How long a login may have the browser, seconds."""
_PREFIX = "login:"
_NOTE = "logged out: log in again with `muxd login "
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?!\d)")


def login_name(session: str) -> str:
    """The name of the job that a login to this session is: no job of a plugin can have it."""
    return _PREFIX + session


def is_login(job: str) -> bool:
    """Whether that is the name of a login."""
    return job.startswith(_PREFIX)


def login_note(session: str) -> str:
    """The note of the pauses that a login to this session ends."""
    return f"{_NOTE}{session}`"


def login_session(note: str) -> str | None:
    """The session of which `login_note` makes this note; None: it is another's note."""
    session = note.removeprefix(_NOTE).removesuffix("`")
    return session if login_note(session) == note else None


def login_job(session: str, body: Body, *, seconds: float) -> Job:
    """The job of a login: it has no slot, and is never tried again.

    Args:
      session: whose page the body gets.
      body: lets a person log in.
      seconds: how long it may take.

    Raises:
      UserError: nobody can log in to that session, or not for so long.
    """
    if session == "fresh":
        raise UserError("nothing is kept of a fresh session: give 'main', or a name of your own")
    job = Job("login", body, interval=LONGEST, session=session, timeout=seconds, misfire="skip")
    return job.renamed(login_name(session), f"A person logs in to the session {session!r}")


def login_url(text: str) -> str:
    """The address of a page as a person types it; without a scheme it is https.

    Raises:
      UserError: it is none, or not of the web: no file of this machine is shown.
    """
    text = text.strip()
    if not text or text == "about:blank":
        return "about:blank"
    url = text if _SCHEME.match(text) else f"https://{text}"
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or any(c.isspace() for c in url):
        raise UserError(f"{text[:100]!r} is no address of a page: give https://... or http://...")
    return url
