"""The same client for code without an event loop."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Self

from engine.client.client import Client


class Blocking:
    """A `Client` whose methods block; `run` is an ordinary generator. Close it, or use `with`.

    The event loop lives in a thread of its own, so this works in a notebook too.

    Args:
        url: such as "http://127.0.0.1:8188".
        patience: as of `Client`.
    """

    def __init__(self, url: str, *, patience: float = 60.0) -> None:
        self._client = Client(url, patience=patience)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._await(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __getattr__(self, name: str) -> Any:
        """Each public method of `Client`, made blocking."""
        if name.startswith("_"):
            raise AttributeError(name)
        member = getattr(self._client, name)
        if inspect.isasyncgenfunction(member):
            return partial(self._iterate, member)
        if inspect.iscoroutinefunction(member):
            return partial(self._finish, member)
        return member

    def _finish(
        self, start: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **options: Any
    ) -> Any:
        return self._await(start(*args, **options))

    def _await(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _iterate(
        self, start: Callable[..., AsyncGenerator[Any, None]], *args: Any, **options: Any
    ) -> Iterator[Any]:
        generator = start(*args, **options)
        try:
            while True:
                try:
                    yield self._await(_next(generator))
                except StopAsyncIteration:
                    return
        finally:
            self._await(generator.aclose())


async def _next(generator: AsyncGenerator[Any, None]) -> Any:
    return await anext(generator)
