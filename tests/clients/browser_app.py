"""ComfyUI's browser app in Chromium, worked as its users do; it is looked at from outside only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.async_api import ConsoleMessage, Page, Request, Response

from tests import patience


class App:
    """The app on one page.

    Attributes:
        problems: requests of it to the service that failed, and errors in its console. What it
            asks of other sites is left out: those are out of reach here.
        frames: types of the binary frames that it received.
    """

    def __init__(self, page: Page, url: str, files: Path) -> None:
        self.page = page
        self.url = url
        self.problems: list[str] = []
        self.frames: list[int] = []
        self._files = files
        self._answered: set[Request] = set()
        page.on("response", self._answer)
        page.on("requestfailed", self._failure)
        page.on("console", self._message)
        page.on("websocket", lambda socket: socket.on("framereceived", self._frame))
        page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))

    def _answer(self, response: Response) -> None:
        self._answered.add(response.request)
        if response.status >= 400 and response.url.startswith(self.url):
            self.problems.append(f"{response.status} {response.request.method} {response.url}")

    def _failure(self, request: Request) -> None:
        """An answer whose body nobody reads counts as failed too, but was none."""
        if request.url.startswith(self.url) and request not in self._answered:
            self.problems.append(f"{request.failure} {request.method} {request.url}")

    def _message(self, message: ConsoleMessage) -> None:
        if message.type == "error" and message.location["url"].startswith(self.url):
            self.problems.append(f"console: {message.text}")

    def _frame(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self.frames.append(int.from_bytes(frame[:4], "big"))

    async def start(self) -> None:
        """Go to the app and wait until a workflow can be run."""
        await self.page.goto(self.url)
        await self.tagged("queue-button").wait_for(timeout=patience.MILLISECONDS)
        await self.tab("Unsaved Workflow").wait_for(timeout=patience.MILLISECONDS)

    def tagged(self, name: str) -> Any:
        """The element that its makers named so for tests."""
        return self.page.get_by_test_id(name)

    async def load(self, name: str, document: dict[str, Any]) -> None:
        """Open a file."""
        file = self._files / f"{name}.json"
        file.write_text(json.dumps(document))
        await self.page.locator("#comfy-file-input").set_input_files(file)
        await self.tab(name).wait_for()

    def tab(self, name: str) -> Any:
        """The tab of an open workflow."""
        return self.page.locator(".workflow-tabs").get_by_text(name, exact=True)

    async def run(self) -> tuple[dict[str, Any], int, Any]:
        """Press Run; the prompt that was sent, and status and body of the answer."""
        async with self.page.expect_response("**/api/prompt") as answered:
            await self.tagged("queue-button").click()
        answer = await answered.value
        sent: dict[str, Any] = json.loads(answer.request.post_data or "{}")
        return sent["prompt"], answer.status, await answer.json()
