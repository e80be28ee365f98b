"""One process serves a home."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import TextIO

from engine.authoring.errors import SoundstageError


def lock_home(home: Path) -> TextIO:
    """The home's lock file, held by this process alone.

    Raises:
        SoundstageError: another process serves this home, or the home cannot be written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = (home / "soundstage.lock").open("w")
    except OSError as error:
        raise SoundstageError(f"the home {home} cannot be written: {error}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise SoundstageError(
            f"another soundstage already serves {home}; stop it, or use another --home"
        ) from error
    return file
