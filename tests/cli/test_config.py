"""Flags and environment, ours and ComfyUI's."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.cli.config import Demo, Doctor, ListModels, Nodes, PullModel, Run, Serve, parse


def test_serve_without_flags():
    command = parse(["serve"], {})
    assert isinstance(command, Serve)
    assert command == Serve(home=Path.home() / "soundstage")
    assert command.listen == ("127.0.0.1",)
    assert command.port == 8188
    assert command.upload_limit == 100 * 2**20


def test_the_home_comes_from_flag_then_environment():
    environment = {"SOUNDSTAGE_HOME": "/a"}
    assert parse(["demo"], environment) == Demo(Path("/a"))
    assert parse(["demo", "--home", "/b"], environment) == Demo(Path("/b"))
    assert parse(["demo", "--base-directory", "/b"], environment) == Demo(Path("/b"))
    assert parse(["demo"], {"SOUNDSTAGE_HOME": ""}) == Demo(Path.home() / "soundstage")


def test_serve_with_the_flags_of_comfyui():
    flags = [
        *("--listen", "--port", "9000", "--base-directory", "/b", "--output-directory", "/o"),
        *("--input-directory", "/i", "--temp-directory", "/t", "--user-directory", "/u"),
        *("--max-upload-size", "2.5", "--cpu", "--preview-method", "auto"),
        *("--enable-cors-header", "--verbose"),
    ]
    places = {name: Path(f"/{name[0]}") for name in ("output", "input", "temp", "user")}
    assert parse(["serve", *flags], {}) == Serve(
        home=Path("/b"),
        listen=("0.0.0.0", "::"),
        port=9000,
        placed=places,
        upload_limit=5 * 2**19,
        cpu=True,
        preview_method="auto",
        cors="*",
        level="DEBUG",
    )
    command = parse(["serve", "--listen", "10.0.0.1,::1", "--verbose", "warning"], {})
    assert isinstance(command, Serve)
    assert (command.listen, command.level) == (("10.0.0.1", "::1"), "WARNING")


def test_the_other_commands():
    home = {"SOUNDSTAGE_HOME": "/h"}
    run = ["run", "w.json", "--set", "3.seed=7", "--set", "4.text=a=b", "--out", "/o"]
    changes = ("3.seed=7", "4.text=a=b")
    assert parse(run, home) == Run(Path("/h"), Path("w.json"), changes, Path("/o"), None)
    assert parse(["models", "list"], home) == ListModels(Path("/h"))
    assert parse(["models", "pull", "kokoro"], home) == PullModel(Path("/h"), "kokoro")
    assert parse(["nodes"], home) == Nodes(None)
    assert parse(["nodes", "KSampler", "--nodes", "pack"], home) == Nodes("KSampler", ("pack",))
    assert parse(["doctor", "--port", "1"], home) == Doctor(Path("/h"), 1)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["sing"],
        ["serve", "--no-such-flag"],
        ["serve", "--por", "5"],
        ["serve", "--port", "70000"],
        ["serve", "--port", "x"],
        ["serve", "--listen", ""],
        ["serve", "--listen", "127.0.0.1,"],
        ["serve", "--max-upload-size", "0"],
        ["serve", "--max-upload-size", "nan"],
        ["serve", "--verbose", "loud"],
        ["serve", "--preview-method", "film"],
        ["run"],
        ["run", "w.json", "--server", "127.0.0.1:8188"],
        ["models"],
        ["models", "pull"],
    ],
)
def test_wrong_command_lines_exit_with_two(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as exit:
        parse(arguments, {})
    assert exit.value.code == 2
    assert "usage: soundstage" in capsys.readouterr().err
