"""Lanes: one thread each, bound to a device, that runs nodes and steps generators side by side."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from msgspec import Struct

from engine.authoring.errors import Interrupted
from engine.authoring.protocols import Resident, Step
from engine.devices.memory import is_out_of_memory
from engine.devices.residency import Lease, Residency

log = logging.getLogger(__name__)

STOPPING = "the worker is stopping"


class AnswerLog(Protocol):
    """Answers to a task's steps that outlive the process."""

    def replay(self, index: int, total: int) -> tuple[Any] | None:
        """The logged answer to the step asked now, in a tuple; None: it was never answered."""
        ...

    def record(self, index: int, total: int, answer: Any) -> None:
        """Log an answer."""
        ...

    def stop(self) -> None:
        """Log no more: a step had no answer, so later ones are not those that follow."""
        ...

    def close(self, *, keep: bool) -> None:
        """The task is over; with `keep` it was stopped and will run again."""
        ...


class Task(Struct, eq=False):
    """One call of a node, from its submission to its result.

    Attributes:
        call: runs the node; for a long node it returns a generator of Steps.
        handles: models it needs bound while it runs.
        cancelled: set by the job when nobody wants the result any more.
        on_step: called with every Step, in the lane's thread.
        on_start: called when it begins to run, in the lane's thread.
        on_end: called with the result or the error, in the lane's thread.
        open_log: called for a long node with the device: the log of its answers there.
    """

    call: Callable[[str], Any]
    handles: Sequence[Resident[Any]]
    cancelled: threading.Event
    on_start: Callable[[], None]
    on_step: Callable[[Step], None]
    on_end: Callable[[Any, Exception | None], None]
    open_log: Callable[[str], AnswerLog | None] = lambda _: None
    log: AnswerLog | None = None
    lease: Lease | None = None
    error: Exception | None = None
    generator: Generator[Step, Any, Any] | None = None
    step: Step | None = None


