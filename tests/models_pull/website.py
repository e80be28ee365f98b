"""A small web site on a real socket that can misbehave as real ones do."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def _opened() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@dataclass
class Site:
    """Files by path, and how the site fails to deliver them.

    Attributes:
        files: path to content.
        breaks: path to the number of bytes after which the connection drops, once each.
        ranges: whether Range requests are honoured.
        headers: sent with every answer.
        open: until it is set, no answer is sent beyond its first half.
        asked: every request so far, path and Range header.
    """

    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    breaks: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    ranges: bool = True
    headers: dict[str, str] = field(default_factory=dict[str, str])
    open: threading.Event = field(default_factory=_opened)
    asked: list[tuple[str, str | None]] = field(default_factory=list[tuple[str, str | None]])
    url: str = ""

    def add_project(self, project: str, **files: bytes) -> None:
        """Put a project on the site's package index (PEP 691)."""
        listed: list[dict[str, object]] = []
        for filename, content in files.items():
            self.files[f"/files/{filename}"] = content
            listed.append({"filename": filename, "url": f"../../files/{filename}", "hashes": {}})
        page = {"meta": {"api-version": "1.0"}, "name": project, "files": listed}
        self.files[f"/simple/{project}/"] = json.dumps(page).encode()

    @property
    def index(self) -> str:
        """Base URL of the site's package index."""
        return f"{self.url}/simple/"


class Serving:
    """A `Site` being served by threads of this process."""

    def __init__(self, site: Site) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(site))
        site.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        """Stop serving; connections are refused from now on."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            site.asked.append((self.path, asked))
            content = site.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            wanted = asked.removeprefix("bytes=") if asked and site.ranges else "0-"
            first, _, last = wanted.partition("-")
            start, end = int(first), int(last or len(content) - 1)
            if start and start >= len(content):
                self.send_error(416)
                return
            body = content[start : end + 1]
            part = len(body) < len(content)
            self.send_response(206 if part else 200)
            if part:
                self.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
            for name, value in site.headers.items():
                self.send_header(name, value)
            if self.path.startswith("/simple/"):
                self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if last:  # a single byte, to see what there is
                self.wfile.write(body)
                return
            breaks = site.breaks.get(self.path)
            sent = body[: breaks.pop(0)] if breaks else body
            self.wfile.write(sent[: len(sent) // 2])
            site.open.wait()
            self.wfile.write(sent[len(sent) // 2 :])

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
