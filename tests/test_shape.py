"""The shape of the house: no file grows into two, the project speaks of itself alone."""

from __future__ import annotations

import io
import re
import subprocess
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONGEST_FILE = 400
OWN_CODE = (".py", ".ts", ".tsx", ".css")
TEXT = (*OWN_CODE, ".md", ".toml", ".json", ".sql", ".yml", ".yaml", ".html", ".txt", "")
ABSOLUTE_PATHS = re.compile(r"/(work|root|home/[a-z]+)/[\w.]")


def tracked() -> list[Path]:
    """Files of the project: those git knows, or all of a source archive."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in listing.stdout.splitlines() if (path := ROOT / name).is_file()]


def test_no_file_is_longer_than_400_lines():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked()
        if path.suffix in OWN_CODE and (lines := len(path.read_text().splitlines())) > LONGEST_FILE
    }
    assert long == {}, "two rooms in one file: part them"


def test_no_file_names_a_path_of_somebodys_machine():
    found = {
        str(path.relative_to(ROOT)): match[0]
        for path in tracked()
        if path.suffix in TEXT
        and path.name != Path(__file__).name
        and (match := ABSOLUTE_PATHS.search(path.read_text(errors="ignore")))
    }
    assert found == {}


GIVEN_UP = {
    "engine": "tell told untold retold hear heed bench errand making board census blanks guest "
    "guests crowd story recap equip hole holes wears",
    "nodes": "told hear heed untold wear wears worn seat seats walk walks walked holes unwanted "
    "fading leaping film films mended menders",
}
"""Words of identifiers, each given up for one of docs/glossary.md."""
RENAMED = {
    "Asked": "InputsRequest", "Clip": "TextEncoder",
    "Colors": "RgbFactors", "Cue": "Cond", "Guide": "Guider", "Levels": "SigmaSpace",
    "Packed": "QuantizedTensor", "PackedLinear": "QuantizedLinear", "Packing": "Quantization",
    "Part": "NetworkSource", "Place": "TensorInfo, BlockPosition or WeightedArea",
    "Places": "TensorInfos", "Question": "ModelCall", "Sampling": "SamplerSteps",
    "Sound": "Audio", "Way": "Sampler or BlendFunction", "slope_at": "to_d",
}  # fmt: skip
"""Classes and functions of nodes/models that have another name now."""


def identifiers(room: str) -> set[tuple[str, str]]:
    """Every name in the Python files of a room, with the file it is in."""
    return {
        (str(path.relative_to(ROOT)), token.string)
        for path in (ROOT / room).rglob("*.py")
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
        if token.type == tokenize.NAME
    }


@pytest.mark.parametrize("room", GIVEN_UP)
def test_identifiers_keep_to_the_words_of_the_glossary(room: str):
    names, given_up = identifiers(room), {*GIVEN_UP[room].split()}
    words = {name: re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).lower().split() for _, name in names}
    assert [(path, name) for path, name in names if given_up.intersection(words[name])] == []


def test_names_of_the_model_library_that_were_replaced_do_not_come_back():
    found = [(path, name) for path, name in identifiers("nodes/models") if name in RENAMED]
    assert [f"{path}: {name} is {RENAMED[name]}" for path, name in found] == []


def test_no_module_is_called_after_nothing_in_particular():
    vague = {"utils", "util", "helpers", "helper", "manager", "managers", "misc", "common"}
    assert [path for path in tracked() if path.stem in vague] == []
