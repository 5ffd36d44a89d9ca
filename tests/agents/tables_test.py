from __future__ import annotations

import pytest
import tensorflow as tf

from agents.tables import make_table

SIGNATURE = {"x": tf.TensorSpec((), tf.float32)}


@pytest.mark.parametrize(
    ("name", "field"),
    [("uniform", "uniform"), ("fifo", "fifo"), ("lifo", "lifo"), ("prioritized", "prioritized")],
)
def test_each_selector_name_makes_reverbs_selector_of_that_name(name, field):
    info = make_table("t", SIGNATURE, 10, sampler=name, remover=name).info
    assert info.sampler_options.HasField(field) or getattr(info.sampler_options, field) is True
    assert info.remover_options.HasField(field) or getattr(info.remover_options, field) is True


def test_without_a_ratio_only_the_minimum_size_holds_samplers_up():
    table = make_table("t", SIGNATURE, 10, min_size_to_sample=3)
    limiter = table.info.rate_limiter_info
    assert (limiter.min_size_to_sample, limiter.max_diff > 1e300) == (3, True)
    assert not table.can_sample(1) and table.can_insert(1)


def test_a_ratio_bounds_the_distance_between_samples_and_inserts():
    info = make_table("t", SIGNATURE, 10, samples_per_insert=4.0, error_buffer=8.0).info
    limiter = info.rate_limiter_info
    assert (limiter.samples_per_insert, limiter.min_diff, limiter.max_diff) == (4.0, -4.0, 12.0)


def test_the_default_error_buffer_leaves_room_for_an_insert_and_for_a_sample():
    for ratio in (0.1, 1.0, 64.0):
        for minimum in (1, 10, 1000):
            table = make_table(
                "t", SIGNATURE, 1000, samples_per_insert=ratio, min_size_to_sample=minimum
            )
            limiter = table.info.rate_limiter_info
            assert limiter.max_diff - limiter.min_diff >= 2 * max(1.0, ratio)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": "unifrom"}, "sampler is 'unifrom'; expected one of fifo, lifo, prioritized, "),
        (
            {"remover": "old"},
            "remover is 'old'; expected one of fifo, lifo, prioritized, ring, uniform",
        ),
        ({"max_size": 0}, "max_size is 0; "),
        ({"min_size_to_sample": 11}, r"min_size_to_sample is 11; expected 1 to max_size \(10\)"),
        ({"samples_per_insert": 0.0}, "samples_per_insert is 0.0; "),
        ({"error_buffer": 1.0}, "error_buffer is set, but samples_per_insert is not"),
        ({"samples_per_insert": 4.0, "error_buffer": 2.0}, "error_buffer is 2.0; expected at "),
        ({"max_times_sampled": -1}, "max_times_sampled is -1; "),
    ],
)
def test_what_no_table_can_have_is_named_in_one_line(options, message):
    with pytest.raises(ValueError, match=f"^{message}") as error:
        make_table("t", SIGNATURE, **{"max_size": 10, **options})
    assert "\n" not in str(error.value)
