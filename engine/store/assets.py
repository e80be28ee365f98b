"""Files with a name, tags and the hash of their content, as clients look for them."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from engine.authoring.errors import MissingFile
from engine.store.db import Database
from engine.store.folder_scanner import Files, FileStat
from engine.store.folders import Folders

Sort = Literal["name", "created", "updated", "size", "accessed"]
METADATA = msgspec.json.Decoder(dict[str, Any])
COLUMNS = (
    "seq, id, folder, file, name, size, modified, hash, metadata, preview, created, updated, "
    "accessed"
)


class Asset(Struct, frozen=True):
    """A file as clients know it.

    Attributes:
        folder: where it lies: "output/sub", "models/loras".
        file: its name there.
        name: what clients call it.
        size: bytes.
        modified: ns since 1970, of the file.
        hash: "blake3:" and 64 hex digits; None until somebody read the file.
        metadata: what clients said of it.
        preview: id of the asset that shows what it looks like.
        created: ms since 1970, as the next two.
        tags: sorted.
    """

    seq: int
    id: str
    folder: str
    file: str
    name: str
    size: int
    modified: int
    hash: str | None
    metadata: dict[str, Any]
    preview: str | None
    created: int
    updated: int
    accessed: int
    tags: list[str]


class AssetFilter(Struct, frozen=True):
    """Which assets: with all of these tags, any of those, none of others; part of the name."""

    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    name: str = ""


class PageRequest(Struct, frozen=True):
    """One page of a list of assets, and its order.

    Attributes:
        after: value of `sort` and seq of the last one of the page before.
    """

    sort: Sort = "created"
    descending: bool = True
    limit: int = 20
    offset: int = 0
    after: tuple[str | int, int] | None = None


class AssetPage(Struct, frozen=True):
    """Assets of a page, whether more come after, and how many there are on all pages."""

    assets: list[Asset]
    more: bool
    total: int


class TagCount(Struct, frozen=True):
    """A tag, how many assets have it, and whether it is a location tag."""

    name: str
    count: int
    system: bool


class Assets:
    """The assets of a home; what lies in its folders is found by itself."""

    def __init__(self, database: Database, folders: Folders) -> None:
        self._database = database
        self._folders = folders

    def path(self, asset: Asset) -> Path:
        """Its file.

        Raises:
            MissingFile: it is not there any more.
        """
        root, _, rest = asset.folder.partition("/")
        if root == "models":
            kind, _, below = rest.partition("/")
            return self._folders.model_path(kind, f"{below}/{asset.file}" if below else asset.file)
        if root in ("input", "output", "temp"):
            return self._folders.resolve(root, rest, asset.file)
        raise MissingFile(f"there is no folder {asset.folder!r}")

    async def page(self, filter: AssetFilter, request: PageRequest) -> AssetPage:
        """Some of the assets."""
        where, values = _where(filter)
        order = "DESC" if request.descending else "ASC"
        limits: list[Any] = []
        more = ""
        if request.after is not None:
            more = f" AND ({request.sort}, seq) {'<' if request.descending else '>'} (?, ?)"
            limits += request.after

        def select(connection: sqlite3.Connection) -> AssetPage:
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM assets WHERE {where}{more} "
                f"ORDER BY {request.sort} {order}, seq {order} LIMIT ? OFFSET ?",
                (*values, *limits, request.limit + 1, request.offset),
            ).fetchall()
            count = connection.execute(f"SELECT count(*) FROM assets WHERE {where}", values)
            shown = [_asset(connection, row) for row in rows[: request.limit]]
            return AssetPage(shown, len(rows) > len(shown), count.fetchone()[0])

        return await self._database.read(select)

    async def tags(self, filter: AssetFilter) -> list[TagCount]:
        """Every tag of the assets that pass, most used first."""
        where, values = _where(filter)
        counted = (
            "SELECT tag, count(*), min(given) FROM asset_tags WHERE asset IN "
            f"(SELECT seq FROM assets WHERE {where}) GROUP BY tag ORDER BY 2 DESC, 1"
        )
        rows = await self._database.read(lambda db: db.execute(counted, values).fetchall())
        return [TagCount(tag, count, given == 0) for tag, count, given in rows]

    async def get(self, id: str) -> Asset | None:
        """An asset by its id."""
        return await self._select_one("id=? AND hidden=0", (id,))

    async def by_hash(self, hash: str) -> Asset | None:
        """An asset of this content whose file is there."""
        found = await self._select("hash=? AND hidden=0 ORDER BY seq", (hash,))
        return next((asset for asset in found if self._is_there(asset)), None)

    async def find_file(self, folder: str, file: str) -> Asset | None:
        """The asset of a file, the oldest of several."""
        condition = "folder=? AND file=? AND hidden=0 ORDER BY seq"
        return await self._select_one(condition, (folder, file))

    async def files_of(self, folder: str, hash: str) -> list[str]:
        """Names of the files of a folder that had this content when they were read."""
        found = await self._select("folder=? AND hash=? ORDER BY seq", (folder, hash))
        return list(dict.fromkeys(asset.file for asset in found))

    def _is_there(self, asset: Asset) -> bool:
        try:
            self.path(asset)
        except MissingFile:
            return False
        return True

    async def _select_one(self, condition: str, values: tuple[Any, ...]) -> Asset | None:
        found = await self._select(f"{condition} LIMIT 1", values)
        return found[0] if found else None

    async def _select(self, condition: str, values: tuple[Any, ...]) -> list[Asset]:
        def select(connection: sqlite3.Connection) -> list[Asset]:
            rows = connection.execute(f"SELECT {COLUMNS} FROM assets WHERE {condition}", values)
            return [_asset(connection, row) for row in rows.fetchall()]

        return await self._database.read(select)

    async def add(self, folder: str, file: str, hash: str, name: str, tags: Sequence[str]) -> Asset:
        """Add a file that has just been written, or find its asset.

        Args:
            folder: "input", "models/loras/sub".
            file: its name there.
            hash: of its content.
            name: for clients.
            tags: beside those that say where it lies.
        """
        stat = self._stat(folder, file)

        def put(connection: sqlite3.Connection) -> None:
            _upsert(connection, folder, file, FileStat(stat.st_size, stat.st_mtime_ns))
            connection.execute(
                "UPDATE assets SET hash=?, name=?, hidden=0 WHERE folder=? AND file=? "
                "AND seq=(SELECT min(seq) FROM assets WHERE folder=? AND file=?)",
                (hash, name, folder, file, folder, file),
            )
            seq = connection.execute(
                "SELECT min(seq) FROM assets WHERE folder=? AND file=?", (folder, file)
            ).fetchone()[0]
            _add_tags(connection, seq, tags)

        self._database.write(put)
        found = await self.find_file(folder, file)
        if found is None:
            raise MissingFile(f"{file!r} was removed just now")
        return found

    async def copy(self, asset: Asset, name: str, tags: Sequence[str]) -> str:
        """Make a second asset of the same file; returns its id."""
        id, now = str(uuid.uuid4()), _now()
        kept = "folder, file, size, modified, hash"

        def put(connection: sqlite3.Connection) -> None:
            seq = connection.execute(
                f"INSERT INTO assets ({kept}, id, name, created, updated, accessed) "
                f"SELECT {kept}, ?, ?, ?, ?, ? FROM assets WHERE seq=?",
                (id, name, now, now, now, asset.seq),
            ).lastrowid
            _add_location_tags(connection, seq, asset.folder)
            _add_tags(connection, seq, tags)

        self._database.write(put)
        return id

    def change(
        self,
        asset: Asset,
        *,
        name: str | None = None,
        metadata: dict[str, Any] | None = None,
        preview: str | None = None,
        hash: str | None = None,
    ) -> None:
        """Set what is given; the file stays as it is."""
        given = {
            "name": name,
            "metadata": None if metadata is None else json.dumps(metadata),
            "preview": preview,
            "hash": hash,
        }
        changes: dict[str, Any] = {name: to for name, to in given.items() if to is not None}
        if set(changes) - {"hash"}:
            changes["updated"] = _now()
        if changes:
            names = ", ".join(f"{column}=?" for column in changes)
            values = (*changes.values(), asset.seq)
            self._database.write(
                lambda db: db.execute(f"UPDATE assets SET {names} WHERE seq=?", values)
            )

    def touch(self, asset: Asset) -> None:
        """Set its access time to now."""
        self._database.write(
            lambda db: db.execute("UPDATE assets SET accessed=? WHERE seq=?", (_now(), asset.seq))
        )

    def tag(self, asset: Asset, tags: Sequence[str]) -> None:
        """Add tags."""
        self._database.write(lambda db: _add_tags(db, asset.seq, tags))

    def untag(self, asset: Asset, tags: Sequence[str]) -> None:
        """Remove tags that clients gave; location tags stay."""
        taken = "DELETE FROM asset_tags WHERE asset=? AND tag=? AND given=1"
        self._database.write(lambda db: db.executemany(taken, [(asset.seq, tag) for tag in tags]))

    def hide(self, asset: Asset) -> None:
        """List it no more; its file stays."""
        self._database.write(
            lambda db: db.execute("UPDATE assets SET hidden=1 WHERE seq=?", (asset.seq,))
        )

    async def unhashed(self) -> list[Asset]:
        """Assets without a hash yet."""
        return await self._select("hash IS NULL AND hidden=0", ())

    async def reconcile(self, folder: str, files: Files) -> int:
        """Bring the assets of a folder in line with its files; returns how many are new."""
        changed, gone, new = await self._database.read(lambda db: _diff(db, folder, files))

        await self._database.write_each(
            changed, lambda db, file: _upsert(db, folder, file, files[file])
        )
        await self._database.write_each(gone, _delete)
        return new

    async def keep_only(self, folders: Iterable[str]) -> int:
        """Forget the assets of all other folders; returns how many there were."""
        there = set(folders)

        def find(db: sqlite3.Connection) -> list[tuple[int]]:
            folders = db.execute("SELECT DISTINCT folder FROM assets").fetchall()
            select = "SELECT seq FROM assets WHERE folder=?"
            return [row for f in folders if f[0] not in there for row in db.execute(select, f)]

        gone = await self._database.read(find)
        await self._database.write_each(gone, _delete)
        return len(gone)

    def _stat(self, folder: str, file: str) -> Any:
        kept = Asset(0, "", folder, file, file, 0, 0, None, {}, None, 0, 0, 0, [])
        return self.path(kept).stat()


def _diff(
    connection: sqlite3.Connection, folder: str, files: Files
) -> tuple[list[str], list[tuple[int]], int]:
    """Names of files that are new or changed, assets whose file is gone, how many are new."""
    select = "SELECT seq, file, size, modified FROM assets WHERE folder=?"
    rows = connection.execute(select, (folder,)).fetchall()
    known = {file: (size, modified) for _, file, size, modified in rows}
    changed = [file for file, found in files.items() if known.get(file) != found]
    gone = [(seq,) for seq, file, _, _ in rows if file not in files]
    return changed, gone, len([file for file in changed if file not in known])


def location_tags(folder: str) -> list[str]:
    """Tags for the folder of an asset: "output", or "models" and "loras"."""
    root, _, rest = folder.partition("/")
    return [root, rest.partition("/")[0]] if root == "models" else [root]


def _delete(connection: sqlite3.Connection, row: tuple[int]) -> None:
    connection.execute("DELETE FROM assets WHERE seq=?", row)


def _upsert(connection: sqlite3.Connection, folder: str, file: str, found: FileStat) -> None:
    """Note a file that is new, or has other bytes than before."""
    changed = connection.execute(
        "UPDATE assets SET size=?, modified=?, hash=NULL, hidden=0, updated=? "
        "WHERE folder=? AND file=? AND (size, modified) <> (?, ?)",
        (*found, _now(), folder, file, *found),
    ).rowcount
    known = "SELECT 1 FROM assets WHERE folder=? AND file=?"
    if changed or connection.execute(known, (folder, file)).fetchone():
        return
    at = found.modified // 10**6
    seq = connection.execute(
        "INSERT INTO assets (id, folder, file, name, size, modified, created, updated, accessed) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (str(uuid.uuid4()), folder, file, file, *found, at, at, at),
    ).lastrowid
    _add_location_tags(connection, seq, folder)


def _add_location_tags(connection: sqlite3.Connection, seq: int | None, folder: str) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO asset_tags VALUES (?, ?, 0)",
        [(seq, tag) for tag in location_tags(folder)],
    )


def _add_tags(connection: sqlite3.Connection, seq: int | None, tags: Sequence[str]) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO asset_tags VALUES (?, ?, 1)", [(seq, tag) for tag in tags]
    )


def _where(filter: AssetFilter) -> tuple[str, list[str]]:
    """The condition of a filter, and its values."""
    has = "seq IN (SELECT asset FROM asset_tags WHERE tag"
    conditions = ["hidden=0", *[f"{has}=?)" for _ in filter.all]]
    if filter.any:
        conditions.append(f"{has} IN ({', '.join('?' * len(filter.any))}))")
    if filter.none:
        conditions.append(f"NOT {has} IN ({', '.join('?' * len(filter.none))}))")
    values = [*filter.all, *filter.any, *filter.none]
    if filter.name:
        conditions.append("instr(lower(name), lower(?))")
        values.append(filter.name)
    return " AND ".join(conditions), values


def _asset(connection: sqlite3.Connection, row: tuple[Any, ...]) -> Asset:
    tags = connection.execute("SELECT tag FROM asset_tags WHERE asset=? ORDER BY tag", (row[0],))
    facts = dict(zip(Asset.__struct_fields__, (*row, [tag for (tag,) in tags]), strict=True))
    try:
        metadata = METADATA.decode(row[8])
    except (msgspec.MsgspecError, TypeError):  # damaged; the file is known without it
        metadata = {}
    return msgspec.convert({**facts, "metadata": metadata}, Asset)


def _now() -> int:
    return time.time_ns() // 10**6
