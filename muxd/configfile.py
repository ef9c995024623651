"""Finds the configuration and puts it together: command line > environment > file > default."""

from __future__ import annotations

import functools
import os
import re
import shutil
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import cattrs
import platformdirs
from cattrs.gen import make_dict_structure_fn, override

from muxd.config import (
    SECTIONS,
    Config,
)
from muxd.errors import ConfigError, ConfigProblem
from muxd.hints import did_you_mean, shown, slip_of
from muxd.job import Job
from muxd.keys import dotted
from muxd.overrides import allowed_instead
from muxd.secrets import MASK

__all__ = ["FILE_NAME", "JOB_KEYS", "find_file", "load_config"]

FILE_NAME = "muxd.toml"
JOB_KEYS = (
    "enabled",
    *(a.name for a in attrs.fields(Job) if a.name not in ("name", "body", "plugin")),
)
"""What may stand in ``[jobs.NAME]``."""


def load_config(
    file: Path | None = None,
    options: Mapping[str, tuple[Any, str]] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    needs: Collection[str] | None = None,
    passed_over: Callable[[ConfigProblem], object] = lambda _: None,
) -> Config:
    """The configuration in force.

    Args:
      file: the file to read, instead of searching for one (see `find_file`).
      options: dotted key to the value from the command line and the option's name; values that
        are None or empty tuples count as not given.
      environ: instead of the process's environment.
      cwd: instead of the working directory; relative paths from options and the environment
        are relative to it, those in the file to the file's directory.
      needs: the only dotted keys that matter. What is wrong elsewhere is told to `passed_over`
        and counts as not given; ``[jobs.NAME]`` is left out. None: everything matters.
      passed_over: is told of each problem that does not matter.

    Raises:
      ConfigError: with all problems that were found, in all places.
    """
    environ = os.environ if environ is None else environ
    cwd = Path.cwd() if cwd is None else cwd
    found, layers = None, [_environment_layer(environ, cwd), _options_layer(options or {}, cwd)]
    try:
        found = find_file(file, environ=environ, cwd=cwd)
        if found is not None:
            layers.insert(0, _file_layer(found))
    except ConfigError as error:
        given = {key for layer in layers for key in layer.given()}
        if needs is None or not given.issuperset(needs):  # it may have stood in that file
            raise
        for problem in error.problems:
            passed_over(problem)

    values: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    origins = {
        f"{section}.{field.name}": "default"
        for section, kind in SECTIONS.items()
        for field in attrs.fields(kind)
    }
    jobs: dict[str, dict[str, Any]] = {}
    sections: dict[str, Mapping[str, Any]] = {}
    problems: list[ConfigProblem] = []
    for layer in layers:
        for name, table in layer.sections(problems).items():
            sections[name] = table
            origins[dotted("plugins", (name,))] = layer.source("plugins")
        for name, fields in layer.jobs(problems).items():
            jobs[name] = fields
            origins[f"jobs.{name}"] = layer.source(f"jobs.{name}")
            origins |= {f"jobs.{name}.{key}": layer.source(f"jobs.{name}.{key}") for key in fields}
        for key, value in layer.settings(problems).items():
            section, _, name = key.partition(".")
            values[section][name] = value
            origins[key] = layer.source(key)
    directories = values["plugins"].get("jobs_dirs", ())
    missing = [directory for directory in directories if not directory.is_dir()]
    problems += (
        ConfigProblem(
            origins["plugins.jobs_dirs"],
            "plugins.jobs_dirs",
            f"{str(directory)!r} is not a directory: create it, or correct the path",
        )
        for directory in missing
    )
    if needs is not None:
        # A problem with a whole section is one with each of its keys.
        matter = [p for p in problems if any(f"{key}.".startswith(f"{p.key}.") for key in needs)]
        for problem in problems:
            if problem not in matter:
                passed_over(problem)
        problems = matter
        values["plugins"]["jobs_dirs"] = tuple(d for d in directories if d not in missing)
        jobs = {}
    if problems:
        raise ConfigError(*problems)
    made = {section: kind(**values[section]) for section, kind in SECTIONS.items()}
    return Config(
        **made,
        sections=sections,
        jobs=jobs,
        origins=origins,
        file=found,
        warnings=tuple(_odd_variables(environ)),
    )


