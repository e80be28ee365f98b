"""Files of torch.save: what trainers leave beside the weights is data, what calls is refused."""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime
import functools
import io
import os
import pathlib
import pickle
import runpy
import struct
import subprocess
import sys
import tarfile
import types
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nodes.models.files.tensor_files import ModelFileError, TensorFile, read_header

DTYPES = [
    torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32,
    torch.int16, torch.int8, torch.uint8, torch.bool, torch.complex64, torch.float8_e4m3fn,
]  # fmt: skip


@pytest.fixture(params=[True, False], ids=["zip", "before 1.6"])
def save(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Any], Path]:
    """Writes a file in torch's format of today, or in the one before."""
    count = iter(range(1000))

    def write(content: Any) -> Path:
        path = tmp_path / f"{next(count)}.ckpt"
        torch.save(content, path, _use_new_zipfile_serialization=request.param)
        return path

    return write


@pytest.fixture
def trainer() -> Iterator[Callable[[str], type]]:
    """Classes of a package that is gone when the file is read."""
    before = set(sys.modules)

    def made(name: str, *bases: type) -> type:
        module, _, last = name.rpartition(".")
        parts = module.split(".")
        for end in range(1, len(parts) + 1):
            sys.modules.setdefault(".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))
        kind = type(last, bases, {"__module__": module})
        setattr(sys.modules[module], last, kind)
        return kind

    yield made
    for name in set(sys.modules) - before:
        if name.startswith(("pytorch_lightning", "omegaconf", "ldm")):
            del sys.modules[name]


def forget(*roots: str) -> None:
    for name in [name for name in sys.modules if name.startswith(roots)]:
        del sys.modules[name]


def tensors(path: Path) -> dict[str, Tensor]:
    return dict(TensorFile(read_header(path)))


def same(one: Tensor, other: Tensor) -> bool:
    as_bytes = [tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (one, other)]
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(*as_bytes)


def test_tensors_of_every_kind_come_back_bit_by_bit(save: Callable[[Any], Path]):
    whole = torch.arange(60.0).reshape(3, 4, 5)
    wanted = {str(dtype): torch.arange(2, 8).reshape(2, 3).to(dtype) for dtype in DTYPES}
    wanted |= {"part": whole[1:, ::2], "turned": whole.permute(2, 0, 1), "number": whole[1, 1, 1]}
    wanted |= {"none": torch.zeros(0, 3), "stretched": torch.ones(1).expand(4)}
    wanted["weight"] = nn.Parameter(torch.rand(2, 2))
    path = save(wanted)
    found = tensors(path)
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert same(found[name], tensor.detach().clone()), name
    assert read_header(path).shapes == {name: tuple(t.shape) for name, t in wanted.items()}


def test_what_trainers_leave_beside_the_weights_is_data(
    save: Callable[[Any], Path], trainer: Callable[..., type]
):
    callback = trainer("pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint")
    state = trainer("pytorch_lightning.trainer.states.TrainerFn", str)
    config = trainer("omegaconf.dictconfig.DictConfig")()
    config._metadata, config._content = trainer("omegaconf.base.ContainerMetadata")(), {"a": 1}
    attributes = trainer("pytorch_lightning.utilities.parsing.AttributeDict", dict)({"lr": 0.1})
    factory: Any = collections.defaultdict
    path = save(
        {
            "state_dict": collections.OrderedDict(x=torch.arange(3.0)),
            "callbacks": {callback: {"best": torch.tensor(1.0), "score": np.float64(0.1)}},
            "state": state("fit"),
            "config": config,
            "hyper_parameters": attributes,
            "numbers": [np.float32(1), np.int64(2), np.arange(4), np.dtype("float16"), 2j],
            "counts": factory(int, {"a": 1}),
            "more": collections.Counter("ab"),
            "args": argparse.Namespace(lr=1e-4, out=pathlib.PurePosixPath("x")),
            "kinds": [torch.float16, torch.Size([1, 2]), torch.device("cpu"), {1, 2}, slice(1)],
            "when": datetime.datetime(2023, 1, 1, tzinfo=datetime.UTC),
            "class": callback,
            "raw": b"bytes \xff",
            "random": np.random.RandomState(1).get_state(),
        }
    )
    forget("pytorch_lightning", "omegaconf")
    assert torch.equal(tensors(path)["x"], torch.arange(3.0))
    assert read_header(path).shapes == {"x": (3,)}


X = torch.arange(2.0)


NESTINGS: list[Any] = [
    {"x": X},
    {"state_dict": {"x": X}},
    {"model": {"x": X}, "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}}},
    {"model": {"x": torch.zeros(1)}, "model_ema": {"x": X}},
    {"params": {"x": torch.zeros(1)}, "params_ema": {"x": X}},
    {"ema": {"state_dict": {"module.x": X}}},
    {"module": {"_orig_mod.x": X}},
    {"state_dict": {"module._orig_mod.x": X}, "epoch": 3},
    {"state_dict": {}, "model": {"x": X}},
    {"string_to_param": {"x": X}, "string_to_token": {"x": torch.tensor(265)}},
    {"string_to_param": nn.ParameterDict({"x": nn.Parameter(X)})},
    collections.OrderedDict(x=X),
]


@pytest.mark.parametrize("content", NESTINGS)
def test_weights_are_found_wherever_the_trainer_put_them(save: Callable[[Any], Path], content: Any):
    found = tensors(save(content))
    assert found.keys() == {"x"}
    assert torch.equal(found["x"], X)


def test_a_whole_network_gives_its_weights(save: Callable[[Any], Path]):
    network = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.BatchNorm1d(3)))
    found = tensors(save({"model": network}))
    wanted = network.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


