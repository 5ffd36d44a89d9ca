"""Protects the page of engine.py: what it shows, what it lets play, and who may ask for it."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from pipelines.engines import making, web
from pipelines.engines.player import Player
from pipelines.engines.web_board import Board
from pipelines.engines.web_game import Refused, WebGame
from pipelines.environments import board_game, rules_game
from pipelines.system.errors import UserError
from tests.pipelines.engines import saved

GAMES = {"connect_four": "connect_four", "chess": "chess"}


class Client:
    """Talks to one page by HTTP alone."""

    def __init__(self, server: web.WebServer) -> None:
        self._port = server.server_port

    def request(self, method: str, path: str, body: str | None = None, **headers: str):
        connection = http.client.HTTPConnection(web.ADDRESS, self._port, timeout=60)
        kind = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, body, {**kind, **headers})
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()

    def get(self, path: str):
        status, _, text = self.request("GET", path)
        assert status == 200
        return json.loads(text)

    def post(self, path: str, wanted: int = 200, **body):
        status, _, text = self.request("POST", path, json.dumps(body))
        assert status == wanted, text
        return json.loads(text)

    def play(self, text: str):
        """Plays the move that is written so."""
        moves = {move["text"]: move["action"] for move in self.get("/state")["moves"]}
        return self.post("/play", action=moves[text])

    def wait(self, good):
        end = time.monotonic() + 60
        while not good(state := self.get("/state")):
            assert time.monotonic() < end, state
            time.sleep(0.05)
        return state


class Asked:
    """A policy that an event loop answers, as a server's does; it likes the last legal action."""

    sliced = on_host = False

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.options = self.most = {"num_simulations": 64}

    def initial_state(self, batch_size):
        return {"moves": tf.zeros([batch_size], tf.int32)}

    def step(self, observation, state, seed, **options):
        async def answer():
            await asyncio.sleep(0.02)
            return np.asarray(observation["legal_actions"], np.float32)

        legal = asyncio.run_coroutine_threadsafe(answer(), self._loop).result(timeout=20)
        shares = legal / legal.sum(axis=1, keepdims=True)
        action = legal.shape[1] - 1 - np.argmax(legal[:, ::-1], axis=1)
        found = {"search_policy": shares, "search_value": np.zeros(len(legal), np.float32)}
        return tf.constant(action, tf.int32), state, tf.nest.map_structure(tf.constant, found)


def on_a_loop(scenario) -> None:
    """Runs a scenario with a game whose policy its own loop answers."""

    async def run() -> None:
        player = Player(Asked(asyncio.get_running_loop()), board_game(seed=0))
        game = WebGame(player, board_game(seed=0))
        await asyncio.wait_for(scenario(game), 30)

    asyncio.run(run())


def test_the_state_is_seen_while_the_policy_is_asked_for_what_may_follow_its_move():
    async def scenario(game: WebGame) -> None:
        move = asyncio.get_running_loop().run_in_executor(None, game.move)
        looks = 0
        while not move.done():
            game.state()  # On the loop that answers the policy.
            looks += 1
            await asyncio.sleep(0.001)
        await move
        assert looks > 1 and game.state()["last"] and len(game.state()["values"]) == 2

    on_a_loop(scenario)


def test_a_game_that_is_closed_waits_for_its_analysis_and_plays_no_more():
    async def scenario(game: WebGame) -> None:
        before = set(threading.enumerate())
        await asyncio.gather(*(asyncio.to_thread(game.analyse, True) for _ in range(4)))
        await asyncio.sleep(0.03)
        await asyncio.to_thread(game.close)
        left = [thread.name for thread in set(threading.enumerate()) - before]
        assert all(name.startswith("asyncio") for name in left), left
        with pytest.raises(Refused, match="closed"):
            game.play(0)

    on_a_loop(scenario)


