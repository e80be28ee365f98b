"""Type hints read as inputs and outputs of a node."""

from __future__ import annotations

import types
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from engine.authoring.errors import DeclarationError
from engine.authoring.markers import (
    Choice,
    Files,
    Mark,
    Mentions,
    Option,
    Range,
    Slots,
    Text,
    Tooltip,
    Upload,
    Widget,
)
from engine.authoring.protocols import Blocked, Expansion
from engine.authoring.sockets import ANY, Socket
from engine.authoring.spec import (
    DYNAMIC_CHOICE,
    GROWING_SLOTS,
    MISSING,
    NUMBERS,
    Input,
    Output,
    Variant,
)

PLAIN_TYPES: dict[Any, str] = {int: "INT", float: "FLOAT", str: "STRING", bool: "BOOLEAN"}
VALUES: dict[str, Any] = {"INT": int, "FLOAT": int | float, "STRING": str, "BOOLEAN": bool}

MarkT = TypeVar("MarkT")


class Blame:
    """Makes DeclarationErrors about one function; `subject` starts with its file and line."""

    def __init__(self, subject: str) -> None:
        self.subject = subject

    def __call__(self, text: str) -> DeclarationError:
        """The error; `text` goes on from the subject."""
        return DeclarationError(f"{self.subject} {text}")


def read_input(name: str, hint: Any, default: Any, blame: Blame) -> Input:
    """The input that a parameter, or a field of an option, declares.

    Args:
        name: of the input.
        hint: as typing gives it, with what is annotated.
        default: MISSING where there is none.
        blame: makes the error.

    Raises:
        DeclarationError: they do not fit together.
    """
    hint, outside = _without_none(hint)
    hint, marks = _unannotated(hint)
    hint, inside = _without_none(hint)
    optional = outside or inside
    if optional and default is MISSING:
        raise blame(f"optional input {name!r} needs a default, None say")
    lazy, collects = Mark.LAZY in marks, Mark.ALL in marks
    if lazy or collects:
        hint, inner = _unannotated(get_args(hint)[0])
        marks += inner
    slots, variants = _mark(marks, Slots), _variants(hint, blame)
    choice, custom = _mark(marks, Choice), _mark(marks, Widget)
    text, upload, tooltip = _mark(marks, Text), _mark(marks, Upload), _mark(marks, Tooltip)
    made = Input(
        name=name,
        type=_input_type(hint, choice, custom, slots, variants),
        default=MISSING if optional and default is None else default,
        optional=optional,
        collects=collects,
        lazy=lazy,
        link_only=Mark.SOCKET in marks,
        seed=Mark.SEED in marks,
        range=_mark(marks, Range),
        choice=choice,
        text=text,
        upload=upload.kind if upload else None,
        tooltip=tooltip.text if tooltip else _words(hint),
        later=Mark.LATER in marks,
        mentions=_mark(marks, Mentions),
        advanced=Mark.ADVANCED in marks,
        unlisted=Mark.UNLISTED in marks,
        match=hint.__name__ if isinstance(hint, TypeVar) else None,
        custom=custom,
        variants=variants,
        slots=slots,
        slot=read_input(name, get_args(hint)[1], MISSING, blame) if slots else None,
    )
    _check_marks(made, hint, blame)
    _check_default(made, blame)
    return made


def read_output(name: str | None, hint: Any, blame: Blame) -> Output:
    """The output that a return hint, or a field of a NamedTuple, declares.

    Raises:
        DeclarationError: it is neither plain nor a socket.
    """
    hint, marks = _unannotated(ordinary(hint))
    each, custom = Mark.EACH in marks, _mark(marks, Widget)
    if each:
        hint, inner = _unannotated(get_args(hint)[0])
        custom = custom or _mark(inner, Widget)
    type_name = custom.type if custom else _type_name(hint)
    if type_name is None:
        raise blame(f"output {name or 'of the return hint'} is neither plain nor a socket: {hint}")
    return Output(name or type_name, type_name, each)


