"""Protects calls of a `tf.function` by types and shapes: the right trace, or the usual way."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import tensorflow as tf

from agents.direct import direct


@pytest.mark.parametrize("compiled", [None, True])
def test_each_shape_and_type_has_its_trace_and_its_answer(compiled):
    count, traced = tf.Variable(0), []

    @tf.function(autograph=False, jit_compile=compiled)
    def function(nest, offset):
        traced.append(nest["x"].shape)
        count.assign_add(1)
        return {"sum": tf.reduce_sum(nest["x"]) + offset, "rows": (tf.shape(nest["x"])[0],)}

    call = direct(function)
    for x in ([1.0], [1.0, 2.0], [3.0], [4.0, 5.0]):
        found = call({"x": tf.constant(x)}, tf.constant(1.0))
        assert float(found["sum"]) == sum(x) + 1 and int(found["rows"][0]) == len(x)
    whole = call({"x": tf.constant([7])}, tf.constant(2))
    assert whole["sum"].dtype == tf.int32 and int(whole["sum"]) == 9
    assert len(traced) == 3 and int(count) == 5


def test_variables_are_read_as_they_are_at_each_call():
    weight = tf.Variable(2.0)
    call = direct(tf.function(lambda x: weight * x, autograph=False))
    assert float(call(tf.constant(3.0))) == 6.0
    weight.assign(5.0)
    assert float(call(tf.constant(3.0))) == 15.0


def test_what_is_no_function_of_tensors_goes_the_usual_way():
    def plain(x):
        return x

    assert direct(plain) is plain
    call = direct(tf.function(lambda x: 2 * x, autograph=False))
    assert int(call(4)) == 8 and float(call(1.5)) == 3.0


def test_what_is_left_out_is_as_by_default():
    class Policy(tf.Module):
        @tf.function(autograph=False)
        def step(self, x, count=2):
            return x * tf.cast(count, x.dtype)

    policy = Policy()
    call = direct(policy.step)
    assert [float(call(tf.constant(3.0))) for _ in range(2)] == [6.0, 6.0]
    assert float(call(tf.constant(3.0), tf.constant(5))) == 15.0


def test_leaves_alike_reach_their_own_places():
    class Pair(NamedTuple):
        second: tf.Tensor
        first: tf.Tensor

    @tf.function(autograph=False)
    def function(z, a, pair, nest):
        return tf.stack([z, a, pair.second, pair.first, nest["b"][0], nest["b"][1], nest["a"]])

    call, same = direct(function), tf.constant(0.0)
    for shift in (0.0, 10.0):
        z, a, second, first, b0, b1, na = (tf.constant(shift + i) for i in range(7))
        found = call(z, a, Pair(second, first), {"b": (b0, b1), "a": na})
        assert found.numpy().tolist() == [shift + i for i in range(7)]
    again = call(same, a, Pair(same, first), {"b": (same, b1), "a": same})
    assert again.numpy().tolist() == [0, 11, 0, 13, 0, 15, 0]


def test_in_a_graph_that_is_being_built_gradients_flow():
    weight = tf.Variable(2.0)
    call = direct(tf.function(lambda x: weight * x, autograph=False))
    assert float(call(tf.constant(3.0))) == 6.0

    @tf.function(autograph=False)
    def slope(x):
        with tf.GradientTape() as tape:
            y = call(x)
        return tape.gradient(y, weight)

    assert float(slope(tf.constant(3.0))) == 3.0


def test_what_a_call_complains_of_is_told_as_usual():
    @tf.function(autograph=False)
    def function(x):
        with tf.control_dependencies([tf.debugging.assert_positive(x, "x is bad")]):
            return tf.identity(x)

    call = direct(function)
    call(tf.constant(1.0))
    with pytest.raises(tf.errors.InvalidArgumentError, match="x is bad"):
        call(tf.constant(-1.0))
