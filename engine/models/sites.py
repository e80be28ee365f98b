"""Where downloads come from on this machine: the model hub and the package indexes.

The hub's address is the hub library's (HF_ENDPOINT, HF_HUB_OFFLINE); the indexes are those that
pip itself would ask, so a company's mirror, certificate or proxy needs no second configuration.
"""

from __future__ import annotations

import ast
import logging
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from requests import Session

log = logging.getLogger(__name__)

# From the weakest to the strongest, as pip ranks them.
PIP_SECTIONS = ("global", "install", "download", ":env:")


@dataclass(frozen=True)
class Sites:
    """The places to ask.

    Attributes:
        hub: base URL of the model hub; None leaves it out.
        indexes: base URLs of package indexes (PEP 503 or 691), in order.
        certificates: a file of trusted certificates, where not the system's.
        proxy: URL of a proxy, where not the environment's.
    """

    hub: str | None = None
    indexes: tuple[str, ...] = ()
    certificates: str | None = None
    proxy: str | None = None
    dead: set[str] = field(default_factory=set[str], compare=False)

    @classmethod
    def configured(cls) -> Sites:
        """What the user configured for the hub library and for pip."""
        from huggingface_hub import constants
        from pypi_simple import PYPI_SIMPLE_ENDPOINT

        pip = pip_settings()
        indexes = [pip.get("index-url", PYPI_SIMPLE_ENDPOINT)]
        if pip.get("no-index", "").lower() in ("1", "true", "yes", "on"):
            indexes = []
        else:
            indexes += pip.get("extra-index-url", "").split()
        return cls(
            hub=None if constants.HF_HUB_OFFLINE else constants.ENDPOINT,
            indexes=tuple(url for url in indexes if urlsplit(url).scheme in ("http", "https")),
            certificates=pip.get("cert"),
            proxy=pip.get("proxy"),
        )

    def session(self) -> Session:
        """A new HTTP session that honours the certificates and the proxy."""
        import requests

        session = requests.Session()
        if self.certificates:
            session.verify = self.certificates
        if self.proxy:
            session.proxies = {"http": self.proxy, "https": self.proxy}
        return session


def pip_settings() -> dict[str, str]:
    """Settings of pip, the strongest section wins; empty where pip is not installed."""
    try:
        listed = subprocess.run(
            [sys.executable, "-P", "-m", "pip", "config", "list"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        log.info("pip's settings are not known here, its default index is used: %s", error)
        return {}
    sections: dict[str, dict[str, str]] = {section: {} for section in PIP_SECTIONS}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in sections:
            sections[section][name] = str(ast.literal_eval(value))
    return {name: value for section in sections.values() for name, value in section.items()}
