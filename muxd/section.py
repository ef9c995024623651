"""A plugin's own section of `muxd.toml`: ``[plugins.NAME]``, as hooks are given it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar, final

import attrs

from muxd.errors import ConfigError, ConfigProblem
from muxd.keys import dotted, key_within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from muxd.job import Job

__all__ = ["Section", "config_of", "is_of_class"]


class _WithName(Protocol):
    @property
    def name(self) -> str: ...


_T = TypeVar("_T")
_Named = TypeVar("_Named", bound=_WithName)


@final
@attrs.frozen
class Section:
    """What the user says to a plugin. Of a plugin that nothing is said to it is empty.

    What a hook raises of it, a `ConfigError`, is the user's mistake and not the plugin's: the command
    ends with it (exit code 2), and a reload is refused.
    """

    plugin: str
    """The plugin's name."""
    values: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    """As TOML has it."""
    file: Path | None = None
    """The file that it stands in; None if there is none."""

    reads: list[type] = attrs.field(factory=list, init=False, eq=False, repr=False)
    """The classes that it was made into: what may stand in it, for `muxd config schema`."""

    @property
    def key(self) -> str:
        """The dotted key of the section itself."""
        return dotted("plugins", (self.plugin,))

    def structure(self, kind: type[_T]) -> _T:
        """The section as an instance of a class of attrs, or of a dataclass.

        Unknown keys and values of another type are mistakes. Nested classes, lists and tables of them
        are possible; a `Path` is relative to the file. `muxd.duration_field` and `muxd.size_field` make
        fields for durations and sizes.

        Raises:
          ConfigError: something is wrong: all of it is told, each with file and key, such as
            ``plugins.watch.page[2].url``; an item that has a name is named by it,
            ``plugins.watch.page[news].url``.
          TypeError: the class itself is wrong.
        """
        from muxd.classfields import is_class
        from muxd.structuring import structured

        if not is_class(kind):
            raise TypeError(
                f"section.structure({kind!r:.100}): give a class of attrs, or a dataclass"
            )
        self.reads.append(kind)
        made: _T = structured(
            kind,
            self.values,
            key=self.key,
            source=self._source,
            base=None if self.file is None else self.file.parent,
        )
        return made

    def each(self, key: str, tables: Iterable[_Named]) -> Iterator[tuple[str, _Named]]:
        """Each of some tables that have a name each, with the key where it stands in the section.

        ::

            for at, page in section.each("page", section.structure(Settings).page):
                yield page.as_job(page.name, watch, section=section, at=at, config=page)

        Args:
          key: of the list of them.
          tables: as they were structured.

        Raises:
          ConfigError: two have the same name.
        """
        names = set()
        for number, table in enumerate(tables):
            at = f"{key}[{number}]"
            if table.name in names:
                raise self.wrong(f"{at}.name", f"{table.name!r} is there twice: give another")
            names.add(table.name)
            yield at, table

    def path(self, text: str | Path) -> Path:
        """A path that stands in the section: relative to the directory of its file.

        Raises:
          ConfigError: it begins with the home directory of nobody.
        """
        from pathlib import Path as MadePath

        try:
            path = MadePath(text).expanduser()
        except RuntimeError:
            raise self.wrong("", f"{str(text)!r:.200}: there is no such home directory") from None
        return path if self.file is None else self.file.parent / path

    def wrong(self, key: str, message: str) -> ConfigError:
        """The error to raise for something that is wrong: ``raise section.wrong("page[2].url", "...")``.

        Args:
          key: where it stands within the section; "" is the section itself.
          message: what is wrong, and what would be right.
        """
        where = key_within(self.key, key, self.values)
        return ConfigError(ConfigProblem(self._source, where, message))

    @property
    def _source(self) -> str:
        return "muxd.toml" if self.file is None else str(self.file)


def config_of(job: Job) -> Any:
    """The configuration of a job: the instance that it has, else one of its class with the defaults.

    Raises:
      RuntimeError: it has none.
      ConfigError: its class has no default for something.
    """
    config = job.config
    if config is None:
        raise RuntimeError(
            f"job {job.name!r} has no configuration: name a class of attrs for it, as in "
            "@muxd.job(..., config=ShopConfig)"
        )
    if not isinstance(config, type):
        return config
    from muxd.structuring import structured

    key = dotted("jobs", (job.name, "config"))
    return structured(config, {}, key=key, source="muxd.toml")


def is_of_class(config: object, kind: type) -> bool:
    """Whether a configuration is of this class, or of one of the same name that was loaded anew."""
    if isinstance(config, kind):
        return True
    name = (kind.__module__, kind.__qualname__)
    return any((each.__module__, each.__qualname__) == name for each in type(config).__mro__)
