"""TensorFlow Serving's REST interface, and what is ours beside it: episodes, metrics, a page."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from aiohttp import web
from google.protobuf import json_format

from pipelines.server import (
    arrays,
    json_values,
    logs,
    messages,
    openapi,
    page,
    requests,
)
from pipelines.server.arrays import Spec
from pipelines.server.boards import Boards, has_board
from pipelines.server.refusals import Refusal, Why, invalid
from pipelines.server.security import Tokens
from pipelines.server.service import Answer, Service

_LOG = logging.getLogger("lookahead.serve")
# Bodies of more bytes are read as JSON in another thread: the others are answered meanwhile.
_LARGE = 1 << 18

_SEED = Spec("seed", np.dtype(np.int32), (), 3)

_MODEL = "/v1/models/{model:[^/:]+}"
_VERSION = _MODEL + r"/versions/{version:\d{1,18}}"
_EPISODES = _MODEL + "/episodes"
_EPISODE = _EPISODES + "/{episode:[^/:]+}"
_BOARDS = _MODEL + "/boards"
_BOARD = "/boards/{board:[^/:]+}/{what:[a-z.]*}"

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Rest:
    """The handlers.

    Args:
      service: that answers.
      tokens: that are let in.

    Attributes:
      boards: games that people play.
    """

    def __init__(self, service: Service, tokens: Tokens) -> None:
        self._service, self._tokens, self.boards = service, tokens, Boards(service)
        self._seldom = logs.Seldom()

    def application(self) -> web.Application:
        """All routes."""
        limits = self._service.limits
        app = web.Application(client_max_size=limits.body_bytes, middlewares=[self._unrouted])
        for verb, path, name, handler in (
            *[("POST", f"{p}:predict", "predict", self._predict) for p in (_MODEL, _VERSION)],
            *[("GET", p, "status", self._status) for p in (_MODEL, _VERSION)],
            *[("GET", f"{p}/metadata", "metadata", self._metadata) for p in (_MODEL, _VERSION)],
            ("GET", "/v1/models", "models", self._models),
            ("POST", _EPISODES, "begin_episode", self._begin),
            ("POST", f"{_EPISODE}:step", "step_episode", self._step),
            ("DELETE", _EPISODE, "end_episode", self._end),
            ("POST", _BOARDS, "begin_board", self._begin_board),
            ("GET", "/metrics", "metrics", self._metrics),
            ("GET", "/openapi.json", "openapi", self._openapi),
        ):
            app.router.add_route(verb, path, self._answered(name, handler))
        # Who knows a game's id is let in: pages cannot send a token for what they load.
        for verb, handler in (("GET", self._look_at_board), ("POST", self._act_on_board)):
            app.router.add_route(verb, _BOARD, self._answered("board", handler, for_all=True))
        app.router.add_get("/health", self._health)
        for path, file in page.FILES.items():
            app.router.add_get(path, page.handler(file))
        return app

    # TensorFlow Serving's.

    async def _predict(self, request: web.Request) -> web.Response:
        body = await self._json(request)
        by_row = "instances" in body
        model = self._service.model(request.match_info["model"])
        with model.version(_version(request)) as version:
            signature = _text(body, "signature_name")
            inputs = requests.inputs_of(version.policy, signature, by_row)
            given = json_values.read(body, inputs)
            answer = await self._service.answer(version, inputs, given)
        return _json_response(json_values.written(answer.outputs, by_row), _headers(answer))

    async def _status(self, request: web.Request) -> web.Response:
        model = self._service.model(request.match_info["model"])
        number = _version(request)
        if number is not None:
            model.version(number)
        shown = [
            {
                "version": str(version.number),
                "state": messages.STATES[version.state],
                "status": {"error_code": "OK", "error_message": ""},
            }
            for version in reversed(model.versions)
            if number in (None, version.number)
        ]
        return _json_response({"model_version_status": shown})

    async def _metadata(self, request: web.Request) -> web.Response:
        model = self._service.model(request.match_info["model"])
        version = model.version(_version(request))
        definitions = json_format.MessageToDict(
            version.policy.signature_definitions(),
            preserving_proto_field_name=True,
            including_default_value_fields=True,
        )
        spec = {"name": model.name, "signature_name": "", "version": str(version.number)}
        policy = version.policy
        ours = {
            "options": {n: [v, policy.most.get(n)] for n, v in policy.options.items()},
            "rows_together": policy.rows_together,
            "batch_sizes": version.sizes,
            "board": has_board(model),
            "description": policy.description(),
        }
        shown = {"signature_def": definitions, "lookahead": ours}
        return _json_response({"model_spec": spec, "metadata": shown})

    # Ours.

    async def _models(self, request: web.Request) -> web.Response:
        shown = {name: str(m.newest.number) for name, m in self._service.models.items()}
        return _json_response({"models": [{"name": n, "version": v} for n, v in shown.items()]})

    async def _begin(self, request: web.Request) -> web.Response:
        body = await self._json(request, empty=True)
        json_values.check_keys(body, ("seed",))
        seed = None
        if "seed" in body:
            seed = int(arrays.of_json(body["seed"], _SEED))
            if seed < 0:
                raise invalid(f"seed is {seed}; expected 0 to 2147483647")
        model = self._service.model(request.match_info["model"])
        name, episode = self._service.episodes[model.name].begin(model.newest, seed)
        shown = {"episode": name, "seed": episode.seed, "version": str(model.newest.number)}
        return _json_response(shown, status=201)

    async def _step(self, request: web.Request) -> web.Response:
        body = await self._json(request)
        model = self._service.model(request.match_info["model"])
        answer, step = await self._service.step_episode(
            model.name,
            request.match_info["episode"],
            lambda inputs: json_values.read_one_row(body, inputs),
        )
        outputs = {n: x for n, x in answer.outputs.items() if not n.startswith("state_")}
        (shown,) = json_values.written(outputs, by_row=True, named=True)["predictions"]
        return _json_response({"step": step, **shown}, _headers(answer))

    async def _end(self, request: web.Request) -> web.Response:
        model = self._service.model(request.match_info["model"])
        self._service.episodes[model.name].end(request.match_info["episode"])
        return _json_response({})

    async def _begin_board(self, request: web.Request) -> web.Response:
        json_values.check_keys(await self._json(request, empty=True), ())
        board = await self.boards.begin(self._service.model(request.match_info["model"]))
        return _json_response({"board": board, "path": f"/boards/{board}/"}, status=201)

    async def _look_at_board(self, request: web.Request) -> web.Response:
        from pipelines.engines import web as board_page

        game, what = self.boards.get(request.match_info["board"]), request.match_info["what"]
        if (found := board_page.file(what)) is not None:
            body, kind = found
            headers = board_page.HEADERS
            return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)
        if (shown := board_page.shown(game, what)) is None:
            raise Refusal(Why.NOT_FOUND, f"a game has no '{what[:80]}'")
        return _json_response(shown)

    async def _act_on_board(self, request: web.Request) -> web.Response:
        from pipelines.engines import web as board_page
        from pipelines.engines.web_game import Refused

        game, what = self.boards.get(request.match_info["board"]), request.match_info["what"]
        body, act = await self._json(request, empty=True), board_page.action(game, what)
        if act is None:
            raise Refusal(Why.NOT_FOUND, f"a game has no '{what[:80]}'")
        try:
            await self.boards.run(act, body)
        except Refused as error:
            raise Refusal(Why.CONFLICT, str(error)) from error
        except ValueError as error:
            raise invalid(str(error)) from error
        return _json_response(game.state())

    async def _metrics(self, request: web.Request) -> web.Response:
        metrics = self._service.metrics
        return web.Response(body=metrics.text(), headers={"Content-Type": metrics.content_type})

    async def _openapi(self, request: web.Request) -> web.Response:
        return _json_response(openapi.described(self._service))

    async def _health(self, request: web.Request) -> web.Response:
        if self._service.draining:
            return _json_response({"status": "draining"}, status=503)
        return _json_response({"status": "serving"})

    # Around all of them.

    @web.middleware
    async def _unrouted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What no route is for, in our words."""
        missed = request.match_info.http_exception
        if missed is None:
            return await handler(request)
        why, text = Why.NOT_FOUND, "there is nothing at this path; /openapi.json lists what is"
        if isinstance(missed, web.HTTPMethodNotAllowed):
            allowed = ", ".join(sorted(missed.allowed_methods))
            why, text = (
                Why.NOT_ALLOWED,
                f"this path does not take {request.method}; it takes {allowed}",
            )

        async def refuse(request: web.Request) -> web.Response:
            raise Refusal(why, text)

        response = await self._answered("unknown", refuse)(request)
        if why is Why.NOT_ALLOWED and response.status == why.http:
            response.headers["Allow"] = allowed
        return response

    def _answered(self, method: str, handler: Handler, for_all: bool = False) -> Handler:
        """The handler with whatever becomes of it as an answer, counted; `for_all`: without a
        token.
        """

        async def answered(request: web.Request) -> web.Response:
            began, failure = time.perf_counter(), None
            try:
                if not for_all:
                    self._tokens.check(request.headers.get("Authorization", ""))
                response = await handler(request)
            except Refusal as refusal:
                failure, response = refusal, _refused(refusal.why, str(refusal))
            except web.HTTPRequestEntityTooLarge:
                failure = text = (
                    f"expected a body of at most {self._service.limits.body_bytes} bytes"
                )
                response = _refused(Why.TOO_LARGE, text)
            except (asyncio.CancelledError, ConnectionError):
                raise  # Whoever asked has gone.
            except Exception as error:
                failure, response = (
                    error,
                    _refused(Why.FAILED, "the server has failed; see its log"),
                )
            seconds, model = time.perf_counter() - began, request.match_info.get("model", "")
            if model not in self._service.models:
                model = ""  # A name that anybody makes up is no label.
            metrics = self._service.metrics
            metrics.answered(model, "rest", method, str(response.status), seconds)
            if failure is not None:
                self._log_failure(method, model, response.status, failure)
            return response

        return answered

    def _log_failure(self, method: str, model: str, status: int, failure: Any) -> None:
        left_out = self._seldom()
        if left_out is None:
            return
        fault = isinstance(failure, Exception) and not isinstance(failure, Refusal)
        fields = {"method": method, "model": model, "status": status, "left_out": left_out}
        extra = {"fields": {"event": "refused", "protocol": "rest", **fields}}
        level = logging.ERROR if fault else logging.INFO
        _LOG.log(level, "refused", extra=extra, exc_info=failure if fault else None)

    async def _json(self, request: web.Request, empty: bool = False) -> dict[str, Any]:
        """The body, an object."""
        try:
            # What is there already, as most often, needs no timer.
            seconds = None if request.content.is_eof() else self._service.limits.seconds
            async with asyncio.timeout(seconds):
                data = await request.read()
        except TimeoutError as error:
            raise Refusal(Why.TIMED_OUT, "the request's body did not come in time") from error
        if empty and not data:
            return {}
        if len(data) < _LARGE:
            return _object(data)
        return await asyncio.get_running_loop().run_in_executor(None, _object, data)


def _object(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError.
        raise invalid("the body is no JSON") from error
    if not isinstance(body, dict):
        raise invalid("the body is no JSON object")
    return body


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise invalid(f"{name} is no string")
    return value


def _version(request: web.Request) -> int | None:
    number = request.match_info.get("version")
    return None if number is None else int(number)


def _headers(answer: Answer) -> dict[str, str]:
    headers = {"X-Model-Version": str(answer.version.number)}
    if answer.simulations is not None:
        headers["X-Num-Simulations"] = str(answer.simulations)
    return headers


def _json_response(
    shown: Any, headers: dict[str, str] | None = None, status: int = 200
) -> web.Response:
    return web.Response(
        body=json.dumps(shown).encode(),
        status=status,
        headers=headers,
        content_type="application/json",
    )


def _refused(why: Why, text: str) -> web.Response:
    headers = {"WWW-Authenticate": "Bearer"} if why is Why.UNAUTHENTICATED else {}
    if why in (Why.TOO_MANY, Why.UNAVAILABLE):
        headers["Retry-After"] = "1"
    return _json_response({"error": text}, headers, why.http)
