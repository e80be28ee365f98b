"""Speech is heard while it is made, by the real voice."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, WebSocket, expect

from tests.conftest import Service
from tests.web.conftest import Visitor
from tests.web.graphs import Prompt, kept, opened
from tests.web.test_runs import node, run

SOUND = (1001).to_bytes(4, "big")
TEXT = "The first sentence is spoken now. Here is a second sentence. A third one ends it."


@pytest.fixture(scope="module")
def editor(voiced: Service) -> Service:
    """A service with the voice."""
    return voiced


def said(text: str) -> Prompt:
    loader = {"model_name": "kokoro-v1.0.int8.onnx"}
    voice = {"voice_model": ["1", 0], "text": text, "voice": "af_heart", "speed": 1.0}
    kept = {"audio": ["2", 0], "filename_prefix": "said"}
    return {
        "1": {"class_type": "KokoroLoader", "inputs": loader},
        "2": {"class_type": "KokoroSpeak", "inputs": voice, "_meta": {"title": "Say it"}},
        "3": {"class_type": "SaveAudio", "inputs": kept, "_meta": {"title": "Keep it"}},
    }


def heard(page: Page) -> list[str]:
    """What the page hears from now on: the types of messages, and "sound"."""
    told: list[str] = []

    def note(frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            told.append("sound" if frame.startswith(SOUND) else "preview")
        else:
            told.append(frame.split('"', 4)[3])

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", note)

    page.on("websocket", listen)
    page.reload()
    return told


def test_a_voice_is_heard_before_all_is_said(visitor: Visitor):
    page = visitor.open()
    told = heard(page)
    opened(page, said(TEXT))
    run(page)
    speaking = node(page, "Say it")
    player = speaking.get_by_role("group", name="Speech so far")
    expect(player).to_be_visible()
    bar = player.get_by_role("progressbar").element_handle()
    page.wait_for_function("(bar) => bar.value > 0.2", arg=bar)
    player.get_by_role("button", name="Pause").click()
    expect(node(page, "Keep it").locator(".sound")).to_be_visible()
    assert told.index("sound") < told.index("execution_success")
    assert told.count("sound") == 3

    made = speaking.locator("audio")
    expect(made, "what was paused goes on in the file").to_be_attached()
    page.wait_for_function("(audio) => audio.currentTime > 0.2", arg=made.element_handle())
    assert made.get_attribute("src") == node(page, "Keep it").locator("audio").get_attribute("src")


def test_another_tab_hears_of_it_without_speaking_too(visitor: Visitor):
    first, second = visitor.open(), visitor.open()
    opened(first, said(f"{TEXT} And that was all."), name="spoken")
    kept(first, '"name":"spoken"')
    second.reload()
    second.get_by_role("button", name=re.compile("^spoken")).click()
    run(first)
    for page, button in ((first, "Pause"), (second, "Go on playing")):
        player = node(page, "Say it").get_by_role("group", name="Speech so far")
        expect(player.get_by_role("button", name=button)).to_be_visible()
    second.close()
    first.get_by_role("button", name="Pause").click()
    expect(node(first, "Say it").locator(".sound")).to_be_visible()


def test_a_form_plays_it_too(visitor: Visitor):
    page = visitor.open()
    opened(page, said(f"{TEXT} This is for the form."))
    page.get_by_role("button", name="Show as a form").click()
    page.get_by_role("button", name="Run", exact=True).first.click()
    player = page.get_by_role("group", name="Speech so far")
    player.get_by_role("button", name="Pause").click()
    expect(player.get_by_role("button", name="Go on playing")).to_be_visible()
    expect(page.locator(".sound")).to_be_visible()
