"""The examples of the documents run as they stand, and links between documents lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from engine.authoring.spec import NodeSpec
from nodes.models.families.registry import FAMILIES
from tests.conftest import CHECKOUT, Service

README = CHECKOUT / "README.md"
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
TEST = re.compile(r"`([a-z_/]*(?:\.py)?)::(test_\w+)`")
CODE = re.compile(r"```.*?```|`[^`\n]+`(?!\])", re.DOTALL)
"""Blocks and spans of code, in which nothing is a link; a span may be the text of one."""
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


def example(holding: str) -> str:
    """The one Python block of the README that holds a word."""
    (block,) = (block for block in BLOCK.findall(README.read_text()) if holding in block)
    return block


def test_the_node_of_the_readme_is_a_node():
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(example("@node"), str(README), "exec"), names)
    assert isinstance(names["repeat"].spec, NodeSpec)
    assert names["repeat"](text="ho", times=3) == "ho ho ho"


def test_the_client_of_the_readme_runs_a_prompt(
    service: Service, capsys: pytest.CaptureFixture[str]
):
    code = example("Blocking").replace("http://127.0.0.1:8188", service.url)
    prompt = {"1": {"class_type": "Show", "inputs": {"value": 5, "log": ""}}}
    exec(compile(code, str(README), "exec"), {"prompt": prompt})
    assert "Result" in capsys.readouterr().out


def test_the_worked_example_of_a_family_is_its_file():
    text = (CHECKOUT / "docs" / "families.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    source = (CHECKOUT / "nodes" / "models" / "families" / "sd1.py").read_text(encoding="utf-8")
    assert code in source
    for family in FAMILIES:
        assert f"| {family.name} |" in text


def test_links_between_documents_lead_somewhere():
    documents = [README, CHECKOUT / "CONTRIBUTING.md", *(CHECKOUT / "docs").rglob("*.md")]
    broken: list[tuple[Path, str]] = [
        (document, target)
        for document in documents
        for target in LINK.findall(CODE.sub("", document.read_text()))
        if not (document.parent / target).exists()
    ]
    assert broken == []


def test_the_tests_that_decisions_name_are_there():
    missing: list[tuple[str, str]] = []
    path = ""
    for decision in (CHECKOUT / "docs" / "decisions").glob("*.md"):
        for named, test in TEST.findall(decision.read_text(encoding="utf-8")):
            path = named or path
            source = CHECKOUT / "tests" / path
            if not source.is_file() or f"def {test}(" not in source.read_text(encoding="utf-8"):
                missing.append((path, test))
    assert missing == []
