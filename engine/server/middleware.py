"""What every request passes: the guard against other web sites, and errors made into JSON."""

from __future__ import annotations

import errno
import ipaddress
import logging
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from engine.authoring.errors import BadPath, MissingFile, SoundstageError
from engine.graph.errors import PromptError
from engine.run.submission import QueueFull
from engine.server import wire
from engine.server.app_keys import ENGINE
from engine.server.request_parsing import BadInput
from engine.server.responses import json_response
from engine.store.db import NotWritten
from engine.store.editor_settings import TooLarge
from engine.store.userdata import Taken

log = logging.getLogger(__name__)

WORTH_COMPRESSING = 1024
HOUR, DAY = 3600, 86400
IMAGES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".gif", ".webp", ".svg", ".ico")
KNOWN_HOSTS = 64
DEFAULT_PORTS = {"http": 80, "https": 443}
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?", re.IGNORECASE | re.ASCII)
"""What a Host header may be: a name or an address, and a port."""
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
OWN_SITE = ("same-origin", "none")
"""What browsers say in Sec-Fetch-Site of the service's own pages, and of an address typed in."""


class _Refusal(NamedTuple):
    """How clients are answered: the status of HTTP, and the type of the error in the body."""

    status: int
    type: str


NO_ROOM = _Refusal(507, "no_room")
UNAVAILABLE = _Refusal(503, "unavailable")
REFUSALS: Mapping[type[Exception], _Refusal] = {
    BadPath: _Refusal(403, "bad_path"),
    MissingFile: _Refusal(404, "missing_file"),
    Taken: _Refusal(409, "taken"),
    TooLarge: _Refusal(413, "too_large"),
    QueueFull: _Refusal(429, "queue_full"),
    NotWritten: NO_ROOM,
}
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Bad input is answered with a JSON 4xx; an internal error with a 500 without details."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _http_answer(error)
    except (SoundstageError, web.RequestPayloadError, ConnectionError) as error:
        return _answer(request, error)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            return _answer(request, error)
        log.exception("%s %s failed", request.method, request.path)
        payload = wire.error("internal_error", "The service failed; its log has the details.")
        return json_response(payload, status=500)


def _answer(request: web.Request, error: Exception) -> web.Response:
    match error:
        case BadInput():
            return json_response(wire.error(error.type, str(error), **error.facts), status=400)
        case PromptError():
            return json_response(wire.prompt_error(error), status=400)
        case web.RequestPayloadError() | ConnectionError():
            log.info("%s %s broke off: %s", request.method, request.path, error)
            payload = wire.error("invalid_body", "The body broke off or is encoded wrongly.")
            return json_response(payload, status=400)
        case OSError():
            log.error("%s %s failed: %s", request.method, request.path, error)
            payload = f"The disk does not take the file: {error.strerror}. Make room on it."
            return json_response(wire.error(NO_ROOM.type, payload), status=NO_ROOM.status)
        case _:
            refusal = REFUSALS.get(type(error), UNAVAILABLE)
            if refusal.status >= 500:
                log.error("%s %s failed: %s", request.method, request.path, error)
            payload = str(error).replace(str(request.app[ENGINE].folders.home), "HOME")
            return json_response(wire.error(refusal.type, payload), status=refusal.status)


def _http_answer(error: web.HTTPException) -> web.Response:
    default = f"{error.status}: {error.reason}"
    message = error.text if error.text and error.text != default else f"{error.reason}."
    payload = wire.error(error.reason.lower().replace(" ", "_"), message)
    answer = json_response(payload, status=error.status)
    if "Allow" in error.headers:
        answer.headers["Allow"] = error.headers["Allow"]
    return answer


