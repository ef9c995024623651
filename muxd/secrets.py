"""What must not be kept, taken out of texts: known secrets, and what looks like one by its place."""

from __future__ import annotations

import base64
import html
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "MASK",
    "SHORTEST",
    "KnownSecrets",
    "Secrets",
    "is_for_secrets",
    "is_telling",
    "secrets_in",
]

MASK = "***"
"""What stands for a secret."""
SHORTEST = 6
"""Characters of the shortest secret that is looked for everywhere: a shorter one is in any text."""
MOST = 500
"""How many secrets are learned at most."""
_SHORTEST_LINE = 16
_SHORTEST_TOKEN = 8
_LONGEST_TAG = 20_000

# Every pattern is linear in the text, whatever the text is: a page may be hostile, and a pattern
# at work can't be interrupted.
_KEYS = (
    r"(?:[\w.-]{0,40}(?:token|api[_-]?key|passw(?:or)?d|passphrase|pwd|secret|signature|credentials?)"
    r"|key|sig|auth|otp)"
)
_HEADERS = (
    r"(?:proxy-authorization|authorization|set-cookie|cookie|x-api-key|x-auth-token|x-csrf-token)"
)
_PLACES = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        # https://user:password@host
        r"(?P<keep>://)[^\s/@\"'<>\\]{1,512}(?=@)",
        # ?token=..., and in the body of a form
        rf"(?P<keep>(?:^|[?&;#]|%3f|%26|\\u0026){_KEYS}(?:=|%3d))(?P<secret>[^&\s\"'<>#\\]++)",
        # "password": "...", and the same within a JSON text
        rf"(?P<keep>\"{_KEYS}\"\s{{0,9}}:\s{{0,9}}\")(?P<secret>(?:[^\"\\]|\\.)++)",
        rf"(?P<keep>\\\"{_KEYS}\\\"\s{{0,9}}:\s{{0,9}}\\\")(?P<secret>(?:[^\"\\]|\\[^\"])++)",
        # {"name": "Cookie", "value": "..."}, as network logs have headers
        rf"(?P<keep>\"name\":\s?\"{_HEADERS}\",\s?\"value\":\s?\")(?:[^\"\\]|\\.)++",
        # Cookie: ..., to the end of the line, the quotes or the element
        rf"(?P<keep>\b{_HEADERS}\\?[\"']?\s{{0,9}}[:=]\s{{0,9}}\\?[\"']?)[^\r\n\"'<\\]++",
        r"(?P<keep>\bbearer\s)[\w.~+/=-]{8,}+",
        # JSON Web Tokens
        r"(?P<keep>(?<![\w-]))eyJ[\w-]{10,}+\.[\w-]{10,}+\.[\w-]++",
    )
)
_KEY = re.compile(_KEYS, re.IGNORECASE)
_TELLING = tuple(place for place in _PLACES if "secret" in place.groupindex)
_INPUT = re.compile(r"<input\b", re.IGNORECASE)
_TAG = re.compile(r"<input\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*+>", re.IGNORECASE)
_PASSWORD = re.compile(r"\btype\s{0,9}=\s{0,9}[\"']?password\b", re.IGNORECASE)
_VALUE = re.compile(r"(\bvalue\s{0,9}=\s{0,9})(\"[^\"]*\"|'[^']*'|[^\s\"'>]++)", re.IGNORECASE)


def is_telling(name: str, value: object = None) -> bool:
    """Whether what has this name is a secret: ``password``, ``api_key``.

    ``key`` is one unless it has a `value` that can be none: ``key = "id"`` names a column.
    """
    if name == "key" and value is not None:
        return any(map(_is_token, _parts(value)))
    return _KEY.fullmatch(name) is not None


def is_for_secrets(name: str) -> bool:
    """Whether a field that has this name or label is one for a secret: ``Your password``."""
    return _FOR_PASSWORDS.search(name) is not None


