"""Kokoro-82M on onnxruntime: text into speech, one sentence after the other.

text -> sentences -> phonemes -> tokens (at most 510) -> style row by token count -> 24 kHz.
The model is StyleTTS2's (arXiv:2306.07691) with an ISTFTNet vocoder; any of the published ONNX
exports fits (inputs `tokens` or `input_ids`, `style`, `speed`). Importing this module loads
neither onnxruntime nor torch.
"""

from __future__ import annotations

import weakref
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from nodes.models.speech.g2p import English, Foreign, UnspeakableText
from nodes.models.speech.phonemes import PAD, split_phonemes, tokens
from nodes.models.speech.sentences import split_sentences
from nodes.models.speech.voices import FASTEST, LANGUAGES, SAMPLE_RATE, SLOWEST, shares

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

PULL = "run 'soundstage models pull kokoro'"
STYLE_SHAPE = (510, 1, 256)

# Seconds of silence after a piece, by the mark it ends with: as long as readers pause, by ear.
PAUSES = {".": 0.3, "!": 0.3, "?": 0.3, "…": 0.4, ";": 0.2, ":": 0.2, ",": 0.12, "—": 0.15}
LAST_PAUSE = 0.15
QUIET = 10 ** (-55 / 20)  # -55 dB of full scale: the noise floor of the model's own silence
MARGIN, FADE = 0.03, 0.004


class VoiceFileError(ValueError):
    """A model or voice file that cannot be used; the text names it and the remedy."""


@dataclass(frozen=True)
class Sentence:
    """One sentence that is to be spoken.

    Attributes:
        index: 1 for the first.
        total: sentences in all.
        text: of it.
        phonemes: of it; empty where nothing of the text can be spoken.
        synthesise: speaks it: float32 [T] at 24 kHz in -1..1, from silence to silence, its pause
            included.
    """

    index: int
    total: int
    text: str
    phonemes: str
    synthesise: Callable[[], Samples]


@dataclass(frozen=True)
class Chunk:
    """One spoken sentence.

    Attributes:
        index: 1 for the first.
        total: sentences in all.
        text: of the piece.
        phonemes: spoken; empty where nothing of the text can be spoken.
        audio: float32 [T] at 24 kHz in -1..1, from silence to silence, its pause included.
    """

    index: int
    total: int
    text: str
    phonemes: str
    audio: Samples


