"""Reads jobs in whatever state, in the thread of the database: no write waits for it."""

from __future__ import annotations

import sqlite3

import msgspec

from engine.store import listing
from engine.store.db import Database
from engine.store.history import HistoryEntry, JobInfo, RawJob
from engine.store.listing import OUTCOME, JobPage, JobQuery
from engine.store.row_decoder import RowDecoder

RAW_JOB = msgspec.json.Decoder(RawJob)


class JobReader:
    """The jobs of one home as lists show them; those that cannot be read are left out."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = RowDecoder()

    async def pending(self) -> list[RawJob]:
        """The waiting jobs, next one first."""
        return await self._jobs("status='pending' ORDER BY number, seq")

    async def running(self) -> list[RawJob]:
        """The running jobs."""
        return await self._jobs("status='running' ORDER BY seq")

    async def _jobs(self, condition: str) -> list[RawJob]:
        def select(connection: sqlite3.Connection) -> list[RawJob]:
            rows = connection.execute(f"SELECT id, job FROM jobs WHERE {condition}")
            found = (self._rows.decode(id, job, RAW_JOB) for id, job in rows)
            return [job for job in found if job is not None]

        return await self._database.read(select)

    async def page(self, query: JobQuery) -> JobPage:
        """Some of the jobs there are, in whatever state."""
        return await self._database.read(
            lambda connection: listing.select_page(connection, query, self._rows)
        )

    async def info(self, id: str) -> JobInfo | None:
        """A job in whatever state; None when unknown."""
        return await self._database.read(lambda db: listing.select_job(db, id, self._rows))

    async def history_entry(self, id: str) -> HistoryEntry | None:
        """The history entry of one job; None while it waits or runs, or when unknown."""
        found = await self._entries("id=?", (id,))
        return found[0] if found else None

    async def history(self, newest: int | None, offset: int | None) -> list[HistoryEntry]:
        """Ended jobs, oldest first: `newest` of them counted from the end, or from `offset`."""
        limit = -1 if newest is None else newest
        if offset is not None:
            return await self._entries("1 ORDER BY ended LIMIT ? OFFSET ?", (limit, offset))
        found = await self._entries("1 ORDER BY ended DESC LIMIT ?", (limit,))
        return found[::-1]

    async def _entries(self, condition: str, values: tuple[object, ...]) -> list[HistoryEntry]:
        def select(connection: sqlite3.Connection) -> list[HistoryEntry]:
            rows = connection.execute(
                f"SELECT id, job, outcome FROM jobs WHERE ended IS NOT NULL AND {condition}",
                values,
            )
            found: list[HistoryEntry] = []
            for id, stored, ending in rows:
                job = self._rows.decode(id, stored, RAW_JOB)
                outcome = None if job is None else self._rows.decode(id, ending, OUTCOME)
                if job is not None and outcome is not None:
                    found.append(HistoryEntry(job, outcome))
            return found

        return await self._database.read(select)