@pytest.fixture(scope="module", params=GAMES)
def client(request, tmp_path_factory):
    binding = f"board_game.game = '{GAMES[request.param]}'"
    logdir = saved.save_run(tmp_path_factory.mktemp("web") / request.param, binding)
    player = making.player_of(str(logdir), logdir / "policy" / "best", None)
    game = WebGame(player, making.self_play(str(logdir)))
    with web.WebServer(game, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Client(server)
        server.shutdown()
        thread.join()
    game.close()


@pytest.fixture
def fresh(client):
    client.post("/analyse", on=False)
    client.post("/restart")
    return client


def test_a_game_is_played_analysed_and_taken_back(fresh):
    look, start = fresh.get("/look"), fresh.get("/state")
    assert np.shape(start["pieces"]) == (look["height"], look["width"])
    assert start["turn"] == 0 and start["values"] == [None] and start["found"] is None
    after = fresh.post("/move", simulations=12)
    assert after["turn"] == 1 and len(after["played"]) == 1 and after["values"][0] is not None
    assert after["pieces"] != start["pieces"] or after["played"] == ["pass"]
    fresh.post("/analyse", on=True)
    told = fresh.wait(lambda state: state["found"] and state["found"]["simulations"] == 64)
    found, legal = told["found"], [move["text"] for move in told["moves"]]
    assert sum(line["visits"] for line in found["lines"]) == 64
    assert found["lines"] == sorted(found["lines"], key=lambda line: -line["visits"])
    for line in found["lines"]:
        assert line["text"] in legal and line["words"][0] == line["text"]
        assert -1 <= line["value"] <= 1
    assert max(len(line["words"]) for line in found["lines"]) > 1
    assert told["values"][1] is not None
    back = fresh.post("/undo")
    assert back["pieces"] == start["pieces"] and back["played"] == [] and len(back["values"]) == 1
    assert fresh.post("/undo", wanted=409)["error"] == "there is no move to take back"


def test_what_is_not_legal_is_refused_and_not_played(fresh):
    legal = {move["action"] for move in fresh.get("/state")["moves"]}
    wrong = next(action for action in range(10_000) if action not in legal)
    assert "which is not legal here" in fresh.post("/play", wanted=409, action=wrong)["error"]
    assert "expected an integer" in fresh.post("/play", wanted=400, action="e4")["error"]
    assert "expected an integer" in fresh.post("/move", wanted=400, simulations=0)["error"]
    assert fresh.request("POST", "/play", "[]")[0] == fresh.request("POST", "/play", "{")[0] == 400
    assert fresh.request("POST", "/nothing", "{}")[0] == 404
    assert fresh.get("/state")["played"] == []


@pytest.mark.parametrize("client", ["connect_four"], indirect=True)
def test_a_game_comes_to_its_end(fresh):
    for column in "1212121":
        state = fresh.play(column)
    assert state["result"] == "the first player won" and state["moves"] == []
    assert fresh.post("/move", wanted=409)["error"] == "the game is over"
    assert fresh.post("/undo")["result"] is None


def test_the_page_loads_nothing_from_elsewhere_and_serves_nobody_else(fresh):
    status, headers, page = fresh.request("GET", "/")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert headers["Content-Security-Policy"].startswith("default-src 'self'")
    for path in ("page.css", "page.js"):
        assert path in page
        page += fresh.request("GET", f"/{path}")[2]
    assert set(re.findall(r"https?://[^\s\"']+", page)) == {"http://www.w3.org/2000/svg"}
    assert fresh.request("GET", "/state", Host="example.org")[0] == 403
    assert fresh.request("POST", "/undo", "{}", Host="example.org:80")[0] == 403
    # What a form of another site can send.
    assert fresh.request("POST", "/restart", "{}", **{"Content-Type": "text/plain"})[0] == 415
    assert fresh.request("GET", "/../engine.py")[0] == 404


@pytest.mark.parametrize("game", ["tic_tac_toe", "connect_four", "othello", "go"])
def test_both_makers_of_a_game_have_the_same_squares(game):
    size, names = {"go": {"size": 5}}.get(game, {}), {"go": "go(board_size=5)"}
    pair = rules_game(seed=0, game=game, **size), board_game(seed=0, game=names.get(game, game))
    boards = [Board(environment) for environment in pair]
    rng = np.random.RandomState(5)
    for environment in pair:
        environment.reset()
    for _ in range(6):
        legal = [environment._legal_actions() for environment in pair]
        moves = [
            b.moves(*each) for b, each in zip(boards, zip(pair, legal, strict=True), strict=True)
        ]
        assert moves[0] == moves[1]
        move = moves[0][rng.randint(len(moves[0]))]
        before = pair[0].pieces()
        for environment in pair:
            environment.step(move.action)
        np.testing.assert_array_equal(pair[0].pieces(), pair[1].pieces())
        if move.target and game != "connect_four":
            assert before[move.target] == -1 and pair[0].pieces()[move.target] >= 0


@pytest.mark.parametrize("game", ["chess", "shogi", "breakthrough"])
def test_moves_lead_from_a_piece_to_where_it_then_stands(game):
    environment, rng = board_game(seed=0, game=game), np.random.RandomState(6)
    board = Board(environment)
    environment.reset()
    for _ in range(12):
        moves = board.moves(environment, environment._legal_actions())
        move = moves[rng.randint(len(moves))]
        before = environment.pieces()
        environment.step(move.action)
        after = environment.pieces()
        if move.origin is not None:
            assert before[move.origin] >= 0 and after[move.origin] == -1
            assert after[move.target] >= 0 and after[move.target] != before[move.target]


def test_a_port_that_is_taken_is_one_line(client):
    with pytest.raises(UserError, match=r"--port is .*expected a free one, or 0"):
        web.WebServer(None, client._port)