@dataclass
class Lane:
    """One thread that drives one device.

    A plain call runs to its end. Generators are stepped in turn, so several long nodes advance
    together; of those that wait with a Step of equal key, all are answered by one call.
    """

    name: str
    device: str
    residency: Residency
    _waiting: deque[Task] = field(default_factory=deque[Task])
    _active: list[Task] = field(default_factory=list[Task])
    _wake: threading.Condition = field(default_factory=threading.Condition)
    _current: Sequence[Task] = ()
    _batch_limits: dict[Hashable, int] = field(default_factory=dict[Hashable, int])
    _closing: bool = False
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self.residency.on_release(self._notify)
        self._thread = threading.Thread(target=self._serve, name=self.name, daemon=True)
        self._thread.start()

    @property
    def load(self) -> int:
        """Tasks that wait or run here."""
        return len(self._waiting) + len(self._active)

    def is_held_by(self, cancelled: threading.Event) -> bool:
        """Whether its thread runs code of the job with this event, and of no job that goes on."""
        current = self._current
        ended = all(task.cancelled.is_set() for task in current)
        return ended and any(task.cancelled is cancelled for task in current)

    def submit(self, task: Task) -> None:
        """Run the task when its turn comes."""
        with self._wake:
            if not self._closing:
                self._waiting.append(task)
                self._wake.notify()
                return
        self._report_end(task, error=Interrupted(STOPPING))

    def stop(self) -> None:
        """Take no more tasks, and end the thread after the step it is in."""
        with self._wake:
            self._closing = True
            self._wake.notify()

    def close(self) -> None:
        """Stop, and wait for the thread; what still waits is interrupted."""
        self.stop()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _notify(self) -> None:
        with self._wake:
            self._wake.notify()

    def _serve(self) -> None:
        while not self._closing:
            task = self._admit()
            if task is not None:
                self._active.append(task)
                self._begin(task)
            if self._active:
                self._step_all()
        for task in [*self._active, *self._waiting]:
            self._end(task, error=Interrupted(STOPPING))

    def _admit(self) -> Task | None:
        """The next task whose models are free; waits for one while nothing else is to do."""
        with self._wake:
            while not self._closing:
                task = self._first_admissible()
                if task is not None:
                    self._waiting.remove(task)
                    return task
                if self._active:
                    return None
                self._current = ()
                self._batch_limits.clear()  # the next jobs may find more memory
                self._wake.wait()
        return None

    def _first_admissible(self) -> Task | None:
        """The first task that gets its lease; none overtakes another one at the same model."""
        wanted: set[str] = set()
        for task in self._waiting:
            try:
                bases = {handle.base for handle in task.handles}
                if wanted.isdisjoint(bases):
                    task.lease = self.residency.lease(task.handles, self.device)
                wanted |= bases
            except Exception as error:  # noqa: BLE001 - handles come from node packs
                task.error = error
            if task.lease is not None or task.error is not None:
                return task
        return None

    def _begin(self, task: Task) -> None:
        if task.cancelled.is_set():
            task.error = Interrupted("cancelled before it started")
        if task.error is not None:
            self._end(task, error=task.error)
            return
        self._current = (task,)
        try:
            task.on_start()
            if task.lease is not None and task.handles:
                self.residency.load(task.lease)
            result = task.call(self.device)
        except BaseException as error:  # noqa: BLE001 - a node may raise anything
            self._end(task, error=error)
            return
        if isinstance(result, Generator):
            generator: Generator[Step, Any, Any] = result  # pyright: ignore[reportUnknownVariableType] - a node's own
            task.generator = generator
            task.log = task.open_log(self.device)
            self._resume(task, lambda: next(generator))
        else:
            self._end(task, result=result)

    def _step_all(self) -> None:
        """Advance every active generator by one step."""
        groups: dict[Hashable, list[Task]] = {}
        for task in [*self._active]:
            step = task.step
            if task.cancelled.is_set():
                self._end(task, error=Interrupted("cancelled between two steps"))
            elif step is None or step.answer is None:
                self._advance(task, None)
            elif (logged := replayed(task.log, step)) is not None:
                self._advance(task, *logged)
            else:
                try:
                    groups.setdefault(task if step.key is None else step.key, []).append(task)
                except Exception as error:  # noqa: BLE001 - a key that is not hashable
                    self._fail(task, error)
        for key, tasks in groups.items():
            self._evaluate(key, tasks)

    def _evaluate(self, key: Hashable, tasks: list[Task]) -> None:
        """Answer steps of equal key by as few calls as the memory allows."""
        left = deque(tasks)
        while left:
            limit = self._batch_limits.get(key, len(left))
            batch = [left.popleft() for _ in range(min(limit, len(left)))]
            if not self._evaluate_batch(batch):
                self._batch_limits[key] = (len(batch) + 1) // 2
                left.extendleft(reversed(batch))

    def _evaluate_batch(self, tasks: list[Task]) -> bool:
        """Answer the steps by one call; False if the memory is too small for so many."""
        steps = [task.step for task in tasks if task.step is not None]
        ask = steps[0].answer
        if ask is None:
            return True
        self._current = tasks
        try:
            answers = list(ask([step.inputs for step in steps]))
            if len(answers) != len(steps):
                raise ValueError(f"{len(steps)} steps asked, {len(answers)} answers came")
        except BaseException as error:  # noqa: BLE001 - a model may raise anything
            if len(tasks) == 1:
                self._fail(tasks[0], error)
                return True
            log.warning("a batch of %d steps failed, fewer at once now: %s", len(tasks), error)
            if is_out_of_memory(error):
                return False
            for task in tasks:
                self._evaluate_batch([task])
            return True
        for task, step, answer in zip(tasks, steps, answers, strict=True):
            if task.log is not None:
                task.log.record(step.index, step.total, answer)
            self._advance(task, answer)
        return True

    def _advance(self, task: Task, answer: Any) -> None:
        generator = task.generator
        if generator is not None:
            self._resume(task, lambda: generator.send(answer))

    def _fail(self, task: Task, error: BaseException) -> None:
        """Raise `error` where the generator waits, so that it can clean up or go on without."""
        generator = task.generator
        if task.log is not None:
            task.log.stop()
        if generator is not None:
            self._resume(task, lambda: generator.throw(error))

    def _resume(self, task: Task, resume: Callable[[], object]) -> None:
        """Let a generator run to its next Step, to its result, or to its failure."""
        self._current = (task,)
        try:
            step = resume()
        except StopIteration as stop:
            self._end(task, result=stop.value)
            return
        except BaseException as error:  # noqa: BLE001 - a node may raise anything
            self._end(task, error=error)
            return
        try:
            if not isinstance(step, Step):
                raise TypeError(f"a long node yields Steps, this one a {type(step).__name__}")
            task.step = step
            task.on_step(step)
        except BaseException as error:  # noqa: BLE001 - a preview may raise anything
            self._end(task, error=error)

    def _end(self, task: Task, *, result: Any = None, error: BaseException | None = None) -> None:
        if task in self._active:
            self._active.remove(task)
        if task.generator is not None:
            self._current = (task,)
            close(task.generator)
        if task.lease is not None:
            self.residency.release(task.lease)
        if task.log is not None:
            task.log.close(keep=self._closing and error is not None)
        task.lease = task.generator = task.step = task.log = None
        self._report_end(task, result=result, error=error)

    def _report_end(
        self, task: Task, *, result: Any = None, error: BaseException | None = None
    ) -> None:
        try:
            task.on_end(result, None if error is None else as_exception(error))
        except Exception:
            log.exception("the result of a node could not be processed")


def replayed(log: AnswerLog | None, step: Step) -> tuple[Any] | None:
    """The answer to a step that was logged before a crash, in a tuple."""
    return None if log is None else log.replay(step.index, step.total)


def close(generator: Generator[Step, Any, Any]) -> None:
    """End a generator, whatever it says to that."""
    try:
        generator.close()
    except BaseException as error:  # noqa: BLE001 - a node may raise anything
        log.warning("a node could not be ended cleanly: %r", error)


def as_exception(error: BaseException) -> Exception:
    """An error that may be handed on: SystemExit and the like must not end the worker."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"the node raised {type(error).__name__}: {error}")


class Lanes:
    """All lanes of a worker: one for each accelerator, a few for the CPU."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = list(lanes)
        for lane in lanes:
            lane.start()

    def pick(self, *, gpu: bool, cpu: bool) -> Lane:
        """The least busy lane of those that may run it, an accelerator's if it can use one."""
        accelerated = [lane for lane in self._lanes if lane.device != "cpu"]
        on_cpu = [lane for lane in self._lanes if lane.device == "cpu"]
        allowed = (accelerated if gpu else []) or (on_cpu if cpu or not accelerated else [])
        return min(allowed or on_cpu, key=lambda lane: lane.load)

    def are_held_by(self, cancelled: threading.Event) -> bool:
        """Whether one of them is held by the ended job with this event (see `Lane.is_held_by`)."""
        return any(lane.is_held_by(cancelled) for lane in self._lanes)

    @property
    def residency(self) -> Residency:
        """Of the models of all lanes."""
        return self._lanes[0].residency

    def stop(self) -> None:
        """Stop every lane: what jobs compute now is computed again later."""
        for lane in self._lanes:
            lane.stop()

    def close(self) -> None:
        """End every lane."""
        for lane in self._lanes:
            lane.close()
