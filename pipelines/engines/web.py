"""A page to play on and to watch the policy think, served to this machine alone."""

from __future__ import annotations

import http.server
import json
import pathlib
from collections.abc import Callable
from typing import Any

from pipelines.engines.web_game import Refused, WebGame
from pipelines.system.errors import UserError, first_line

_PAGE = pathlib.Path(__file__).parent / "web_page"
_FILES = {
    "": ("index.html", "text/html"),
    "page.css": ("page.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
}
_LONGEST_BODY = 10_000
HEADERS = {
    # Nothing is loaded from elsewhere, and no other page may show this one.
    "Content-Security-Policy": "default-src 'self'; img-src data:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

ADDRESS = "127.0.0.1"


def file(name: str) -> tuple[bytes, str] | None:
    """A file of the page, '' being the page itself, and its type; None: there is none."""
    if name not in _FILES:
        return None
    path, kind = _FILES[name]
    return (_PAGE / path).read_bytes(), kind


def shown(game: WebGame, name: str) -> dict[str, Any] | None:
    """What the page reads: of the game's `look` or `state`; None: there is no such thing."""
    read = {"look": game.look, "state": game.state}.get(name)
    return None if read is None else read()


def action(game: WebGame, name: str) -> Callable[[dict[str, Any]], None] | None:
    """What the page may ask for, by name; None: there is no such thing.

    What is returned takes the request's body, a JSON object. It raises Refused where that cannot be
    done now, and ValueError where the body is wrong.
    """
    return {
        "play": lambda body: game.play(_integer(body, "action", 0)),
        "move": lambda body: game.move(
            None if body.get("simulations") is None else _integer(body, "simulations", 1)
        ),
        "stop": lambda body: game.stop(),
        "undo": lambda body: game.undo(),
        "restart": lambda body: game.restart(),
        "analyse": lambda body: game.analyse(body.get("on") is True),
    }.get(name)


class WebServer(http.server.ThreadingHTTPServer):
    """Serves one game.

        GET  /, /page.css, /page.js    the page
        GET  /look, /state             JSON: what the game looks like; what changes
        POST /play {"action"}, /move {"simulations"}, /stop, /undo, /restart, /analyse {"on"}
                                       JSON: the state after it, or {"error": one line}

    Requests have to name this machine as their host and, to change anything, to be JSON: pages of
    other sites can send neither.

    Args:
      game: that is served.
      port: 0: a free one.

    Raises:
      UserError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, game: WebGame, port: int) -> None:
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            raise UserError(
                f"--port is {port}: {first_line(error)}; expected a free one, or 0"
            ) from error
        self.game = game

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{ADDRESS}:{self.server_port}/"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: WebServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answers with the page or with what it shows."""
        if not self._is_for_us():
            return
        name = self.path.removeprefix("/")
        if (found := file(name)) is not None:
            self._send(200, *found)
        elif (answer := shown(self.server.game, name)) is not None:
            self._send_json(200, answer)
        else:
            self._send_json(404, {"error": f"there is no {self.path}"})

    def do_POST(self) -> None:
        """Does what the page asks for."""
        act = action(self.server.game, self.path.removeprefix("/"))
        body = self._body()
        if not self._is_for_us():
            return
        if act is None:
            self._send_json(404, {"error": f"there is no {self.path}"})
            return
        try:
            act(_object(body))
        except Refused as error:
            self._send_json(409, {"error": first_line(error)})
        except ValueError as error:
            self._send_json(400, {"error": first_line(error)})
        else:
            self._send_json(200, self.server.game.state())

    def log_message(self, *arguments: Any) -> None:
        """Says nothing: the terminal belongs to who started the program."""

    def _is_for_us(self) -> bool:
        host = self.headers.get("Host", "").partition(":")[0]
        kind = self.headers.get("Content-Type", "").partition(";")[0]
        if host not in (ADDRESS, "localhost"):
            self._send_json(403, {"error": f"host is '{host}', expected {ADDRESS}"})
        elif self.command == "POST" and kind != "application/json":
            self._send_json(415, {"error": f"the body is '{kind}', expected application/json"})
        else:
            return True
        return False

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        size = int(length) if length.isdigit() else 0
        if size > _LONGEST_BODY:
            self.close_connection = True
            return b"too long"
        return self.rfile.read(size)

    def _send_json(self, status: int, answer: Any) -> None:
        self._send(status, json.dumps(answer).encode(), "application/json")

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        for header, value in HEADERS.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(content)


def serve(game: WebGame, port: int, say: Callable[[str], None]) -> None:
    """Serves until the program is interrupted."""
    with WebServer(game, port) as server:
        say(f"playing at {server.url}; Ctrl-C ends it")
        try:
            server.serve_forever()
        finally:
            game.close()


def _object(body: bytes) -> dict[str, Any]:
    found = json.loads(body or b"{}")
    if not isinstance(found, dict):
        raise ValueError("the body is no JSON object")
    return found


def _integer(body: dict[str, Any], name: str, least: int) -> int:
    value = body.get(name)
    if type(value) is not int or value < least:
        raise ValueError(f"{name} is {value!r}, expected an integer of at least {least}")
    return value
