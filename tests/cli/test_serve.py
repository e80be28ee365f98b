"""`soundstage serve`: starting lightly, refusing clearly, stopping in good order."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests import patience
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
    assert service.process.wait(patience.SECONDS) == 0
    assert not address.exists()


def test_an_attached_service_does_not_outlive_its_starter(tmp_path: Path):
    command = [sys.executable, "-m", "engine.cli", "serve", "--attached", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--no-preload", "--home", str(tmp_path)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline().startswith(b"Soundstage listens on")
        process.stdin.close()
        assert process.wait(patience.SECONDS) == 0


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


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_it_serves_https(server: ServerFactory, tmp_path: Path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    files = ["-nodes", "-days", "1", "-keyout", key, "-out", certificate]
    subprocess.run([*made, *files, *subject], check=True, capture_output=True)
    service = server("--tls-keyfile", str(key), "--tls-certfile", str(certificate))
    assert service.url.startswith("https://127.0.0.1:")
    trusted = ssl.create_default_context(cafile=certificate)
    with urllib.request.urlopen(
        service.url + "/features", timeout=patience.SECONDS, context=trusted
    ) as answer:
        assert answer.status == 200


def test_a_file_that_is_no_certificate_is_one_clear_line(soundstage: Soundstage, tmp_path: Path):
    (tmp_path / "x.pem").write_text("no certificate")
    pem = str(tmp_path / "x.pem")
    said = soundstage("serve", "--port", "0", "--tls-keyfile", pem, "--tls-certfile", pem)
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "PEM" in said.err


def test_a_file_of_model_paths_that_is_none_is_one_clear_line(
    soundstage: Soundstage, tmp_path: Path
):
    (tmp_path / "paths.yaml").write_text("a: [")
    flag = ("--extra-model-paths-config", str(tmp_path / "paths.yaml"))
    said = soundstage("serve", "--port", "0", *flag)
    assert said.code == 1
    assert f"{tmp_path}/paths.yaml is no YAML" in said.err


def test_it_allows_as_many_clients_as_the_system_does(server: ServerFactory):
    service = server("--lowvram")
    limits = Path(f"/proc/{service.process.pid}/limits").read_text()
    soft, hard = next(line for line in limits.splitlines() if "open files" in line).split()[3:5]
    assert soft == hard


def test_it_listens_on_several_addresses(server: ServerFactory):
    service = server("--listen", "127.0.0.1,127.0.0.2")
    other = service.url.replace("127.0.0.1", "127.0.0.2")
    for url in (service.url, other):
        with urllib.request.urlopen(url + "/features", timeout=patience.SECONDS) as answer:
            assert answer.status == 200
