"""The OpenAPI 3.1 document of the operations: made from what the application does itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from muxd.control.schemas import ERROR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from muxd.control.field import Field
    from muxd.control.operation import Operation

__all__ = ["openapi"]


def openapi(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    """The document.

    Args:
      operations: all that can be asked.
      version: muxd's.
    """
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "muxd",
            "version": version,
            "description": "Cron for one browser: see it, steer it.",
        },
        "security": [{"token": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": {"Error": ERROR},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "muxd"},
            },
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    errors = {422: "It can't be granted, or is no such request.", 500: "muxd failed."}
    if operation.method == "POST":
        errors[413] = "More was sent than muxd takes."
    if operation.may_last:
        errors[503] = "So many requests last already that there is no place for another."
    errors |= operation.errors
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": {
            str(status): {"description": "There is none now."}
            if status == 204
            else {
                "description": "Done." if status == 200 else "It is asked for.",
                "content": {operation.media_type: {"schema": schema}},
            }
            for status, schema in (
                {operation.status: operation.schema} | dict(operation.also)
            ).items()
        }
        | {str(status): _error(words) for status, words in sorted(errors.items())},
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in operation.parameters
    ]
    parameters += [
        {"name": field.name, "in": "query", "required": False, "schema": field.schema}
        for field in operation.query
    ]
    if operation.is_open:
        found["security"] = []
    if parameters:
        found["parameters"] = parameters
    if operation.body:
        found["requestBody"] = {"content": {"application/json": {"schema": _body(operation.body)}}}
    return found


def _error(words: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _body(fields: Iterable[Field]) -> dict[str, Any]:
    properties = {}
    for field in fields:
        schema = field.schema
        properties[field.name] = schema | {"type": [schema["type"], "null"]}
    return {"type": "object", "properties": properties, "additionalProperties": False}
