"""The page at `/`: files that are the same for all models; its script asks for the rest."""

from __future__ import annotations

import pathlib
from collections.abc import Awaitable, Callable

from aiohttp import web

# Path → file beside this one, and its type.
FILES = {
    "/": ("page.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def handler(file: tuple[str, str]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Answers with the file, read once."""
    name, kind = file
    body = (pathlib.Path(__file__).parent / name).read_bytes()

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=_HEADERS)

    return answer
