"""TensorFlow Serving's gRPC services and gRPC's own health service."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from pipelines.server import arrays, logs, messages, requests
from pipelines.server.models import Model
from pipelines.server.refusals import Refusal, Why, invalid
from pipelines.server.security import Tokens
from pipelines.server.service import Service

_LOG = logging.getLogger("lookahead.serve")
_PREDICTION = "tensorflow.serving.PredictionService"
_MODELS = "tensorflow.serving.ModelService"
_HEALTH = "grpc.health.v1.Health"
_SIGNATURES = "signature_def"
# Time between looks whether a watched health has changed.
_LOOK = 0.5

Method = Callable[[Any, grpc.aio.ServicerContext], Awaitable[Any]]


class GrpcServices:
    """The handlers.

    Args:
      service: that answers.
      tokens: that are let in.
    """

    def __init__(self, service: Service, tokens: Tokens) -> None:
        self._service, self._tokens = service, tokens
        self._seldom = logs.Seldom()

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """Of all services."""
        prediction = {
            "Predict": self._unary("predict", self._predict, messages.PredictRequest),
            "GetModelMetadata": self._unary(
                "metadata", self._metadata, messages.GetModelMetadataRequest
            ),
        }
        models = {
            "GetModelStatus": self._unary("status", self._status, messages.GetModelStatusRequest)
        }
        reads = messages.HealthCheckRequest.FromString
        health = {
            "Check": grpc.unary_unary_rpc_method_handler(self._check, reads, _bytes_of),
            "Watch": grpc.unary_stream_rpc_method_handler(self._watch, reads, _bytes_of),
        }
        named = {_PREDICTION: prediction, _MODELS: models, _HEALTH: health}
        return [grpc.method_handlers_generic_handler(n, m) for n, m in named.items()]

    async def _predict(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        model, number = self._named(request.model_spec)
        with model.version(number) as version:
            inputs = requests.inputs_of(version.policy, request.model_spec.signature_name)
            arrays.check_names(list(request.inputs), inputs.specs, inputs.needed)
            given = {n: arrays.of_proto(x, inputs.specs[n]) for n, x in request.inputs.items()}
            answer = await self._service.answer(version, inputs, given)
        response = messages.PredictResponse()
        spec = response.model_spec
        spec.name, spec.version.value = model.name, version.number
        spec.signature_name = inputs.name
        specs = version.policy.signatures[inputs.name].outputs
        for name in _wanted(request.output_filter, answer.outputs):
            arrays.to_proto(answer.outputs[name], specs[name], response.outputs[name])
        if answer.simulations is not None:
            context.set_trailing_metadata([("x-num-simulations", str(answer.simulations))])
        return response

    async def _metadata(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        model, number = self._named(request.model_spec)
        version = model.version(number)
        for field in request.metadata_field or [""]:
            if field != _SIGNATURES:
                raise invalid(f"metadata_field is '{field[:80]}'; expected '{_SIGNATURES}'")
        response = messages.GetModelMetadataResponse()
        response.model_spec.name = model.name
        response.model_spec.version.value = version.number
        response.metadata[_SIGNATURES].Pack(version.policy.signature_definitions())
        return response

    async def _status(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        model, number = self._named(request.model_spec)
        if number is not None:
            model.version(number)
        response = messages.GetModelStatusResponse()
        for version in reversed(model.versions):
            if number in (None, version.number):
                status = response.model_version_status.add()
                status.version, status.state = version.number, version.state
                status.status.error_code = 0
        return response

    async def _check(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        status = self._health_of(request.service)
        if status == messages.UNKNOWN_SERVICE:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such service")
        return messages.HealthCheckResponse(status=status)

    async def _watch(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        said = None
        while True:
            status = self._health_of(request.service)
            if status != said:
                yield messages.HealthCheckResponse(status=status)
                said = status
            if self._service.draining:
                return  # Else who watches would keep the server from its end.
            await asyncio.sleep(_LOOK)

    def _health_of(self, service: str) -> int:
        if service not in ("", _PREDICTION, _MODELS, *self._service.models):
            return messages.UNKNOWN_SERVICE
        return messages.UNHEALTHY if self._service.draining else messages.HEALTHY

    def _named(self, spec: Any) -> tuple[Model, int | None]:
        model = self._service.model(spec.name)
        if spec.version_label:
            text = f"there is no version label '{spec.version_label[:80]}'; expected a number"
            raise Refusal(Why.NOT_FOUND, text)
        return model, spec.version.value if spec.HasField("version") else None

    def _unary(self, method: str, handler: Method, request_type: Any) -> grpc.RpcMethodHandler:
        """A handler with whatever becomes of it as a status, counted."""

        async def answered(request: Any, context: grpc.aio.ServicerContext) -> Any:
            began, failure = time.perf_counter(), None
            why, text, response = None, "", None
            try:
                self._tokens.check(_authorization(context))
                response = await handler(request, context)
            except Refusal as refusal:
                failure, why, text = refusal, refusal.why, str(refusal)
            except Exception as error:
                failure, why, text = error, Why.FAILED, "the server has failed; see its log"
            seconds = time.perf_counter() - began
            named = request.model_spec.name
            model = named if named in self._service.models else ""
            code = "OK" if why is None else why.grpc
            self._service.metrics.answered(model, "grpc", method, code, seconds)
            if failure is not None:
                self._log_failure(method, model, code, failure)
                await context.abort(grpc.StatusCode[why.grpc], text)
            return response

        return grpc.unary_unary_rpc_method_handler(answered, request_type.FromString, _bytes_of)

    def _log_failure(self, method: str, model: str, code: str, failure: Exception) -> None:
        left_out = self._seldom()
        if left_out is None:
            return
        fault = not isinstance(failure, Refusal)
        fields = {"method": method, "model": model, "code": code, "left_out": left_out}
        extra = {"fields": {"event": "refused", "protocol": "grpc", **fields}}
        level = logging.ERROR if fault else logging.INFO
        _LOG.log(level, "refused", extra=extra, exc_info=failure if fault else None)


def _wanted(names: Any, outputs: Any) -> Any:
    """The outputs that a filter leaves; all without one."""
    for name in names:
        if name not in outputs:
            raise invalid(f"output_filter: there is no '{name[:80]}'; it has {', '.join(outputs)}")
    return names or outputs


def _authorization(context: grpc.aio.ServicerContext) -> str:
    for name, value in context.invocation_metadata() or ():
        if name == "authorization" and isinstance(value, str):
            return value
    return ""


def _bytes_of(message: Any) -> bytes:
    return message.SerializeToString()
