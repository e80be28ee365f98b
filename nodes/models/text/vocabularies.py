"""Where the tokenizer of a text encoder comes from.

It is in the model's file as a tensor of bytes (``spiece_model``, ``tekken_model``,
``tokenizer_json``) or among the values of a GGUF file; or it lies in a folder: beside the file, in
one of its name, or in ``models/tokenizers/KIND``; or it comes along (T5's, Qwen's, ByT5's).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from nodes.models.files.gguf import read_gguf_values
from nodes.models.files.tensor_files import GGUF, Header, ModelFileError, TensorFile
from nodes.models.files.tensor_info import BrokenHeader
from nodes.models.text.vocabulary_formats import (
    Ids,
    bytes_of_text,
    from_gguf,
    from_json,
    from_sentencepiece,
    from_tekken,
    published_qwen,
    published_t5,
)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Turns text into the tokens of one text encoder.

    Attributes:
        ids: of a text, without marks at its ends.
        start: id in front of a text; None: there is none.
        end: id behind a text; None: there is none.
        pad: id that fills up.
    """

    ids: Ids
    start: int | None
    end: int | None
    pad: int


@dataclass(frozen=True)
class _Marks:
    title: str
    start: int | None
    end: int | None
    pad: int
    published: Callable[[], Ids] | None = None


MARKS = {
    "t5": _Marks("T5", None, 1, 0, published_t5),
    "umt5": _Marks("UMT5", None, 1, 0),
    "pile-t5": _Marks("Pile-T5", None, 2, 1),
    "bytes": _Marks("ByT5", None, 1, 0, lambda: bytes_of_text),
    "qwen": _Marks("Qwen", None, None, 151643, published_qwen),
    "gemma2": _Marks("Gemma 2", 2, None, 0),
    "gemma3": _Marks("Gemma 3", 2, None, 0),
    "llama3": _Marks("Llama 3", 128000, None, 128009),
    "tekken": _Marks("Mistral 3 (tekken)", 1, None, 11),
}
"""The marks of each kind of vocabulary, by the names of `LanguageLayout.vocabulary`."""
TENSORS: Mapping[str, Callable[[bytes], Ids]] = {
    "spiece_model": from_sentencepiece,
    "tekken_model": lambda content: from_tekken(content.decode()),
    "tokenizer_json": lambda content: from_json(content.decode()),
}
"""How tensors are called that hold a tokenizer's file as bytes."""
FILES: Mapping[str, Callable[[Path], Ids]] = {
    "tokenizer.json": lambda path: from_json(path.read_text(encoding="utf-8")),
    "spiece.model": lambda path: from_sentencepiece(path.read_bytes()),
    "tokenizer.model": lambda path: from_sentencepiece(path.read_bytes()),
    "tekken.json": lambda path: from_tekken(path.read_text(encoding="utf-8")),
}
FOLDER = "tokenizers"
"""Name of the folder of models that has one for each kind of vocabulary."""
LEVELS = 5
"""So many folders above a file may have it."""


@lru_cache(maxsize=16)
def vocabulary_of(header: Header, kind: str) -> Vocabulary:
    """The tokenizer of the text encoder in a file; each is read once.

    Args:
        header: of the file, or of several together.
        kind: which it needs, see `LanguageLayout.vocabulary`.

    Raises:
        ModelFileError: there is none, or it is broken; says what belongs where.
    """
    marks = MARKS[kind]
    ids = _in_file(header) or _beside(header.path, kind)
    if ids is None and marks.published is not None:
        ids = marks.published()
    if ids is None:
        raise ModelFileError(
            f"{header.path}: holds no tokenizer, and that of {marks.title} does not come along; "
            f"put its tokenizer.json (or {_other(kind)}) into the folder "
            f"{header.path.parent / header.path.stem}, or into {FOLDER}/{kind} of your models, or "
            "take a file of this text encoder that holds it"
        )
    return Vocabulary(ids, marks.start, marks.end, marks.pad)


def _other(kind: str) -> str:
    return "tekken.json" if kind == "tekken" else "spiece.model"


def _in_file(header: Header) -> Ids | None:
    for member in header.members.values() or [header]:
        for name in member.shapes:
            read = TENSORS.get(name.rpartition(".")[2])
            if read is not None:
                content = TensorFile(member)[name].numpy().tobytes()
                return _read(f"{member.path}: {name}", partial(read, content))
        if member.path.suffix.lower() in GGUF:
            try:
                values = read_gguf_values(member.path, "tokenizer.ggml.")
            except BrokenHeader as error:
                raise ModelFileError(f"{member.path}: {error}") from None
            found = _read(f"{member.path}: its tokenizer", partial(from_gguf, values))
            if found is not None:
                return found
    return None


def _beside(path: Path, kind: str) -> Ids | None:
    folders = [path.parent / path.stem, path.parent / "tokenizer", path.parent.parent / "tokenizer"]
    folders += [above / FOLDER / kind for above in list(path.parents)[:LEVELS]]
    for folder in folders:
        for name, read in FILES.items():
            if (file := folder / name).is_file():
                return _read(str(file), partial(read, file))
    return None


def _read(origin: str, read: Callable[[], Ids | None]) -> Ids | None:
    try:
        return read()
    except ModelFileError:
        raise
    except Exception as error:  # noqa: BLE001 - libraries raise whatever they like at broken files
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ModelFileError(f"{origin} is no tokenizer that can be read ({reason})") from None
