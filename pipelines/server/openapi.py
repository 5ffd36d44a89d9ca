"""The REST interface in OpenAPI's words, with the inputs of the very models that are served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.server import requests
from pipelines.server.arrays import Limits, Spec
from pipelines.server.boards import has_board
from pipelines.server.loaded import ROWS, SIMULATIONS, START, LoadedPolicy
from pipelines.server.models import Model
from pipelines.server.service import Service

_JSON = "application/json"
_INTEGER = {"type": "integer"}


def described(service: Service) -> dict[str, Any]:
    """The description, version 3.1."""
    paths: dict[str, Any] = {
        "/health": {"get": _operation("Whether it serves", {"status": {"type": "string"}}, 503)},
        "/metrics": {"get": {"summary": "Metrics for Prometheus", "responses": _text("Metrics")}},
        "/openapi.json": {"get": _operation("This description", {})},
        "/v1/models": {"get": _operation("All models", {"models": {"type": "array"}})},
    }
    for model in service.models.values():
        paths |= _of_model(model, service.limits)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lookahead: policies",
            "version": "1",
            "description": "TensorFlow Serving's REST interface, and episodes.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {"error": {"type": "string"}},
                }
            },
        },
        "security": [{}, {"token": []}],
    }


def _of_model(model: Model, limits: Limits) -> dict[str, Any]:
    root, newest = f"/v1/models/{model.name}", model.newest
    version = {
        "name": "version",
        "in": "path",
        "required": True,
        "schema": {"type": "integer", "minimum": 0, "maximum": 10**18 - 1},
    }
    paths: dict[str, Any] = {}
    for path, parameters in ((root, []), (f"{root}/versions/{{version}}", [version])):
        shared = {"parameters": parameters}
        predict = _operation(
            "Actions, by rows or by columns",
            {},
            400,
            404,
            413,
            429,
            503,
            504,
            body=_predict(model, limits),
        )
        states = {"model_version_status": {"type": "array"}}
        about = {"model_spec": {"type": "object"}, "metadata": {"type": "object"}}
        paths[f"{path}:predict"] = {**shared, "post": predict}
        paths[path] = {**shared, "get": _operation("States of its versions", states, 404)}
        paths[f"{path}/metadata"] = {**shared, "get": _operation("Signatures", about, 404)}
    seed = {"type": "object", "properties": {"seed": _bounded(0, 2**31 - 1)}}
    seed["additionalProperties"] = False
    begun = {"episode": {"type": "string"}, "seed": _INTEGER, "version": {"type": "string"}}
    begin = _operation("Begins an episode", begun, 400, 429, body=seed, needs_body=False)
    begin["responses"]["201"] = begin["responses"].pop("200")
    paths[f"{root}/episodes"] = {"post": begin}
    if has_board(model):
        board = {"board": {"type": "string"}, "path": {"type": "string"}}
        play = _operation("Begins a game: its page's path", board, 400, 429, needs_body=False)
        play["responses"]["201"] = play["responses"].pop("200")
        paths[f"{root}/boards"] = {"post": play}
    episode = {"name": "episode", "in": "path", "required": True, "schema": {"type": "string"}}
    inputs = requests.inputs_of(newest.policy, ROWS)
    hidden = ("seed", *newest.policy.start)
    specs = {n: spec for n, spec in inputs.specs.items() if n not in hidden}
    step = _operation(
        "The next step: an observation → an action",
        {"step": _INTEGER},
        *(400, 404, 410, 413, 429, 503, 504),
        body=_row(specs, inputs.needed, newest.policy, limits),
    )
    paths[f"{root}/episodes/{{episode}}:step"] = {"parameters": [episode], "post": step}
    paths[f"{root}/episodes/{{episode}}"] = {
        "parameters": [episode],
        "delete": _operation("Ends an episode", {}, 404),
    }
    return paths


def _predict(model: Model, limits: Limits) -> dict[str, Any]:
    """Rows, for every signature that has any; columns in words, since no schema says B of them."""
    policy, shapes = model.newest.policy, []
    for name in policy.signatures:
        if name == START:
            count = {"batch_size": _bounded(1, limits.rows)}
            shapes.append(_body(name, "inputs", _closed(count, ("batch_size",))))
            continue
        inputs = requests.inputs_of(policy, name, by_row=True)
        per_row = {n: spec for n, spec in inputs.specs.items() if spec.shape}
        rows = _rows(_row(per_row, inputs.needed, policy, limits), limits.rows)
        if len(per_row) < len(inputs.specs):
            # Of one row, since no schema says that options are the same in all rows either.
            one = _rows(_row(inputs.specs, inputs.needed, policy, limits), 1)
            rows = {"anyOf": [rows, one]}
        shapes.append(_body(name, "instances", rows))
    return {
        "oneOf": shapes,
        "description": "The options of several rows are the same in all. In the place of "
        "`instances` may be `inputs`, an object of columns, each with all rows of an input; in the "
        "place of nested lists {'b64': …}, the numbers' bytes, little-endian.",
    }


def _body(signature: str, key: str, value: Mapping[str, Any]) -> dict[str, Any]:
    default = signature == "serving_default"
    return {
        "type": "object",
        "required": [key] if default else ["signature_name", key],
        "properties": {"signature_name": {"const": signature}, key: value},
        "additionalProperties": False,
    }


def _row(
    specs: Mapping[str, Spec], needed: Sequence[str], policy: LoadedPolicy, limits: Limits
) -> dict[str, Any]:
    """One row, each input by its name."""
    most = {**policy.most, requests.TIME_LIMIT: limits.milliseconds}
    if SIMULATIONS in most and limits.simulations is not None:
        most[SIMULATIONS] = min(most[SIMULATIONS], limits.simulations)
    properties = {
        name: _schema(spec) if spec.shape else _bounded(1, most.get(name, 2**31 - 1))
        for name, spec in specs.items()
    }
    shown = _closed(properties, needed)
    if requests.TIME_LIMIT in specs:
        shown["not"] = {"required": [requests.TIME_LIMIT, SIMULATIONS]}
    return shown


def _rows(row: Mapping[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "maxItems": most, "items": row}


def _closed(properties: Mapping[str, Any], needed: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(needed),
        "properties": dict(properties),
        "additionalProperties": False,
    }


def _schema(spec: Spec) -> dict[str, Any]:
    """A row's value."""
    nested = _number(spec.dtype)
    for size in reversed(spec.shape[1:]):
        nested = {"type": "array", "items": nested, "minItems": size, "maxItems": size}
    if spec.name == "observation_legal_actions":
        nested["contains"] = {"const": True}
    return nested


def _number(dtype: np.dtype) -> dict[str, Any]:
    if dtype.kind == "b":
        return {"type": "boolean"}
    if dtype.kind in "iu":
        return _bounded(int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    if dtype != np.float32:
        return {"type": "number"}
    beyond = (2 - 2.0**-24) * 2.0**127  # From here on a number is rounded to infinity.
    return {"type": "number", "exclusiveMinimum": -beyond, "exclusiveMaximum": beyond}


def _bounded(low: int, high: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


def _operation(
    summary: str,
    properties: Mapping[str, Any],
    *failures: int,
    body: Mapping[str, Any] | None = None,
    needs_body: bool = True,
) -> dict[str, Any]:
    shown = {"type": "object", "properties": properties, "required": list(properties)}
    error = {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    refusals = {401: "No token", **{code: "Refused, and why" for code in failures}}
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {
            "200": {"description": "The answer", "content": {_JSON: {"schema": shown}}},
            **{str(c): {"description": t, "content": error} for c, t in refusals.items()},
        },
    }
    if body is not None:
        content = {_JSON: {"schema": dict(body)}}
        operation["requestBody"] = {"required": needs_body, "content": content}
    return operation


def _text(description: str) -> dict[str, Any]:
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {"200": {"description": description, "content": content}}
