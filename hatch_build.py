"""Builds the editor into the package, where Node is; silent where it is not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

INSTALL = ("ci", "--silent")
BUILD = ("run", "--silent", "build")


class EditorBuild(BuildHookInterface[Any]):
    """Runs npm in `web/`; what is built already and newer than its sources stays."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before each wheel, editable ones included."""
        web = Path(self.root) / "web"
        page = Path(self.root) / "engine" / "server" / "static" / "index.html"
        npm = shutil.which("npm")
        if npm is None or not web.is_dir() or _is_newer(page, web):
            return
        for step in (INSTALL, BUILD):
            done = subprocess.run([npm, *step], cwd=web, capture_output=True, text=True)
            if done.returncode != 0:
                said = (done.stderr or done.stdout).strip()[-2000:]
                self.app.display_warning(f"The editor is left out, npm {step[0]} failed:\n{said}")
                return


def _is_newer(page: Path, web: Path) -> bool:
    """Whether the page was built after the last change of its sources."""
    if not page.is_file():
        return False
    sources = [*web.glob("*.*"), *web.glob("src/**/*"), *web.glob("public/*")]
    return page.stat().st_mtime >= max(path.stat().st_mtime for path in sources)
