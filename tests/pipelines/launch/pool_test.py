"""Protects the pool of searchers: what comes of it is what the transform itself would have made."""

from __future__ import annotations

import threading

import gin
import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from agents.transform import Transform
from agents.types import Sample
from pipelines.configuration import experiment
from pipelines.launch.distributed.learner_run import LearnerRun
from pipelines.launch.distributed.messages import Job, Searched
from pipelines.launch.distributed.pool import Pool, PooledTransform
from pipelines.launch.distributed.searcher import Searcher
from pipelines.launch.parts import Parts, spec_of
from pipelines.replay.datasets import apply_transform
from pipelines.system.errors import UserError

REANALYZE = (
    "MuZeroConfig.num_simulations = 3",
    "MuZeroConfig.batch_size = 4",
    "MuZeroConfig.latent_size = 8",
    "MuZeroConfig.hidden_layers = (8,)",
    "MuZeroConfig.head_layers = (8,)",
)


class Gone(Exception):
    """The learner is."""


class Renewed(Transform):
    """Multiplies by what it copied from the networks, adds noise of the update's own."""

    period = 5

    def __init__(self, networks: snt.Module) -> None:
        super().__init__(name="renewed")
        self._learning = networks
        self._factor = tf.Variable(1.0, trainable=False)

    def __call__(self, batch: Sample, update: tf.Tensor) -> Sample:
        noise = tf.random.stateless_uniform([4], tf.stack([7, tf.cast(update, tf.int32)]))
        return batch._replace(trajectory=batch.trajectory * self._factor + noise)

    def refresh(self) -> None:
        self._factor.assign(self._learning.trainable_variables[0][0, 0])


