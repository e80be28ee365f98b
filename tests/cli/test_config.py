"""Flags and environment, ours and ComfyUI's."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.cli.config import Demo, Doctor, ListModels, Nodes, PullModel, Run, Serve, parse
from engine.store.cache_policy import CachePolicy


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
    assert command.preload
    assert (command.listen, command.level) == (("10.0.0.1", "::1"), "WARNING")


def test_slow_imports_can_be_left_until_they_are_needed():
    command = parse(["serve", "--no-preload", "--grace", "0.5"], {})
    assert isinstance(command, Serve)
    assert not command.preload
    assert command.grace == 0.5


def test_more_flags_of_comfyui():
    flags = [
        *("--extra-model-paths-config", "/a.yaml", "/b.yaml", "--extra-model-paths-config", "/c"),
        *("--tls-certfile", "/cert", "--tls-keyfile", "/key", "--cuda-device", "1"),
        *("--enable-compress-response-body", "--auto-launch"),
    ]
    assert parse(["serve", *flags], {"SOUNDSTAGE_HOME": "/h"}) == Serve(
        home=Path("/h"),
        model_paths=(Path("/a.yaml"), Path("/b.yaml"), Path("/c")),
        tls=(Path("/cert"), Path("/key")),
        devices="1",
        compress=True,
        browse=True,
    )


def test_the_precision_comes_from_flag_then_environment(capsys: pytest.CaptureFixture[str]):
    def precision(*flags: str, **environment: str) -> str:
        command = parse(["serve", *flags], environment)
        assert isinstance(command, Serve)
        return command.precision

    assert precision() == "auto"
    assert precision(SOUNDSTAGE_PRECISION="BF16") == "bf16"
    assert precision("--precision", "fp32", SOUNDSTAGE_PRECISION="bf16") == "fp32"
    assert precision("--force-fp32") == precision("--fp32-unet") == "fp32"
    assert precision("--force-fp16", SOUNDSTAGE_PRECISION="bf16") == "fp16"
    assert precision("--bf16-unet") == "bf16"
    for flags, environment in ((["--precision", "fp8"], {}), ([], {"SOUNDSTAGE_PRECISION": "x"})):
        with pytest.raises(SystemExit):
            parse(["serve", *flags], environment)
        assert "is none of auto, fp32, bf16, fp16" in capsys.readouterr().err


def test_flags_that_change_nothing_say_so():
    flags = ["--lowvram", "--reserve-vram", "2", "--fast", "a", "b", "--fast", "--async-offload"]
    command = parse(["serve", *flags, "--dont-print-server", "--cache-ram", "4", "8"], {})
    assert isinstance(command, Serve)
    assert [line.split()[0] for line in command.idle] == [
        "--lowvram",
        "--reserve-vram",
        "--fast",
        "--fast",
        "--async-offload",
        "--dont-print-server",
        "--cache-ram",
    ]
    assert all("changes nothing here: " in line for line in command.idle)


@pytest.mark.parametrize("flag", ["--multi-user", "--disable-metadata", "--directml"])
def test_flags_that_cannot_be_heeded_are_refused(flag: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as exit:
        parse(["serve", flag], {})
    assert exit.value.code == 2
    assert f"{flag} is not for this service: " in capsys.readouterr().err


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
        ["serve", "--tls-keyfile", "/key"],
        ["serve", "--cuda-device", "gpu"],
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


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        ([], CachePolicy()),
        (["--cache-classic"], CachePolicy(latest_jobs_only=True)),
        (["--cache-lru", "7"], CachePolicy(max_results=7)),
        (["--cache-lru", "0"], CachePolicy(latest_jobs_only=True)),
        (["--cache-none"], CachePolicy(max_results=0)),
    ],
)
def test_flags_say_which_results_are_kept(flags: list[str], kept: CachePolicy):
    command = parse(["serve", *flags], {})
    assert isinstance(command, Serve)
    assert command.keeping == kept


def test_two_flags_about_results_are_one_too_many(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        parse(["serve", "--cache-none", "--cache-classic"], {})
    assert "not allowed with argument" in capsys.readouterr().err


def test_folders_of_custom_nodes_are_given_one_by_one(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    flags = ["--custom-nodes", str(tmp_path / "a"), "--custom-nodes", str(tmp_path / "b")]
    command = parse(["serve", *flags], {})
    assert isinstance(command, Serve)
    assert command.custom_nodes == (tmp_path / "a", tmp_path / "b")
    none = parse(["serve", *flags, "--disable-all-custom-nodes"], {})
    assert isinstance(none, Serve)
    assert none.custom_nodes == ()


def test_custom_nodes_must_be_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        parse(["serve", "--custom-nodes", str(tmp_path / "none")], {})
    assert "is no folder" in capsys.readouterr().err
