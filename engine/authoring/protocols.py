"""What passes between the engine and a node while it runs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

LoadedT = TypeVar("LoadedT")

FolderKind = Literal["output", "temp", "input"]

WARNINGS = "warnings"
"""The name in a node's output under which its warnings are listed."""


@dataclass(frozen=True)
class Step:
    """One pause of a long node: progress, and perhaps a question to a model.

    A long node is a generator. Each ``yield Step(...)`` gives the lane a chance to report
    progress, to show a preview, to cancel, and to answer all waiting steps of equal `key` with
    one call of `answer`; the answer comes back as the value of the ``yield``.

    Attributes:
        index: steps done so far, 0 <= index <= total.
        total: steps in all.
        key: steps of equal key (model, shape, conditioning length) may be answered together.
        inputs: what this step asks; one element of the list that `answer` gets.
        answer: takes the inputs of several steps, returns as many answers, in order.
        preview: draws the state so far as an encoded picture (JPEG bytes).
        sound: gives what sounds next, after what earlier steps gave, as a WAV file.
    """

    index: int
    total: int
    key: Hashable | None = None
    inputs: Any = None
    answer: Callable[[list[Any]], Sequence[Any]] | None = None
    preview: Callable[[], bytes] | None = None
    sound: Callable[[], bytes] | None = None


@dataclass(frozen=True)
class File:
    """A file that a node saved: what clients ask /view for."""

    filename: str
    subfolder: str
    type: FolderKind


class Artifact:
    """What an output node shows: named lists of files or JSON values.

    ``Artifact(images=[file])`` puts ``{"images": [{"filename": ...}]}`` before the user.

    Args:
        outputs: a value for each of the node's outputs, if it has any.
        shown: what it shows.
    """

    def __init__(self, outputs: Sequence[Any] | None = None, **shown: Sequence[Any]) -> None:
        self.outputs = None if outputs is None else tuple(outputs)
        self.shown: dict[str, list[Any]] = {name: list(items) for name, items in shown.items()}


class Expansion:
    """A graph that takes the place of the node that returns it.

    Output nodes in it are run too. Equal nodes in it are computed once, as everywhere.

    Args:
        graph: nodes as in a prompt; ids that do not begin with "<id of the node>." get such a
            prefix. Inputs are links into the graph or to nodes of the prompt, or any values.
        outputs: for each output of the node a value, or a link into the graph: ``["id", slot]``.
        shown: what the node itself shows.
    """

    def __init__(
        self,
        graph: Mapping[str, Any],
        outputs: Sequence[Any] = (),
        shown: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        self.graph = graph
        self.outputs = tuple(outputs)
        self.shown: dict[str, list[Any]] = {n: list(items) for n, items in (shown or {}).items()}


@dataclass(frozen=True)
class Blocked:
    """In the place of an output: what takes from it does not run, nor what follows from that.

    Returned instead of all outputs, it blocks each of them. In a list only its item is blocked.

    Attributes:
        message: sent to the client as an error of the node that would have run; the job goes on.
    """

    message: str | None = None


class Run(Protocol):
    """The one job a node runs in; injected into a parameter hinted `Run`."""

    @property
    def job(self) -> str:
        """Id of the job."""
        ...

    @property
    def node(self) -> str:
        """Id of the node in its graph."""
        ...

    @property
    def device(self) -> str:
        """Where the node runs, as torch spells it: "cpu", "cuda:0"."""
        ...

    @property
    def prompt(self) -> Mapping[str, Any]:
        """The whole prompt in API format, for metadata."""
        ...

    @property
    def extra_pnginfo(self) -> Mapping[str, Any]:
        """What the client wants kept in pictures beside the prompt ("workflow", ...)."""
        ...

    @property
    def preview_method(self) -> str:
        """How previews are drawn: "auto", "latent2rgb" or "taesd"; "none": nobody wants any."""
        ...

    def model_path(self, folder: str, name: str) -> Path:
        """Path of a model file of the home, or of one that ships with a node pack.

        Raises:
            MissingFile: no such file; the text names the folder and the remedy.
            BadPath: the name leaves the folder.
        """
        ...

    def input_path(self, name: str) -> Path:
        """Path of an input file; `name` may be annotated: ``"x.png [output]"``.

        Raises:
            MissingFile: no such file.
            BadPath: the name leaves the folder.
        """
        ...

    def save(
        self,
        prefix: str,
        extension: str,
        data: bytes | Iterable[bytes],
        *,
        folder: FolderKind = "output",
        batch_number: int = 0,
        width: int = 0,
        height: int = 0,
        end: str = "_",
    ) -> File:
        """Write `data` as the next free ``{prefix}_{counter:05}{end}.{extension}``, all or nothing.

        `prefix` may hold subfolders and the tokens %width% %height% %batch_num% %year% %month%
        %day% %hour% %minute% %second%. A file too large for memory is given piece by piece; each
        iteration must begin anew.

        Raises:
            BadPath: the prefix leaves the folder.
            NotSaved: the disk is full, or cannot be written to.
        """
        ...

    def warn(self, message: str) -> None:
        """Warn the user: a sentence in the node's output, under `WARNINGS`, and in the log.

        For input that was repaired or left out, where the node can still do its work. It is kept
        with the node's result in the cache. A message that was given already is not repeated.
        """
        ...

    def send(self, picture: bytes) -> None:
        """Send a picture, a PNG or JPEG file, to whoever follows the job; it is kept nowhere."""
        ...


class Resident(Protocol[LoadedT]):
    """A handle on weights: cheap to make, loaded by a lane only when a node needs it.

    Handles of equal `base` share one loaded object; `key` also identifies their patches.
    """

    @property
    def key(self) -> str:
        """What it computes: the file's identity and every patch."""
        ...

    @property
    def base(self) -> str:
        """Whose weights it holds; handles of one base cannot be bound differently at once."""
        ...

    def nbytes(self, device: str) -> int:
        """Bytes the loaded weights take on a device."""
        ...

    def load(self, device: str) -> LoadedT:
        """Read the weights of the base straight to `device`."""
        ...

    def bind(self, loaded: LoadedT) -> None:
        """Make `loaded` compute what this handle says: undo other patches, apply its own."""
        ...


class Bringing(Protocol):
    """A value that needs models besides: a conditioning's control net, a guider's control nets.

    Whoever computes with it (a node that can run on a GPU) leases them, wherever in lists, tuples
    and dicts of its arguments the value is; who only passes it on does not.
    """

    @property
    def handles(self) -> Sequence[Resident[Any]]:
        """The models it needs."""
        ...


class Codec(Protocol):
    """Turns values of one Python type into bytes for the disk cache and back."""

    @property
    def type_name(self) -> str:
        """Full name of the type, "torch.Tensor"."""
        ...

    def dump(self, value: Any) -> bytes:
        """Bytes of `value`."""
        ...

    def load(self, data: bytes) -> Any:
        """The value of `data`, never executing any of it."""
        ...
