"""The shape of the house: no file grows into two, the project speaks of itself alone."""

from __future__ import annotations

import io
import re
import subprocess
import tokenize
from pathlib import Path

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


def test_the_engine_keeps_to_the_words_of_the_glossary():
    """Words that were given up, each for one of docs/glossary.md."""
    old = "tell told untold retold hear heed bench errand making board census blanks guest guests"
    given_up = {*old.split(), "crowd", "story", "recap", "equip", "hole", "holes", "wears"}
    names = {
        (str(path.relative_to(ROOT)), token.string)
        for path in (ROOT / "engine").rglob("*.py")
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
        if token.type == tokenize.NAME
    }
    words = {name: re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).lower().split() for _, name in names}
    assert [(path, name) for path, name in names if given_up.intersection(words[name])] == []


def test_no_module_is_called_after_nothing_in_particular():
    vague = {"utils", "util", "helpers", "helper", "manager", "managers", "misc", "common"}
    assert [path for path in tracked() if path.stem in vague] == []
