"""Stored rows, read one by one: a row that cannot be read costs no other row anything."""

from __future__ import annotations

import logging
from typing import TypeVar

import msgspec

log = logging.getLogger(__name__)

T = TypeVar("T")


class RowDecoder:
    """Decodes the JSON of stored rows; the log says once of each row that it cannot be read.

    Such a row was damaged, or written by a version that stored what this one does not know. Every
    reader leaves it out and goes on; it is removed like any other row, by its id or with all.
    """

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def decode(
        self, id: str, data: bytes | str | None, decoder: msgspec.json.Decoder[T]
    ) -> T | None:
        """What a column of the row `id` holds; None where it cannot be read."""
        try:
            if isinstance(data, bytes):
                data.decode()  # parts that are passed on as they are may be no UTF-8
            return decoder.decode(data)  # pyright: ignore[reportArgumentType] - None raises TypeError
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError) as error:
            if id not in self._logged:
                self._logged.add(id)
                log.warning("the stored job %.200r cannot be read and is left out: %s", id, error)
            return None