class Secrets:
    """Masks texts. Frozen: `with_more` makes another."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        """Know these secrets; those shorter than `SHORTEST` are left out."""
        self._values = frozenset(value for value in values if len(value) >= SHORTEST)
        needles = {form for value in self._values for form in _forms(value)}
        self._needles = sorted(needles, key=lambda needle: (-len(needle), needle))

    def knows(self, value: str) -> bool:
        """Whether it is one of them, or too short to be one."""
        return value in self._values or len(value) < SHORTEST

    @classmethod
    def union(cls, *several: Secrets) -> Secrets:
        """Those of all of them."""
        some = [one for one in several if one._values]
        if len({id(one) for one in some}) == 1:
            return some[0]
        return cls(value for one in some for value in one._values)

    def with_more(self, values: Iterable[str]) -> Secrets:
        """These, and the ones known already."""
        more = self._values | frozenset(value for value in values if len(value) >= SHORTEST)
        return self if more == self._values else Secrets(more)

    def mask(self, text: str) -> str:
        """`text` without them.

        Taken out are the secrets that are known - as they are, URL-encoded, escaped for JSON, HTML
        or Python, or within something in base64 - and what is one by its place: passwords in URLs
        and forms, tokens in queries, headers that carry credentials.
        """
        text = _without_passwords(text)
        for place in _PLACES:
            text = place.sub(rf"\g<keep>{MASK}", text)
        return self._without_known(text)

    def _without_known(self, text: str) -> str:
        # What is left around a mask may be a secret again. Each round makes the text shorter.
        while spans := self._spans(text):
            pieces: list[str] = []
            at = 0
            for start, end in spans:
                pieces += (text[at:start], MASK)
                at = end
            text = "".join((*pieces, text[at:]))
        return text

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """Where secrets are: in order, those that touch each other as one."""
        found: list[tuple[int, int]] = []
        for needle in self._needles:
            at = text.find(needle)
            while at >= 0:
                end = at + len(needle)
                if found and found[-1][0] <= at <= found[-1][1]:
                    found[-1] = (found[-1][0], max(end, found[-1][1]))
                else:
                    found.append((at, end))
                at = text.find(needle, at + 1)
        merged: list[tuple[int, int]] = []
        for start, end in sorted(found):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged


class KnownSecrets:
    """The secrets that are known by now: they become more, and all who mask by these know it at once.

    From any thread.
    """

    def __init__(self, secrets: Secrets | Iterable[str] = ()) -> None:
        """Begin with these."""
        self._first = secrets if isinstance(secrets, Secrets) else Secrets(secrets)
        self._learned: dict[str, None] = {}
        self.now = self._first
        """As they are now."""

    def learn(self, value: str) -> None:
        """One more, from now on; of more than `MOST` the oldest is forgotten.

        One that is shorter than `SHORTEST` is none that could be masked.
        """
        if self.now.knows(value):
            return
        if (
            len(self._learned) >= MOST
        ):  # one that changes daily would slow down all masking some day
            del self._learned[next(iter(self._learned))]
        self._learned[value] = None
        self.now = self._first.with_more(self._learned)

    def mask(self, text: str) -> str:
        """`text` without them: see `Secrets.mask`."""
        return self.now.mask(text)


def _forms(secret: str) -> Iterator[str]:
    """The ways in which a text may have a secret."""
    plain = [secret]
    lines = secret.splitlines()
    if len(lines) > 1:  # such as a private key
        plain += [line for line in lines if len(line) >= _SHORTEST_LINE]
    for text in plain:
        yield text
        encodable = text.encode("utf-8", "surrogatepass")
        for encoded in (quote(encodable, safe=""), quote(encodable), quote_plus(encodable)):
            yield encoded
            yield re.sub(r"%..", lambda match: match[0].lower(), encoded)
        for escaped in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
            yield escaped
            yield escaped.replace("/", "\\/")
            yield escaped.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        yield repr(text)[1:-1]
        yield html.escape(text)
        yield html.escape(text, quote=False)
        yield text.replace("&", "&amp;").replace('"', "&quot;")
        yield from _in_base64(encodable)


def _in_base64(secret: bytes) -> Iterator[str]:
    """What base64 has of it wherever it stands in what is encoded: at each of the three offsets."""
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + secret).decode()
        whole = encoded[-(-8 * offset // 6) : (8 * (offset + len(secret))) // 6]
        yield whole
        yield whole.replace("+", "-").replace("/", "_")


def _without_passwords(text: str) -> str:
    """HTML without the values of its password fields."""
    pieces: list[str] = []
    at = 0
    while start := _INPUT.search(text, at):
        begin = start.start()
        pieces.append(text[at:begin])
        tag = _TAG.match(text, begin, begin + _LONGEST_TAG)
        if tag is None:
            # No end that could be trusted: nothing of it is kept.
            pieces.append(f"<input {MASK}")
            at = begin + _LONGEST_TAG
        else:
            is_password = _PASSWORD.search(tag[0])
            pieces.append(_VALUE.sub(rf'\1"{MASK}"', tag[0]) if is_password else tag[0])
            at = tag.end()
    return "".join((*pieces, text[at:]))


_STRING = r"\"((?:[^\"\\]|\\.)*+)\""
_HEADER_VALUE = re.compile(
    rf"\"name\":\s?\"({_HEADERS})\",\s?\"value\":\s?{_STRING}", re.IGNORECASE
)
_TYPED = re.compile(
    rf"\"selector\":\s?{_STRING}[^{{}}]{{0,400}}?\"(?:value|text)\":\s?{_STRING}", re.IGNORECASE
)
_FOR_PASSWORDS = re.compile(
    r"passw|pwd|passphrase|passcode|secret|token|otp|\bpin\b|kennwort|mot de passe|contrase|senha",
    re.IGNORECASE,
)
_SNAPSHOT_INPUT = re.compile(r"\"input\",\s?(\{[^{}]{1,4000}\})", re.IGNORECASE)
_SNAPSHOT_VALUE = re.compile(rf"\"(?:__playwright_value_|value)\":\s?{_STRING}", re.IGNORECASE)
_SNAPSHOT_PASSWORD = re.compile(r"\"type\":\s?\"password\"", re.IGNORECASE)


def secrets_in(text: str) -> frozenset[str]:
    """The secrets that a text tells by their places: what is one there is one anywhere.

    They are passwords and tokens of queries, forms and JSON; and, of a log of a browser in JSON
    (Playwright's trace), the values of headers that carry credentials, of the cookies in them, of
    password fields, and what was typed where a password belongs.
    """
    found: set[str] = set()
    for place in _TELLING:
        for match in place.finditer(text):
            value = match["secret"]
            if _is_token(value):
                found |= {value, unquote(value), unquote_plus(value), _unescaped(value)}
    for header, raw in _HEADER_VALUE.findall(text):
        found |= set(_of_header(header.lower(), _unescaped(raw)))
    for selector, raw in _TYPED.findall(text):
        if _FOR_PASSWORDS.search(selector):
            found.add(_unescaped(raw))
    for attributes in _SNAPSHOT_INPUT.findall(text):
        if _SNAPSHOT_PASSWORD.search(attributes):
            found |= {_unescaped(raw) for raw in _SNAPSHOT_VALUE.findall(attributes)}
    return frozenset(found)


def _is_token(text: str) -> bool:
    """Whether it can be a secret: ?key=products is none; half of all words would be masked."""
    return len(text) >= _SHORTEST_TOKEN and any(map(str.isdigit, text))


def _parts(value: object) -> Iterable[str]:
    return map(str, value) if isinstance(value, list | tuple) else [str(value)]


def _of_header(name: str, value: str) -> Iterator[str]:
    if name in ("cookie", "set-cookie"):
        lines = value.splitlines() if name == "set-cookie" else value.split(";")
        for line in lines:
            yield line.partition(";")[0].partition("=")[2].strip()
        return
    yield value
    scheme, _, credentials = value.partition(" ")
    yield credentials
    if scheme.lower() == "basic":
        try:
            plain = base64.b64decode(credentials).decode()
        except ValueError:
            return
        yield plain
        yield plain.partition(":")[2]


def _unescaped(raw: str) -> str:
    try:
        text = json.loads(f'"{raw}"', strict=False)
    except ValueError:
        return raw
    return text if isinstance(text, str) else raw