class Kokoro:
    """The loaded model.

    Args:
        model: ONNX file.
        voices: npz file, one float32 [510, 1, 256] for each voice.
        device: "cpu" or "cuda:N", as torch spells it; for CUDA the caller has asked torch
            whether there is any.
        threads: of the CPU; more than the idle cores make it slower.

    Raises:
        VoiceFileError: missing, truncated or another kind of file.
    """

    def __init__(self, model: Path, voices: Path, *, device: str = "cpu", threads: int = 2) -> None:
        self.voices = voices
        self.style("af_heart")  # before the model, which takes seconds
        self._session = _session(model, device, threads)
        names = {entry.name for entry in self._session.get_inputs()}
        self._tokens = "input_ids" if "input_ids" in names else "tokens"
        if names != {self._tokens, "style", "speed"}:
            raise VoiceFileError(
                f"{model} is no Kokoro model (its inputs are {', '.join(sorted(names))}); {PULL}"
            )
        speed = next(e.type for e in self._session.get_inputs() if e.name == "speed")
        self._whole_speed = "int" in speed

    def style(self, voice: str) -> Samples:
        """The style rows of a voice or a mix, af_heart(2)+bf_emma(1): float32 [510, 1, 256].

        Raises:
            ValueError: there is no such voice; of a mix, which part.
            VoiceFileError: the file of voices cannot be read.
        """
        parts = [self._style(name) * share for name, share in shares(voice).items()]
        mixed = parts[0]
        for part in parts[1:]:
            mixed = mixed + part
        return mixed.astype("float32", copy=False)

    def _style(self, voice: str) -> Samples:
        import numpy as np

        try:
            with self.voices.open("rb") as file, np.load(file, allow_pickle=False) as held:
                style = cast("Samples", held[voice])
        except FileNotFoundError:
            raise VoiceFileError(f"{self.voices} is missing; {PULL}") from None
        except KeyError:
            raise VoiceFileError(f"{self.voices} holds no voice {voice!r}; {PULL}") from None
        except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            raise VoiceFileError(
                f"{self.voices} is truncated or no file of voices ({error}); {PULL}"
            ) from error
        if style.shape != STYLE_SHAPE:
            raise VoiceFileError(
                f"{self.voices}: voice {voice!r} has shape {style.shape}, not {STYLE_SHAPE}; {PULL}"
            )
        return style

    def synthesise(self, phonemes: str, style: Samples, speed: float = 1.0) -> Samples:
        """Sound of at most 510 phonemes, as the model gives it: float32 [T] at 24 kHz."""
        import numpy as np

        ids = tokens(phonemes)
        feeds = {
            self._tokens: np.array([[PAD, *ids, PAD]], np.int64),
            "style": style[len(ids) - 1],
            "speed": np.array([speed], np.int32 if self._whole_speed else np.float32),
        }
        samples = self._session.run(None, feeds)[0]
        return np.asarray(samples, np.float32).reshape(-1)

    def speak(self, text: str, voice: str = "af_heart", speed: float = 1.0) -> Iterator[Chunk]:
        """Speak a text of any length; memory and time to the first chunk are those of a sentence.

        Args:
            text: prose; ``[word](/fəˈnimz/)`` gives phonemes outright.
            voice: one of `VOICES`, or a mix: af_heart(2)+bf_emma(1), in the language of the first.
            speed: 0.5 to 2.

        Raises:
            UnspeakableText: no speakable character, or another language than English.
            ValueError: unknown voice, speed out of range.
            VoiceFileError: the file of voices cannot be read.
        """
        for each in self.sentences(text, voice, speed):
            yield Chunk(each.index, each.total, each.text, each.phonemes, each.synthesise())

    def sentences(self, text: str, voice: str, speed: float) -> Iterator[Sentence]:
        """What `speak` speaks, sentence by sentence, before it is spoken; raises as it does."""
        if not SLOWEST <= speed <= FASTEST:
            raise ValueError(f"speed is {speed}; give {SLOWEST} to {FASTEST}")
        style = self.style(voice)
        g2p = self._g2p(voice)
        sentences = split_sentences(text)
        speakable = False
        for index, sentence in enumerate(sentences, 1):
            phonemes = g2p.phonemes(sentence)
            pieces = [*split_phonemes(phonemes)]
            speakable = speakable or bool(pieces)
            spoken = partial(self._spoken, pieces, style, speed)
            yield Sentence(index, len(sentences), sentence, phonemes, spoken)
        if not speakable:
            raise UnspeakableText(
                f"text {_excerpt(text)} has nothing that can be spoken; give words or numbers"
            )

    def _spoken(self, pieces: Sequence[str], style: Samples, speed: float) -> Samples:
        import numpy as np

        spoken = [
            _joinable(self.synthesise(piece, style, speed), _pause(piece) / speed)
            for piece in pieces
        ]
        return np.concatenate(spoken) if spoken else np.zeros(0, np.float32)

    def _g2p(self, voice: str) -> English | Foreign:
        match next(iter(shares(voice)))[0]:
            case "a":
                return self._american
            case "b":
                return self._british
            case language:
                return Foreign(voice, LANGUAGES[language])

    @cached_property
    def _american(self) -> English:
        return English(british=False)

    @cached_property
    def _british(self) -> English:
        return English(british=True)


@dataclass
class _Binding:
    """The network that a handle is bound to: a weak reference, or its own after `ready`."""

    kokoro: Callable[[], Kokoro | None] = field(default=lambda: None)
    owned: Kokoro | None = None


