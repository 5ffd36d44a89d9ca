"""Episodes: the state stays on the server, and what is played is what carried state would give."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.server.episodes import Episodes
from pipelines.server.loaded import ROWS
from pipelines.server.refusals import Refusal

PATH = "/v1/models/small/episodes"
ROW = {"observation_board": [1.0, -2.0, 0.5], "observation_legal_actions": [True] * 4}


def test_an_episode_is_what_carried_state_gives(server, policy):
    begun = server.ask(PATH, {"seed": 7})
    assert begun[0] == 201 and begun[1]["seed"] == 7
    state, episode = policy.start, begun[1]["episode"]
    for t in range(3):
        status, found = server.ask(f"{PATH}/{episode}:step", ROW)
        expected = policy.call(
            ROWS,
            {
                **{
                    n: np.array([x], policy.signatures[ROWS].inputs[n].dtype)
                    for n, x in ROW.items()
                },
                **state,
                "seed": np.array([[7, t]], np.int32),
                "num_simulations": np.int32(5),
            },
        )
        state = {name: expected[name] for name in state}
        shown = {n: x[0].tolist() for n, x in expected.items() if n not in state}
        assert (status, found) == (200, {"step": t, **shown})
    assert server.ask(f"{PATH}/{episode}", method="DELETE") == (200, {})
    assert server.ask(f"{PATH}/{episode}:step", ROW)[0] == 404


def test_a_wrong_step_leaves_the_episode_where_it_is(server):
    episode = server.ask(PATH, {})[1]["episode"]
    for wrong, says in (
        ({**ROW, "observation_board": [1]}, "observation_board is [1, 1]"),
        ({**ROW, "state_moves": 1}, "there is no input 'state_moves'"),
        ({**ROW, "seed": [1, 2]}, "there is no input 'seed'"),
    ):
        status, answer = server.ask(f"{PATH}/{episode}:step", wrong)
        assert status == 400 and says in answer["error"]
    assert server.ask(f"{PATH}/{episode}:step", {**ROW, "num_simulations": 2})[1]["step"] == 0
    server.ask(f"{PATH}/{episode}", method="DELETE")


def test_there_are_only_so_many(server):
    begun = [server.ask(PATH, {}) for _ in range(5)]
    assert [status for status, _ in begun] == [201] * 5
    status, answer = server.ask(PATH, {})
    assert status == 429 and "5 episodes go on already" in answer["error"]
    for _, answer in begun:
        server.ask(f"{PATH}/{answer['episode']}", method="DELETE")
    assert len(server.service.episodes["small"]) == 0


@pytest.mark.parametrize("seed", [-1, 1 << 31, 1.5, "1", True, None, [1]])
def test_a_seed_is_an_integer(server, seed):
    status, answer = server.ask(PATH, {"seed": seed})
    assert status == 400 and answer["error"].startswith("seed ")


def test_one_that_nobody_goes_on_with_is_over(server):
    now = [0.0]
    episodes = Episodes(2, 10.0, clock=lambda: now[0])
    version = server.model.newest
    users = version.users
    first, _ = episodes.begin(version, 1)
    now[0] = 6.0
    second, _ = episodes.begin(version, 1)
    now[0] = 12.0
    episodes.expire()
    with pytest.raises(Refusal, match="no such episode"):
        episodes.get(first)
    assert episodes.get(second).version is version
    assert version.users == users + 1
    episodes.end(second)
    assert version.users == users
