"""/models and its kin: what lies in the model folders, and never a place outside of them."""

from __future__ import annotations

import base64
import io
import json
import urllib.parse
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import (
    save_file,  # pyright: ignore[reportUnknownVariableType] - its PathLike says not of what
)

from tests.conftest import Service
from tests.server.conftest import Caller
from tests.server.test_any_json import answer

BASES = ("", "/api")
NAMES = ["checkpoints", "configs", "loras", "vae", "text_encoders", "diffusion_models"]


@pytest.fixture(scope="module")
def service(own_service: Service) -> Service:
    """A service of its own: all its models are listed."""
    return own_service


def picture(kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4), (1, 2, 3)).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def models(service: Service) -> Path:
    """The models folder, with a few files."""
    folder = service.home / "models"
    cover = json.dumps([base64.b64encode(picture("JPEG")).decode()])
    metadata = {"ss_tag": "ä", "ssmd_cover_images": cover}
    (folder / "loras" / "deep").mkdir()
    save_file({"w": np.zeros(2)}, folder / "loras" / "b.safetensors", metadata)
    save_file({"w": np.zeros(2)}, folder / "loras" / "deep" / "a.safetensors")
    (folder / "loras" / "deep" / "a.preview.png").write_bytes(picture())
    (folder / "loras" / "broken.safetensors").write_bytes(b"\xff" * 40)
    save_file(
        {"w": np.zeros(2)},
        folder / "loras" / "bad cover.safetensors",
        {"ssmd_cover_images": '["no picture"]'},
    )
    (folder / "loras" / "note.txt").touch()
    (folder / "embeddings" / "bad hands.pt").write_bytes(b"x" * 10)
    (folder / "text_encoders" / "clip_l.safetensors").touch()
    (folder / "secret.safetensors").touch()
    return folder


@pytest.mark.parametrize("base", BASES)
async def test_the_folders_and_their_models_are_listed(call: Caller, models: Path, base: str):
    status, names = await call.get(f"{base}/models")
    assert (status, names[:6]) == (200, NAMES)
    assert {"embeddings", "custom_nodes", "audio_encoders", "kokoro"} < set(names)
    for name in names:
        assert (await call.get(f"{base}/models/{name}"))[0] == 200, name
    assert (await call.get(f"{base}/models/loras"))[1] == [
        "b.safetensors",
        "bad cover.safetensors",
        "broken.safetensors",
        "deep/a.safetensors",
    ]
    assert await call.get(f"{base}/embeddings") == (200, ["bad hands"])
    assert await call.get(f"{base}/models/clip") == (200, ["clip_l.safetensors"])
    assert await call.get(f"{base}/models/unet") == (200, [])


@pytest.mark.parametrize("base", BASES)
async def test_models_are_listed_with_size_and_times(
    call: Caller, service: Service, models: Path, base: str
):
    _, folders = await call.get(f"{base}/experiment/models")
    assert {"name": "loras", "folders": ["models/loras"]} in folders
    assert not {"configs", "custom_nodes"} & {folder["name"] for folder in folders}
    assert str(service.home) not in json.dumps(folders)
    _, (file,) = await call.get(f"{base}/experiment/models/embeddings")
    assert (file["name"], file["pathIndex"], file["size"]) == ("bad hands.pt", 0, 10)
    assert file["modified"] == (models / "embeddings" / "bad hands.pt").stat().st_mtime_ns // 10**6


async def test_models_with_a_picture_beside_them_say_so(call: Caller, models: Path):
    _, files = await call.get("/experiment/models/loras")
    assert {file["name"] for file in files if file.get("preview")} == {"deep/a.safetensors"}


async def test_choices_of_models_say_in_which_folder_they_are(call: Caller):
    _, told = await call.get("/object_info/VAELoader")
    assert told["VAELoader"]["input"]["required"]["vae_name"][1]["model_folder"] == "vae"
    _, told = await call.get("/object_info/LoadImage")
    assert "model_folder" not in told["LoadImage"]["input"]["required"]["image"][1]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", ["deep%2Fa.safetensors", "deep/a.safetensors", "b.safetensors"])