def ordinary(hint: Any) -> Any:
    """A return hint without what every node may give instead: ``Image | Expansion | Blocked``."""
    if not _is_union(hint):
        return hint
    rest = [part for part in get_args(hint) if part not in (Expansion, Blocked)]
    return Union[tuple(rest)] if rest else hint  # noqa: UP007 - the parts are values


def _input_type(
    hint: Any,
    choice: Choice | None,
    custom: Widget | None,
    slots: Slots | None,
    variants: tuple[Variant, ...],
) -> str:
    """The name of the input's type; "" if it has none."""
    if slots:
        return GROWING_SLOTS
    if variants:
        return DYNAMIC_CHOICE
    if custom:
        return custom.type
    return "COMBO" if choice else _type_name(hint) or ""


def _variants(hint: Any, blame: Blame) -> tuple[Variant, ...]:
    """The options of a choice that brings inputs of its own; none for any other hint."""
    options = get_args(hint) if _is_union(hint) else (hint,)
    if not all(isinstance(option, type) and issubclass(option, Option) for option in options):
        return ()
    return tuple(_variant(option, blame) for option in options)


def _variant(option: type[Option], blame: Blame) -> Variant:
    hints = get_type_hints(option, include_extras=True)
    inputs = tuple(
        read_input(name, hint, getattr(option, name, MISSING), blame)
        for name, hint in hints.items()
        if name != "key"
    )
    return Variant(option.key, inputs, option)


def _check_marks(made: Input, hint: Any, blame: Blame) -> None:
    if not made.type:
        raise blame(f"input {made.name!r} has a hint that is neither plain nor a socket")
    if made.range and not NUMBERS.issuperset(made.type.split(",")):
        raise blame(f"input {made.name!r} has a Range, but is no int or float")
    if made.range and made.range.min > made.range.max:
        raise blame(f"input {made.name!r}: nothing is in {made.range}")
    if (made.choice or made.text) and hint is not str:
        raise blame(f"input {made.name!r} has a Choice or Text, but is no str")


def _check_default(made: Input, blame: Blame) -> None:
    if made.default is MISSING or made.custom:
        return
    if not made.is_widget:
        raise blame(f"socket {made.name!r} cannot have a default; hint it as '| None = None'")
    if not any(_is_plain(type_name, made.default) for type_name in made.type.split(",")):
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
    fits = isinstance(value, VALUES.get(type_name, str))
    return fits and (type_name == "BOOLEAN") == isinstance(value, bool)


def _without_none(hint: Any) -> tuple[Any, bool]:
    if not _is_union(hint) or type(None) not in get_args(hint):
        return hint, False
    rest = [part for part in get_args(hint) if part is not type(None)]
    return (rest[0] if len(rest) == 1 else Union[tuple(rest)]), True  # noqa: UP007


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def _unannotated(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(hint) is Annotated:
        base, *marks = get_args(hint)
        return base, tuple(marks)
    return hint, ()


def _mark(marks: tuple[Any, ...], kind: type[MarkT]) -> MarkT | None:
    """The outermost mark of a kind: who uses a named hint may say more of it than its name."""
    for mark in reversed(marks):  # no generator: a start asks 13 000 times
        if isinstance(mark, kind):
            return mark
    return None


def _words(hint: Any) -> str | None:
    """What a type says of itself."""
    return (hint.words or None) if isinstance(hint, Socket) else None


def _type_name(hint: Any) -> str | None:
    """The name of a type on the wire, several with commas between; None if it has none."""
    if isinstance(hint, Socket):
        return hint.name
    if isinstance(hint, TypeVar):
        return ANY if hint.__bound__ is None else _type_name(hint.__bound__)
    if hint is Any:
        return ANY
    if _is_union(hint):
        names = [_type_name(part) for part in get_args(hint)]
        return None if None in names else ",".join(name for name in names if name)
    return PLAIN_TYPES.get(hint)
