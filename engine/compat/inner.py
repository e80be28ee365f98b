"""One of our own nodes, called by a pack's function: in its lane, for its job, at once."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from engine.authoring.dynamic import flatten
from engine.authoring.errors import BadPath, SoundstageError
from engine.authoring.protocols import Artifact, Blocked, Expansion, File, FolderKind, Resident
from engine.authoring.spec import NodeSpec
from engine.compat.call import CURRENT, CurrentCall
from engine.run.context import NodeContext
from engine.run.invocation import residents


class NothingRuns(SoundstageError):
    """A node was called that needs a job, and none runs here."""


@dataclass(frozen=True)
class Overrides:
    """What a pack wants otherwise than the node would do it.

    Attributes:
        folder: where files are saved, an absolute path; None leaves that to the node.
        appended: goes behind the prefix of their names.
        texts: kept in them instead of the job's prompt and what belongs to it.
    """

    folder: str | None = None
    appended: str = ""
    texts: Mapping[str, Any] | None = None


class InnerRun:
    """The `Run` of a node that a pack calls: that of the pack's node, with the pack's wishes.

    Args:
        run: of the pack's node.
        wishes: what is to be otherwise.
    """

    def __init__(self, run: NodeContext, wishes: Overrides) -> None:
        self._run = run
        self._wishes = wishes

    def __getattr__(self, name: str) -> Any:
        """Everything else is as it is for the pack's node."""
        return getattr(self._run, name)

    @property
    def prompt(self) -> Any:
        """The whole prompt, or what the pack wants kept in its place."""
        texts = self._wishes.texts
        return self._run.prompt if texts is None else texts.get("prompt")

    @property
    def extra_pnginfo(self) -> Mapping[str, Any]:
        """What is kept beside the prompt."""
        texts = self._wishes.texts
        return self._run.extra_pnginfo if texts is None else texts.get("extra_pnginfo") or {}

    def save(
        self,
        prefix: str,
        extension: str,
        data: bytes | Iterable[bytes],
        *,
        folder: FolderKind = "output",
        **more: Any,
    ) -> File:
        """Write a file where the pack wants it.

        Raises:
            BadPath: the pack wants it outside of the folders of this home.
        """
        prefix += self._wishes.appended
        if self._wishes.folder is not None:
            folder, below = self._placed(self._wishes.folder)
            prefix = f"{below}/{prefix}" if below else prefix
        return self._run.save(prefix, extension, data, folder=folder, **more)

    def _placed(self, wanted: str) -> tuple[FolderKind, str]:
        """Which folder of the home a path is in, and where in it."""
        path = Path(wanted).resolve()
        for kind in get_args(FolderKind):
            root = self._run.worker.folders.root(kind).resolve()
            if path.is_relative_to(root):
                below = path.relative_to(root).as_posix()
                return kind, "" if below == "." else below
        raise BadPath(
            f"output_dir: {path.name!r} is outside of the folders of this home; files are saved "
            "in its output, temp or input folder"
        )


def called(spec: NodeSpec, given: Mapping[str, Any], wishes: Overrides) -> Any:
    """What a node gives for these inputs, as a V1 function returns it.

    Args:
        spec: one of our own nodes.
        given: its inputs by name; those of a choice that brings inputs as in a prompt, "a.b".
        wishes: of the pack that calls it.

    Returns:
        a tuple of outputs; for an output node {"ui": ..., "result": ...}; for an async node
        something to await.

    Raises:
        NothingRuns: no node of the pack runs, and this one works for a job.
        Exception: whatever the node raises.
    """
    call = CURRENT.get()
    node = flatten(spec, given)
    arguments = dict(given)
    if spec.run_parameter is not None:
        if call is None:
            raise NothingRuns(
                f"{spec.id} can be called only while a node runs; call it in a node's function"
            )
        arguments[spec.run_parameter] = InnerRun(call.run, wishes)
    if spec.kind == "async":
        return _awaited(node, given, arguments)
    if call is None:
        return as_v1(spec, given, node.function(**arguments))
    with bound(residents(given, deep=True), call):
        returned = node.function(**arguments)
        if isinstance(returned, Generator):
            returned = run_generator(returned, call)  # pyright: ignore[reportUnknownArgumentType] - a node's own
        return as_v1(spec, given, returned)


async def _awaited(node: NodeSpec, given: Mapping[str, Any], arguments: dict[str, Any]) -> Any:
    return as_v1(node, given, await node.function(**arguments))


@contextmanager
def bound(handles: Sequence[Resident[Any]], call: CurrentCall) -> Generator[None]:
    """While this lasts the models are loaded, those that the pack's node did not get as well.

    One that is in use elsewhere with other patches is loaded once more, for this call alone.
    """
    missing = [one for one in handles if not any(one is held for held in call.held)]
    if not missing:
        yield
        return
    residency, device = call.run.worker.lanes.residency, call.run.device
    lease = residency.lease(missing, device)
    if lease is None:
        own = [handle.load(device) for handle in missing]  # kept until the end: handles do not
        for handle, loaded in zip(missing, own, strict=True):
            handle.bind(loaded)
        yield
        return
    try:
        residency.load(lease)
        yield
    finally:
        residency.release(lease)


def run_generator(steps: Generator[Any, Any, Any], call: CurrentCall) -> Any:
    """The result of a long node, whose steps are reported, and answered one by one."""
    try:
        step = next(steps)
        while True:
            call.step(step)
            answer = None if step.answer is None else step.answer([step.inputs])[0]
            step = steps.send(answer)
    except StopIteration as end:
        return end.value
    finally:
        steps.close()


def as_v1(spec: NodeSpec, given: Mapping[str, Any], returned: Any) -> Any:
    """What one of our functions returned, as a V1 function would have."""
    if isinstance(returned, Blocked):
        return (returned,) * len(spec.outputs)
    if isinstance(returned, Expansion):
        return {"result": returned.outputs, "expand": returned.graph, "ui": returned.shown}
    if isinstance(returned, Artifact):
        own = iter(returned.outputs or ())
        shown = {name: [_file(item) for item in items] for name, items in returned.shown.items()}
        return {
            "ui": shown,
            "result": tuple(
                next(own) if output.passthrough is None else given[output.passthrough]
                for output in spec.outputs
            ),
        }
    return (returned,) if spec.single else tuple(returned)


def _file(item: Any) -> Any:
    return asdict(item) if isinstance(item, File) else item
