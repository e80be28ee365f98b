"""From a typed function to a `NodeSpec`: the whole node API."""

from __future__ import annotations

import hashlib
import inspect
import marshal
import re
import types
import typing
from collections.abc import Callable, Generator
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from engine.authoring.errors import DeclarationError
from engine.authoring.markers import CPU, Choice, Device, Files, Mark, Range, Text, Tooltip, Upload
from engine.authoring.protocols import Artifact, Run
from engine.authoring.sockets import ANY, Socket
from engine.authoring.spec import MISSING, Input, Kind, NodeSpec, Output, place

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

PLAIN_TYPES: dict[Any, str] = {int: "INT", float: "FLOAT", str: "STRING", bool: "BOOLEAN"}
NUMBERS = ("INT", "FLOAT")
MARSHAL_VERSION = 2  # later ones write other bytes when somebody else holds the same constant


def node(
    id: str,
    *,
    category: str,
    display_name: str | None = None,
    on: Device = CPU,
    pure: bool = True,
    fingerprint: Callable[..., object] | None = None,
) -> Callable[[FunctionT], FunctionT]:
    """Declare a node: keyword-only parameters are its inputs, the return hint its outputs.

    The decorated function stays an ordinary function; its `spec` attribute holds the NodeSpec.

    Raises:
        DeclarationError: with file and line, for a parameter without a hint, an unknown type, a
            default outside its own range or choice, a plain function with `Lazy` inputs, ...
    """

    def declare(function: FunctionT) -> FunctionT:
        blame = _Blame(id, function)
        hints = _hints(function, blame)
        kind = _kind(function)
        inputs, run_parameter = _inputs(function, hints, kind, blame)
        if "return" not in hints:
            raise blame("has no return hint; write what it gives, '-> Image' say")
        returned = hints["return"]
        if kind == "generator":
            returned = _generated(returned, blame)
        outputs, shows, single = _outputs(returned, blame)
        spec = NodeSpec(
            id=id,
            function=function,
            kind=kind,
            inputs=inputs,
            outputs=outputs,
            category=category,
            description=(inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " "),
            display_name=display_name or _spaced(id),
            version=_version(function),
            origin=function.__module__,
            shows=shows,
            single=single,
            run_parameter=run_parameter,
            on=on,
            pure=pure,
            fingerprint=fingerprint,
        )
        setattr(function, "spec", spec)  # noqa: B010 - functions have no declared attribute
        return function

    return declare


class _Blame:
    """Makes DeclarationErrors that start with the file and line of one function."""

    def __init__(self, id: str, function: Callable[..., Any]) -> None:
        self.subject = f"{place(function)}: node {id!r}"

    def __call__(self, text: str) -> DeclarationError:
        return DeclarationError(f"{self.subject} {text}")


def _hints(function: Callable[..., Any], blame: _Blame) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except Exception as error:
        raise blame(f"has a hint that cannot be read: {error}") from error


def _kind(function: Callable[..., Any]) -> Kind:
    if inspect.isgeneratorfunction(function):
        return "generator"
    return "async" if inspect.iscoroutinefunction(function) else "function"


def _generated(hint: Any, blame: _Blame) -> Any:
    if get_origin(hint) is not Generator:
        raise blame("is a generator; hint its return as 'Steps[...]'")
    return get_args(hint)[2]


def _inputs(
    function: Callable[..., Any], hints: dict[str, Any], kind: Kind, blame: _Blame
) -> tuple[tuple[Input, ...], str | None]:
    inputs: list[Input] = []
    run_parameter: str | None = None
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name not in hints:
            raise blame(f"parameter {parameter.name!r} has no type hint")
        hint = hints[parameter.name]
        if hint is Run:
            run_parameter = parameter.name
            continue
        if parameter.kind is not parameter.KEYWORD_ONLY:
            raise blame(f"parameter {parameter.name!r} must be keyword-only: put it after '*'")
        made = _input(parameter, hint, blame)
        if made.lazy and kind != "async":
            raise blame(f"input {made.name!r} is Lazy; only an 'async def' node can await it")
        inputs.append(made)
    return tuple(inputs), run_parameter


