"""The gallery: found by words, looked at, compared, opened as graphs, taken away, deleted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from engine.client.blocking import Blocking
from tests.conftest import Service
from tests.web.conftest import Visitor
from tests.web.graphs import drop, picture
from tests.web.test_access import AXE, violations

Prompt = dict[str, Any]

TIMES = "\N{MULTIPLICATION SIGN}"


@pytest.fixture(scope="module")
def client(editor: Service) -> Iterator[Blocking]:
    with Blocking(editor.url) as client:
        yield client


def made(client: Blocking, prompt: Prompt, workflow: str = "") -> None:
    """Let a prompt run to its end."""
    document: Prompt = {"id": workflow, "nodes": [], "links": []}
    extra: Prompt = {"extra_pnginfo": {"workflow": document}} if workflow else {}
    for _ in client.run(prompt, extra=extra):
        pass


def colored(name: str, color: int, count: int = 1) -> Prompt:
    size = {"width": 16, "height": 16, "batch_size": count, "color": color}
    return {
        "1": {"class_type": "EmptyImage", "inputs": size},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": name}},
    }


def silence(name: str, seconds: float = 2.0) -> Prompt:
    length = {"duration": seconds, "sample_rate": 8000, "channels": 1}
    saved = {"audio": ["1", 0], "filename_prefix": name}
    return {
        "1": {"class_type": "EmptyAudio", "inputs": length},
        "2": {"class_type": "SaveAudioWAV", "inputs": saved},
    }


def gallery(page: Page, query: str = "") -> Locator:
    """The panel of results, once it has found what was searched."""
    page.get_by_role("button", name="Results").click()
    panel = page.get_by_role("complementary", name="Results")
    panel.get_by_role("searchbox").fill(query)
    expect(panel.locator("[aria-busy=false]")).to_be_attached()
    return panel


def viewer(page: Page, name: str) -> Locator:
    return page.get_by_role("dialog", name=name)


def test_results_are_found_by_words_and_by_kind(page: Page, client: Blocking):
    made(client, colored("heron", 1))
    made(client, silence("heron"))
    panel = gallery(page, "HERON")
    expect(panel.get_by_role("listitem")).to_have_count(2)
    panel.get_by_role("button", name="Sounds").click()
    expect(panel.get_by_role("listitem")).to_have_count(1)
    expect(panel.get_by_role("button", name="Play heron_00002_.wav")).to_be_visible()
    panel.get_by_role("searchbox").fill("heron nowhere")
    expect(panel.get_by_text("Nothing was made from these words.")).to_be_visible()


def test_what_is_made_now_appears_in_front(page: Page, client: Blocking):
    made(client, colored("owl-old", 2))
    panel = gallery(page, "owl")
    expect(panel.get_by_role("listitem")).to_have_count(1)
    made(client, colored("owl-new", 3))
    expect(panel.get_by_role("listitem")).to_have_count(2)
    expect(panel.get_by_role("listitem").first).to_contain_text("owl-new")


def test_arrows_go_through_the_gallery_and_the_viewer(page: Page, client: Blocking):
    made(client, colored("swan", 4, count=4))
    panel = gallery(page, "swan")
    expect(panel.get_by_role("listitem")).to_have_count(4)
    looks = panel.get_by_role("button", name=re.compile("^Look at swan"))
    looks.first.focus()
    for key, at in (("ArrowRight", 1), ("ArrowDown", 3), ("Home", 0), ("End", 3), ("ArrowUp", 1)):
        page.keyboard.press(key)
        expect(looks.nth(at)).to_be_focused()
    page.keyboard.press("Enter")
    shown = viewer(page, "swan_00002_.png")
    expect(shown.get_by_text("2 of 4")).to_be_visible()
    expect(shown.get_by_text(f"16 {TIMES} 16")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(viewer(page, "swan_00003_.png").get_by_text("3 of 4")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(looks.nth(1)).to_be_focused()


def test_the_viewer_tells_what_a_picture_was_made_from(page: Page, client: Blocking):
    prompt = picture(steps=2, seed=2**53 + 1)
    prompt["2"]["inputs"]["text"] = "<b>crane</b> & moon"
    made(client, prompt)
    panel = gallery(page, "crane")
    expect(panel.get_by_role("listitem")).to_have_count(1)
    panel.get_by_role("button", name=re.compile("^Look at ")).click()
    details = page.get_by_role("complementary", name="Details")
    expect(details.get_by_text("<b>crane</b> & moon").first).to_be_visible()
    for name, value in (
        ("Seed", str(2**53 + 1)),
        ("Model", "demo"),
        ("Pixels", f"512 {TIMES} 512"),
    ):
        fact = details.get_by_role("term").filter(has_text=re.compile(f"^{name}$"))
        expect(fact.locator("xpath=following-sibling::dd")).to_have_text(value)
    details.get_by_text("All values").click()
    expect(details.get_by_text("sampler_name")).to_be_visible()
    page.get_by_role("button", name="Open the graph of this").last.click()
    expect(page.get_by_role("button", name=re.compile("^Result "))).to_be_visible()


def test_a_result_of_a_forgotten_job_tells_of_itself(page: Page, client: Blocking, editor: Service):
    made(client, silence("moth"))
    page.request.post(f"{editor.url}/history", data={"clear": True})
    panel = gallery(page, "moth")
    expect(panel.get_by_role("listitem")).to_have_count(1)
    panel.get_by_role("button", name="Look at moth_00001_.wav").click()
    page.get_by_text("All values").click()
    expect(page.get_by_role("complementary", name="Details").get_by_text("moth")).to_be_visible()
    viewer(page, "moth_00001_.wav").get_by_role("button", name="Open the graph of this").click()
    expect(page.get_by_role("button", name="moth_00001_", exact=True)).to_be_visible()


def test_two_results_are_compared_with_the_keyboard(page: Page, client: Blocking):
    made(client, colored("day", 0xFFFFFF))
    made(client, colored("day", 0))
    panel = gallery(page, "day")
    expect(panel.get_by_role("listitem")).to_have_count(2)
    panel.get_by_role("button", name=re.compile("^Look at day")).first.focus()
    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    panel.get_by_role("button", name="Compare").click()
    slider = page.get_by_role("slider", name=re.compile("^Left of the line day_00001_.png"))
    over = page.get_by_role("dialog").get_by_alt_text("day_00001_.png")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("51")
    expect(over).to_have_css("clip-path", "inset(0px 49% 0px 0px)")
    page.keyboard.press("Home")
    expect(over).to_have_css("clip-path", "inset(0px 100% 0px 0px)")


def test_a_result_is_compared_with_the_run_before_and_with_its_input(page: Page, client: Blocking):
    for color in (5, 6):
        made(client, colored("tide", color), workflow="tides")
    panel = gallery(page, "tide")
    panel.get_by_role("button", name="Look at tide_00002_.png").click()
    page.get_by_role("button", name="Compare with the run before").click()
    expect(page.get_by_role("slider", name=re.compile("tide_00001_.png"))).to_be_visible()
    page.get_by_role("button", name="Look at one").click()
    expect(page.get_by_role("slider")).to_have_count(0)
    page.keyboard.press("Escape")
    loaded = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "tide_00001_.png [output]"}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {
            "class_type": "SaveImage",
            "inputs": {"images": ["2", 0], "filename_prefix": "ebb"},
        },
    }
    made(client, loaded)
    panel.get_by_role("button", name="Look at ebb_00001_.png").click()
    page.get_by_role("button", name="Compare with tide_00001_.png").click()
    expect(page.get_by_role("slider", name=re.compile("tide_00001_.png"))).to_be_visible()


def test_pictures_are_compared_as_large_as_they_are_looked_at(page: Page, client: Blocking):
    for color in (8, 9):
        made(client, colored("lake", color), workflow="lakes")
    panel = gallery(page, "lake")
    panel.get_by_role("button", name="Look at lake_00002_.png").click()
    dialog = page.get_by_role("dialog")
    alone = dialog.get_by_alt_text("lake_00002_.png").bounding_box()
    page.get_by_role("button", name="Compare with the run before").click()
    expect(dialog.locator(".compare")).to_be_visible()
    both = dialog.locator(".compare").bounding_box()
    assert alone is not None
    assert both is not None
    assert both["width"] == alone["width"] >= 512
    names = dialog.locator(".compare-name")
    expect(names).to_have_text(["lake_00001_.pngcolor 8", "lake_00002_.pngcolor 9"])
    cut = "(all) => all.some((one) => one.scrollWidth > one.clientWidth)"
    assert not names.evaluate_all(cut)
    differs = dialog.get_by_role("region", name="What differs").get_by_role("listitem")
    expect(differs).to_have_text(["Empty Image: colorleft 8right 9"])
    assert violations(page) == []


def test_a_download_is_the_file(page: Page, client: Blocking, home: Path):
    made(client, colored("wren", 7))
    gallery(page, "wren").get_by_role("button", name="Look at wren_00001_.png").click()
    with page.expect_download() as download:
        viewer(page, "wren_00001_.png").get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "wren_00001_.png"
    assert download.value.path().read_bytes() == (home / "output/wren_00001_.png").read_bytes()


def test_a_picture_goes_into_the_clipboard(visitor: Visitor, client: Blocking):
    made(client, colored("dove", 0xFF0000))
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visitor.open()
    gallery(page, "dove").get_by_role("button", name="Look at dove_00001_.png").click()
    viewer(page, "dove_00001_.png").get_by_role("button", name="Copy the picture").click()
    expect(page.get_by_text("The picture is in the clipboard").last).to_be_visible()
    size = page.evaluate(
        """async () => {
          const [item] = await navigator.clipboard.read();
          const picture = await createImageBitmap(await item.getType("image/png"));
          return [picture.width, picture.height];
        }"""
    )
    assert size == [16, 16]


def test_deleting_asks_first_and_then_removes_the_file(page: Page, client: Blocking, home: Path):
    made(client, colored("mole", 8, count=3))
    files = [home / "output" / f"mole_0000{number}_.png" for number in (1, 2, 3)]
    panel = gallery(page, "mole")
    panel.get_by_role("button", name="Look at mole_00001_.png").focus()
    page.keyboard.press("Delete")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert all(file.is_file() for file in files)
    page.keyboard.press("Enter")
    viewer(page, "mole_00001_.png").get_by_role("button", name="Delete").click()
    page.get_by_role("dialog", name="Delete this file?").get_by_role(
        "button", name="Delete"
    ).click()
    expect(viewer(page, "mole_00002_.png").get_by_text("1 of 2")).to_be_visible()
    assert [file.exists() for file in files] == [False, True, True]
    page.keyboard.press("Escape")
    for number in (2, 3):
        panel.get_by_role("checkbox", name=f"Select mole_0000{number}_.png").check()
    panel.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog", name="Delete 2 files?").get_by_role("button", name="Delete").click()
    expect(panel.get_by_text("Nothing was made from these words.")).to_be_visible()
    assert not any(file.exists() for file in files)


def test_a_result_becomes_the_input_of_the_next_graph(page: Page, client: Blocking, home: Path):
    made(client, colored("newt", 9))
    gallery(page, "newt").get_by_role("button", name="Look at newt_00001_.png").click()
    viewer(page, "newt_00001_.png").get_by_role("button", name="Use as an input").click()
    node = page.locator(".react-flow__node", has=page.get_by_text("Load Image", exact=True))
    expect(node.get_by_role("img", name="newt_00001_.png")).to_be_visible()
    expect(page.get_by_text("newt_00001_.png is in Load Image").last).to_be_attached()
    assert (home / "input/newt_00001_.png").read_bytes() == (
        home / "output/newt_00001_.png"
    ).read_bytes()


def test_a_sound_is_drawn_and_played(page: Page, client: Blocking):
    made(client, silence("toad", seconds=60))
    panel = gallery(page, "toad")
    expect(panel.locator("svg[data-drawn=true]")).to_be_attached()
    place = panel.get_by_role("slider", name="Position in toad_00001_.wav")
    expect(place).to_have_attribute("aria-valuetext", "0:00 / 1:00")
    panel.get_by_role("button", name="Play toad_00001_.wav").click()
    expect(panel.get_by_role("button", name="Pause toad_00001_.wav")).to_be_visible()
    expect(place).to_have_attribute("aria-valuetext", re.compile(r"^0:(0[1-9]|[1-5]\d)"))
    place.focus()
    page.keyboard.press(" ")
    expect(panel.get_by_role("button", name="Play toad_00001_.wav")).to_be_visible()
    page.keyboard.press("End")
    expect(place).to_have_attribute("aria-valuetext", "1:00 / 1:00")


def test_a_film_is_shown(page: Page, client: Blocking):
    images = {"width": 64, "height": 48, "batch_size": 10, "color": 0x3366CC}
    kept = {"images": ["1", 0], "filename_prefix": "kite", "codec": "av1", "fps": 25.0, "crf": 32.0}
    prompt = {
        "1": {"class_type": "EmptyImage", "inputs": images},
        "2": {"class_type": "SaveWEBM", "inputs": kept},
    }
    made(client, prompt)
    panel = gallery(page)
    panel.get_by_role("button", name="Videos").click()
    panel.get_by_role("button", name="Look at kite_00001_.webm").click()
    expect(viewer(page, "kite_00001_.webm").get_by_text(f"64 {TIMES} 48")).to_be_visible()
    film = viewer(page, "kite_00001_.webm").locator("video")
    assert film.evaluate(
        "(film) => new Promise((done) => { film.ontimeupdate = () => done(true); film.play(); })"
    )


def test_a_long_gallery_comes_in_pages_and_draws_only_what_is_near(page: Page, client: Blocking):
    made(client, colored("flock", 10, count=150))
    made(client, colored("flock", 11, count=150))
    panel = gallery(page, "flock")
    older = panel.get_by_role("button", name="Older ones")
    lists = panel.get_by_role("list", name="What was made, newest first")
    for count in (1, 2, 3, 4, 5):
        expect(lists).to_have_count(count)
        if count < 5:
            older.scroll_into_view_if_needed()
    expect(older).to_have_count(0)
    page.evaluate("document.querySelector('.dock-body').scrollTop = 1e9")
    expect(panel.get_by_role("button", name="Look at flock_00150_.png")).to_be_in_viewport()
    expect(lists.nth(2).get_by_role("listitem")).to_have_count(0)
    page.evaluate("document.querySelector('.dock-body').scrollTop = 0")
    expect(panel.get_by_role("button", name="Look at flock_00151_.png")).to_be_in_viewport()
    expect(lists.nth(2).get_by_role("listitem")).to_have_count(0)


def test_a_sound_dropped_in_opens_the_graph_that_made_it(page: Page, client: Blocking, home: Path):
    made(client, silence("frog", seconds=0.75))
    data = (home / "output" / "frog_00001_.wav").read_bytes()
    drop(page, "croak.wav", data, "audio/wav")
    expect(page.get_by_role("button", name="croak", exact=True)).to_be_visible()
    node = page.locator(".react-flow__node", has=page.get_by_text("Save Audio (WAV)"))
    expect(node.get_by_label("filename_prefix")).to_have_value("frog")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("cut.png", b"\x89PNG\r\n\x1a\n\0\0\1\0tEXtprompt\0{", "cut.png carries no graph"),
        ("cut.wav", b"RIFF\xff\xff\xff\xffWAVEid3 \xff\0\0\0ID3", "cut.wav carries no graph"),
        ("cut.mp4", b"\0\0\0\x08ftyp\0\0\xff\xffmoov\0", "cut.mp4 carries no graph"),
        ("cut.json", b'{"nodes": [', "cut.json holds no workflow"),
    ],
)
def test_a_broken_file_says_so_and_changes_nothing(page: Page, name: str, data: bytes, words: str):
    drop(page, name, data, "")
    expect(page.locator(".notice-error")).to_contain_text(words)
    expect(page.get_by_role("heading", name="Make pictures and voices")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Close cut"))).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_gallery(visitor: Visitor, client: Blocking, scheme: str):
    if not AXE.is_file():
        pytest.skip("axe-core is not installed; make web")
    name = f"lynx-{scheme}"
    made(client, colored(name, 11))
    made(client, silence(name))
    page = visitor.open()
    page.emulate_media(
        color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce"
    )
    panel = gallery(page, name)
    expect(panel.get_by_role("listitem")).to_have_count(2)
    panel.get_by_role("checkbox").first.check()
    assert violations(page) == []
    for file in (f"{name}_00001_.png", f"{name}_00002_.wav"):
        panel.get_by_role("button", name=f"Look at {file}").click()
        expect(viewer(page, file).get_by_text("The job took")).to_be_visible()
        assert violations(page) == []
        page.keyboard.press("Delete")
        expect(page.get_by_role("dialog", name="Delete this file?")).to_be_visible()
        assert violations(page) == []
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
