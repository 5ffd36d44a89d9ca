"""Joined requests: each answer is the direct call's, whoever else was in the batch."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from pipelines.server import service
from pipelines.server.arrays import Limits
from pipelines.server.batching import Batcher, Call
from pipelines.server.budget import Pace, rounded
from pipelines.server.loaded import ROWS, example, same_bits, sizes_of_equal_bits
from pipelines.server.refusals import Refusal, Why


def calls_of(policy, counts, simulations=5, seed=0):
    """Calls of so many rows each."""
    inputs = example(policy, sum(counts), np.random.default_rng(seed))
    shared = {"num_simulations": np.int32(simulations)}
    calls, start = [], 0
    for count in counts:
        rows = slice(start, start + count)
        arrays = {n: x[rows] for n, x in inputs.items() if n not in shared}
        calls.append(Call(ROWS, arrays, shared, count))
        start += count
    return calls


LIMITS = Limits(rows=8)


def answered(policy, calls, limits=LIMITS, sizes=(1, 2, 4, 8)):
    """What each of them gets when all come at once, and the batches' rows."""
    batches = []

    async def all_at_once():
        batcher = Batcher(policy, limits, sizes, lambda rows, *_: batches.append(rows))
        futures = [batcher.submit(call) for call in calls]
        found = await asyncio.gather(*futures, return_exceptions=True)
        batcher.close()
        batcher.join()
        return found

    return asyncio.run(all_at_once()), batches


def test_each_answer_is_the_direct_calls(policy):
    calls = calls_of(policy, [1, 3, 1, 2, 5, 8, 1])
    found, batches = answered(policy, calls)
    for call, answer in zip(calls, found, strict=True):
        assert same_bits(policy.call(ROWS, {**call.arrays, **call.shared}), answer)
    assert sum(batches) == 21 and len(batches) < 7 and max(batches) <= 8


def test_a_request_that_is_larger_than_any_batch_is_several_calls(policy):
    (call,) = calls_of(policy, [11])
    (answer,), _ = answered(policy, [call], Limits(rows=11), sizes=(1, 2, 4))
    assert same_bits(policy.call(ROWS, {**call.arrays, **call.shared}), answer)


def test_options_keep_requests_apart(policy):
    calls = [calls_of(policy, [1], n, seed=n)[0] for n in (2, 3, 2, 3)]
    found, batches = answered(policy, calls)
    assert sorted(batches) in ([2, 2], [1, 1, 2])  # The first may have gone ahead alone.
    for call, answer in zip(calls, found, strict=True):
        assert same_bits(policy.call(ROWS, {**call.arrays, **call.shared}), answer)


def test_who_is_wrong_is_refused_alone(policy):
    calls = calls_of(policy, [1, 1, 1])
    calls[1].arrays["observation_legal_actions"][:] = False
    found, _ = answered(policy, calls)
    assert isinstance(found[1], Refusal) and found[1].why is Why.INVALID
    assert "expected a legal action in row [0]" in str(found[1])
    for i in (0, 2):
        direct = policy.call(ROWS, {**calls[i].arrays, **calls[i].shared})
        assert same_bits(direct, found[i])


def test_only_so_many_may_wait_and_only_so_long(policy):
    calls = calls_of(policy, [4, 4, 1])
    with pytest.raises(Refusal, match="8 rows wait already; expected at most 8"):
        answered(policy, calls, Limits(rows=8, waiting_rows=8))
    found, _ = answered(policy, calls[:1], Limits(rows=8, seconds=0.0))
    assert found[0].why is Why.LATE


class Slow:
    """Takes half a second, however many rows it is asked for; they are answered by themselves."""

    rows_together = True

    def call(self, signature, inputs):
        time.sleep(0.5)
        return {"action": inputs["seed"][:, 0]}


def test_clients_that_come_back_one_after_the_other_are_one_batch():
    batches, clients, rounds = [], 8, 4

    async def client(batcher, number):
        for _ in range(rounds):
            # As many clients read their answers and write their requests in turns.
            await asyncio.sleep(0.02 * number)
            seed = np.array([[number, 0]], np.int32)
            answer = await batcher.submit(Call(ROWS, {"seed": seed}, {}, 1))
            np.testing.assert_array_equal(answer["action"], [number])

    async def all_of_them():
        batcher = Batcher(Slow(), LIMITS, (1, 2, 4, 8), lambda rows, *_: batches.append(rows))
        await asyncio.gather(*(client(batcher, number) for number in range(clients)))
        batcher.close()
        batcher.join()

    asyncio.run(all_of_them())
    # The first comes alone, and the others while it is answered; after that they are together.
    assert sum(batches) == clients * rounds and len(batches) <= rounds + 2, batches


def test_a_size_is_used_where_it_changes_no_bit(policy):
    assert sizes_of_equal_bits(policy, [1, 2, 8]) == [1, 2, 8]


def test_a_time_is_as_many_simulations_as_were_done_in_it():
    pace = Pace()
    assert pace.simulations(1.0, 100) == 1  # Nothing is known yet.
    pace.notice(0.5, {"num_simulations": np.int32(50)})
    assert pace.simulations(0.5, 100) == 32  # 0.8 · 50, rounded down.
    assert pace.simulations(9.0, 100) == 100
    assert pace.simulations(-1.0, 100) == 1
    assert [rounded(n) for n in (1, 2, 3, 5, 7, 12, 13, 31)] == [1, 2, 3, 4, 6, 12, 12, 24]


def test_an_answer_that_does_not_come_is_refused_and_others_are_not():
    async def asked():
        loop, deadlines = asyncio.get_running_loop(), service._Deadlines(0.05)
        early, late, later = (loop.create_future() for _ in range(3))
        deadlines.watch(early)
        deadlines.watch(late)
        early.set_result("in time")
        with pytest.raises(Refusal, match="no answer within"):
            await late
        deadlines.watch(later)
        loop.call_soon(later.set_result, "in time too")
        await asyncio.sleep(0.1)
        return await early, await later

    assert asyncio.run(asked()) == ("in time", "in time too")
