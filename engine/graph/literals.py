"""Is a literal fit for its input? Coerced as clients expect, or an error that says why not."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from engine.authoring.errors import BadPath, MissingFile
from engine.authoring.markers import Files
from engine.authoring.names import match_ignoring_case
from engine.authoring.spec import Input
from engine.graph.errors import InputError

log = logging.getLogger(__name__)

LISTED_OPTIONS = 20
SHOWN_CHARACTERS = 200
KINDS: Mapping[str, type] = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}


class FileLists(Protocol):
    """What validation asks of the home's folders."""

    def files(self, files: Files) -> list[str]:
        """Names that a choice over these files offers."""
        ...

    def has_input(self, name: str) -> bool:
        """Whether an (annotated) input file exists."""
        ...

    def model_path(self, folder: str, name: str) -> Path:
        """Path of a model.

        Raises:
            BadPath, MissingFile: there is none.
        """
        ...


class ListedOnce:
    """The home's folders during the validation of one prompt: each choice is listed once."""

    def __init__(self, folders: FileLists) -> None:
        self._listed: dict[Files, list[str]] = {}
        self.has_input = folders.has_input
        self.model_path = folders.model_path
        self._files = folders.files

    def files(self, files: Files) -> list[str]:
        """Names that a choice over these files offers."""
        if files not in self._listed:
            self._listed[files] = self._files(files)
        return self._listed[files]


class InvalidValue(Exception):
    """A literal does not fit; `error` says why."""

    def __init__(self, error: InputError) -> None:
        super().__init__(error.message)
        self.error = error


def coerce(
    input: Input,
    value: Any,
    folders: FileLists,
    config: Callable[[], Any],
    *,
    judged: bool = False,
) -> Any:
    """The literal as the node will get it.

    Args:
        input: the input it is for.
        value: any JSON value.
        folders: lists files for choices over folders.
        config: what clients call input_config, made only when there is an error to show.
        judged: the node itself judges the value; only its type is looked at here.

    Raises:
        Unfit: with an InputError of the type that ComfyUI's clients know.
    """
    if input.type == "*" or input.custom:
        return value
    if not input.is_widget:
        raise InvalidValue(_not_a_link(input, value, config))
    try:
        value = _converted_to_one(input.type.split(","), value)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidValue(
            InputError(
                "invalid_input_type",
                f"Failed to convert an input value to a {input.type} value",
                f"{input.name}, {short(value)}, {error}",
                {
                    "input_name": input.name,
                    "input_config": config(),
                    "received_value": _json(value),
                    "exception_message": str(error),
                },
            )
        ) from error
    if not judged:
        _check_range(input, value, config)
        value = _chosen(input, value, folders, config)
    return value


def complaint(input: Input, value: Any, folders: FileLists) -> str | None:
    """Why a value that its choice offers cannot be used (`Choice.judge`); reads files.

    A judge that fails says nothing: whether the value can be used shows when the node runs.
    """
    choice = input.choice
    if choice is None or choice.judge is None or not isinstance(value, str):
        return None
    try:
        if isinstance(choice.options, Files):
            if value in (option.name for option in choice.options.sets):
                return None
            return choice.judge(folders.model_path(choice.options.folder, value))
        return choice.judge(value)
    except (BadPath, MissingFile):
        return None
    except Exception:
        log.exception("the judge of %s failed on %s", input.name, short(value))
        return None


def _not_a_link(input: Input, value: Any, config: Callable[[], Any]) -> InputError:
    return InputError(
        "bad_linked_input",
        "Bad linked input, must be a length-2 list of [node_id, slot_index]",
        input.name,
        {"input_name": input.name, "input_config": config(), "received_value": _json(value)},
    )


def _converted_to_one(types: list[str], value: Any) -> Any:
    """As the type it has, where that is one of several; else as the first it can be made."""
    if len(types) == 1:
        return _converted(types[0], value)
    if any(type(value) is kind and name in types for name, kind in KINDS.items()):
        return value
    for name in types[:-1]:
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            return _converted(name, value)
    return _converted(types[-1], value)


def _converted(type: str, value: Any) -> Any:
    if type == "COMBO":
        return value
    if value is None or isinstance(value, list | dict):
        kind = "null" if value is None else "a list" if isinstance(value, list) else "an object"
        raise TypeError(f"{kind} is not one")
    if type == "INT":
        return int(value)
    if type == "FLOAT":
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"{number} is no finite number")
        return number
    if type == "BOOLEAN":
        return _truth(value)
    text = str(value)
    text.encode()  # a lone surrogate fails here, with a readable error
    return text


def _truth(value: Any) -> bool:
    if isinstance(value, str):
        word = value.strip().lower()
        if word in ("true", "yes", "on", "1"):
            return True
        if word in ("false", "no", "off", "0", ""):
            return False
        raise ValueError("neither true nor false")
    return bool(value)


def _check_range(input: Input, value: Any, config: Callable[[], Any]) -> None:
    if input.range is None:
        return
    if value < input.range.min:
        problem = "value_smaller_than_min", f"smaller than min of {input.range.min}"
    elif value > input.range.max:
        problem = "value_bigger_than_max", f"bigger than max of {input.range.max}"
    else:
        return
    facts = {
        "input_name": input.name,
        "received_value": _json(value),
        "input_config": config(),
    }
    message = f"Value {short(value)} {problem[1]}"
    raise InvalidValue(InputError(problem[0], message, input.name, facts))


def _chosen(input: Input, value: Any, folders: FileLists, config: Callable[[], Any]) -> Any:
    r"""The value, if its choice offers it; names of files may have ``\\`` for ``/`` (`alike`)."""
    if input.choice is None:
        return value
    options = input.choice.options
    if input.upload and isinstance(options, Files):
        if not (isinstance(value, str) and folders.has_input(value)):
            raise InvalidValue(
                InputError(
                    "custom_validation_failed",
                    "Custom validation failed for node",
                    f"{input.name} - Invalid {input.upload} file: {short(value)}",
                    {"input_name": input.name, "received_value": _json(value)},
                )
            )
        return value
    allowed = folders.files(options) if isinstance(options, Files) else list(options)
    if value in allowed:
        return value
    if isinstance(value, str):
        if isinstance(options, Files) and match_ignoring_case(value, allowed) is not None:
            return value
        if (plain := value.replace("\\", "/")) in allowed:  # files that a pack lists itself
            return plain
    few = len(allowed) <= LISTED_OPTIONS
    listed = str(allowed) if few else f"(list of length {len(allowed)})"
    raise InvalidValue(
        InputError(
            "value_not_in_list",
            "Value not in list",
            f"{input.name}: {short(repr(value))} not in {listed}",
            {
                "input_name": input.name,
                "input_config": config() if few else None,
                "received_value": _json(value),
            },
        )
    )


def short(value: Any) -> str:
    """A value as text, cut where it gets long."""
    try:
        text = str(value)
    except (ValueError, RecursionError):  # thousands of digits, thousands of levels
        return f"{type(value).__name__} of great length"
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."


def _json(value: Any) -> Any:
    """The received value as it may be sent back: strict JSON knows no NaN, few know huge ints."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, int) and abs(value) < 2**64:
        return value
    return None if value is None else short(value)
