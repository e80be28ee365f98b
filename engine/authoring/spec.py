"""What is known of a node without running it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.authoring.markers import (
    CPU,
    Choice,
    Device,
    Files,
    Mentions,
    Option,
    Range,
    Slots,
    Text,
    Widget,
)

Kind = Literal["function", "generator", "async"]


class Missing:
    """The default of an input that has none."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()

NUMBERS = frozenset({"INT", "FLOAT", "BOOLEAN"})
PLAIN = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})
DYNAMIC_CHOICE = "COMFY_DYNAMICCOMBO_V3"
GROWING_SLOTS = "COMFY_AUTOGROW_V3"


@dataclass(frozen=True)
class Input:
    """One parameter of a node.

    Attributes:
        type: name on the wire: "INT", "FLOAT", "STRING", "BOOLEAN", "COMBO" or a socket's name;
            several with commas between, "INT,FLOAT".
        default: `MISSING` where the prompt must give a value.
        optional: the prompt may leave it out (the hint was ``X | None = ...``).
        collects: takes all items of an output list at once (`All`).
        lazy: computed only when the node's `check_lazy_status` requests it; in an async node
            without that, when awaited (`Lazy`); in other nodes as if it were not lazy.
        raw: a link is not followed, the node gets the link itself: ``["12", 0]``.
        object_info: its entry in object_info, where it is not derived from the rest.
        unlisted: a prompt may give it, but it is listed apart in object_info: another editor adds
            it by code of its own, and breaks where it is declared as well.
        later: prompts from before the node had it may leave it out, new ones should not.
        mentions: which files' names may stand in the text.
        match: inputs and outputs of one such name are of one type, whichever it is.
        custom: the editor's own widget for it; any JSON value may stand here.
        variants: the options of a choice that brings inputs of its own.
        slots: which sockets can grow here; each is like `slot`.
    """

    name: str
    type: str
    default: Any = MISSING
    optional: bool = False
    collects: bool = False
    lazy: bool = False
    link_only: bool = False
    seed: bool = False
    range: Range | None = None
    choice: Choice | None = None
    text: Text | None = None
    upload: str | None = None
    tooltip: str | None = None
    advanced: bool = False
    unlisted: bool = False
    later: bool = False
    mentions: Mentions | None = None
    match: str | None = None
    custom: Widget | None = None
    variants: tuple[Variant, ...] = ()
    slots: Slots | None = None
    slot: Input | None = None
    raw: bool = False
    object_info: list[Any] | None = None

    @property
    def is_widget(self) -> bool:
        """Whether a literal may stand here."""
        if self.type in PLAIN or self.custom or self.choice is not None or self.variants:
            return True
        return "," in self.type and PLAIN.issuperset(self.type.split(","))

    @property
    def has_limits(self) -> bool:
        """Whether it takes numbers alone, or one of a fixed list, and not when it is awaited."""
        if self.lazy:
            return False
        if self.type == "COMBO":
            return self.choice is not None and not isinstance(self.choice.options, Files)
        return self.type != "BOOLEAN" and NUMBERS.issuperset(self.type.split(","))

    @property
    def is_dynamic(self) -> bool:
        """Whether other inputs hang on what a prompt gives here (see `dynamic`)."""
        return bool(self.variants) or self.slots is not None


@dataclass(frozen=True)
class Variant:
    """One option of a dynamic choice, the inputs it brings, and the class that holds them."""

    key: str
    inputs: tuple[Input, ...]
    made: type[Option]


@dataclass(frozen=True)
class Output:
    """One value a node gives.

    Attributes:
        each: a list, whose items run downstream one by one.
        passthrough: name of the input whose value it is, unchanged.
    """

    name: str
    type: str
    each: bool = False
    passthrough: str | None = None


