"""/object_info, /system_stats, /features: what a service is and can do."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.conftest import Service
from tests.server.conftest import Caller


async def test_an_entry_describes_a_node(call: Caller):
    _, every = await call.get("/object_info")
    _, one = await call.get("/api/object_info/Number")
    assert one == {"Number": every["Number"]}
    assert one["Number"] == {
        "input": {
            "required": {
                "value": ["INT", {"default": 0, "min": -(10**9), "max": 10**9}],
                "log": ["STRING", {"default": ""}],
            }
        },
        "input_order": {"required": ["value", "log"]},
        "output": ["INT"],
        "output_is_list": [False],
        "output_name": ["INT"],
        "name": "Number",
        "display_name": "Number",
        "description": "The number.",
        "python_module": "tests.pack.basics",
        "category": "test",
        "output_node": False,
    }


async def test_lists_laziness_and_options_are_described(call: Caller):
    _, every = await call.get("/object_info")
    assert every["Lines"]["output_is_list"] == [True]
    assert every["Lines"]["input"]["required"]["text"] == ["STRING", {"multiline": True}]
    assert every["Join"]["is_input_list"] is True
    matching = {"template_id": "T", "allowed_types": "*"}
    assert every["Switch"]["input"]["required"]["if_true"] == [
        "COMFY_MATCHTYPE_V3",
        {"template": matching, "lazy": True},
    ]
    assert every["Choose"]["input"]["optional"] == {"anything": ["STRING", {}]}
    assert every["Choose"]["input_order"] == {"required": ["value"], "optional": ["anything"]}
    assert every["Show"]["output_node"] is True
    assert every["Divide"]["output_name"] == ["quotient", "rest"]


async def test_an_unchanged_catalogue_is_not_sent_again(call: Caller):
    async with call.session.get(call.url + "/object_info") as answer:
        etag = answer.headers["ETag"]
    known = {"If-None-Match": etag}
    async with call.session.get(call.url + "/object_info", headers=known) as answer:
        assert answer.status == 304


async def test_the_service_tells_of_itself(call: Caller):
    _, stats = await call.get("/system_stats")
    assert stats["system"]["python_version"] == sys.version.split()[0]
    assert stats["system"]["ram_total"] > stats["system"]["ram_free"] > 0
    assert {"os", "comfyui_version", "pytorch_version", "embedded_python", "argv"} <= set(
        stats["system"]
    )
    ours = stats["system"]["soundstage_version"]
    for name in ("installed_templates_version", "required_templates_version"):
        assert stats["system"][name] == ours
    assert "required_frontend_version" not in stats["system"], "there is none"
    _, features = await call.get("/features")
    assert features == {
        "supports_preview_metadata": True,
        "max_upload_size": 104857600,
        "node_replacements": True,
    }
    assert (await call.get("/node_replacements"))[0] == 200
    status, page = await call.get("/")
    assert status == 200
    assert "Soundstage" in page


async def test_what_comfyui_has_and_this_service_does_not_is_listed(call: Caller):
    _, nodes = await call.get("/object_info")
    status, ids = await call.get("/unsupported_nodes")
    assert status == 200
    assert {"ControlNetLoader", "DualCLIPLoader"} - nodes.keys() <= set(ids)
    assert not nodes.keys() & set(ids)


async def test_heads_are_answered(call: Caller):
    for path in ("/", "/system_stats", "/object_info", "/api/queue"):
        async with call.session.head(call.url + path) as answer:
            assert answer.status == 200


async def test_the_server_process_loads_no_model_library(own_service: Service):
    mapped = Path(f"/proc/{own_service.process.pid}/maps").read_text()
    assert "/aiohttp/" in mapped
    for library in ("torch", "onnxruntime", "tokenizers", "PIL", "_soundfile_data"):
        assert f"/{library}/" not in mapped
