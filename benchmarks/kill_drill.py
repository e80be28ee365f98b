"""A service that is killed, or whose worker is, again and again while jobs run."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aiohttp import ClientError, ClientSession, ClientTimeout, WSMsgType

from benchmarks.kill_jobs import FOLDER, KINDS, MESSAGES, Prompt, damage, damage_of_database
from benchmarks.service import Running, start

CLIENT = "kills"
ENDS = frozenset({"execution_success", "execution_error", "execution_interrupted"})
LOOK_SECONDS = 0.02
HURRIED = 0.5
"""The part of the kills that strike while the service or its worker starts after the last one."""
ATTEMPTS = 2
"""A job that was killed so often may be failed with that reason."""


@dataclass(frozen=True)
class Kill:
    """One kill, and what runs meanwhile; all of it follows from the seed and its number.

    Attributes:
        victim: what is killed.
        jobs: kinds of the jobs that are submitted before.
        after: messages of jobs that are received before; 0: it strikes while they are submitted.
        alone: the jobs of earlier kills have ended before.
    """

    number: int
    victim: Literal["worker", "server"]
    jobs: tuple[str, ...]
    after: int
    alone: bool

    @classmethod
    def drawn(cls, seed: int, number: int, kinds: Mapping[str, int]) -> Kill:
        """The kill of that number; `kinds` are the weights of the kinds of jobs."""
        rng = random.Random(f"{seed} {number}")
        victim = rng.choice(("worker", "server"))
        count = rng.randint(1, 4)
        jobs = tuple(rng.choices([*kinds], [*kinds.values()], k=count))
        if rng.random() < HURRIED:
            return cls(number, victim, jobs, after=0, alone=False)
        messages = sum(MESSAGES[kind] for kind in jobs)
        return cls(number, victim, jobs, rng.randint(0, messages), alone=True)


@dataclass
class Submitted:
    """A job, and what is known of it.

    Attributes:
        kills: how many fell while it had no end.
        ends: how many ends of it were received.
        entry: of the history, when it was first seen there.
    """

    id: str
    kind: str
    prompt: Prompt
    kills: int = 0
    ends: int = 0
    entry: dict[str, Any] | None = None

    @property
    def status(self) -> tuple[str, str]:
        """How it ended, and the message of its error."""
        if self.entry is None:
            return "", ""
        status = self.entry["status"]
        messages = dict(status["messages"])
        error = messages.get("execution_error", {})
        return status["status_str"], str(error.get("exception_message", ""))


@dataclass
class Findings:
    """What came of the jobs.

    Attributes:
        ended: how many jobs of each kind and status there were.
        kills: by victim.
        unnamed: files that no history names: an output node had saved them when it was killed,
            before its result was stored.
        lost, twice, corrupt, failed: what must not be, in words.
    """

    ended: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    kills: Counter[str] = field(default_factory=Counter[str])
    unnamed: list[str] = field(default_factory=list[str])
    lost: list[str] = field(default_factory=list[str])
    twice: list[str] = field(default_factory=list[str])
    corrupt: list[str] = field(default_factory=list[str])
    failed: list[str] = field(default_factory=list[str])

    @property
    def faults(self) -> list[str]:
        """All that must not be."""
        return [*self.lost, *self.twice, *self.corrupt, *self.failed]


class Drill:
    """One home, killed again and again.

    Args:
        home: of the service.
        seed: everything is drawn from it.
        kinds: weights of the kinds of jobs.
        flags: of the service.
        patience: seconds after which a job without an end is lost.
    """

    def __init__(
        self,
        home: Path,
        seed: int,
        kinds: Mapping[str, int],
        flags: Sequence[str] = (),
        patience: float = 300.0,
    ) -> None:
        self._home = home
        self._seed = seed
        self._kinds = kinds
        self._flags = flags
        self._patience = patience
        self._jobs: dict[str, Submitted] = {}
        self._posting: set[asyncio.Task[None]] = set()
        self._received = 0
        self._killed: int | None = None
        self._listens = asyncio.Event()
        self._found = Findings()
        self._service: Running
        self._http: ClientSession

    async def run(
        self, numbers: Iterable[int], on_kill: Callable[[], object] = lambda: None
    ) -> Findings:
        """Strike so many times, then let all jobs end and look at what there is."""
        self._service = await self._start()
        async with ClientSession(timeout=ClientTimeout(self._patience)) as self._http:
            listening = asyncio.create_task(self._listen())
            try:
                for number in numbers:
                    await self._strike(Kill.drawn(self._seed, number, self._kinds))
                    on_kill()
                await self._all_ended()
                await self._examine()
            finally:
                listening.cancel()
                for posting in self._posting:
                    posting.cancel()
                await asyncio.gather(listening, *self._posting, return_exceptions=True)
                await asyncio.to_thread(self._service.stop)
        self._examine_databases()
        return self._found

    async def _start(self) -> Running:
        return await asyncio.to_thread(start, self._home, 0, self._flags)

    async def _strike(self, kill: Kill) -> None:
        await self._listens.wait()
        if kill.alone:
            await self._all_ended()
        target = self._received + kill.after
        self._submit(kill)
        reached = asyncio.create_task(self._until(lambda: self._received >= target))
        over = asyncio.create_task(self._all_ended())
        await asyncio.wait({reached, over}, return_when=asyncio.FIRST_COMPLETED)
        for task in (reached, over):
            task.cancel()
        await asyncio.gather(reached, over, return_exceptions=True)
        for job in self._open:
            job.kills += 1
        self._found.kills[kill.victim] += 1
        if kill.victim == "worker":
            await self._kill_worker()
            return
        self._listens.clear()
        await asyncio.to_thread(self._service.kill)
        self._service = await self._start()

    async def _kill_worker(self) -> None:
        """Kill a worker that was not killed before, as soon as there is one."""
        pid: int | None = None
        while pid is None or pid == self._killed:
            await asyncio.sleep(0.001)
            pid = self._service.worker_pid
        self._killed = pid
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    @property
    def _open(self) -> list[Submitted]:
        return [job for job in self._jobs.values() if job.entry is None]

    def _submit(self, kill: Kill) -> None:
        rng = random.Random(f"{self._seed} {kill.number} jobs")
        for kind in kill.jobs:
            id = str(uuid.UUID(int=rng.getrandbits(128), version=4))
            self._jobs[id] = job = Submitted(id, kind, KINDS[kind](id, rng))
            posting = asyncio.create_task(self._post(job))
            self._posting.add(posting)
            posting.add_done_callback(self._posting.discard)

    async def _post(self, job: Submitted) -> None:
        """Submit a job until the service has it: one that was killed may have taken it."""
        body = {"prompt": job.prompt, "prompt_id": job.id, "client_id": CLIENT}
        while True:
            with suppress(ClientError, OSError):
                async with self._http.post(f"{self._service.url}/prompt", json=body) as answer:
                    text = await answer.text()
                if answer.status == 200 or "is taken by a job" in text:
                    return
                self._found.failed.append(f"{job.kind} job {job.id} was refused: {text}")
                del self._jobs[job.id]
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _listen(self) -> None:
        while True:
            with suppress(ClientError, OSError):
                url = f"{self._service.url}/ws?clientId={CLIENT}"
                async with self._http.ws_connect(url, max_msg_size=0) as socket:
                    self._listens.set()
                    async for message in socket:
                        if message.type is WSMsgType.TEXT:
                            self._receive(json.loads(message.data))
            await asyncio.sleep(LOOK_SECONDS)

    def _receive(self, message: dict[str, Any]) -> None:
        job = self._jobs.get(str(message["data"].get("prompt_id")))
        if job is not None:
            self._received += 1
            job.ends += message["type"] in ENDS

    async def _until(self, wanted: Callable[[], bool]) -> None:
        while not wanted():  # noqa: ASYNC110 - it happens elsewhere
            await asyncio.sleep(0.001)

    async def _all_ended(self) -> None:
        """Wait until each job has an end, or is lost."""
        while self._posting:
            await asyncio.wait(self._posting)
        for job in self._open:
            until = time.monotonic() + self._patience
            while (entry := await self._entry(job)) is None:
                if time.monotonic() > until:
                    self._found.lost.append(f"{job.kind} job {job.id} has no end")
                    del self._jobs[job.id]
                    break
                await asyncio.sleep(LOOK_SECONDS)
            job.entry = entry

    async def _entry(self, job: Submitted) -> dict[str, Any] | None:
        found = await self._asked(lambda: self._get(f"/history/{job.id}"))
        return found.get(job.id)

    async def _get(self, path: str) -> dict[str, Any]:
        async with self._http.get(self._service.url + path) as answer:
            return await answer.json()

    async def _asked(self, ask: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """The answer of a service that may be killed meanwhile."""
        while True:
            with suppress(ClientError, OSError):
                return await ask()
            await asyncio.sleep(LOOK_SECONDS)

    async def _examine(self) -> None:
        """Look at each job's end, as it is now, and at its files."""
        folder = self._home / "output" / FOLDER
        files: dict[str, set[Path]] = {id: set() for id in self._jobs}
        for path in folder.iterdir() if folder.is_dir() else ():
            files.get(path.name.partition("_")[0], set()).add(path)
            if (why := damage(path)) is not None:
                self._found.corrupt.append(f"{path.name} cannot be opened: {why}")
        for job in self._jobs.values():
            self._examine_end(job, await self._entry(job))
            self._examine_files(job, files[job.id])
        if any((await self._get("/queue")).values()):
            self._found.lost.append("jobs are in the queue though each has its end")

    def _examine_end(self, job: Submitted, entry: dict[str, Any] | None) -> None:
        name, found = f"{job.kind} job {job.id}", self._found
        if entry is None:
            found.lost.append(f"{name} is in the history no more")
        elif entry != job.entry:
            found.twice.append(f"{name} has another end in the history than it had")
        if job.ends > 1:
            found.twice.append(f"{name} ended {job.ends} times")
        status, text = job.status
        found.ended[job.kind, status] += 1
        if status != "success" and not (job.kills >= ATTEMPTS and "times while it ran" in text):
            found.failed.append(f"{name} ended with {status} after {job.kills} kills: {text}")

    def _examine_files(self, job: Submitted, there: set[Path]) -> None:
        outputs = job.entry["outputs"].values() if job.entry is not None else ()
        shown = [file for output in outputs for files in output.values() for file in files]
        named = {
            self._home / "output" / FOLDER / str(file["filename"])
            for file in shown
            if "filename" in file
        }
        self._found.corrupt += [f"{path.name} of the history is gone" for path in named - there]
        self._found.unnamed += [path.name for path in there - named]
        if job.status[0] == "success" and len(named) != 1:
            self._found.corrupt.append(f"{job.kind} job {job.id} names {len(named)} files")

    def _examine_databases(self) -> None:
        for path in (self._home / "soundstage.db", self._home / "cache.db"):
            if (why := damage_of_database(path)) is not None:
                self._found.corrupt.append(f"{path.name}: {why}")
