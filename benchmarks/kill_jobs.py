"""Jobs that run while processes are killed, and whether the files that they made are whole."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import soundfile  # pyright: ignore[reportMissingTypeStubs] - it has none
from PIL import Image

Prompt = dict[str, dict[str, Any]]
FOLDER = "kills"
"""The subfolder of the output folder that all of them save to, each under its id."""


def text(id: str, rng: random.Random) -> Prompt:
    """Three quick nodes of the test pack, which need no slow import."""
    return {
        "1": node("Upper", text=f"{id} {rng.randrange(1000)}", log=""),
        "2": node("Upper", text=["1", 0], log=""),
        "3": node("Save", text=["2", 0], filename_prefix=f"{FOLDER}/{id}"),
    }


def trivial(id: str, rng: random.Random) -> Prompt:
    """Three quick nodes that make a picture."""
    color = rng.randrange(2**24)
    return {
        "1": node("EmptyImage", width=64, height=64, batch_size=1, color=color),
        "2": node("ImageInvert", image=["1", 0]),
        "3": node("SaveImage", images=["2", 0], filename_prefix=f"{FOLDER}/{id}"),
    }


def sampler(id: str, rng: random.Random) -> Prompt:
    """A small picture of the demo model."""
    sampling = {"seed": rng.randrange(2**31), "steps": rng.randrange(2, 8), "cfg": 3}
    return {
        "1": node("CheckpointLoaderSimple", ckpt_name="demo"),
        "2": node("CLIPTextEncode", clip=["1", 1], text="sailboat"),
        "3": node("CLIPTextEncode", clip=["1", 1], text=""),
        "4": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "5": node(
            "KSampler",
            model=["1", 0],
            positive=["2", 0],
            negative=["3", 0],
            latent_image=["4", 0],
            sampler_name="euler",
            scheduler="normal",
            denoise=1,
            **sampling,
        ),
        "6": node("VAEDecode", samples=["5", 0], vae=["1", 2]),
        "7": node("SaveImage", images=["6", 0], filename_prefix=f"{FOLDER}/{id}"),
    }


def speech(id: str, rng: random.Random) -> Prompt:
    """A few words."""
    words = f"Number {rng.randrange(1000)}."
    return {
        "1": node("KokoroLoader", model_name="kokoro-v1.0.int8.onnx"),
        "2": node("KokoroSpeak", voice_model=["1", 0], text=words, voice="af_heart", speed=1),
        "3": node("SaveAudioWAV", audio=["2", 0], filename_prefix=f"{FOLDER}/{id}"),
    }


KINDS: Mapping[str, Callable[[str, random.Random], Prompt]] = {
    "text": text,
    "trivial": trivial,
    "sampler": sampler,
    "speech": speech,
}
MESSAGES: Mapping[str, int] = {"text": 8, "trivial": 8, "sampler": 30, "speech": 16}
"""About as many messages of a job of each kind come until its end."""


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    """A node of a prompt."""
    return {"class_type": class_type, "inputs": inputs}


def damage(path: Path) -> str | None:
    """Why a file cannot be opened to its last byte; None: it can."""
    try:
        if path.suffix == ".txt":
            words = path.read_text().split()
            return None if len(words) == 2 else f"it has {len(words)} words"
        if path.suffix == ".wav":
            samples, rate = soundfile.read(path)
            return None if len(samples) and rate else "it has no samples"
        with Image.open(path) as picture:
            picture.load()
            return None if picture.info.get("prompt") else "it has no prompt"
    except Exception as error:  # noqa: BLE001 - whatever it is, the file is damaged
        return f"{type(error).__name__}: {error}"


def damage_of_database(path: Path) -> str | None:
    """What SQLite finds wrong with a file; None: nothing."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return None if found == "ok" else found