@dataclass(frozen=True, eq=False)
class VoiceModel:
    """A handle on Kokoro: cheap to make, loaded when it is to speak.

    Attributes:
        model: ONNX file.
        voices: npz file of voices.
        threads: of the CPU.
    """

    model: Path
    voices: Path
    threads: int = 2
    _binding: _Binding = field(default_factory=_Binding, init=False, repr=False)

    @classmethod
    def find(cls, model: Path, threads: int = 2) -> VoiceModel:
        """A model and the file of voices that lies beside it."""
        return cls(model, model.with_name("voices-v1.0.bin"), threads)

    @cached_property
    def key(self) -> str:
        """Identity of both files: a replaced one is noticed."""
        return "|".join(
            f"{path}:{found.st_size}:{found.st_mtime_ns}"
            for path in (self.model, self.voices)
            if (found := _stat(path))
        )

    @property
    def base(self) -> str:
        """The same as `key`: speech has no patches."""
        return self.key

    def nbytes(self, device: str) -> int:
        """Bytes the loaded weights take, about."""
        return self.model.stat().st_size

    def load(self, device: str) -> Kokoro:
        """Read the weights; the caller owns the result.

        Raises:
            VoiceFileError: missing, truncated or another kind of file.
        """
        return Kokoro(self.model, self.voices, device=device, threads=self.threads)

    def bind(self, loaded: Kokoro) -> None:
        """Speak by `loaded` from now on; whoever loaded it keeps it alive."""
        self._binding.kokoro = weakref.ref(loaded)

    def ready(self, device: str = "cpu") -> VoiceModel:
        """Load and bind in one, and keep the weights as long as this handle: for notebooks."""
        self._binding.owned = self.load(device)
        self.bind(self._binding.owned)
        return self

    def speak(self, text: str, voice: str = "af_heart", speed: float = 1.0) -> Iterator[Chunk]:
        """As `Kokoro.speak`.

        Raises:
            RuntimeError: nothing is loaded.
        """
        return self._bound().speak(text, voice, speed)

    def sentences(self, text: str, voice: str, speed: float) -> Iterator[Sentence]:
        """As `Kokoro.sentences`.

        Raises:
            RuntimeError: nothing is loaded.
        """
        return self._bound().sentences(text, voice, speed)

    def _bound(self) -> Kokoro:
        kokoro = self._binding.kokoro()
        if kokoro is None:
            raise RuntimeError("the voice model is not loaded; call ready() first")
        return kokoro


def _session(model: Path, device: str, threads: int) -> Any:
    # The library has no type stubs.
    ort: Any = import_module("onnxruntime")

    if not model.is_file():
        raise VoiceFileError(f"{model} is missing; {PULL}")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that wait for each other burn a quarter of the time else, on cores that others share.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.startswith("cuda"):
        # Its own list of providers names CUDA even where CUDA cannot load: the caller decides.
        ort.preload_dlls()
        number = int(device.partition(":")[2] or 0)
        chosen = {"device_id": number, "cudnn_conv_algo_search": "DEFAULT"}
        providers.insert(0, ("CUDAExecutionProvider", chosen))
    try:
        return ort.InferenceSession(str(model), options, providers=providers)
    except Exception as error:  # its errors share no base of their own
        reason = str(error).strip().splitlines()[0]
        raise VoiceFileError(
            f"{model} is truncated or no ONNX model ({reason}); remove it and {PULL}"
        ) from error


def _joinable(audio: Samples, pause: float) -> Samples:
    """Speech without the model's own silence, faded at both ends, and a pause: no join clicks."""
    import numpy as np

    loud = np.flatnonzero(np.abs(audio) > QUIET)
    if loud.size == 0:
        return np.zeros(round(pause * SAMPLE_RATE), np.float32)
    margin, fade = round(MARGIN * SAMPLE_RATE), round(FADE * SAMPLE_RATE)
    kept = audio[max(0, loud[0] - margin) : loud[-1] + margin].copy()
    ramp = np.sin(np.linspace(0, np.pi / 2, min(fade, kept.size), dtype=np.float32)) ** 2
    kept[: ramp.size] *= ramp
    kept[kept.size - ramp.size :] *= ramp[::-1]
    return np.concatenate([kept, np.zeros(round(pause * SAMPLE_RATE), np.float32)])


def _pause(phonemes: str) -> float:
    return PAUSES.get(phonemes.rstrip('"”) ')[-1:], 0.0 if phonemes else LAST_PAUSE)


def _excerpt(text: str) -> str:
    shown = text.strip()
    return repr(shown if len(shown) <= 40 else f"{shown[:40]}…")


def _stat(path: Path) -> Any:
    return path.stat() if path.exists() else None
