"""ComfyUI's JSON for assets: requests and responses."""

from __future__ import annotations

import base64
import binascii
import json
import mimetypes
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlencode

from engine.authoring.errors import SoundstageError
from engine.server.request_parsing import whole
from engine.store.asset_indexer import AssetIndexer
from engine.store.assets import Asset, AssetFilter, AssetPage, PageRequest, Sort, TagCount

SORTS: dict[str, Sort] = {
    "name": "name",
    "created_at": "created",
    "updated_at": "updated",
    "size": "size",
    "last_access_time": "accessed",
}
LONGEST_PAGE = 500
USUAL_PAGE = 20
MOST_TAGS = 100
LONGEST_TAG = 200
STATUS = {
    "ASSET_NOT_FOUND": 404,
    "FILE_NOT_FOUND": 404,
    "SYSTEM_TAG_FORBIDDEN": 403,
    "FORBIDDEN": 403,
}
"""Of the answers with these codes; of all others it is 400."""


class Refused(SoundstageError):
    """A request on assets that cannot be met.

    Attributes:
        code: a word for programs.
        details: more of them.
    """

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.details = details

    @property
    def status(self) -> int:
        """Of the answer."""
        return STATUS.get(self.code, 400)


def refusal(refused: Refused) -> dict[str, Any]:
    """The body of that answer."""
    payload = {"code": refused.code, "message": str(refused), "details": refused.details}
    return {"error": payload}


# --- questions -------------------------------------------------------------------------------


def filter(query: Sequence[tuple[str, str]]) -> AssetFilter:
    """Which assets a query asks for.

    Raises:
        Refused: it wants a tag and does not want it, or names very many.
    """
    every = listed(query, "tags_all", "include_tags")
    none = listed(query, "tags_none", "exclude_tags")
    some = listed(query, "tags_any")
    if len(every) + len(some) + len(none) > MOST_TAGS:
        raise Refused("INVALID_TAG_FILTER", f"more than {MOST_TAGS} tags are wanted or unwanted")
    both = set(every) & set(none)
    if both:
        raise Refused("INVALID_TAG_FILTER", f"{min(both)!r} is both wanted and unwanted")
    name = dict(query).get("name_contains", "")
    return AssetFilter(tuple(every), tuple(some), tuple(none), name)


def listed(query: Sequence[tuple[str, str]], *names: str) -> list[str]:
    """The values of parameters that may be repeated, and hold several with commas."""
    parts = (part.strip() for name, text in query if name in names for part in text.split(","))
    return list(dict.fromkeys(part for part in parts if part))


def slice(query: dict[str, str]) -> PageRequest:
    """Which page of them a query asks for.

    Raises:
        Refused: names the parameter that is wrong.
    """
    sort, order = query.get("sort", "created_at"), query.get("order", "desc")
    if sort not in SORTS:
        raise Refused("INVALID_QUERY", f"sort must be one of: {', '.join(SORTS)}")
    if order not in ("asc", "desc"):
        raise Refused("INVALID_QUERY", "order must be asc or desc")
    if "after" in query and "offset" in query:
        raise Refused("INVALID_QUERY", "after and offset exclude each other; give one")
    after = None
    if "after" in query:
        after = _position(query["after"], SORTS[sort], order)
    return PageRequest(
        sort=SORTS[sort],
        descending=order == "desc",
        limit=number(query, "limit", USUAL_PAGE, least=1, most=LONGEST_PAGE),
        offset=number(query, "offset", 0, least=0, most=2**53),
        after=after,
    )


def number(query: dict[str, str], name: str, default: int, *, least: int, most: int) -> int:
    """A parameter that is a whole number.

    Raises:
        Refused: it is none, or out of its range.
    """
    text = query.get(name)
    if text is None:
        return default
    value = whole(text)
    if value is None or not least <= value <= most:
        raise Refused("INVALID_QUERY", f"{name} must be a whole number from {least} to {most}")
    return value


def _position(text: str, sort: Sort, order: str) -> tuple[str | int, int]:
    """What `cursor` made."""
    try:
        match json.loads(base64.urlsafe_b64decode(text.encode() + b"==")):
            case [str(by), str(way), str() | int() as value, int(seq)]:
                fits = (by, way, isinstance(value, str)) == (sort, order, sort == "name")
                if fits and max(abs(seq), abs(value) if isinstance(value, int) else 0) < 2**63:
                    return value, seq
            case _:
                pass
    except (ValueError, binascii.Error, RecursionError):
        pass
    raise Refused("INVALID_CURSOR", "after is no next_cursor of this order; begin without it")


