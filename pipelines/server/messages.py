"""TensorFlow Serving's messages, made at run time from what they hold.

The packages, names, numbers and types are those of its protocol, so that its clients' bytes are
ours; nothing is generated, and nothing of `tensorflow-serving-api` is needed. They live in a pool
of their own, where a client's copy of the same definitions in this process does not meet them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    wrappers_pb2,
)
from tensorflow.core.protobuf import meta_graph_pb2

_SERVING, _HEALTH = "tensorflow.serving", "grpc.health.v1"

# Messages as in a .proto file, one field a line; `?` marks the members of a oneof.
_MESSAGES = {
    "tensorflow.serving.ModelSpec": """
        string name = 1
        ? google.protobuf.Int64Value version = 2
        ? string version_label = 4
        string signature_name = 3""",
    "tensorflow.serving.PredictRequest": """
        tensorflow.serving.ModelSpec model_spec = 1
        map tensorflow.TensorProto inputs = 2
        repeated string output_filter = 3""",
    "tensorflow.serving.PredictResponse": """
        map tensorflow.TensorProto outputs = 1
        tensorflow.serving.ModelSpec model_spec = 2""",
    "tensorflow.serving.SignatureDefMap": """
        map tensorflow.SignatureDef signature_def = 1""",
    "tensorflow.serving.GetModelMetadataRequest": """
        tensorflow.serving.ModelSpec model_spec = 1
        repeated string metadata_field = 2""",
    "tensorflow.serving.GetModelMetadataResponse": """
        tensorflow.serving.ModelSpec model_spec = 1
        map google.protobuf.Any metadata = 2""",
    "tensorflow.serving.StatusProto": """
        int32 error_code = 1
        string error_message = 2""",
    "tensorflow.serving.ModelVersionStatus": """
        int64 version = 1
        int32 state = 2
        tensorflow.serving.StatusProto status = 3""",
    "tensorflow.serving.GetModelStatusRequest": """
        tensorflow.serving.ModelSpec model_spec = 1""",
    "tensorflow.serving.GetModelStatusResponse": """
        repeated tensorflow.serving.ModelVersionStatus model_version_status = 1""",
    "grpc.health.v1.HealthCheckRequest": """
        string service = 1""",
    "grpc.health.v1.HealthCheckResponse": """
        int32 status = 1""",
}
# What the protocol has as enums, which are int32 on the wire.
START, LOADING, AVAILABLE, UNLOADING, END = 10, 20, 30, 40, 50
STATES = {10: "START", 20: "LOADING", 30: "AVAILABLE", 40: "UNLOADING", 50: "END"}
HEALTHY, UNHEALTHY, UNKNOWN_SERVICE = 1, 2, 3

_FIELD = re.compile(r"(\? |repeated |map )?(\S+) (\w+) = (\d+)")
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _Field.TYPE_STRING,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
}


def _described(package: str) -> descriptor_pb2.FileDescriptorProto:
    """The file that has a package's messages."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"lookahead/{package}.proto", package=package, syntax="proto3"
    )
    file.dependency.extend(part.DESCRIPTOR.name for part in (any_pb2, wrappers_pb2, meta_graph_pb2))
    for full_name, text in _MESSAGES.items():
        prefix, _, name = full_name.rpartition(".")
        if prefix == package:
            message = file.message_type.add(name=name)
            for line in text.strip().splitlines():
                _add_field(message, full_name, *_FIELD.fullmatch(line.strip()).groups())
    return file


def _add_field(
    message: descriptor_pb2.DescriptorProto, owner: str, how: str, kind: str, name: str, number: str
) -> None:
    field = message.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
    if how in ("repeated ", "map "):
        field.label = _Field.LABEL_REPEATED
    if how == "? ":
        if not message.oneof_decl:
            message.oneof_decl.add(name="version_choice")
        field.oneof_index = 0
    if how == "map ":
        entry_name = "".join(part.capitalize() for part in name.split("_")) + "Entry"
        entry = message.nested_type.add(name=entry_name)
        entry.options.map_entry = True
        _add_field(entry, "", "", "string", "key", "1")
        _add_field(entry, "", "", kind, "value", "2")
        kind = f"{owner}.{entry_name}"
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{kind}"


def _with_dependencies(file: Any, seen: set[str]) -> Iterator[Any]:
    """A file's descriptor behind all that it imports."""
    if file.name not in seen:
        seen.add(file.name)
        for dependency in file.dependencies:
            yield from _with_dependencies(dependency, seen)
        yield file


def _classes() -> dict[str, Any]:
    pool, seen = descriptor_pool.DescriptorPool(), set()
    for module in (any_pb2, wrappers_pb2, meta_graph_pb2):
        for file in _with_dependencies(module.DESCRIPTOR, seen):
            pool.AddSerializedFile(file.serialized_pb)
    for package in (_SERVING, _HEALTH):
        pool.AddSerializedFile(_described(package).SerializeToString())
    names = (*_MESSAGES, "tensorflow.TensorProto", "tensorflow.SignatureDef")
    return {
        name.rpartition(".")[2]: message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
        for name in names
    }


_made = _classes()
ModelSpec = _made["ModelSpec"]
PredictRequest, PredictResponse = _made["PredictRequest"], _made["PredictResponse"]
SignatureDef, SignatureDefMap = _made["SignatureDef"], _made["SignatureDefMap"]
GetModelMetadataRequest = _made["GetModelMetadataRequest"]
GetModelMetadataResponse = _made["GetModelMetadataResponse"]
GetModelStatusRequest = _made["GetModelStatusRequest"]
GetModelStatusResponse = _made["GetModelStatusResponse"]
HealthCheckRequest, HealthCheckResponse = _made["HealthCheckRequest"], _made["HealthCheckResponse"]
TensorProto = _made["TensorProto"]
