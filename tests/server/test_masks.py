"""/upload/mask: the alpha of the upload onto a picture that is there."""

from __future__ import annotations

import io
import json
from typing import Any

import aiohttp
import pytest
from PIL import Image, PngImagePlugin

from tests.conftest import Service
from tests.server.conftest import Caller
from tests.server.test_files import png

RED = (255, 0, 0, 255)
MASK = (0, 0, 0, 77)


@pytest.fixture(scope="module")
def service(own_service: Service) -> Service:
    """A service of its own: nothing else writes into its folders."""
    return own_service


def original(service: Service, **text: str) -> dict[str, str]:
    """A picture in the input folder, and the reference to it."""
    kept = PngImagePlugin.PngInfo()
    for name, value in text.items():
        kept.add_text(name, value)
    folder = service.home / "input" / "sub"
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (8, 4), RED[:3]).save(folder / "x.png", pnginfo=kept)
    return {"filename": "x.png", "subfolder": "sub", "type": "input"}


async def send(
    call: Caller, base: str = "", data: bytes | None = None, **fields: Any
) -> tuple[int, Any]:
    made = aiohttp.FormData()
    made.add_field("image", png(color=MASK) if data is None else data, filename="mask.png")
    for name, value in fields.items():
        made.add_field(name, value if isinstance(value, str) else json.dumps(value))
    async with call.session.post(f"{call.url}{base}/upload/mask", data=made) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize("base", ["", "/api"])
async def test_the_original_gets_the_alpha_and_keeps_its_text(
    call: Caller, service: Service, base: str
):
    reference = original(service, prompt='{"1": {}}', note="äöü \u4e2d")
    status, stored = await send(
        call, base, original_ref=reference, overwrite="true", subfolder="masked"
    )
    assert stored.pop("asset")["mime_type"] == "image/png"
    assert (status, stored) == (200, {"name": "mask.png", "subfolder": "masked", "type": "input"})
    with Image.open(service.home / "input" / "masked" / "mask.png") as masked:
        assert isinstance(masked, PngImagePlugin.PngImageFile)
        assert (masked.mode, masked.getpixel((0, 0))) == ("RGBA", (255, 0, 0, 77))
        assert masked.text == {"prompt": '{"1": {}}', "note": "äöü \u4e2d"}
    with Image.open(service.home / "input" / "sub" / "x.png") as untouched:
        assert untouched.mode == "RGB"
    assert not list((service.home / "temp").iterdir())


async def test_a_photograph_is_masked_upright_as_nodes_read_it(call: Caller, service: Service):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (4, 8), RED[:3]).save(service.home / "input" / "turned.jpg", exif=exif)
    reference = {"filename": "turned.jpg", "type": "input"}
    status, stored = await send(call, original_ref=reference, subfolder="upright")
    assert status == 200, stored
    with Image.open(service.home / "input" / "upright" / "mask.png") as masked:
        assert (masked.size, masked.getexif().get(0x0112)) == ((8, 4), None)
    address = f"{call.url}/view?filename=turned.jpg&type=input&channel=rgb"
    async with call.session.get(address) as answer:
        with Image.open(io.BytesIO(await answer.read())) as shown:
            assert shown.size == (8, 4)


async def test_other_masks_of_that_name_get_a_number(call: Caller, service: Service):
    reference = original(service)
    assert (await send(call, original_ref=reference))[1]["name"] == "mask.png"
    assert (await send(call, original_ref=reference))[1]["name"] == "mask.png"
    other = png(color=(0, 0, 0, 9))
    assert (await send(call, data=other, original_ref=reference))[1]["name"] == "mask (1).png"


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({}, 400, "original_ref is missing"),
        ({"original_ref": "{bad"}, 400, "JSON object"),
        ({"original_ref": "[" * 100_000}, 400, "too long"),
        ({"original_ref": [1]}, 400, "JSON object"),
        ({"original_ref": {}}, 400, "filename"),
        ({"original_ref": {"filename": 5}}, 400, "strings"),
        ({"original_ref": {"filename": "x.png", "type": "models"}}, 400, "type must be"),
        ({"original_ref": {"filename": "none.png"}}, 404, "original_ref: there is no file"),
        ({"original_ref": {"filename": "../soundstage.db"}}, 403, "leads out"),
        ({"original_ref": {"filename": "/etc/passwd"}}, 403, "leads out"),
        ({"original_ref": {"filename": "x", "subfolder": "../.."}}, 403, "leads out"),
        ({"type": "models"}, 400, "type must be"),
        ({"subfolder": "../x"}, 400, "leads out"),
        ({"subfolder": "sub/x.png"}, 400, "cannot be made: File exists"),
        ({"data": b"no picture"}, 400, "cannot be read"),
        ({"data": png((9, 9))}, 400, "9 x 9"),
    ],
)
async def test_bad_masks_are_refused(
    call: Caller, service: Service, fields: dict[str, Any], status: int, word: str
):
    reference = original(service)
    if fields and "original_ref" not in fields:
        fields = {"original_ref": reference, **fields}
    answered, told = await send(call, **fields)
    assert answered == status, told
    assert word in told["error"]["message"]
    assert str(service.home) not in json.dumps(told)
    assert not list((service.home / "temp").iterdir())