def cursor(last: Asset, page: PageRequest) -> str:
    """Where the page after this asset begins."""
    way = "desc" if page.descending else "asc"
    place = [page.sort, way, getattr(last, page.sort), last.seq]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def tags(given: Any) -> list[str]:
    """Tags that a body gives.

    Raises:
        Refused: they are no list of short texts.
    """
    texts = cast("list[Any]", given) if isinstance(given, list) else [None]
    if len(texts) > MOST_TAGS or not all(isinstance(tag, str) and tag.strip() for tag in texts):
        raise Refused("INVALID_BODY", f"tags must be a list of at most {MOST_TAGS} texts")
    found = list(dict.fromkeys(str(tag).strip() for tag in texts))
    if any(len(tag) > LONGEST_TAG or "," in tag or not tag.isprintable() for tag in found):
        raise Refused(
            "INVALID_BODY", f"a tag has at most {LONGEST_TAG} characters, and no comma among them"
        )
    return found


def form_tags(text: str) -> list[str]:
    """Tags in a form: a JSON list, or words with commas.

    Raises:
        Refused: they are none.
    """
    if text.lstrip().startswith("["):
        try:
            return tags(json.loads(text))
        except (ValueError, RecursionError):
            raise Refused("INVALID_BODY", "tags is no JSON list") from None
    return tags([part for part in text.split(",") if part.strip()])


def metadata(given: Any) -> dict[str, Any] | None:
    """user_metadata of a body, or none.

    Raises:
        Refused: it is no object.
    """
    if given is not None and not isinstance(given, dict):
        raise Refused("INVALID_BODY", "user_metadata must be a JSON object")
    return cast("dict[str, Any] | None", given)


def text(body: dict[str, Any], name: str, longest: int = 500) -> str | None:
    """A member that is a short text, or absent.

    Raises:
        Refused: it is something else.
    """
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise Refused("INVALID_BODY", f"{name} must be a text of 1 to {longest} characters")
    return value


# --- answers ---------------------------------------------------------------------------------


def asset(found: Asset) -> dict[str, Any]:
    """One asset; what there is nothing to say of is left out."""
    payload = {
        **brief(found),
        "preview_url": _address(found),
        "user_metadata": found.metadata,
        "created_at": _time(found.created),
        "updated_at": _time(found.updated),
        "last_access_time": _time(found.accessed),
    }
    return payload if found.preview is None else payload | {"preview_id": found.preview}


def _address(found: Asset) -> str:
    """Where its picture or its content is to be had."""
    root, _, subfolder = found.folder.partition("/")
    if root == "models":
        return f"/api/assets/{found.id}/content"
    return f"/api/view?{urlencode({'filename': found.file, 'type': root, 'subfolder': subfolder})}"


def brief(found: Asset) -> dict[str, Any]:
    """One asset in the answer of an upload."""
    payload = {
        "id": found.id,
        "name": found.name,
        "size": found.size,
        "mime_type": mimetypes.guess_type(found.file)[0] or "application/octet-stream",
        "tags": found.tags,
    }
    return payload if found.hash is None else payload | {"asset_hash": found.hash}


def page(found: AssetPage, asked: PageRequest) -> dict[str, Any]:
    """The answer of GET /assets."""
    payload = {
        "assets": [asset(one) for one in found.assets],
        "total": found.total,
        "has_more": found.more,
    }
    return payload | {"next_cursor": cursor(found.assets[-1], asked)} if found.more else payload


def tag_page(found: list[TagCount], query: dict[str, str]) -> dict[str, Any]:
    """The answer of GET /tags.

    Raises:
        Refused: names the parameter that is wrong.
    """
    order = query.get("order", "count_desc")
    if order not in ("count_desc", "name_asc"):
        raise Refused("INVALID_QUERY", "order must be count_desc or name_asc")
    limit = number(query, "limit", 100, least=1, most=1000)
    offset = number(query, "offset", 0, least=0, most=2**53)
    wanted = [tag for tag in found if tag.name.startswith(query.get("prefix", ""))]
    if order == "name_asc":
        wanted.sort(key=lambda tag: tag.name)
    shown = wanted[offset : offset + limit]
    return {
        "tags": [
            {"name": tag.name, "count": tag.count, "type": "system" if tag.system else "user"}
            for tag in shown
        ],
        "total": len(wanted),
        "has_more": offset + len(shown) < len(wanted),
    }


def indexing(state: AssetIndexer) -> dict[str, Any]:
    """The answer of GET /assets/seed/status."""
    run = state.progress
    return {
        "state": "RUNNING" if state.running else "IDLE",
        "progress": {
            "scanned": run.scanned,
            "total": run.total,
            "created": run.created,
            "hashed": run.hashed,
        },
        "errors": state.errors,
    }


def _time(ms: int) -> str:
    """ISO 8601, in UTC."""
    at = datetime.fromtimestamp(ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
