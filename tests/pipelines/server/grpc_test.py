"""gRPC: TensorFlow Serving's messages on the wire, and answers of the direct call's bits."""

from __future__ import annotations

import grpc
import numpy as np
import pytest
import tensorflow as tf

from pipelines.server import arrays, messages
from pipelines.server.loaded import ROWS, example

PREDICTION = "/tensorflow.serving.PredictionService/"


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(f"127.0.0.1:{server.server.grpc_port}") as opened:
        yield opened


def call(channel, method: str, request, response):
    return channel.unary_unary(method, type(request).SerializeToString, response.FromString)(
        request, timeout=30
    )


def request_of(inputs, **spec):
    request = messages.PredictRequest()
    request.model_spec.name = spec.get("name", "small")
    request.model_spec.signature_name = spec.get("signature", "")
    for name, array in inputs.items():
        request.inputs[name].ParseFromString(tf.make_tensor_proto(array).SerializeToString())
    return request


def test_the_bytes_are_those_of_tensorflow_serving():
    """Made with tensorflow-serving-api 2.15.1: `request.SerializeToString(deterministic=True)`."""
    golden = bytes.fromhex(
        "0a110a05736d616c6c120208071a0473746570120d0a0178120808012a04000000401a06616374696f6e"
    )
    request = messages.PredictRequest()
    spec = request.model_spec
    spec.name, spec.version.value, spec.signature_name = "small", 7, "step"
    request.inputs["x"].dtype = 1
    request.inputs["x"].float_val.append(2.0)
    request.output_filter.append("action")
    assert request.SerializeToString(deterministic=True) == golden
    assert messages.PredictRequest.FromString(golden) == request


def test_an_answer_has_the_direct_calls_bits(channel, policy):
    inputs = example(policy, 3, np.random.default_rng(1))
    expected = policy.call(ROWS, inputs)
    request = request_of(inputs, signature=ROWS)
    response = call(channel, f"{PREDICTION}Predict", request, messages.PredictResponse)
    assert response.model_spec.name == "small" and response.model_spec.signature_name == ROWS
    assert response.model_spec.version.value > 0
    assert set(response.outputs) == set(expected)
    for name, proto in response.outputs.items():
        found = tf.make_ndarray(proto)
        np.testing.assert_array_equal(found, expected[name])
        assert found.dtype == expected[name].dtype


def test_a_filter_leaves_what_is_wanted(channel, policy):
    request = request_of(example(policy, 1, np.random.default_rng(1)), signature=ROWS)
    request.output_filter.append("action")
    response = call(channel, f"{PREDICTION}Predict", request, messages.PredictResponse)
    assert set(response.outputs) == {"action"}


@pytest.mark.parametrize(
    ("changed", "code", "says"),
    [
        (
            {"observation_board": np.ones([2, 2], np.float32)},
            "INVALID_ARGUMENT",
            "is [2, 2]; expect",
        ),
        ({"observation_board": np.ones([2, 3])}, "INVALID_ARGUMENT", "type 2; expected float32"),
        ({"observation_board": np.array([["a"]])}, "INVALID_ARGUMENT", "type 7; expected float32"),
        ({"state_moves": np.zeros([3], np.int32)}, "INVALID_ARGUMENT", "B = 2 as in observation"),
        ({"other": np.zeros([3], np.int32)}, "INVALID_ARGUMENT", "there is no input 'other'"),
        ({"num_simulations": np.int32(99)}, "INVALID_ARGUMENT", "99; expected 1 to 9"),
    ],
)
def test_what_is_wrong_is_said(channel, policy, changed, code, says):
    inputs = {**example(policy, 2, np.random.default_rng(1)), **changed}
    with pytest.raises(grpc.RpcError) as raised:
        call(
            channel,
            f"{PREDICTION}Predict",
            request_of(inputs, signature=ROWS),
            messages.PredictResponse,
        )
    assert raised.value.code() is grpc.StatusCode[code] and says in raised.value.details()


def test_there_are_only_so_many_rows(channel, policy):
    inputs = example(policy, 17, np.random.default_rng(1))
    with pytest.raises(grpc.RpcError) as raised:
        request = request_of(inputs, signature=ROWS)
        call(channel, f"{PREDICTION}Predict", request, messages.PredictResponse)
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "has 17 rows; expected at most 16" in raised.value.details()


def test_a_tensor_that_claims_a_size_makes_none(channel):
    request = messages.PredictRequest()
    request.model_spec.name = "small"
    proto = request.inputs["observation_board"]
    proto.dtype = 1
    proto.float_val.append(1.0)
    for size in (1 << 40, 3):
        proto.tensor_shape.dim.add().size = size
    request.inputs["observation_legal_actions"].ParseFromString(
        tf.make_tensor_proto(np.ones([1, 4], bool)).SerializeToString()
    )
    with pytest.raises(grpc.RpcError) as raised:
        call(channel, f"{PREDICTION}Predict", request, messages.PredictResponse)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.bool_, np.uint8, np.float64, np.int64])
def test_tensors_come_and_go_as_tensorflow_writes_them(dtype):
    rng = np.random.default_rng(0)
    array = rng.integers(0, 2, (2, 3)).astype(dtype)
    number = tf.as_dtype(dtype).as_datatype_enum
    spec = arrays.Spec("x", np.dtype(dtype), (None, 3), number)
    listed = tf.make_tensor_proto(array.tolist(), dtype, array.shape)
    for proto in (tf.make_tensor_proto(array), listed):
        ours = messages.TensorProto.FromString(proto.SerializeToString())
        np.testing.assert_array_equal(arrays.of_proto(ours, spec), array)
    ours = messages.TensorProto()
    arrays.to_proto(array, spec, ours)
    theirs = tf.make_tensor_proto(0.0)
    theirs.ParseFromString(ours.SerializeToString())
    np.testing.assert_array_equal(tf.make_ndarray(theirs), array)


def test_metadata_and_status(channel, server):
    request = messages.GetModelMetadataRequest()
    request.model_spec.name = "small"
    request.metadata_field.append("signature_def")
    method = f"{PREDICTION}GetModelMetadata"
    response = call(channel, method, request, messages.GetModelMetadataResponse)
    definitions = messages.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(definitions)
    assert definitions.signature_def["step"].inputs["seed"].dtype == 3
    asked = messages.GetModelStatusRequest()
    asked.model_spec.name = "small"
    method = "/tensorflow.serving.ModelService/GetModelStatus"
    (status,) = call(channel, method, asked, messages.GetModelStatusResponse).model_version_status
    assert (status.version, status.state) == (server.model.newest.number, messages.AVAILABLE)


def test_health_is_grpcs_own(channel):
    asked = messages.HealthCheckRequest()
    method = "/grpc.health.v1.Health/"
    assert call(channel, f"{method}Check", asked, messages.HealthCheckResponse).status == 1
    watch = channel.unary_stream(
        f"{method}Watch", type(asked).SerializeToString, messages.HealthCheckResponse.FromString
    )
    stream = watch(messages.HealthCheckRequest(service="none"), timeout=30)
    assert next(stream).status == messages.UNKNOWN_SERVICE
    stream.cancel()
    with pytest.raises(grpc.RpcError) as raised:
        asked = messages.HealthCheckRequest(service="none")
        call(channel, f"{method}Check", asked, messages.HealthCheckResponse)
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