@dataclass(frozen=True)
class NodeSpec:
    """A node as the engine sees it: made by `node` from a function's signature, then frozen.

    Attributes:
        id: class_type in a prompt.
        inputs: in widget order.
        is_output: an output node (returns an `Artifact`): where a run starts from, backwards.
        single: the function returns the one output itself, not a tuple of outputs.
        run_parameter: name of the parameter that wants the `Run`, if any.
        on: devices it can run on.
        loads: the models among its inputs are loaded, and kept as they are, while it runs.
        pure: equal inputs give equal outputs, so results may be reused.
        fingerprint: from the literal arguments (None for linked ones), a value that changes
            when the node's outer world (a file, a clock) does; NaN or an exception: it always
            does. May be async.
        check_lazy_status: for a node with lazy inputs: gets what the function would get, None for
            lazy inputs that are not computed yet, and returns the names of those it requests;
            called again until it requests no more, then the function runs, with None for what
            nobody wanted. Over lists it is asked for each item. May be async.
        validate_inputs: judges the literals of a prompt (linked inputs are None): True, False, or
            a text that says what is wrong. May be async.
        validated_inputs: inputs that `validate_inputs` judges: their range and choice are not
            looked at.
        validates_types: `validate_inputs` also judges links: it gets `input_types`, for each linked
            input the type that comes in.
        takes_more: undeclared inputs reach the function if they are linked.
        takes_all: undeclared literals reach it too.
        not_idempotent: results are not shared with equal nodes of another id.
        version: changes with the function's code, so that old cached results are not reused.
        origin: module that defines it.
        deprecated, experimental: the editor says so.
        object_info: its whole entry in object_info, where it is not derived from the rest.
    """

    id: str
    function: Callable[..., Any]
    kind: Kind
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    category: str
    description: str
    display_name: str
    version: str
    origin: str
    is_output: bool = False
    single: bool = True
    run_parameter: str | None = None
    on: Device = CPU
    loads: bool = True
    pure: bool = True
    fingerprint: Callable[..., object] | None = None
    check_lazy_status: Callable[..., Sequence[str] | Awaitable[Sequence[str]]] | None = None
    validate_inputs: Callable[..., object] | None = None
    validated_inputs: frozenset[str] = frozenset()
    validates_types: bool = False
    takes_more: bool = False
    takes_all: bool = False
    not_idempotent: bool = False
    deprecated: bool = False
    experimental: bool = False
    object_info: Mapping[str, Any] | None = None
    by_name: dict[str, Input] = field(init=False, repr=False, compare=False, hash=False)
    limited: dict[str, Input] = field(init=False, repr=False, compare=False, hash=False)
    """Inputs whose limits hold for what comes by links too: those of our own nodes."""
    has_lazy_inputs: bool = field(init=False, repr=False, compare=False, hash=False)
    """Whether it may run before all its inputs are there."""
    is_dynamic: bool = field(init=False, repr=False, compare=False, hash=False)
    """Whether its inputs depend on what a prompt gives."""
    judged: tuple[Input, ...] = field(init=False, repr=False, compare=False, hash=False)
    """The choices that say why an option cannot be used (`Choice.judge`)."""
    lists_files: bool = field(init=False, repr=False, compare=False, hash=False)
    """Whether it has choices over the files of folders."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {input.name: input for input in self.inputs})
        limited = {} if self.is_custom else {i.name: i for i in self.inputs if i.has_limits}
        object.__setattr__(self, "limited", limited)
        patient = any(
            input.raw or (input.lazy and self.can_request_inputs) for input in self.inputs
        )
        object.__setattr__(self, "has_lazy_inputs", patient)
        object.__setattr__(self, "is_dynamic", any(input.is_dynamic for input in self.inputs))
        judged = tuple(i for i in self.inputs if i.choice is not None and i.choice.judge)
        object.__setattr__(self, "judged", judged)
        choices = (i.choice.options for i in self.inputs if i.choice is not None)
        lists_files = any(isinstance(options, Files) for options in choices)
        object.__setattr__(self, "lists_files", lists_files)

    @property
    def is_custom(self) -> bool:
        """Whether it comes from a pack that was written for ComfyUI."""
        return self.object_info is not None

    @property
    def can_request_inputs(self) -> bool:
        """Whether it can request lazy inputs."""
        return self.check_lazy_status is not None or self.kind == "async"

    def input(self, name: str) -> Input:
        """The input of that name; one that is not declared (`takes_more`) is as the others are."""
        declared = self.by_name.get(name)
        if declared is not None:
            return declared
        return Input(name, "*", optional=True, collects=any(i.collects for i in self.inputs))

    def with_version(self, version: str) -> NodeSpec:
        """The same node with another version, on which nothing else of it depends."""
        spec = object.__new__(NodeSpec)
        spec.__dict__.update(self.__dict__, version=version)
        return spec

    @property
    def source_location(self) -> str:
        """File and line of its declaration."""
        return source_location(self.function)


def source_location(function: Callable[..., Any]) -> str:
    """File and line of a function, as compilers write them."""
    code = function.__code__
    return f"{code.co_filename}:{code.co_firstlineno}"