def _input(parameter: inspect.Parameter, hint: Any, blame: _Blame) -> Input:
    default = MISSING if parameter.default is parameter.empty else parameter.default
    hint, outside = _without_none(hint)
    hint, marks = _unannotated(hint)
    hint, inside = _without_none(hint)
    optional = outside or inside
    if optional and default is not None:
        raise blame(f"optional input {parameter.name!r} needs the default None")
    lazy, collects = Mark.LAZY in marks, Mark.ALL in marks
    if lazy or collects:
        hint, inner = _unannotated(get_args(hint)[0])
        marks += inner
    choice = _mark(marks, Choice)
    type_name = "COMBO" if choice else _type_name(hint)
    if type_name is None:
        raise blame(f"input {parameter.name!r} has a hint that is neither plain nor a socket")
    text, upload, tooltip = _mark(marks, Text), _mark(marks, Upload), _mark(marks, Tooltip)
    made = Input(
        name=parameter.name,
        type=type_name,
        default=MISSING if optional else default,
        optional=optional,
        collects=collects,
        lazy=lazy,
        link_only=Mark.SOCKET in marks,
        seed=Mark.SEED in marks,
        range=_mark(marks, Range),
        choice=choice,
        text=text,
        upload=upload.kind if upload else None,
        tooltip=tooltip.text if tooltip else None,
    )
    _check_marks(made, hint, blame)
    _check_default(made, blame)
    return made


def _check_marks(made: Input, hint: Any, blame: _Blame) -> None:
    if made.range and made.type not in NUMBERS:
        raise blame(f"input {made.name!r} has a Range, but is no int or float")
    if made.range and made.range.min > made.range.max:
        raise blame(f"input {made.name!r}: nothing is in {made.range}")
    if (made.choice or made.text) and hint is not str:
        raise blame(f"input {made.name!r} has a Choice or Text, but is no str")


def _check_default(made: Input, blame: _Blame) -> None:
    if made.default is MISSING:
        return
    if not made.is_widget:
        raise blame(f"socket {made.name!r} cannot have a default; hint it as '| None = None'")
    if not _is_plain(made.type, made.default):
        raise blame(f"input {made.name!r}: default {made.default!r} does not fit its hint")
    if made.range and not made.range.min <= made.default <= made.range.max:
        raise blame(f"input {made.name!r}: default {made.default} is outside of {made.range}")
    if (
        made.choice
        and not isinstance(made.choice.options, Files)
        and made.default not in made.choice.options
    ):
        raise blame(f"input {made.name!r}: default {made.default!r} is none of its choices")


def _is_plain(type_name: str, value: Any) -> bool:
    """Whether a value is of a plain type; an int passes for a float, a bool for no number."""
    if type_name in NUMBERS:
        numbers = int if type_name == "INT" else int | float
        return isinstance(value, numbers) and not isinstance(value, bool)
    return isinstance(value, bool if type_name == "BOOLEAN" else str)


def _outputs(hint: Any, blame: _Blame) -> tuple[tuple[Output, ...], bool, bool]:
    """Outputs, whether the node shows something, whether it returns one bare value."""
    if hint is None or hint is type(None):
        raise blame("returns nothing; return outputs, or an Artifact to show")
    if hint is Artifact:
        return (), True, True
    if isinstance(hint, type) and hasattr(hint, "_fields"):
        fields = get_type_hints(hint, include_extras=True)
        return tuple(_output(name, field, blame) for name, field in fields.items()), False, False
    return (_output(None, hint, blame),), False, True


def _output(name: str | None, hint: Any, blame: _Blame) -> Output:
    hint, marks = _unannotated(hint)
    each = Mark.EACH in marks
    if each:
        hint, _ = _unannotated(get_args(hint)[0])
    type_name = _type_name(hint)
    if type_name is None:
        raise blame(f"output {name or 'of the return hint'} is neither plain nor a socket: {hint}")
    return Output(name or type_name, type_name, each)


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) not in (Union, types.UnionType) or type(None) not in get_args(hint):
        return hint, False
    rest = [part for part in get_args(hint) if part is not type(None)]
    return (rest[0] if len(rest) == 1 else typing.Union[tuple(rest)]), True  # noqa: UP007


def _unannotated(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(hint) is Annotated:
        base, *marks = get_args(hint)
        return base, tuple(marks)
    return hint, ()


MarkT = TypeVar("MarkT")


def _mark(marks: tuple[Any, ...], kind: type[MarkT]) -> MarkT | None:
    return next((mark for mark in marks if isinstance(mark, kind)), None)


def _type_name(hint: Any) -> str | None:
    if isinstance(hint, Socket):
        return hint.name
    if isinstance(hint, TypeVar) or hint is Any:
        return ANY
    return PLAIN_TYPES.get(hint)


def _spaced(id: str) -> str:
    """'EmptyLatentImage' as 'Empty Latent Image'."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", id)


def _version(function: Callable[..., Any]) -> str:
    code = marshal.dumps(function.__code__, MARSHAL_VERSION)
    return hashlib.blake2b(code, digest_size=8).hexdigest()
