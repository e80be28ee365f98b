"""One job: its nodes run as their inputs arrive, side by side where lanes allow."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from engine.authoring.errors import Interrupted
from engine.authoring.protocols import File
from engine.graph.keys import Keys, fingerprints
from engine.graph.prompt import Graph, GraphNode, Link
from engine.run.ahead import Ahead
from engine.run.call import Bench, NodeCall
from engine.run.events import Ended, Event, NodeFinished, NodeShown, Started
from engine.run.invoke import LazyInput, invoke
from engine.store.cache import Result
from engine.store.history import Failure, Job

log = logging.getLogger(__name__)

SLOW_SECONDS = 0.2
SHOWN_INPUT_CHARACTERS = 200


class NodeFailed(Exception):
    """A node raised `error`."""

    def __init__(self, node: GraphNode, inputs: Mapping[str, Any], error: Exception) -> None:
        super().__init__(str(error))
        self.node = node
        self.inputs = inputs
        self.error = error


class JobRun:
    """One job on its way through a worker.

    Args:
        bench: what the worker shares among its jobs.
        job: the job.
        emit: takes its events, called in the event loop.
    """

    def __init__(self, bench: Bench, job: Job, emit: Callable[[Event], None]) -> None:
        self._bench = bench
        self._job = job
        self._emit = emit
        self._loop = asyncio.get_running_loop()
        self._cancelled = threading.Event()
        self._results: dict[str, asyncio.Task[Result]] = {}
        self._executed: list[str] = []
        self._graph = Graph({})
        self._keys: dict[str, str] = {}
        self._ahead = Ahead(self._graph, (), bench.costs)
        self._previews = job.extra.get("preview_method", "none") != "none"

    async def run(self) -> None:
        """Run the job to its end; the last event is always `Ended`."""
        try:
            self._graph = Graph.of(self._job.prompt, self._bench.registry)
            nodes = self._graph.ordered(self._job.outputs)
            keys = Keys(self._job.id, self._bench.folders)
            keys.add(nodes, await fingerprints(nodes))
            self._keys = keys.made
            cached = self._cached()
            needed = self._keys.keys() - cached
            self._ahead = Ahead(self._graph, needed, self._bench.costs)
            self._emit(Started(cached, now_ms()))
            await self._all_outputs()
        except NodeFailed as failed:
            self._emit(self._ended_by(failed))
        except asyncio.CancelledError:
            self._emit(Ended("interrupted", now_ms(), self._interrupted_at()))
        except Exception as error:
            log.exception("job %s failed outside of its nodes", self._job.id)
            text = readable(f"the job could not be run: {error}")
            failure = Failure("", "", text, type(error).__name__, executed=self._executed)
            self._emit(Ended("error", now_ms(), failure))
        else:
            self._emit(Ended("success", now_ms()))
        finally:
            self._cancelled.set()
            for task in self._results.values():
                task.cancel()

    async def _all_outputs(self) -> None:
        wanted = [self._result(id) for id in self._job.outputs]
        done, _ = await asyncio.wait(wanted, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    def _cached(self) -> list[str]:
        """The nodes whose results are at hand; an output only while its files are."""
        found: list[str] = []
        for id, key in self._keys.items():
            if not self._bench.cache.has(key):
                continue
            if self._graph.nodes[id].spec.shows and not self._files_there(key):
                self._bench.cache.forget(key)
                continue
            found.append(id)
        return found

    def _files_there(self, key: str) -> bool:
        result = self._bench.cache.get(key)
        if result is None or result.shown is None:
            return False
        files = [
            item for items in result.shown.values() for item in items if isinstance(item, File)
        ]
        return all(self._bench.folders.has(file) for file in files)

    def _result(self, id: str) -> asyncio.Task[Result]:
        """The one task that finds or computes a node's result."""
        if id not in self._results:
            task = self._loop.create_task(self._find_or_compute(id))
            task.add_done_callback(retrieved)
            self._results[id] = task
        return self._results[id]

    async def _find_or_compute(self, id: str) -> Result:
        node, key = self._graph.nodes[id], self._keys[id]
        known = self._bench.cache.get(key)
        if known is not None:
            if known.shown is not None:
                self._emit(NodeShown(id, sendable(known.shown)))
                self._emit(NodeFinished(id, cached=True, seconds=0.0))
            return known
        inputs = await self._inputs(node)
        call = NodeCall(
            self._bench,
            self._job,
            node,
            self._emit,
            self._cancelled,
            self._ahead,
            self._previews,
        )
        try:
            once = all(len(items) == 1 for items in inputs.values())
            result = await invoke(node.spec, inputs, partial(call, once=once))
            shown = sendable(result.shown or {})
        except Interrupted as error:
            raise asyncio.CancelledError from error
        except Exception as error:
            raise NodeFailed(node, inputs, error) from error
        await self._keep(key, result, call.seconds)
        self._executed.append(id)
        if result.shown is not None:
            self._emit(NodeShown(id, shown))
        self._emit(NodeFinished(id, cached=False, seconds=call.seconds))
        return result

    async def _keep(self, key: str, result: Result, seconds: float) -> None:
        """Into the cache; from a thread where that means writing something that took long."""
        if seconds < SLOW_SECONDS:
            self._bench.cache.put(key, result, seconds)
        else:
            await asyncio.to_thread(self._bench.cache.put, key, result, seconds)

    async def _inputs(self, node: GraphNode) -> dict[str, list[Any]]:
        inputs: dict[str, list[Any]] = {name: [value] for name, value in node.literals.items()}
        strong = {n: link for n, link in node.links.items() if not node.spec.by_name[n].lazy}
        pending = {self._result(link.node) for link in strong.values()}
        if pending:
            done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        for name, link in strong.items():
            inputs[name] = self._result(link.node).result().outputs[link.slot]
        for name, link in node.links.items():
            if name not in strong:
                inputs[name] = [LazyInput(partial(self._item, link))]
        return inputs

    async def _item(self, link: Link) -> Any:
        """The value of a lazy input; of an output list its last item."""
        result = await asyncio.shield(self._result(link.node))
        return result.outputs[link.slot][-1]

    def _ended_by(self, failed: NodeFailed) -> Ended:
        node = failed.node
        log.error("node %s (%s) failed", node.id, node.spec.id, exc_info=failed.error)
        kind = type(failed.error)
        module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        failure = Failure(
            node=node.id,
            node_type=node.spec.id,
            message=self._told(failed.error) or kind.__name__,
            exception=module + kind.__qualname__,
            inputs={name: [brief(item) for item in items] for name, items in failed.inputs.items()},
            executed=self._executed,
        )
        return Ended("error", now_ms(), failure)

    def _told(self, error: Exception) -> str:
        """An error's text as it may leave the machine: with no path of the home's owner."""
        return readable(str(error)).replace(f"{self._bench.folders.home}/", "")

    def _interrupted_at(self) -> Failure:
        running = [id for id, task in self._results.items() if not task.done()]
        id = running[-1] if running else ""
        node_type = self._graph.nodes[id].spec.id if id else ""
        return Failure(id, node_type, "interrupted", "Interrupted", executed=self._executed)


def brief(value: Any) -> Any:
    """A value as a failure may show it: short, plain JSON."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if value.bit_length() < 64 else f"an integer of {value.bit_length()} bits"
    if isinstance(value, str):
        return readable(value[:SHOWN_INPUT_CHARACTERS])
    shape = getattr(value, "shape", None)
    name = type(value).__name__
    return f"{name}{tuple(shape)}" if shape is not None else name


def readable(text: str) -> str:
    """A text that can be sent: file names and their errors may hold what is no Unicode."""
    return text.encode(errors="replace").decode()


def sendable(shown: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """What an output node shows, as plain data.

    Raises:
        ValueError: it holds something that cannot be sent to a client.
    """
    try:
        return msgspec.msgpack.decode(msgspec.msgpack.encode(shown))
    except Exception as error:
        raise ValueError(f"the node shows something that cannot be sent: {error}") from error


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def retrieved(task: asyncio.Task[Result]) -> None:
    """Look at a task's error, so that one nobody waited for is no warning in the log."""
    if not task.cancelled():
        task.exception()
