"""A new SavedModel is taken while requests are answered, and none of them is lost."""

from __future__ import annotations

import os
import shutil
import threading

import numpy as np
import pytest

from pipelines.server import messages
from pipelines.server.loaded import ROWS, LoadedPolicy, example
from pipelines.system.errors import UserError
from tests.pipelines.server import served

PREDICT = "/v1/models/small:predict"


@pytest.fixture(scope="module")
def exporter(tmp_path_factory):
    """Writes the policy that is served here, again and again."""
    directory = tmp_path_factory.mktemp("reload") / "policy" / "best"
    return served.save(directory), directory


def answers_of(directory) -> list[float]:
    """The values of one request, asked directly."""
    policy = LoadedPolicy(directory)
    inputs = example(policy, 1, np.random.default_rng(0))
    return policy.call(ROWS, inputs)["info_value"].tolist()


def body_of(directory) -> dict:
    inputs = example(LoadedPolicy(directory), 1, np.random.default_rng(0))
    return {"signature_name": ROWS, "inputs": {n: x.tolist() for n, x in inputs.items()}}


def test_no_request_is_lost_and_each_answer_is_a_versions_own(exporter):
    write, directory = exporter
    body, expected, found, stopped = body_of(directory), [answers_of(directory)], [], []
    with served.serving(directory, reload_seconds=0.05) as server:

        def ask():
            while not stopped:
                status, answer = server.ask(PREDICT, body)
                found.append((status, answer["outputs"]["info_value"]))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for weight in (2.0, 3.0):
            before = server.model.newest.number
            write.policy.weight.assign(weight)
            write.save(directory)
            expected.append(answers_of(directory))
            served.wait(lambda before=before: server.model.newest.number > before)
        stopped.append(True)
        for thread in threads:
            thread.join()
        assert server.ask(PREDICT, body)[1]["outputs"]["info_value"] == expected[-1]
        served.wait(lambda: [v.state for v in server.model.versions] == [messages.AVAILABLE])
    assert {status for status, _ in found} == {200} and len(found) > 20
    assert all(value in expected for _, value in found)
    assert len({tuple(value) for value in expected}) == 3


def test_an_episode_stays_with_its_version_and_keeps_it(exporter):
    write, directory = exporter
    with served.serving(directory, reload_seconds=0.05) as server:
        path = "/v1/models/small/episodes"
        episode = server.ask(path, {"seed": 1})[1]["episode"]
        old = server.model.newest
        write.save(directory)
        served.wait(lambda: server.model.newest is not old)
        assert old.state == messages.UNLOADING
        row = {"observation_board": [1, 2, 3], "observation_legal_actions": [True] * 4}
        assert server.ask(f"{path}/{episode}:step", row)[1]["step"] == 0
        assert server.ask(f"/v1/models/small/versions/{old.number}")[0] == 200
        assert server.ask(f"{path}/{episode}", method="DELETE")[0] == 200
        assert old.state == messages.END
        assert server.ask(f"/v1/models/small/versions/{old.number}")[0] == 404


def test_what_cannot_be_read_leaves_the_old_one_in_its_place(exporter, tmp_path):
    _, directory = exporter
    copy = tmp_path / "best"
    shutil.copytree(directory, copy)
    with served.serving(copy, reload_seconds=0.05) as server:
        number = server.model.newest.number
        (copy / "saved_model.pb").write_bytes(b"broken")
        os.utime(copy / "saved_model.pb", (number + 9, number + 9))
        body = body_of(directory)
        failed = 'lookahead_reloads_total{model="small",outcome="failed"}'
        served.wait(lambda: failed in server.ask("/metrics")[1])
        assert server.ask(PREDICT, body)[0] == 200
        assert server.model.newest.number == number


def test_what_is_no_policy_is_said(tmp_path):
    with pytest.raises(UserError, match="cannot read the policy"):
        LoadedPolicy(tmp_path)