class Numbers(snt.Module):
    """Networks that are one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable([[3.0]])


def batches(count: int) -> tf.data.Dataset:
    """Of four rows, with keys that only 64 bits hold."""
    keys = np.arange(4 * count, dtype=np.uint64).reshape(count, 4) + np.uint64(2**63)
    rows = np.random.default_rng(count).normal(size=(count, 4)).astype(np.float32)
    ones = np.ones([count, 4])
    return tf.data.Dataset.from_tensor_slices(Sample(keys, ones, ones.astype(np.int64), rows))


def searching(pool: Pool, index: int, transform: Transform, done: list[int]) -> threading.Thread:
    """Does jobs until there are no more; `transform` is its own."""

    def work() -> None:
        said, version = None, 0
        while not pool._closed:
            if (job := pool.next(index, said)) is None:
                said = Searched()
                continue
            if version != job.version:
                transform._factor.assign(job.variables[0][0])
                version = job.version
            said = Searched(job.number, transform(job.batch[0], tf.constant(job.number, tf.int64)))
            said = said._replace(batch=tf.nest.map_structure(np.asarray, said.batch))
            done.append(job.number)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_batches_are_those_of_the_transform_itself_in_their_order_and_a_dead_searchers_too():
    networks, pool = Numbers(), Pool(2)
    pooled = PooledTransform(Renewed(networks), networks, pool, put=lambda values: values)
    alone, first_update = Renewed(networks), 3

    def through(transform: Transform, calls: int | None) -> list[Sample]:
        applied = tf.function(transform, autograph=False)
        return list(apply_transform(batches(12), applied, first_update, 1, calls))

    found: list[Sample] = []
    asking = threading.Thread(target=lambda: found.extend(through(pooled, pooled.calls)))
    asking.start()
    dead = None
    while dead is None:
        dead = pool.next(0, None)
    done: dict[int, list[int]] = {0: [], 1: []}
    threads = [searching(pool, index, Renewed(networks), done[index]) for index in (1, 0)]
    asking.join(timeout=60)
    assert dead.number in done[0] + done[1], "it was given to another one"
    assert sorted(done[0] + done[1]) == list(range(3, 15)), "each once"
    for ours, theirs in zip(found, through(alone, None), strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, ours, theirs)
    # Both renewed: the next version.
    for transform in (pooled, alone):
        transform.refresh()
    ours, theirs = through(pooled, pooled.calls), through(alone, None)
    tf.nest.map_structure(np.testing.assert_array_equal, ours, theirs)
    assert not np.allclose(ours[0].trajectory, found[0].trajectory)
    pool.close()
    for thread in threads:
        thread.join(timeout=60)


def test_an_answer_of_one_who_was_replaced_is_nobodys():
    pool, found = Pool(1), []
    first, second = (Job(number, 0, [None], [None]) for number in (1, 2))
    askers = [
        threading.Thread(target=lambda job=job: found.append(pool.do(job)))
        for job in (first, second)
    ]
    askers[0].start()
    while pool.next(0, None) is None:
        continue
    assert pool.next(0, None).number == 1, "the next one begins with what the dead one had"
    assert pool.next(0, Searched(7, "stale")).number == 1
    pool.next(0, Searched(1, "one"))
    askers[0].join(timeout=60)
    askers[1].start()
    while pool.next(0, Searched()) is None:
        continue
    assert pool.next(0, Searched(1, "stale")).number == 2
    pool.next(0, Searched(2, "two"))
    askers[1].join(timeout=60)
    assert found == ["one", "two"]


def test_who_waits_for_a_batch_is_let_go_when_the_run_is_over():
    pool = Pool(1)
    pooled = PooledTransform(Renewed(Numbers()), Numbers(), pool, put=lambda values: values)
    threading.Timer(0.2, pool.close).start()
    with pytest.raises(tf.errors.UnknownError, match="the run is over"):
        list(apply_transform(batches(2), pooled, 0, 1, pooled.calls))


def test_a_searcher_reanalyzes_as_the_learner_would():
    described = experiment.parse(["gin/muzero_reanalyze_cartpole_small.gin"], list(REANALYZE))
    parts = Parts(described, 5)
    spec = spec_of(parts.environments(range(1)), parts.evaluation_environments(1))
    networks, (stage,) = parts.networks(spec), parts.stages
    transform = parts.transform(stage, networks)
    generator = np.random.default_rng(11)
    (table,) = parts.tables(spec)
    batch = stage.dataset_options.sample_type(
        *(
            tf.nest.map_structure(
                lambda leaf: tf.constant(
                    generator.integers(0, 2, size=[4, *leaf.shape]).astype(
                        leaf.dtype.as_numpy_dtype
                    )
                ),
                getattr(table.info.signature, name),
            )
            for name in stage.dataset_options.sample_type._fields
        )
    )
    pool, outcome = Pool(1), []
    pooled = PooledTransform(transform, networks, pool, put=lambda values: values)
    for variable in networks.trainable_variables:
        variable.assign_add(0.1 * tf.ones_like(variable))
    pooled.refresh()

    def ask(searched: Searched | None):
        if pool._closed:
            raise Gone
        return pool.next(0, searched)

    def work() -> None:
        with pytest.raises(Gone):
            Searcher(described, 5, ask, get=lambda value: value).run()
        outcome.append("gone")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    update = tf.constant(7, tf.int64)
    found, expected = pooled(batch, update), transform(batch, update)
    tf.nest.map_structure(np.testing.assert_array_equal, found, expected)
    assert not np.allclose(
        expected.extras["search_policy"], np.asarray(batch.extras["search_policy"])
    )
    pool.close()
    thread.join(timeout=60)
    assert outcome == ["gone"]


def test_searchers_for_an_agent_that_searches_nothing_anew_are_refused(tmp_path):
    found = experiment.parse(
        ["gin/muzero_cartpole_small.gin"],
        ["MuZeroConfig.value_refresh_fraction = 0.0", "Distributed.num_searchers = 2"],
    )
    with pytest.raises(UserError, match=r"num_searchers is 2, but muzero .*; expected 0"):
        LearnerRun(
            found,
            tmp_path / "run",
            0,
            gin.config_str,
            settings=experiment.distributed_settings(),
            num_actors=1,
        )
    assert not (tmp_path / "run").exists()
