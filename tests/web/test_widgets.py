"""Widgets by pointer and by keyboard: seeds, masks, and what the service gets of them."""

from __future__ import annotations

import io
import re
import wave
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Locator, Page, ViewportSize, expect

from tests import patience
from tests.conftest import Service
from tests.web.conftest import pinch, visit
from tests.web.graphs import Prompt, opened, picture
from tests.web.test_access import violations

LARGEST = 2**64 - 1
MASKING: Prompt = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "scene.png"}},
    "2": {"class_type": "MaskToImage", "inputs": {"mask": ["1", 1]}},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "mask"}},
}


def png(size: tuple[int, int] = (120, 80)) -> bytes:
    """A picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (90, 140, 200)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module", autouse=True)
def scene(editor: Service) -> str:
    """A picture in the input folder, before the module's page lists what is there."""
    files = {"image": ("scene.png", png())}
    return requests.post(
        f"{editor.url}/upload/image", files=files, timeout=patience.SECONDS
    ).json()["name"]


def node(page: Page, title: str) -> Locator:
    return page.locator(".react-flow__node", has=page.get_by_text(title, exact=True))


def run(page: Page, editor: Service) -> dict[str, Any]:
    """Run what is open; the entry of its job in the history."""
    with page.expect_response("**/api/prompt") as told:
        page.keyboard.press("Control+Enter")
    id = told.value.json()["prompt_id"]
    expect(page.locator(".node-done, .node-cached").first).to_be_visible()
    while True:
        history = requests.get(f"{editor.url}/history/{id}", timeout=patience.SECONDS).json()
        if history:
            return history[id]
        page.wait_for_timeout(100)


def made(editor: Service, entry: dict[str, Any], id: str, kind: str = "images") -> bytes:
    """The first file that a node of a job made."""
    file = entry["outputs"][id][kind][0]
    return requests.get(f"{editor.url}/view", params=file, timeout=patience.SECONDS).content


def test_a_seed_keeps_every_digit(page: Page, editor: Service):
    opened(page, picture(steps=1))
    seed = page.get_by_role("spinbutton", name="seed")
    seed.fill(str(LARGEST - 1))
    page.keyboard.press("Enter")
    expect(seed).to_have_value(str(LARGEST - 1))
    seed.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(seed).to_have_value(str(LARGEST))
    page.keyboard.press("Shift+ArrowDown")
    expect(seed).to_have_value(str(LARGEST - 10))
    seed.blur()
    entry = run(page, editor)
    assert entry["prompt"][2]["5"]["inputs"]["seed"] == LARGEST - 10


def test_a_number_is_changed_finely_and_coarsely(page: Page):
    opened(page, picture())
    cfg = page.get_by_role("spinbutton", name="cfg")
    cfg.focus()
    for keys, value in (("ArrowUp", "3.1"), ("Alt+ArrowUp", "3.11"), ("Shift+ArrowUp", "4.11")):
        page.keyboard.press(keys)
        expect(cfg).to_have_value(value)
    cfg.blur()
    box = cfg.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 5)
    page.mouse.down()
    page.keyboard.down("Alt")
    page.mouse.move(box["x"] + 60, box["y"] + 5, steps=10)
    page.mouse.up()
    page.keyboard.up("Alt")
    expect(cfg).to_have_value("4.21")


def test_a_seed_is_drawn_and_kept_by_pointer_and_by_keys(page: Page, editor: Service):
    opened(page, picture(steps=1))
    seed = page.get_by_role("spinbutton", name="seed")
    page.get_by_role("button", name="A new number now").click()
    expect(seed).not_to_have_value("7")
    page.keyboard.press("Control+z")
    expect(seed).to_have_value("7")
    after = page.get_by_role("button", name="After each run: fixed")
    after.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="After each run: random").press("Enter")
    expect(page.get_by_role("button", name="After each run: plus one")).to_be_focused()
    run(page, editor)
    expect(seed).to_have_value("8")


def test_a_picture_is_uploaded_with_the_button(page: Page):
    opened(page, {"1": {"class_type": "LoadImage", "inputs": {"image": ""}}})
    with page.expect_file_chooser() as asked:
        page.get_by_role("button", name="Upload a picture").press("Enter")
    file: FilePayload = {"name": "chosen.png", "mimeType": "image/png", "buffer": png((9, 6))}
    asked.value.set_files(file)
    load = node(page, "Load Image")
    expect(load.locator(".field-choice")).to_contain_text("chosen.png")
    shown = "image => image.decode().then(() => image.naturalWidth)"
    assert load.get_by_role("img", name="chosen.png").evaluate(shown) == 9


