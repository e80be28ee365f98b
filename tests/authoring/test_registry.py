"""Packs: found, loaded, and left out when they are broken."""

from __future__ import annotations

import ast
import importlib
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.authoring.backend import CpuBackend
from engine.authoring.errors import DeclarationError
from engine.authoring.registry import Registry

CHECKOUT = Path(__file__).parents[2]
HEAVY = ("torch", "onnxruntime", "diffusers", "transformers", "soundfile", "safetensors.torch")

NODE = """
from engine import node
@node({id!r}, category="test")
def {name}(*, value: int) -> int:
    '''A node.'''
    return value
"""

Packs = Callable[[Mapping[str, str]], None]


@pytest.fixture
def packs(tmp_path: Path) -> Iterator[Packs]:
    """Writes modules, by path, where Python finds them; their names start with 'pack'."""

    def write(files: Mapping[str, str]) -> None:
        for name in [name for name in sys.modules if name.startswith("pack")]:
            del sys.modules[name]
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(text)
        importlib.invalidate_caches()

    sys.path.insert(0, str(tmp_path))
    yield write
    sys.path.remove(str(tmp_path))


def named(id: str) -> str:
    return NODE.format(id=id, name=id.lower())


def test_a_pack_brings_the_nodes_of_its_modules_models_codecs_and_backends(packs: Packs):
    init = """
from pathlib import Path
from pack_a.more import second
class Codec:
    type_name = "fractions.Fraction"
BUNDLED = {"checkpoints": {"tiny": Path("tiny")}}
CODECS = [Codec()]
BACKENDS = ["engine.authoring.backend:CpuBackend"]
"""
    packs(
        {
            "pack_a/__init__.py": init + named("First"),
            "pack_a/more.py": named("Second"),
            "pack_a/inner/__init__.py": "raise RuntimeError('packages inside are no node files')",
        }
    )
    registry = Registry.installed(["pack_a"])
    assert {"First", "Second"} <= registry.nodes.keys()
    assert "pack_a" not in registry.failures
    assert registry.bundled["checkpoints"]["tiny"] == Path("tiny")
    assert "fractions.Fraction" in registry.codecs
    assert registry.backends[-1] == "engine.authoring.backend:CpuBackend"
    assert registry["First"].origin == "pack_a"
    assert registry.get("First") is registry["First"]
    assert registry["First"].version.startswith(sys.modules["pack_a"].first.spec.version)
    strangers: tuple[Any, ...] = (None, 3, [], {}, "Nope")
    for strange in strangers:
        assert registry.get(strange) is None


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("def (", "SyntaxError"),
        (NODE.format(id="Bad", name="bad").replace("value: int)", "value)"), "has no type hint"),
    ],
)
def test_a_broken_pack_is_noted_and_the_others_load(
    packs: Packs, caplog: pytest.LogCaptureFixture, broken: str, reason: str
):
    packs(
        {
            "pack_b/__init__.py": named("Whole"),
            "pack_b/faulty.py": broken,
            "pack_c.py": named("Other"),
        }
    )
    with caplog.at_level(logging.WARNING):
        registry = Registry.installed(["pack_b", "pack_c", "pack_not_there"])
    assert reason in registry.failures["pack_b"]
    assert "ModuleNotFoundError" in registry.failures["pack_not_there"]
    assert "pack_b" in caplog.text
    assert "Other" in registry.nodes
    assert "Whole" not in registry.nodes, "a pack is there as a whole or not at all"


def test_two_nodes_of_one_id_are_refused_with_both_places(packs: Packs):
    packs({"pack_d/__init__.py": named("Twin"), "pack_d/again.py": named("Twin") + named("Extra")})
    registry = Registry()
    with pytest.raises(DeclarationError) as caught:
        registry.add_pack(importlib.import_module("pack_d"))
    text = str(caught.value)
    assert "again.py:3: node 'Twin' is there already, defined at " in text
    assert "__init__.py:3; rename one of them" in text
    assert registry.nodes == {}


def test_a_pack_may_be_added_twice(packs: Packs):
    packs({"pack_e.py": named("Once")})
    registry = Registry.installed(["pack_e", "pack_e"])
    assert "Once" in registry.nodes
    assert "pack_e" not in registry.failures


def test_versions_of_nodes_change_with_any_file_of_their_pack(packs: Packs, tmp_path: Path):
    """A node is thin: what it computes is decided by the library and the data behind it."""
    files = {
        "pack_g/__init__.py": named("Thin"),
        "pack_g/library/__init__.py": "scale = 1",
        "pack_g/library/words.txt": "words",
        "pack_h.py": named("Other"),
    }

    def versions() -> tuple[str, str]:
        registry = Registry.installed(["pack_g", "pack_h"])
        return registry["Thin"].version, registry["Other"].version

    packs(files)
    first = versions()
    assert versions() == first
    bytecode = tmp_path / "pack_g" / "__pycache__"
    bytecode.mkdir(exist_ok=True)
    (bytecode / "library.cpython-311.pyc.94231").write_text("what another process just writes")
    assert versions() == first
    seen = {first[0]}
    for changed in ("library/__init__.py", "library/words.txt"):
        (tmp_path / "pack_g" / changed).write_text("scale = 2000")
        seen.add(versions()[0])
    (tmp_path / "pack_g" / "new.txt").touch()
    seen.add(versions()[0])
    assert len(seen) == 4
    assert versions()[1] == first[1]


def test_without_a_backend_there_is_the_cpu():
    backend = Registry().backend()
    assert isinstance(backend, CpuBackend)
    assert backend.accelerators() == []
    total, free = backend.memory("cpu")
    assert 0 < free <= total
    assert backend.facts() == {}
    backend.warm()
    backend.release()


def test_a_backend_that_fails_leaves_the_cpu(packs: Packs, caplog: pytest.LogCaptureFixture):
    packs({"pack_f.py": "def Broken():\n    raise OSError('no driver')"})
    registry = Registry(backends=["pack_f:Broken"])
    with caplog.at_level(logging.ERROR):
        assert isinstance(registry.backend(), CpuBackend)
    assert registry.failures == {"pack_f:Broken": "OSError: no driver"}
    assert "no driver" in caplog.text


def imported(program: str) -> list[str]:
    """Of the heavy packages, those that a fresh Python has imported at the end of a program."""
    ending = f"; import sys; print([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program + ending],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    return ast.literal_eval(done.stdout)


def test_the_catalog_of_the_built_in_nodes_imports_nothing_heavy():
    program = "import nodes; from engine.authoring.registry import Registry; r = Registry()"
    assert imported(f"{program}; r.add_pack(nodes); assert r.nodes") == []


def test_the_server_imports_nothing_heavy():
    names = sorted(path.stem for path in CHECKOUT.glob("engine/server/*.py"))
    modules = ", ".join(f"engine.server.{name}" for name in names if name != "__init__")
    assert imported(f"import engine.run.engine, engine.cli.main, {modules}") == []


def test_the_built_in_pack_loads():
    registry = Registry.installed()
    assert registry.failures == {}
    fields: dict[str, Any] = {id: spec.description for id, spec in registry.nodes.items()}
    assert all(fields.values()), "every node says what it does"
