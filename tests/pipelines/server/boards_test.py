"""The board of a served policy: a game from its first move to its last, and who may play it."""

from __future__ import annotations

import pytest

from pipelines.server.arrays import Limits
from tests.pipelines.engines import saved
from tests.pipelines.server import browser, served

BOARDS = "/v1/models/small/boards"


@pytest.fixture(scope="module")
def playing(tmp_path_factory):
    """A server of connect four that wants a token, and that token's header."""
    folder = tmp_path_factory.mktemp("boards")
    logdir = saved.save_run(folder / "run", "board_game.game = 'connect_four'")
    (folder / "tokens").write_text("secret\n")
    limits, tokens = Limits(rows=4, simulations=6), str(folder / "tokens")
    with served.serving(logdir / "policy" / "best", limits, token_file=tokens) as server:
        yield server, {"Authorization": "Bearer secret"}


@pytest.fixture
def board(playing):
    """A new game's server and path."""
    server, token = playing
    status, begun = server.ask(BOARDS, {}, **token)
    assert status == 201 and begun["path"] == f"/boards/{begun['board']}/"
    return server, begun["path"]


def play(server, path, column):
    moves = {move["text"]: move["action"] for move in server.ask(f"{path}state")[1]["moves"]}
    status, state = server.ask(f"{path}play", {"action": moves[column]})
    assert status == 200
    return state


def test_a_game_is_played_with_the_policy_to_its_end(board):
    server, path = board
    look = server.ask(f"{path}look")[1]
    assert (look["game"], look["simulations"], look["most"]) == ("connect_four", 4, 6)
    status, state = server.ask(f"{path}move", {"simulations": 5})
    assert status == 200, state
    assert len(state["played"]) == 1 and state["found"] is None
    assert state["values"][0] is not None
    assert len(server.ask(f"{path}undo", {})[1]["played"]) == 0
    for column in "1212121":
        state = play(server, path, column)
    assert state["result"] == "the first player won"
    status, answer = server.ask(f"{path}move", {})
    assert (status, answer) == (409, {"error": "the game is over"})


def test_it_thinks_about_each_position_if_it_is_told_to(board):
    server, path = board
    server.ask(f"{path}analyse", {"on": True})
    served.wait(lambda: server.ask(f"{path}state")[1]["found"])
    found = server.ask(f"{path}state")[1]["found"]
    assert 1 <= found["simulations"] <= 6 and found["lines"][0]["words"]
    assert server.ask(f"{path}analyse", {"on": False})[1]["analysing"] is False


def test_each_has_a_game_of_his_own_which_needs_no_token(board, playing):
    (server, path), (_, token) = board, playing
    play(server, path, "3")
    other = server.ask(BOARDS, {}, **token)[1]["path"]
    assert server.ask(f"{other}state")[1]["played"] == []
    assert server.ask(f"{path}state")[1]["played"] == ["3"]
    status, page = server.ask(path)
    assert status == 200 and "page.js" in page and "svg" in page
    assert 'ask("look")' in server.ask(f"{path}page.js")[1]


def test_what_is_wrong_is_refused(board, playing):
    (server, path), (_, token) = board, playing
    assert server.ask(BOARDS, {})[0] == 401
    assert server.ask(BOARDS, {"size": 3}, **token)[0] == 400
    assert server.ask("/boards/nothing/state")[0] == 404
    assert server.ask(f"{path}nothing")[0] == server.ask(f"{path}nothing", {})[0] == 404
    assert "not legal" in server.ask(f"{path}play", {"action": 99})[1]["error"]
    assert "expected an integer" in server.ask(f"{path}play", {"action": "x"})[1]["error"]


def test_a_policy_without_a_run_has_no_board(server):
    status, answer = server.ask(BOARDS, {})
    assert status == 404 and "no policy of a board game's run" in answer["error"]
    assert server.ask("/v1/models/small/metadata")[1]["metadata"]["lookahead"]["board"] is False


@pytest.mark.skipif(browser.program() is None, reason=f"needs one of {', '.join(browser.NAMES)}")
def test_a_browser_plays_a_game_to_its_end(playing):
    """From the page of all policies: its buttons and squares do what they say."""
    server, _ = playing
    with browser.opened(f"http://127.0.0.1:{server.server.port}/") as page:
        page.evaluate("document.querySelector('#token').value = 'secret'")
        page.click("#load")
        page.wait("document.querySelector('[name=play]:not([hidden])')")
        page.click("[name=play]")
        page.wait("document.title == 'Lookahead plays connect four' && state !== null")
        page.evaluate("$('simulations').value = 2")
        page.evaluate("$('plays').value = '1'; $('plays').dispatchEvent(new Event('change'))")
        over = "document.querySelector('#status').textContent.startsWith('The game is over: ')"
        for moves in range(2, 44, 2):
            page.click("#board .cell.open")
            page.wait(f"{over} || (state.played.length == {moves} && !state.moving)")
            if page.evaluate(over):
                break
        played, result = page.evaluate("state.played"), page.evaluate("state.result")
        assert page.evaluate(over) and 7 <= len(played) <= 42
        circles = page.evaluate("document.querySelectorAll('#board circle:not(.thought)').length")
        assert circles == len(played)
        state = server.ask(page.evaluate("location.pathname") + "state")[1]
        assert (state["played"], state["result"]) == (played, result)
        assert page.faults == []