def test_a_mask_painted_with_the_pointer_is_the_mask_of_the_run(
    page: Page, editor: Service, scene: str
):
    opened(page, MASKING)
    page.get_by_role("button", name="Paint a mask").click()
    dialog = page.get_by_role("dialog", name="Mask")
    canvas = dialog.get_by_role("application")
    box = canvas.bounding_box()
    assert box is not None
    scale = box["width"] / 120
    assert violations(page) == []
    dialog.get_by_role("slider", name="Hardness").fill("100")
    dialog.get_by_role("slider", name="Size").fill("20")
    page.mouse.move(box["x"] + 30 * scale, box["y"] + 40 * scale)
    page.mouse.down()
    page.mouse.move(box["x"] + 90 * scale, box["y"] + 40 * scale, steps=8)
    page.mouse.up()
    dialog.get_by_role("button", name="Use the mask").click()
    expect(dialog).to_be_hidden()
    choice = node(page, "Load Image").locator(".field-choice")
    expect(choice).to_contain_text("clipspace/masked-scene.png")
    with Image.open(io.BytesIO(made(editor, run(page, editor), "3"))) as mask:
        assert mask.size == (120, 80)
        seen = {at: mask.convert("L").getpixel(at) for at in ((60, 40), (30, 32), (60, 60), (5, 5))}
    assert seen == {(60, 40): 255, (30, 32): 255, (60, 60): 0, (5, 5): 0}


def test_a_mask_is_painted_with_keys_alone(page: Page, editor: Service, scene: str):
    opened(page, MASKING)
    page.get_by_role("button", name="Paint a mask").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Mask")
    canvas = dialog.get_by_role("application")
    canvas.focus()
    page.keyboard.press("Space")  # in the middle
    for _ in range(3):
        page.keyboard.press("[")
    expect(dialog.get_by_role("slider", name="Size")).to_have_value("20")
    page.keyboard.press("i")
    page.keyboard.press("i")
    page.keyboard.press("Control+z")
    undo = dialog.get_by_role("button", name="Undo")
    expect(undo).to_be_enabled()
    dialog.get_by_role("button", name="Use the mask").focus()
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    with Image.open(io.BytesIO(made(editor, run(page, editor), "3"))) as mask:
        seen = [mask.convert("L").getpixel(at) for at in ((60, 40), (5, 5))]
    assert seen == [0, 255]  # one of the two inversions was undone


def test_a_mask_is_painted_with_a_finger(browser: Browser, editor: Service, scene: str):
    phone: ViewportSize = {"width": 390, "height": 780}
    with visit(browser, editor.url, viewport=phone, has_touch=True, is_mobile=True) as visitor:
        page = visitor.open()
        opened(page, MASKING)
        page.get_by_role("button", name="Paint a mask").tap()
        dialog = page.get_by_role("dialog", name="Mask")
        box = dialog.get_by_role("application").bounding_box()
        assert box is not None
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        pinch(page, middle, 20, 60)
        wide = "([canvas, width]) => canvas.getBoundingClientRect().width > 2 * width"
        canvas = dialog.get_by_role("application").element_handle()
        page.wait_for_function(wide, arg=[canvas, box["width"]])
        expect(dialog.get_by_role("button", name="Undo"), "two fingers zoom").to_be_disabled()
        dialog.get_by_role("button", name="Show all of it").tap()
        page.touchscreen.tap(*middle)
        expect(dialog.get_by_role("button", name="Undo")).to_be_enabled()
        assert violations(page) == []
        with page.expect_response("**/upload/mask") as stored:
            dialog.get_by_role("button", name="Use the mask").tap()
        expect(dialog).to_be_hidden()
        name = stored.value.json()["name"]
        with Image.open(editor.home / "input" / "clipspace" / name) as masked:
            seen = [masked.getchannel("A").getpixel(at) for at in ((60, 40), (5, 5))]
        assert seen == [0, 255]
        assert visitor.complaints == []


def test_a_mask_that_is_not_wanted_is_asked_about(page: Page, scene: str):
    opened(page, MASKING)
    page.get_by_role("button", name="Paint a mask").click()
    dialog = page.get_by_role("dialog", name="Mask")
    dialog.get_by_role("button", name="Invert").click()
    asked: list[str] = []

    def refuse(question: Any) -> None:
        asked.append(question.message)
        question.dismiss()

    page.once("dialog", refuse)
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    page.once("dialog", lambda question: question.accept())
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert "not saved" in asked[0]


RECORDING: Prompt = {
    "1": {"class_type": "LoadAudio", "inputs": {"audio": "none.wav"}},
    "2": {"class_type": "SaveAudioWAV", "inputs": {"audio": ["1", 0], "filename_prefix": "mine"}},
}