async def test_the_picture_of_a_model_is_shown(call: Caller, models: Path, base: str, name: str):
    address = f"{call.url}{base}/experiment/models/preview/loras/0/{name}"
    async with call.session.get(address) as got:
        assert (got.status, got.content_type) == (200, "image/webp")
        with Image.open(io.BytesIO(await got.read())) as shown:
            assert (shown.format, shown.size) == ("WEBP", (6, 4))


@pytest.mark.parametrize("base", BASES)
async def test_a_safetensors_file_says_what_it_is(call: Caller, models: Path, base: str):
    status, metadata = await call.get(f"{base}/view_metadata/loras?filename=b.safetensors")
    assert (status, metadata["ss_tag"]) == (200, "ä")


async def test_a_models_folder_says_what_size_and_guidance_it_is_made_for(
    call: Caller, models: Path
):
    status, told = await call.get("/view_metadata/checkpoints?filename=demo")
    assert (status, told["modelspec.resolution"], told["soundstage.cfg"]) == (200, "128x128", "3")
    own = models / "checkpoints" / "own"
    own.mkdir(parents=True)
    (own / "model_index.json").write_text("{}")
    status, _ = await call.get("/view_metadata/checkpoints?filename=own")
    assert status == 404
    (own / "metadata.json").write_text('{"modelspec.resolution": "512x512", "n": 1}')
    told = await call.get("/view_metadata/checkpoints?filename=own")
    assert told == (200, {"modelspec.resolution": "512x512", "n": "1"})
    for broken in ("[1]", "{", "\udcff"):
        (own / "metadata.json").write_text(broken, errors="surrogateescape")
        status, _ = await call.get("/view_metadata/checkpoints?filename=own")
        assert status == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/models/nope", 404),
        ("/models/%2e%2e%2finput", 404),
        ("/experiment/models/nope", 404),
        ("/experiment/models/preview/nope/0/x", 404),
        ("/experiment/models/preview/loras/1/b.safetensors", 404),
        ("/experiment/models/preview/loras/-1/b.safetensors", 404),
        ("/experiment/models/preview/loras/0/none.safetensors", 404),
        ("/experiment/models/preview/loras/0/..%2Fsecret.safetensors", 403),
        ("/experiment/models/preview/loras/0/%2Fetc%2Fpasswd", 403),
        ("/experiment/models/preview/loras/0/bad%20cover.safetensors", 400),
        ("/experiment/models/preview/embeddings/0/bad%20hands.pt", 404),
        ("/view_metadata/loras", 404),
        ("/view_metadata/loras?filename=", 404),
        ("/view_metadata/loras?filename=note.txt", 404),
        ("/view_metadata/loras?filename=deep", 404),
        ("/view_metadata/loras?filename=deep/a.safetensors", 404),
        ("/view_metadata/loras?filename=broken.safetensors", 404),
        ("/view_metadata/loras?filename=../secret.safetensors", 403),
        ("/view_metadata/loras?filename=/etc/passwd", 403),
        ("/view_metadata/loras?filename=a%00b.safetensors", 403),
    ],
)
async def test_what_is_not_there_or_outside_is_refused(
    call: Caller, service: Service, models: Path, path: str, status: int
):
    answered, told = await call.get(path)
    assert answered == status, told
    assert told["error"]["message"]
    assert str(service.home) not in json.dumps(told)


@settings(max_examples=100, deadline=None)
@given(
    folder=st.text(max_size=20) | st.sampled_from(["loras", "checkpoints", ".."]),
    name=st.text(max_size=40) | st.sampled_from(["..", "../input", "/", "~", "deep/../../.."]),
)
def test_any_name_of_a_model_is_answered(service: Service, models: Path, folder: str, name: str):
    kind = urllib.parse.quote(folder.encode(errors="replace"), safe="")
    file = urllib.parse.quote(name.encode(errors="replace"), safe="")
    for path in (
        f"/view_metadata/{kind}?filename={file}",
        f"/experiment/models/preview/{kind}/0/{file}",
    ):
        status, data = answer(service.url + path)
        assert status in (400, 403, 404), data
        assert json.loads(data)["error"]["message"]
