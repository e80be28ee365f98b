"""`server`: a pack's way to the browser."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from engine.compat import plain
from engine.compat.call import CURRENT
from engine.run.events import NodeText

log = logging.getLogger(__name__)

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


class BinaryEventTypes:
    """Numbers of binary messages."""

    PREVIEW_IMAGE = 1
    UNENCODED_PREVIEW_IMAGE = 2
    TEXT = 3
    PREVIEW_IMAGE_WITH_METADATA = 4


class Routes:
    """Takes a pack's own routes and serves none of them: packs do not run in the server."""

    def __getattr__(self, method: str) -> Callable[..., Callable[[FunctionT], FunctionT]]:
        """``routes.get(path)``, ``routes.post(path)``, ...: a decorator that changes nothing."""
        if method.startswith("_"):
            raise AttributeError(method)

        def declare(path: str = "", *_: Any, **__: Any) -> Callable[[FunctionT], FunctionT]:
            log.info("a pack's route %s %s is not served", method.upper(), path)
            return lambda function: function

        return declare


class App:
    """What packs reach through `PromptServer.instance.app`: further routes, not served either."""

    def __init__(self, routes: Routes) -> None:
        self.router = routes

    def add_routes(self, routes: Any) -> None:
        """Nothing is added."""
        log.info("a pack's routes are not served")


class PromptServer:
    """The one server a pack knows, `PromptServer.instance`."""

    instance: PromptServer

    def __init__(self) -> None:
        self.routes = Routes()
        self.app = App(self.routes)
        self.supports = ["custom_nodes_from_web"]
        self.number = 0
        self.loop = running_loop()

    @property
    def client_id(self) -> str | None:
        """Whose job runs."""
        call = CURRENT.get()
        return call.run.job_record.client_id if call is not None else None

    @property
    def last_node_id(self) -> str | None:
        """The node that runs."""
        call = CURRENT.get()
        return call.run.node if call is not None else None

    @property
    def last_prompt_id(self) -> str | None:
        """The job that runs."""
        call = CURRENT.get()
        return call.run.job if call is not None else None

    def send_sync(self, event: Any, data: Any, sid: str | None = None) -> None:
        """Send a message to the client whose job runs here; no other client gets it."""
        call = CURRENT.get()
        if call is None:
            log.info("a pack's message %r is for nobody: no job of it runs here", event)
        elif isinstance(event, str):
            call.send_message(event, data)
        elif event == BinaryEventTypes.UNENCODED_PREVIEW_IMAGE:
            call.progress(0, 1, data)
        else:
            log.info("a pack's binary message %r is not sent", event)

    async def send(self, event: Any, data: Any, sid: str | None = None) -> None:
        """The same."""
        self.send_sync(event, data, sid)

    def send_progress_text(self, text: str | bytes, node_id: str, sid: str | None = None) -> None:
        """Show a line of text at a node."""
        call = CURRENT.get()
        if call is not None:
            shown = text.decode(errors="replace") if isinstance(text, bytes) else text
            call.run.emit(NodeText(plain.text(node_id), plain.text(shown)))

    def add_on_prompt_handler(self, handler: Callable[..., Any]) -> None:
        """Prompts are not shown to packs before they are validated; nothing happens."""
        log.info("a pack's prompt handler is not called")


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The worker's event loop, if it runs already."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def server() -> dict[str, ModuleType]:
    """The module by name."""
    module = ModuleType("server")
    PromptServer.instance = PromptServer()
    vars(module).update(PromptServer=PromptServer, BinaryEventTypes=BinaryEventTypes)
    return {"server": module}
