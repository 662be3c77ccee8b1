"""The files of the page, as they lie in `page/`: read once, sent with a tag by which a browser keeps them until they change.

They hold no data, and whoever can reach the daemon may read them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent / "page"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
"""What is sent; licences and the like stay in the package."""


@dataclass(frozen=True, slots=True)
class PageFile:
    body: bytes
    content_type: str
    tag: str


@cache
def page_files() -> Mapping[str, PageFile]:
    """Each file by its name."""
    found: dict[str, PageFile] = {}
    for path in sorted(FOLDER.rglob("*")):
        if content_type := TYPES.get(path.suffix):
            body = path.read_bytes()
            found[path.relative_to(FOLDER).as_posix()] = PageFile(body, content_type, hashlib.sha256(body).hexdigest()[:32])
    return found


def sent(request: web.Request, name: str) -> web.Response | None:
    """The file, or that the browser has it already; None where there is none of that name."""
    file = page_files().get(name)
    if file is None:
        return None
    response = web.Response(headers={"cache-control": "no-cache"})
    response.etag = file.tag
    if any(one.value in (file.tag, "*") for one in request.if_none_match or ()):
        response.set_status(304)
        return response
    response.body, response.content_type, response.charset = file.body, file.content_type, "utf-8"
    return response
