"""Versions of a workflow: kept by name and by run, compared on the canvas, restored."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import Desk
from tests.web.graphs import kept, opened, picture
from tests.web.test_access import violations
from tests.web.test_runs import node, run

GONE = "\N{MINUS SIGN}"


def keep(page: Page, name: str) -> None:
    page.get_by_role("textbox", name="Name of this version").fill(name)
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(versions(page).get_by_text(name, exact=True)).to_be_visible()


def versions(page: Page) -> Locator:
    return page.get_by_role("list", name="Versions")


def set_steps(page: Page, steps: int) -> None:
    field = node(page, "Draw").get_by_role("spinbutton", name="steps")
    field.click()
    field.fill(str(steps))
    field.press("Enter")


def changes(page: Page) -> Locator:
    return page.get_by_role("region", name="Changes").get_by_role("listitem")


def test_a_version_is_kept_compared_restored_and_that_undone(page: Page):
    opened(page, picture(seed=77))
    page.keyboard.press("v")
    expect(page.get_by_text("Each run is a version.")).to_be_visible()
    keep(page, "as it came")
    set_steps(page, 9)
    node(page, "Enlarge").locator("header").click()
    page.keyboard.press("Delete")
    expect(node(page, "Enlarge")).to_have_count(0)

    page.get_by_role("button", name="Compare as it came").click()
    expect(page.get_by_role("heading", name="4 changes since as it came")).to_be_visible()
    expect(changes(page)).to_have_text(
        [
            "~Draw: steps is 9 (before: 4)",
            f"{GONE}Enlarge is gone",
            f"{GONE}Develop is linked to image of Enlarge no more",
            f"{GONE}Enlarge is linked to images of Save the picture no more",
        ]
    )
    marked = page.locator(".compared")
    expect(marked.filter(has_text="~ changed")).to_contain_text("steps: 4 → 9")
    expect(marked.filter(has_text=f"{GONE} gone")).to_contain_text("Enlarge")
    assert violations(page) == []
    changes(page).filter(has_text="steps is 9").get_by_role("button").click()
    expect(page.locator(".react-flow__node.selected")).to_contain_text("Draw")

    page.get_by_role("button", name="Restore as it came").click()
    expect(page.get_by_role("heading", name="The same as as it came")).to_be_visible()
    steps = node(page, "Draw").get_by_role("spinbutton", name="steps")
    expect(steps).to_have_value("4")
    expect(node(page, "Enlarge")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(steps).to_have_value("9")
    expect(node(page, "Enlarge")).to_have_count(0)
    expect(page.get_by_role("heading", name="4 changes since as it came")).to_be_visible()
    page.get_by_role("button", name="Stop comparing").click()
    expect(marked).to_have_count(0)


def test_a_change_inside_of_a_subgraph_leads_there(page: Page):
    page.get_by_role("button", name="One recipe, used twice", exact=True).click()
    page.keyboard.press("v")
    keep(page, "before")
    node(page, "Draw it").first.get_by_role("button", name="Look inside of Draw it").click()
    steps = page.locator(".react-flow__node").get_by_role("spinbutton", name="steps")
    steps.fill("9")
    steps.press("Enter")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Compare before").click()
    changes(page).filter(has_text="steps is 9").get_by_role("button").click()
    expect(steps).to_have_value("9")
    expect(page.get_by_role("navigation", name="Where you are")).to_be_visible()


def test_versions_outlive_a_reload_and_each_run_is_one(page: Page):
    opened(page, picture(seed=78), name="kept")
    run(page)
    expect(node(page, "Save the picture").get_by_role("img")).to_be_visible()
    page.keyboard.press("v")
    expect(versions(page).get_by_text("Run of")).to_be_visible()
    keep(page, "one")
    set_steps(page, 5)
    keep(page, "two")
    kept(page, '"steps":5')
    page.reload()
    page.get_by_role("button", name="Versions").click()
    expect(versions(page).get_by_role("listitem")).to_have_count(3)
    expect(versions(page).locator("img")).to_have_count(3)

    page.get_by_label("Compare with").select_option(label="two")
    page.get_by_role("button", name="Compare one").click()
    expect(page.get_by_role("button", name="kept · two", exact=True)).to_be_visible()
    expect(changes(page)).to_have_text(["~Draw: steps is 5 (before: 4)"])

    page.get_by_role("button", name="kept", exact=True).click()
    page.get_by_role("button", name="Delete two").click()
    page.get_by_role("button", name="Really delete?").click()
    expect(versions(page).get_by_role("listitem")).to_have_count(2)


def test_a_broken_version_says_so_and_spoils_nothing(page: Page, home: Path):
    opened(page, picture(seed=80), name="spoilt")
    page.keyboard.press("v")
    keep(page, "good")
    (kept,) = (home / "user/default/versions").rglob("good.json")
    kept.with_name("bad.json").write_text('{"name": 5, "workflow"')
    page.keyboard.press("v")
    page.get_by_role("button", name="Versions").click()
    expect(versions(page).get_by_role("listitem")).to_have_count(2)
    page.get_by_role("button", name="Compare bad").click()
    expect(page.get_by_text("bad holds no version").first).to_be_visible()
    page.get_by_role("button", name="Compare good").click()
    expect(page.get_by_role("heading", name="The same as good")).to_be_visible()


def test_a_name_that_is_taken_is_not_written_over(page: Page, desk: Desk):
    opened(page, picture(seed=79))
    page.keyboard.press("v")
    keep(page, "only one")
    page.get_by_role("textbox", name="Name of this version").fill("only one")
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.get_by_text("There is a version called only one already").first).to_be_visible()
    expect(versions(page).get_by_role("listitem")).to_have_count(1)
    desk.forgive()  # the console tells of the 409


def test_folded_and_unfolded_nothing_has_changed(page: Page):
    opened(page, picture(seed=81))
    page.keyboard.press("v")
    keep(page, "flat")
    node(page, "Draw").locator("header").click()
    page.keyboard.press("Control+Shift+e")
    expect(node(page, "Subgraph")).to_be_visible()
    page.keyboard.press("Control+Shift+u")
    expect(node(page, "Draw")).to_be_visible()
    page.get_by_role("button", name="Compare flat").click()
    expect(page.get_by_role("heading", name="The same as flat")).to_be_visible()
    page.get_by_role("button", name="Stop comparing").click()

    page.keyboard.press("Control+Shift+e")
    page.get_by_role("button", name="Look inside of Subgraph").click()
    set_steps(page, 9)
    page.get_by_label("Where you are").get_by_role("button").first.click()
    node(page, "Subgraph").locator("header").click()
    page.keyboard.press("Control+Shift+u")
    page.get_by_role("button", name="Compare flat").click()
    expect(changes(page)).to_have_text(["~Draw: steps is 9 (before: 4)"])


def test_a_picture_that_was_deleted_leaves_a_sign_in_its_place(page: Page, home: Path):
    prompt = picture(seed=82)
    prompt["8"]["inputs"]["filename_prefix"] = "lost"
    opened(page, prompt)
    run(page)
    expect(node(page, "Save the picture").get_by_role("img")).to_be_visible()
    page.keyboard.press("v")
    expect(versions(page).locator("img")).to_have_count(1)
    keep(page, "with a picture")
    kept(page, '"lost"')
    for lost in (home / "output").glob("lost*"):
        lost.unlink()
    page.reload()
    page.get_by_role("button", name="Versions").click()
    gone = versions(page).get_by_role("img", name="lost_00001_.png was deleted")
    expect(gone).to_have_count(2)
    assert violations(page) == []
