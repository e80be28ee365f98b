"""Models outside of the home are offered like those inside, and told without their path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from safetensors.numpy import (
    save_file,  # pyright: ignore[reportUnknownVariableType] - its PathLike says not of what
)

from tests.conftest import ServerFactory
from tests.server.conftest import Caller


def prompt(lora: str) -> dict[str, Any]:
    inputs = {
        "lora_name": lora,
        "strength_model": 1,
        "strength_clip": 1,
        "model": ["1", 0],
        "clip": ["1", 1],
    }
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "demo"}},
        "2": {"class_type": "LoraLoader", "inputs": inputs},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "x", "clip": ["2", 1]}},
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["3", 0]}},
    }


async def test_models_of_other_programs_are_offered(server: ServerFactory, tmp_path: Path):
    home, webui, disk = tmp_path / "home", tmp_path / "webui", tmp_path / "disk"
    for place in (home, webui / "models" / "Lora", disk / "my loras"):
        place.mkdir(parents=True)
    save_file({"w": np.zeros(2)}, webui / "models" / "Lora" / "a.safetensors", {"ss_tag": "one"})
    save_file({"w": np.zeros(2)}, disk / "my loras" / "b.safetensors")
    (home / "extra_model_paths.yaml").write_text(
        f"a111:\n  base_path: {webui}\n  loras: models/Lora\n  styles: models/none\n"
    )
    (disk / "mine.yaml").write_text("mine:\n  is_default: true\n  loras: my loras\n")
    service = server("--extra-model-paths-config", str(disk / "mine.yaml"), home=home)
    async with aiohttp.ClientSession() as session:
        call = Caller(service, session)
        assert await call.get("/models/loras") == (200, ["a.safetensors", "b.safetensors"])
        assert "styles" in (await call.get("/models"))[1]
        assert await call.get("/models/styles") == (200, [])
        _, folders = await call.get("/experiment/models")
        assert {"name": "loras", "folders": ["my loras", "models/loras", "Lora"]} in folders
        _, files = await call.get("/experiment/models/loras")
        assert [(file["name"], file["pathIndex"]) for file in files] == [
            ("a.safetensors", 2),
            ("b.safetensors", 0),
        ]
        _, metadata = await call.get("/view_metadata/loras?filename=a.safetensors")
        assert metadata["ss_tag"] == "one"
        _, paths = await call.get("/internal/folder_paths")
        assert paths["loras"] == ["my loras", "models/loras", "Lora"]
        assert str(tmp_path) not in json.dumps([folders, paths])
        _, info = await call.get("/object_info/LoraLoader")
        assert info["LoraLoader"]["input"]["required"]["lora_name"][0] == [
            "a.safetensors",
            "b.safetensors",
        ]
        status, answer = await call.post("/prompt", {"prompt": prompt("none.safetensors")})
        assert (status, answer["error"]["type"]) == (400, "prompt_outputs_failed_validation")
        async with call.ear("me") as ear:
            id = await call.submit(prompt("a.safetensors"), client_id="me")
            await ear.over(id)
        _, history = await call.get(f"/history/{id}")
        told = json.dumps(history)
        assert "there is no model" not in told, "the worker looks in the same places"
