"""Downloads come from where pip would take them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.models.sites import Sites, pip_settings


def test_pips_environment_rules_over_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    settings = tmp_path / "pip.conf"
    settings.write_text(
        "[global]\nindex-url = http://file.test/simple\ncert = /trusted.pem\n"
        "extra-index-url = http://one.test/simple\n    file:///local/simple\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    monkeypatch.setenv("PIP_INDEX_URL", "http://environment.test/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.delenv("PIP_CERT", raising=False)

    sites = Sites.configured()

    assert sites.indexes[0] == "http://environment.test/simple"
    assert sites.certificates == "/trusted.pem"
    assert all(url.startswith("http") for url in sites.indexes)
    assert sites.session().verify == "/trusted.pem"


def test_no_index_means_no_index(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert Sites.configured().indexes == ()


def test_the_download_section_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    settings = tmp_path / "pip.conf"
    settings.write_text("[download]\nproxy = http://proxy.test:3128\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))

    assert pip_settings()["proxy"] == "http://proxy.test:3128"
    assert Sites.configured().session().proxies["https"] == "http://proxy.test:3128"


def test_the_puller_imports_nothing_heavy():
    seen = subprocess.run(
        [sys.executable, "-c", "import engine.models.pull, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert {"torch", "numpy", "requests", "pypi_simple", "huggingface_hub"}.isdisjoint(seen)