class Calls:
    """Pickles to a call."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call[0], self.call[1:]


class Builds:
    """Runs its own code when its state is set, if its class is ever imported."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __getstate__(self) -> dict[str, str]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, str]) -> None:
        Path(state["path"]).touch()


def attacks(canary: Path) -> list[tuple[str, Any]]:
    command, system = f"touch {canary}", getattr(os, "sys" + "tem")
    inner = pickle.dumps(Calls(system, command))
    buffer = io.BytesIO()
    torch.save({"x": Calls(system, command)}, buffer)
    unpack: Any = vars(torch.storage)["_load_from_bytes"]  # how torch pickles a tensor by itself
    return [
        ("posix.system|nt.system", Calls(system, command)),
        ("builtins.eval", Calls(eval, f"open({str(canary)!r}, 'w')")),
        ("builtins.exec", Calls(exec, f"open({str(canary)!r}, 'w')")),
        ("builtins.getattr", Calls(getattr, "", "join")),
        ("builtins.__import__", Calls(__import__, "os")),
        ("_?pickle.loads", Calls(pickle.loads, inner)),
        ("torch.storage._load_from_bytes", Calls(unpack, buffer.getvalue())),
        ("torch.serialization.load", Calls(torch.load, "elsewhere.pt")),
        ("subprocess.Popen", Calls(subprocess.Popen, ["touch", str(canary)])),
        ("functools.partial", Calls(functools.partial, system, command)),
        ("runpy.run_path", Calls(runpy.run_path, "x")),
        ("numpy.load|numpy.lib.*load", Calls(np.load, "x", None, True)),
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(12))
@pytest.mark.parametrize("kind", ["zip", "before 1.6", "plain 0", "plain 2", "plain 4"])
def test_a_pickle_that_calls_a_program_is_refused_by_its_name(
    tmp_path: Path, number: int, kind: str
):
    canary, path = tmp_path / "canary", tmp_path / "model.ckpt"
    name, attack = attacks(canary)[number]
    content = {"state_dict": {"x": torch.zeros(1)}, "callbacks": [attack]}
    if kind.startswith("plain"):
        path.write_bytes(pickle.dumps(attack, protocol=int(kind[-1])))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    with pytest.raises(ModelFileError, match=rf"wants to call ({name}), and program code") as told:
        read_header(path)
    assert str(path) in str(told.value)
    assert not canary.exists()


def test_an_object_that_runs_code_when_its_state_is_set_is_data(
    save: Callable[[Any], Path], tmp_path: Path
):
    canary = tmp_path / "canary"
    path = save({"state_dict": {"x": X}, "callback": Builds(str(canary))})
    assert list(tensors(path)) == ["x"]
    assert not canary.exists()