def guard(*, hosts: Collection[str] | None, cors: str | None) -> Middleware:
    """Keep other web sites that a user visits from driving the service.

    Browsers say in Sec-Fetch-Site whose page asks, older ones in Origin; what says neither is no
    browser. Requests that change something and WebSockets are refused from another site's page;
    others only where the page could read the answer, which Origin says.

    Args:
        hosts: names, besides addresses and localhost, by which the service may be called; None
            allows every name. A page on a name that was re-bound to this machine is refused so.
        cors: the one other origin that may call, "*" for all.
    """

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.host
        if len(request.headers.getall("Host", ())) > 1 or not HOST.fullmatch(host):
            payload = "The Host header must be one name or address, and a port perhaps."
            return json_response(wire.error("invalid_host", payload), status=400)
        if hosts is not None and not _is_local(host) and _name(host) not in hosts:
            return _forbidden(
                f"The service does not answer to the name {_name(host)!r}; call it by its "
                f"address, or start it with --allow-host {_name(host)}."
            )
        if cors != "*" and _is_foreign(request, cors):
            return _forbidden(
                "A page of another site must not use this service; to allow it, start the "
                "service with --enable-cors-header ORIGIN."
            )
        if cors is not None and request.method == "OPTIONS":
            return web.Response()
        return await handler(request)

    return guarded


@web.middleware
async def compressed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Send JSON and text compressed, where the client takes that and there is enough of it."""
    answer = await handler(request)
    if isinstance(answer, web.Response) and isinstance(answer.body, bytes):
        plain = answer.content_type.startswith(("text/", "application/json"))
        if plain and len(answer.body) >= WORTH_COMPRESSING:
            answer.enable_compression()
    return answer


def _is_foreign(request: web.Request, allowed: str | None) -> bool:
    """Whether a page of another site asks for what it must not; `allowed` is an origin that may."""
    origins = request.headers.getall("Origin", ())
    sites = request.headers.getall("Sec-Fetch-Site", ())
    if origins and all(origin == allowed for origin in origins):
        return False
    own = all(site in OWN_SITE for site in sites)
    acts = request.method not in SAFE_METHODS or "Upgrade" in request.headers
    if sites and (own or acts):
        return not own
    return not all(_same(origin, request.host) for origin in origins)


def _forbidden(message: str) -> web.Response:
    return json_response(wire.error("forbidden", message), status=403)


def _name(host: str) -> str:
    """The host without its port: "localhost" of "localhost:8188"."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


@lru_cache(KNOWN_HOSTS)
def _is_local(host: str) -> bool:
    """An address, which no one can re-bind, or localhost."""
    name = _name(host)
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same(origin: str, host: str) -> bool:
    """Whether a page of `origin` was served by `host`."""
    try:
        page, service = urlsplit(origin), urlsplit(f"//{host}")
        default = DEFAULT_PORTS[page.scheme]
        return (page.hostname, page.port or default) == (service.hostname, service.port or default)
    except (ValueError, KeyError):  # no origin with a host, such as "null"
        return False


def _kept(path: str, status: int) -> str | None:
    """How long a client may keep what a path with a file ending names."""
    name = path.rpartition("/")[2]
    if name.endswith((".js", ".css")) or (name.startswith("index") and name.endswith(".json")):
        return "no-cache"
    if name.lower().endswith(IMAGES):
        return f"public, max-age={HOUR if status == 404 else DAY}"
    return None


def headers(cors: str | None) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Set the headers that every answer carries."""

    async def add(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-Content-Type-Options"] = "nosniff"
        if "Cache-Control" not in response.headers:
            kept = _kept(request.path, response.status)
            if kept is not None:
                response.headers["Cache-Control"] = kept
        if cors is not None:
            response.headers["Access-Control-Allow-Origin"] = cors
            response.headers["Access-Control-Allow-Methods"] = (
                "POST, GET, DELETE, PUT, OPTIONS, PATCH"
            )
            response.headers["Access-Control-Allow-Headers"] = "Content-Type, Authorization"
            response.headers["Access-Control-Allow-Credentials"] = "true"

    return add