def test_a_recording_is_made_heard_and_run(page: Page, editor: Service):
    opened(page, RECORDING)
    page.get_by_role("button", name="Record a sound").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Record a sound")
    assert violations(page) == []
    dialog.get_by_role("button", name="Start recording").focus()
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("timer")).to_have_text(re.compile(r"^0:(0[1-9]|[1-5]\d)"))
    assert violations(page) == []
    dialog.get_by_role("button", name="Stop recording").click()
    expect(dialog.get_by_label("The recording")).to_be_visible()
    assert violations(page) == []
    dialog.get_by_role("button", name="Use the recording").click()
    expect(dialog).to_be_hidden()
    expect(node(page, "Load Audio").locator(".field-choice")).to_contain_text("recording 2")
    saved = made(editor, run(page, editor), "2", "audio")
    with wave.open(io.BytesIO(saved)) as sound:
        seconds = sound.getnframes() / sound.getframerate()
        loudest = np.abs(np.frombuffer(sound.readframes(2**30), "<i2")).max()
    assert seconds > 1
    assert loudest > 1000  # the browser's own microphone beeps


def test_choices_toggles_and_colours_by_pointer_and_by_keys(page: Page):
    prompt: Prompt = {
        "1": {"class_type": "StringCompare", "inputs": {"string_a": "x", "string_b": "y"}},
        "2": {"class_type": "ColorToRGBInt", "inputs": {"color": "#102030"}},
    }
    opened(page, prompt)
    choice = node(page, "Compare").locator(".field-choice")
    choice.click()
    page.get_by_role("option", name="Ends With").click()
    expect(choice).to_contain_text("Ends With")
    page.keyboard.press("Enter")
    page.keyboard.type("equ")
    page.keyboard.press("Enter")
    expect(choice).to_contain_text("Equal")
    page.keyboard.press("ArrowUp")
    expect(choice).to_contain_text("Ends With")
    toggle = page.get_by_role("switch", name="case_sensitive")
    expect(toggle).to_be_checked()
    toggle.click()
    expect(toggle).not_to_be_checked()
    page.keyboard.press("Space")
    expect(toggle).to_be_checked()
    colour = page.locator(".field-colour")
    colour.locator(".field-hex").fill("#FFcc00")
    page.keyboard.press("Enter")
    expect(colour.locator("[type=color]")).to_have_value("#ffcc00")
    colour.locator("[type=color]").fill("#336699")
    expect(colour.locator(".field-hex")).to_have_value("#336699")
    colour.locator(".field-hex").fill("blue")
    page.keyboard.press("Enter")
    expect(colour.locator(".field-hex")).to_have_value("#336699")
    assert violations(page) == []


def test_every_input_says_what_it_takes_to_pointer_and_keys(page: Page):
    opened(page, picture())
    tip = page.get_by_role("tooltip")
    page.get_by_role("spinbutton", name="steps").hover()
    expect(tip).to_contain_text("steps · INT · 1 to 10000 · usually 20")
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    node(page, "Draw").locator(".node-title").hover()
    expect(tip).to_contain_text("KSampler · ")
    page.get_by_role("spinbutton", name="steps").focus()
    page.keyboard.press("Tab")
    expect(tip).to_contain_text("cfg · FLOAT · 0 to 100")


def give(page: Page, selector: str, event: str, name: str, data: bytes, kind: str) -> None:
    """Let a file fall onto an element, or paste it there."""
    page.evaluate(
        """([selector, event, name, kind, bytes]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], name, { type: kind }));
          const init = { bubbles: true, cancelable: true };
          const target = document.querySelector(selector);
          target.dispatchEvent(
            event === "paste"
              ? new ClipboardEvent("paste", { ...init, clipboardData: transfer })
              : new DragEvent(event, { ...init, dataTransfer: transfer }),
          );
        }""",
        [selector, event, name, kind, list(data)],
    )


def test_pictures_dropped_on_a_node_or_pasted_for_it_are_its_own(page: Page, scene: str):
    opened(page, MASKING)
    load = node(page, "Load Image")
    choice = load.locator(".field-choice")
    header = '.react-flow__node[data-id="1"] .node-header'
    give(page, header, "drop", "dropped.png", png((7, 5)), "image/png")
    expect(choice).to_contain_text("dropped.png")
    load.locator(".node-title").click()
    give(page, "body", "paste", "pasted.png", png((5, 7)), "image/png")
    expect(choice).to_contain_text("pasted.png")
    give(page, header, "drop", "words.txt", b"no picture", "text/plain")
    expect(page.locator(".notice-error")).to_contain_text("words.txt holds no workflow")
    expect(choice).to_contain_text("pasted.png")
