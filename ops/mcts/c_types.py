"""The C structures of cc/kernels/tree.h for ctypes; needs neither TensorFlow nor NumPy."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_float, c_int32, c_int64

# In the order of the enumerations RuleKind and QTransformKind.
RULE_KINDS = ("puct", "gumbel", "stochastic")
QTRANSFORM_KINDS = ("parent_and_siblings", "min_max", "tree_min_max", "completed_by_mix_value")


class Rule(ctypes.Structure):
    """The rule of a walk."""

    _fields_ = [
        ("kind", c_int32),
        ("qtransform", c_int32),
        ("max_depth", c_int32),
        ("rescale_values", c_int32),
        ("use_mixed_value", c_int32),
        ("pb_c_init", c_float),
        ("pb_c_base", c_float),
        ("min_value", c_float),
        ("max_value", c_float),
        ("fpu_reduction", c_float),
        ("value_scale", c_float),
        ("maxvisit_init", c_float),
        ("epsilon", c_float),
        ("first_outcome", c_int32),
    ]


class Forest(ctypes.Structure):
    """A batch of trees: nodes [B, M, 8], edges [B, M, 6, A], stats [B, 3]."""

    _fields_ = [
        ("nodes", POINTER(c_float)),
        ("edges", POINTER(c_float)),
        ("stats", POINTER(c_float)),
        ("batch", c_int64),
        ("num_nodes", c_int64),
        ("num_actions", c_int64),
    ]


class RootNoise(ctypes.Structure):
    """What Gumbel's root reads: gumbel [B, A], considered [num_rows, num_columns]; or nulls."""

    _fields_ = [
        ("gumbel", POINTER(c_float)),
        ("considered", POINTER(c_float)),
        ("num_rows", c_int64),
        ("num_columns", c_int64),
    ]


class BusyForest(ctypes.Structure):
    """A batch of trees with walks in flight: LookaheadBusyForest of cc/kernels/c_api.cc."""

    _fields_ = [
        ("forest", Forest),
        ("through", POINTER(c_float)),
        ("rule", Rule),
        ("parameters", POINTER(c_float)),
        ("virtual_loss", c_float),
        ("noise", RootNoise),
    ]


def rule(
    kind: str,
    qtransform: str,
    max_depth: int,
    pb_c_init: float,
    pb_c_base: float,
    first_outcome: int = 0,
    **parameters,
) -> Rule:
    """The structure of a rule; `parameters` are the q-transform's, each of which must be given."""
    missing = {name for name, _ in Rule._fields_[3:-1] if not name.startswith("pb_c")}
    if missing != set(parameters):
        raise TypeError(f"a rule takes {sorted(missing)}, got {sorted(parameters)}")
    return Rule(
        kind=RULE_KINDS.index(kind),
        qtransform=QTRANSFORM_KINDS.index(qtransform),
        max_depth=max_depth,
        pb_c_init=pb_c_init,
        pb_c_base=pb_c_base,
        first_outcome=first_outcome,
        **parameters,
    )
