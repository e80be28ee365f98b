"""What a node author writes inside type hints: widgets, list and laziness marks, devices.

A hint names the socket, ``Annotated`` adds the widget::

    steps: Annotated[int, Range(1, 10_000)] = 20
    sampler_name: Annotated[str, Choice(SAMPLERS)] = "euler"
    ckpt_name: Annotated[str, Choice(Files("checkpoints"))]
"""

from __future__ import annotations

import enum
import re
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar, dataclass_transform

from engine.authoring.protocols import Step

T = TypeVar("T")


class Device(enum.Flag):
    """Where a node can run."""

    CPU = enum.auto()
    GPU = enum.auto()


CPU = Device.CPU
GPU = Device.GPU


@dataclass(frozen=True)
class Range:
    """Inclusive limits of a number widget; `step` is the editor's step, never enforced."""

    min: int | float
    max: int | float
    step: int | float | None = None
    round: float | bool | None = None


@dataclass(frozen=True)
class FileSet:
    """An option that stands for several files of a model folder, offered where all of them are.

    Attributes:
        name: the option.
        folder: a model folder.
        stems: names of the files without their ending; none: the option is always there.
    """

    name: str
    folder: str = ""
    stems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Files:
    """The files of one folder of the home, as the options of a choice.

    Attributes:
        folder: a model folder ("checkpoints", "loras", ...) or "input".
        marker: a directory holding a file of this name counts as one option
            ("model_index.json" for diffusers folders).
        suffixes: lower-case file endings to list; empty lists the folder's usual ones.
        sets: further options, listed behind the files.
    """

    folder: str
    marker: str | None = None
    suffixes: tuple[str, ...] = ()
    sets: tuple[FileSet, ...] = ()


Judge: TypeAlias = Callable[[Any], str | None]


@dataclass(frozen=True, init=False)
class Choice:
    """One of several strings: a fixed list, or the files of a folder.

    Attributes:
        judge: says why an option cannot be used, None where it can, so that a prompt is refused
            before it waits. It is given the path of a file, or the option of a fixed list, in a
            thread of the server: it reads headers at most, and imports nothing heavy.
    """

    options: tuple[str, ...] | Files
    judge: Judge | None

    def __init__(self, options: Sequence[str] | Files, judge: Judge | None = None) -> None:
        fixed = options if isinstance(options, Files) else tuple(options)
        object.__setattr__(self, "options", fixed)
        object.__setattr__(self, "judge", judge)


@dataclass(frozen=True)
class Text:
    """How a string is typed: over several lines, with {a|b} prompt variants."""

    multiline: bool = False
    dynamic_prompts: bool = False


@dataclass(frozen=True)
class Upload:
    """The editor offers to upload a file of this kind ("image", "audio", "video")."""

    kind: str


@dataclass(frozen=True)
class Tooltip:
    """A sentence shown when the pointer rests on the input."""

    text: str


@dataclass(frozen=True)
class Mentions:
    """A text may have names of files in it: its result changes with any file of their folder.

    Attributes:
        files: their folder.
        pattern: a regular expression that is found in a text that names one.
    """

    files: Files
    pattern: str

    def any_in(self, text: str) -> bool:
        """Whether a text may name one."""
        return re.search(self.pattern, text) is not None


@dataclass(frozen=True)
class Widget:
    """A plain value of any kind, which a widget of the editor's own makes: a "COLOR", say.

    Attributes:
        options: sent to the editor.
    """

    type: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)


@dataclass(frozen=True)
class Slots:
    """Sockets that grow as they are connected; the function gets a dict of those that are.

    ``images: Annotated[dict[str, Image], Slots("image", max=50)]``

    Attributes:
        names: of all slots in order, or what they begin with when they are numbered from 0.
        min: so many must be connected.
        max: of numbered ones there are so many.
    """

    names: str | tuple[str, ...]
    min: int = 1
    max: int = 10

    def all(self) -> tuple[str, ...]:
        """The name of every slot there can be."""
        if isinstance(self.names, tuple):
            return self.names
        return tuple(f"{self.names}{number}" for number in range(self.max))


@dataclass_transform(kw_only_default=True)
class Option:
    """One option of a choice, with inputs of its own; a union of such classes is the choice.

    ``class Png(Option, key="png"): depth: Annotated[str, Choice(("8", "16"))] = "8"``
    """

    key: ClassVar[str]

    def __init_subclass__(cls, *, key: str) -> None:
        cls.key = key
        dataclass(frozen=True, kw_only=True)(cls)


class Mark(enum.Enum):
    """Marks without arguments; authors use the aliases below."""

    SEED = "the editor may randomise the number after each run"
    EACH = "an output list: consumers run once for each item"
    ALL = "an input list: collects every item of an output list"
    LAZY = "an input that is computed only when awaited"
    SOCKET = "a plain value that comes by link, never by widget"
    LATER = "prompts from before the node had this input leave it out, and get its default"
    ADVANCED = "the editor shows the widget only when asked for more"
    UNLISTED = "prompts may have it; ComfyUI's editor adds it by itself, so object_info omits it"


Seed: TypeAlias = Annotated[int, Range(0, 2**64 - 1), Mark.SEED]
Prompt: TypeAlias = Annotated[str, Text(multiline=True, dynamic_prompts=True)]
Each: TypeAlias = Annotated[list[T], Mark.EACH]
All: TypeAlias = Annotated[list[T], Mark.ALL]
Lazy: TypeAlias = Annotated[Awaitable[T], Mark.LAZY]
Steps: TypeAlias = Generator[Step, Any, T]