def find_file(
    file: Path | None = None, *, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Path | None:
    """The configuration file: `file`, ``MUXD_CONFIG``, ``./muxd.toml``, then the user's.

    None if none is named and none of the usual places has one. Always absolute.

    Raises:
      ConfigError: the file that was named is not there, or one of the usual places can't be seen.
    """
    environ = os.environ if environ is None else environ
    cwd = Path.cwd() if cwd is None else cwd
    for named, source in ((file, "--config"), (environ.get("MUXD_CONFIG"), "MUXD_CONFIG")):
        if named:
            path = cwd / Path(named).expanduser()
            if not path.is_file():
                raise ConfigError(ConfigProblem(source, "", f"there is no file {str(path)!r}"))
            return path
    for path in (cwd / FILE_NAME, platformdirs.user_config_path("muxd") / FILE_NAME):
        try:
            if path.is_file():
                return path
        except PermissionError:
            hint = "name one by --config, or set HOME to this user's"
            message = f"it can't be looked for: there is no access to {path.parent}; {hint}"
            raise ConfigError(ConfigProblem(str(path), "", message)) from None
    return None


_Settings: type = attrs.make_class(
    "_Settings",
    {name: attrs.field(factory=kind, type=kind) for name, kind in SECTIONS.items()},
    frozen=True,
    kw_only=True,
)
"""The sections with fixed keys, as one thing for cattrs."""


@attrs.frozen(kw_only=True)
class _Layer:
    """One place that values come from, as it was read: nested, unchecked."""

    raw: Mapping[str, Any]
    base: Path
    """What relative paths are relative to."""
    source: Callable[[str], str]
    """Dotted key to the name of the file, option or variable."""

    def given(self) -> Iterator[str]:
        """The dotted keys that are given, of the sections with fixed keys."""
        for section in SECTIONS:
            table = self.raw.get(section)
            yield from (
                f"{section}.{name}" for name in (table if isinstance(table, Mapping) else ())
            )

    def settings(self, problems: list[ConfigProblem]) -> dict[str, Any]:
        """What is given and right: dotted key to value. Adds to `problems` what is wrong."""
        tables: dict[str, Any] = {}
        for section, table in self.raw.items():
            if section == "jobs":
                continue
            if section in SECTIONS and not isinstance(table, Mapping):
                message = f"{shown(table)} is not possible: it is a table, [{section}]"
                problems.append(ConfigProblem(self.source(section), section, message))
            elif section in SECTIONS:
                tables[section] = {
                    name: _absolute(self.base, section, name, value)
                    for name, value in table.items()
                    if section != "plugins" or not _is_section(name, value)
                }
            else:
                tables[section] = table
        if not tables:
            return {}
        try:
            settings: Any = _converter().structure(tables, _Settings)
        except cattrs.ClassValidationError as error:
            wrong = list(self._explain(error, self.raw, ()))
            problems += wrong
            for section, name in (
                problem.key.split(".", 1) for problem in wrong if "." in problem.key
            ):
                del tables[section][name]
            tables = {section: table for section, table in tables.items() if section in SECTIONS}
            settings = _converter().structure(tables, _Settings)
        return {
            f"{section}.{name}": getattr(getattr(settings, section), name)
            for section, table in tables.items()
            for name in table
        }

    def sections(self, problems: list[ConfigProblem]) -> dict[str, Mapping[str, Any]]:
        """``[plugins.NAME]``: what the plugins read themselves."""
        table, found = self.raw.get("plugins", {}), {}
        for name, value in table.items() if isinstance(table, Mapping) else ():
            if isinstance(value, Mapping) and _is_section(name, value):
                found[name] = value
            elif _is_section(name, value):
                key = dotted("plugins", (name,))
                message = f"it is given several times: it is one table, [{key}]"
                problems.append(ConfigProblem(self.source("plugins"), key, message))
        return found

    def jobs(self, problems: list[ConfigProblem]) -> dict[str, dict[str, Any]]:
        """``[jobs.NAME]``: the keys checked, and each value for itself.

        Whether values go with each other, and with what the plugin says, shows when they meet the
        job.
        """
        found: dict[str, dict[str, Any]] = {}
        table = self.raw.get("jobs", {})
        if not isinstance(table, Mapping):
            message = f"{shown(table)} is not possible: it has a table for each job, [jobs.NAME]"
            problems.append(ConfigProblem(self.source("jobs"), "jobs", message))
            return {}
        for name, fields in table.items():
            key = f"jobs.{name}"
            if not isinstance(fields, Mapping):
                message = f"{shown(fields)} is not possible: it is a table, [jobs.{name}]"
                problems.append(ConfigProblem(self.source(key), key, message))
                continue
            for field, value in fields.items():
                where = f"{key}.{field}"
                if field not in JOB_KEYS:
                    message = f"no such key; {did_you_mean(field, JOB_KEYS)}"
                    problems.append(ConfigProblem(self.source(where), where, message))
                elif (allowed := allowed_instead(field, value)) is not None:
                    message = f"{shown(value)} is not possible: {allowed}"
                    problems.append(ConfigProblem(self.source(where), where, message))
            found[name] = dict(fields)
        return found

    def _explain(
        self, error: BaseException, value: Any, path: tuple[str, ...]
    ) -> Iterator[ConfigProblem]:
        """Every problem in what cattrs raised for `value`, which stands at `path`."""
        key = ".".join(path)
        if isinstance(error, cattrs.ClassValidationError):
            inner, others = error.group_exceptions()
            for sub, note in inner:
                yield from self._explain(sub, value[note.name], (*path, note.name))
            for sub in others:
                yield from self._explain(sub, value, path)
        elif isinstance(error, cattrs.ForbiddenExtraKeysError):
            known = [field.name for field in attrs.fields(error.cl)]
            what, known = ("key", known) if path else ("section", [*known, "jobs"])
            for extra in sorted(map(str, error.extra_fields)):
                where = ".".join((*path, extra))
                message = f"no such {what}; {did_you_mean(extra, known)}"
                if path == ("plugins",):
                    message += f"; a plugin has a table, [{where}]"
                yield ConfigProblem(self.source(where), where, message)
        else:
            words = MASK if _is_secret(key) else shown(_plain(value))
            yield ConfigProblem(self.source(key), key, f"{words} is not possible: {error}")


def _is_section(name: str, value: object) -> bool:
    """Whether what stands in ``[plugins]`` is a plugin's own: a table, or several by mistake."""
    if name in attrs.fields_dict(SECTIONS["plugins"]):
        return False
    if isinstance(value, list) and value:
        return all(isinstance(each, Mapping) for each in value)
    return isinstance(value, Mapping)


def _is_secret(key: str) -> bool:
    section, _, name = key.partition(".")
    if section not in SECTIONS or name not in attrs.fields_dict(SECTIONS[section]):
        return False
    return bool(attrs.fields_dict(SECTIONS[section])[name].metadata["secret"])


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _file_layer(file: Path) -> _Layer:
    try:
        raw = tomllib.loads(file.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        text = str(error)
        at = re.search(r" \(at line (\d+), column \d+\)$", text)
        source = f"{file}:{at[1]}" if at else str(file)
        raise ConfigError(ConfigProblem(source, "", f"this is not TOML: {text}")) from None
    except UnicodeDecodeError as error:
        raise ConfigError(ConfigProblem(str(file), "", f"this is not UTF-8: {error}")) from None
    except OSError as error:
        message = f"it can't be read: {error.strerror or error}"
        raise ConfigError(ConfigProblem(str(file), "", message)) from None
    return _Layer(raw=raw, base=file.parent, source=lambda key: str(file))


def _odd_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Those that are one of muxd's but for a slip. Others that begin alike may be a plugin's."""
    settings = (field for kind in SECTIONS.values() for field in attrs.fields(kind))
    known = {field.metadata["env"] for field in settings} - {None} | {"MUXD_CONFIG", "MUXD_DEBUG"}
    for name in sorted(environ):
        if name.upper().startswith("MUX") and name not in known and (meant := slip_of(name, known)):
            yield f"{name}: muxd reads no variable of this name; did you mean {meant!r}?"


def _environment_layer(environ: Mapping[str, str], cwd: Path) -> _Layer:
    raw: dict[str, dict[str, Any]] = {}
    names: dict[str, str] = {}
    for section, kind in SECTIONS.items():
        for field in attrs.fields(kind):
            variable = field.metadata["env"]
            if variable and (text := environ.get(variable)):
                split: dict[str, list[str]] = {
                    "paths": text.split(os.pathsep),
                    "texts": text.split(),
                }
                value: Any = split.get(field.metadata["kind"], text)
                raw.setdefault(section, {})[field.name] = value
                names[f"{section}.{field.name}"] = variable
    return _Layer(raw=raw, base=cwd, source=names.__getitem__)


def _options_layer(options: Mapping[str, tuple[Any, str]], cwd: Path) -> _Layer:
    raw: dict[str, dict[str, Any]] = {}
    for key, (value, _) in options.items():
        if value is not None and value != ():
            section, _, name = key.partition(".")
            raw.setdefault(section, {})[name] = value
    return _Layer(raw=raw, base=cwd, source=lambda key: options[key][1])


def _absolute(base: Path, section: str, name: str, value: Any) -> Any:
    """The raw value, made absolute where it is a path; what is no path at all is left alone."""
    field = attrs.fields_dict(SECTIONS[section]).get(name)
    kind = field.metadata["kind"] if field else "value"
    if kind == "paths" and isinstance(value, (list, tuple)):
        return [_absolute_path(base, item) for item in value]
    if kind == "program" and isinstance(value, str) and "/" not in value:
        return shutil.which(value) or _absolute_path(base, value)
    if kind in ("path", "program"):
        return _absolute_path(base, value)
    return value


def _absolute_path(base: Path, value: Any) -> Any:
    if isinstance(value, Path) or (isinstance(value, str) and value.strip()):
        try:
            return base / Path(value).expanduser()
        except RuntimeError:  # ~somebody without a home: say so where it is used
            return base / value
    return value


@functools.cache
def _converter() -> cattrs.Converter:
    """Structures the sections: unknown keys forbidden, each field checked by its converter."""
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)

    def through(read: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
        return lambda value, _: read(value)

    for kind in SECTIONS.values():
        hooks = {
            field.name: override(struct_hook=through(field.converter))
            for field in attrs.fields(kind)
        }
        converter.register_structure_hook(
            kind,
            make_dict_structure_fn(
                kind,
                converter,
                _cattrs_forbid_extra_keys=True,
                _cattrs_detailed_validation=True,
                **hooks,  # type: ignore[arg-type]
            ),
        )
    return converter