def archive(path: Path, pickled: bytes, **more: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data.pkl", pickled)
        for name, content in more.items():
            file.writestr(f"a/{name.replace('__', '/')}", content)
    return path


def rebuilt(count: int, shape: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> bytes:
    """A pickle of one tensor "x", whatever it claims."""

    def number(value: int) -> bytes:
        return b"I%d\n" % value

    def row(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(map(number, values)) + b"t"

    place = b"(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\n" + number(count) + b"tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor\n(" + place + number(offset) + row(shape)
    return b"\x80\x02}Vx\n" + tensor + row(stride) + b"tRs."


@pytest.mark.parametrize(
    ("pickled", "words"),
    [
        (rebuilt(10**15, (10**15,), (1,)), "not as many as it says"),
        (rebuilt(2, (10**12,), (0,)), "beyond the numbers"),
        (rebuilt(2, (3,), (1,)), "beyond the numbers"),
        (rebuilt(2, (1,), (1,), offset=2), "beyond the numbers"),
        (rebuilt(2, (-1,), (1,)), "broken"),
        (rebuilt(-2, (1,), (1,)), "not read"),
        (b"\x80\x02" + b"\x8e" + struct.pack("<Q", 1 << 60) + b".", "broken or truncated"),
        (b"\x80\x02r\xff\xff\xff\xff.", "broken or truncated"),
        (b"\x80\x02Nr\xff\xff\xff\xff.", None),
        (b"\x80\x02" + b"]" + b"}Vstate_dict\nh\x00s.", "broken or truncated"),
        (b"", "broken or truncated"),
        (b"\x80\x02N", "broken or truncated"),
    ],
)
def test_a_pickle_that_claims_too_much_is_refused_at_once(
    tmp_path: Path, pickled: bytes, words: str | None
):
    path = archive(tmp_path / "a.pt", pickled, data__0=struct.pack("<2f", 1, 2))
    if words is None:
        assert read_header(path).shapes == {}
        return
    with pytest.raises(ModelFileError, match=words):
        read_header(path)


def test_a_file_whose_wrappings_hold_each_other_is_read(save: Callable[[Any], Path]):
    content: dict[str, Any] = {"x": X}
    content["state_dict"] = content
    assert list(tensors(save(content))) == ["x"]


def test_other_files_under_the_ending_say_what_they_are(tmp_path: Path):
    def refused(words: str, content: bytes, name: str = "a.pt") -> None:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=words) as told:
            read_header(path)
        assert str(path) in str(told.value)

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("storages"), io.BytesIO())
    refused("a tar archive, as torch wrote before 0.1.10", buffer.getvalue())
    refused("a safetensors file by its content; rename", struct.pack("<Q", 2) + b"{}")
    refused("a web page", b"<!DOCTYPE html><html>no</html>")
    refused("pointer that Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    refused("not a file of torch", b"\0" * 100)
    refused("not a file of torch", b"")
    refused("a plain pickle of dict", pickle.dumps({"x": 1}))
    buffer = io.BytesIO()
    torch.save({"x": X}, buffer)
    refused("a file of torch by its content", buffer.getvalue(), "a.safetensors")
    with zipfile.ZipFile(path := tmp_path / "z.zip", "w") as file:
        file.writestr("readme.txt", "hello")
    refused("a zip archive that torch did not write", path.read_bytes())
    archive(path, pickle.dumps({}), **{"constants.pkl": b""})
    refused("a TorchScript program", path.read_bytes())
    archive(path, pickle.dumps({}), byteorder=b"big")
    refused("big-endian", path.read_bytes())


def test_a_file_that_was_cut_anywhere_is_refused(save: Callable[[Any], Path]):
    path = save({"state_dict": {"x": torch.rand(50), "y": torch.rand(3)}})
    whole = path.read_bytes()
    for kept in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:kept])
        with pytest.raises(ModelFileError):
            read_header(path)


@given(st.binary(max_size=60), st.integers(0, 200))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, place: int
):
    path = tmp_path_factory.getbasetemp() / "noise.pt"
    good = pickle.dumps({"a": [1, (2, 3)], "b": collections.OrderedDict(c=np.float64(1))})
    archive(path, good[:place] + noise + good[place + len(noise) :])
    with contextlib.suppress(ModelFileError):
        read_header(path)
