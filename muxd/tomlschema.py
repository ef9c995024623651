"""The JSON Schema (draft 2020-12) of `muxd.toml`, for editors: of muxd's own keys, and of what is installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from muxd import configvalues as values
from muxd.attributedocs import attribute_docs
from muxd.blocklist import parse_blocklist
from muxd.classschema import Definitions
from muxd.config import SECTIONS
from muxd.engine import Engine
from muxd.job import Job
from muxd.jsontypes import DURATION, JOB_FIELDS, SIZE, Schema, limited, list_of
from muxd.sizes import format_size
from muxd.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from muxd.plugins import Plugins
    from muxd.section import Section

__all__ = ["toml_schema"]

_TEXT: Schema = {"type": "string"}
_FILLED: Schema = {"type": "string", "minLength": 1}
_PORT: Schema = {"type": "integer", "minimum": 0, "maximum": 65535}

_READERS: Mapping[Callable[..., Any], Schema] = {
    values.texts: list_of(_TEXT),
    values.flag: {"type": "boolean"},
    values.path: _FILLED,
    values.paths: list_of(_FILLED),
    values.engine: {"enum": [str(engine) for engine in Engine]},
    values.trace: {"enum": ["retries", "always", "never"]},
    values.address: _FILLED,
    values.port: {"anyOf": [_PORT, {"type": "string", "pattern": r"^\d+$"}]},
    values.hosts: list_of({"type": "string", "pattern": "^[^/:@ ]+$"}),
    values.web_url: {"type": "string", "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://\S+$"},
    values.apprise_urls: list_of({"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9+.-]*://."}),
    values.signing_secret: {"type": "string", "minLength": values.SHORTEST_SIGNING},
    values.told_of: list_of({"enum": list(values.TOLD_OF)}),
    values.timezone: _FILLED,
    values.log_format: {"enum": ["auto", "console", "json", "journald"]},
    parse_blocklist: list_of(_FILLED),
}


def toml_schema(plugins: Plugins | None = None) -> Schema:
    """The schema, as JSON has it.

    Args:
      plugins: as loaded: their sections, and their jobs with what they are configured by, are in it.
    """
    definitions = Definitions()
    properties = {section: _section(kind) for section, kind in SECTIONS.items()}
    own = properties["plugins"]
    own["additionalProperties"] = {"type": "object", "description": "A plugin's own section."}
    properties["jobs"] = {
        "type": "object",
        "description": "Fields of jobs that take the place of what their plugins say.",
        "additionalProperties": _job(None, definitions),
    }
    if plugins is not None:
        for name, section in plugins.sections().items():
            own["properties"].setdefault(name, _own(section, definitions))
        jobs = (*plugins.jobs, *plugins.disabled_jobs)
        properties["jobs"]["properties"] = {
            job.name: _job(job, definitions) for job in sorted(jobs, key=lambda job: job.name)
        }
    schema: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "muxd.toml",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if definitions.made:
        schema["$defs"] = definitions.made
    return schema


def _section(kind: type) -> Schema:
    """A section with fixed keys."""
    docs, found = attribute_docs(kind), {}
    for field in attrs.fields(kind):
        schema = dict(_setting(field.metadata["read"]))
        if text := docs.get(field.name):
            schema["description"] = text
        default = _as_given(field.default, schema)
        if isinstance(default, bool | int | float | str) and not field.metadata["secret"]:
            schema["default"] = default
        elif isinstance(default, tuple) and not any(isinstance(each, Path) for each in default):
            schema["default"] = list(default)
        found[field.name] = schema
    text = (kind.__doc__ or "").partition("\n")[0]
    return {
        "type": "object",
        "description": text.replace("``", ""),
        "properties": found,
        "additionalProperties": False,
    }


def _as_given(default: Any, schema: Schema) -> Any:
    """The default as people write it: durations and sizes with their units (all of them are round)."""
    pattern = schema.get("anyOf", [{}])[-1].get("pattern")
    if isinstance(default, float) and pattern == DURATION:
        return format_duration(default)
    if isinstance(default, int) and pattern == SIZE:
        return format_size(default)
    return default


def _setting(read: Callable[[object], Any]) -> Schema:
    if read in _READERS:
        return _READERS[read]
    return limited(read)


def _own(section: Section, definitions: Definitions) -> Schema:
    """A plugin's own section: the keys of the classes that it was made into."""
    found: Schema = {"type": "object", "description": f"What the plugin {section.plugin!r} reads."}
    properties: dict[str, Schema] = {}
    for kind in section.reads:
        try:
            properties |= definitions.properties(kind)
        except TypeError:
            return found
    if section.reads:
        found |= {"properties": properties, "additionalProperties": False}
    return found


def _job(job: Job | None, definitions: Definitions) -> Schema:
    docs = attribute_docs(Job)
    properties = {key: dict(schema) for key, schema in JOB_FIELDS.items()}
    for key, schema in properties.items():
        if text := docs.get(key):
            schema["description"] = text
    properties["enabled"]["description"] = "false: the job is not run."
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if job is None:
        return found
    if job.description:
        found["description"] = job.description
    if job.config is None:
        properties["config"] = {"type": "object", "maxProperties": 0}
    else:
        kind = job.config if isinstance(job.config, type) else type(job.config)
        try:
            properties["config"] = definitions.of_class(kind)
        except TypeError:
            properties["config"] = {"type": "object"}
    return found
