"""The editor's page as the service gives it; without a browser."""

from __future__ import annotations

import re

import pytest
from aiohttp import ClientSession

from engine.server.editor_page import PAGE
from tests.conftest import Service


@pytest.fixture
def built() -> None:
    if not PAGE.is_file():
        pytest.skip("the editor is not built; make web, which wants Node")


async def fetched(url: str) -> tuple[int, str, dict[str, str]]:
    async with ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text(), dict(answer.headers)


async def test_the_page_names_files_that_are_there_and_stay(service: Service, built: None):
    status, page, headers = await fetched(service.url)
    assert status == 200
    assert headers["Cache-Control"] == "no-cache"
    names = re.findall(r'(?:src|href)="\./([^"]+)"', page)
    assert any(name.endswith(".js") for name in names)
    for name in names:
        status, _, headers = await fetched(f"{service.url}/{name}")
        assert status == 200
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert ("immutable" in headers["Cache-Control"]) == name.startswith("editor/")


async def test_the_page_may_run_nothing_but_its_own_files(service: Service, built: None):
    _, page, headers = await fetched(service.url)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert not re.search(r"<script(?![^>]*src=)|<style|style=|\son\w+=", page)


@pytest.mark.parametrize("name", ["nothing.js", "..%2findex.html", ".hidden", "a%00b"])
async def test_what_is_no_file_of_the_editor_is_404(service: Service, name: str):
    status, text, _ = await fetched(f"{service.url}/editor/{name}")
    assert status == 404
    assert "Traceback" not in text
