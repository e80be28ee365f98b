"""`soundstage serve`: starting lightly, refusing clearly, stopping in good order."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.cli.conftest import Soundstage
from tests.conftest import CHECKOUT, ServerFactory

HEAVY = "torch", "onnxruntime", "diffusers", "transformers", "PIL", "soundfile", "numpy", "rich"


def test_the_server_imports_nothing_heavy():
    program = (
        "import sys, engine.cli.serve\n"
        "from engine.authoring.registry import Registry\n"
        "assert Registry.installed().nodes\n"
        f"print(*({{*{HEAVY}}} & {{*sys.modules}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


@pytest.mark.parametrize("address", ["192.0.2.1", "no.such.name.invalid"])
def test_an_address_that_is_not_here_is_one_clear_line(soundstage: Soundstage, address: str):
    said = soundstage("serve", "--listen", address, "--port", "0")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert address in said.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_good_order(server: ServerFactory, number: signal.Signals):
    service = server()
    address = service.home / "service.url"
    assert address.read_text() == service.url
    service.process.send_signal(number)
    assert service.process.wait(20) == 0
    assert not address.exists()


def test_an_attached_service_does_not_outlive_its_starter(tmp_path: Path):
    command = [sys.executable, "-m", "engine.cli", "serve", "--attached", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--home", str(tmp_path)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline().startswith(b"Soundstage listens on")
        process.stdin.close()
        assert process.wait(20) == 0


def test_a_port_in_use_is_one_clear_line(soundstage: Soundstage):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = soundstage("serve", "--port", str(port))
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert f"port {port}" in said.err
    assert "--port" in said.err


def test_a_home_is_served_once(server: ServerFactory, soundstage: Soundstage):
    service = server()
    said = soundstage("serve", "--port", "0", "--home", str(service.home))
    assert said.code == 1
    assert str(service.home) in said.err
    assert service.process.poll() is None


def test_it_listens_on_several_addresses(server: ServerFactory):
    service = server("--listen", "127.0.0.1,127.0.0.2")
    other = service.url.replace("127.0.0.1", "127.0.0.2")
    for url in (service.url, other):
        with urllib.request.urlopen(url + "/features", timeout=20) as answer:
            assert answer.status == 200
