r"""Choices: names with ``\`` or other letter case, and options that cannot be used."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Artifact, Choice, Files, FileSet, node
from engine.authoring.registry import Registry
from engine.graph.errors import PromptError
from engine.graph.validate import Valid, validate
from engine.run.engine import plain_config
from engine.store.folders import Folders


def why_not(value: Any) -> str | None:
    """Looks into a file; of fixed options it does not like one."""
    if isinstance(value, Path):
        return f"{value.name} is blue" if value.read_text() == "blue" else None
    if value == "broken":
        raise RuntimeError("the judge itself fails")
    return "that is for later" if value == "later" else None


@node("Pick", category="test")
def pick(
    *,
    name: Annotated[
        str, Choice(Files("loras", sets=(FileSet("always"),)), judge=why_not)
    ] = "always",
    kind: Annotated[str, Choice(("now", "later", "broken", "a/b"), judge=why_not)] = "now",
) -> Artifact:
    """Chooses."""
    raise NotImplementedError


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    made = Folders(tmp_path_factory.mktemp("home"))
    made.create()
    place = made.root("models") / "loras" / "Sub"
    place.mkdir()
    (place / "Red.safetensors").write_text("red")
    (place / "Blue.safetensors").write_text("blue")
    return made


def ask(folders: Folders, **inputs: str) -> Valid:
    registry = Registry()
    made: Any = pick
    registry.add_nodes([made.spec])
    prompt = {"1": {"class_type": "Pick", "inputs": inputs}}
    return asyncio.run(validate(prompt, registry, folders, plain_config))


@given(st.sampled_from(["/", "\\"]), st.sampled_from([str, str.lower, str.upper]))
def test_a_model_is_chosen_by_any_separator_and_case_and_stays_as_it_was_written(
    folders: Folders, separator: str, case: Any
):
    name = case(f"Sub{separator}Red.safetensors")
    found = ask(folders, name=name, kind="now")
    assert found.prompt["1"]["inputs"]["name"] == name


def test_what_a_pack_lists_itself_is_chosen_with_either_separator(folders: Folders):
    found = ask(folders, name="always", kind="a\\b")
    assert found.prompt["1"]["inputs"]["kind"] == "a/b"


@pytest.mark.parametrize(
    ("inputs", "details"),
    [
        ({"name": "Sub\\blue.safetensors", "kind": "now"}, "name - Blue.safetensors is blue"),
        ({"name": "always", "kind": "later"}, "kind - that is for later"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_before_it_waits(
    folders: Folders, inputs: dict[str, str], details: str
):
    with pytest.raises(PromptError) as caught:
        ask(folders, **inputs)
    error = caught.value.node_errors["1"].errors[0]
    assert (error.type, error.details) == ("custom_validation_failed", details)
    assert error.extra_info["input_name"] == details.partition(" ")[0]


def test_a_judge_that_fails_stops_nothing(folders: Folders, caplog: pytest.LogCaptureFixture):
    assert ask(folders, name="always", kind="broken").outputs == ["1"]
    assert "the judge of kind failed" in caplog.text
