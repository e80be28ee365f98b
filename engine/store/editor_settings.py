"""The settings of the user's editor: one JSON object in a file."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import msgspec

from engine.authoring.errors import MissingFile, SoundstageError
from engine.store.userdata import UserData

FILE = "comfy.settings.json"
MAX_BYTES = 4 * 2**20


class TooLarge(SoundstageError):
    """The settings would be larger than anyone's are."""


class EditorSettings:
    """The settings of one user; safe to use from several threads."""

    def __init__(self, userdata: UserData) -> None:
        self._userdata = userdata
        self._lock = threading.Lock()

    def read(self) -> dict[str, Any]:
        """All of them; none before the first is made.

        Raises:
            SoundstageError: somebody wrote something else into the file.
        """
        try:
            data = self._userdata.find(FILE).read_bytes()
        except MissingFile:
            return {}
        try:
            return msgspec.json.decode(data, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise SoundstageError(
                f"the settings in user/default/{FILE} cannot be read ({error}); mend the file, "
                "or remove it to start with none"
            ) from error

    def merge(self, changes: Mapping[str, Any]) -> None:
        """Set some, keep the others.

        Raises:
            TooLarge: there would be more than 4 MB of them.
        """
        with self._lock:
            data = msgspec.json.encode({**self.read(), **changes})
            if len(data) > MAX_BYTES:
                raise TooLarge(f"settings of over {MAX_BYTES // 2**20} MB are not kept")
            self._userdata.write(FILE, data, overwrite=True)
