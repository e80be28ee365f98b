"""From a typed function to a `NodeSpec`: the whole node API."""

from __future__ import annotations

import hashlib
import inspect
import marshal
import re
from collections.abc import Callable, Generator, Sequence
from typing import (
    Any,
    ForwardRef,
    NamedTuple,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from engine.authoring.hints import Blame, ordinary, read_input, read_output
from engine.authoring.markers import CPU, GPU, Device
from engine.authoring.protocols import Artifact, Blocked, Expansion, Run
from engine.authoring.spec import MISSING, Input, Kind, NodeSpec, Output, source_location

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

MARSHAL_VERSION = 2  # later ones write other bytes when somebody else holds the same constant


def node(
    id: str,
    *,
    category: str,
    display_name: str | None = None,
    on: Device = CPU,
    loads: bool | None = None,
    pure: bool = True,
    fingerprint: Callable[..., object] | None = None,
    passes: Sequence[str] = (),
    deprecated: bool = False,
    experimental: bool = False,
) -> Callable[[FunctionT], FunctionT]:
    """Declare a node: keyword-only parameters are its inputs, the return hint its outputs.

    The decorated function stays an ordinary function; its `spec` attribute holds the NodeSpec.

    Args:
        id: class_type in prompts.
        category: where the editor's menu has it, "image/transform".
        display_name: its title in the editor; the id with spaces if None.
        on: the devices it can run on.
        loads: whether the models among its inputs are loaded before it runs; None: if it can run
            on a GPU, as others make new handles of handles.
        pure: equal inputs give equal outputs.
        fingerprint: see NodeSpec.
        passes: inputs of an output node that go on as outputs, unchanged.
        deprecated: the editor warns of it.
        experimental: likewise.

    Raises:
        DeclarationError: with file and line, for a parameter without a hint, an unknown type, a
            default outside its own range or choice, a plain function with `Lazy` inputs, ...
    """

    def declare(function: FunctionT) -> FunctionT:
        blame = Blame(f"{source_location(function)}: node {id!r}")
        hints = _hints(function, blame)
        kind = _kind(function)
        inputs, run_parameter = _inputs(function, hints, kind, blame)
        if "return" not in hints:
            raise blame("has no return hint; write what it gives, '-> Image' say")
        returned = hints["return"]
        if kind == "generator":
            returned = _generated(returned, blame)
        gives = _gives(ordinary(returned), blame)
        if gives.artifact is not None and kind != "function":
            raise blame("gives outputs beside its Artifact; only a plain function can")
        spec = NodeSpec(
            id=id,
            function=function if gives.artifact is None else _shown(function, gives.artifact),
            kind=kind,
            inputs=inputs,
            outputs=(*gives.outputs, *_passing(passes, inputs, gives, blame)),
            category=category,
            description=(inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " "),
            display_name=display_name or _spaced(id),
            version=_version(function),
            origin=function.__module__,
            is_output=gives.shows,
            single=gives.single and not passes,
            run_parameter=run_parameter,
            on=on,
            loads=GPU in on if loads is None else loads,
            pure=pure,
            fingerprint=fingerprint,
            deprecated=deprecated,
            experimental=experimental,
        )
        setattr(function, "spec", spec)  # noqa: B010 - functions have no declared attribute
        return function

    return declare


def _hints(function: Callable[..., Any], blame: Blame) -> dict[str, Any]:
    try:
        hints = _evaluated(function)
        if any(_refers(hint) for hint in hints.values()):
            return get_type_hints(function, include_extras=True)
        return hints
    except Exception as error:
        raise blame(f"has a hint that cannot be read: {error}") from error


def _evaluated(function: Callable[..., Any]) -> dict[str, Any]:
    """A function's hints, their texts evaluated in one go; `get_type_hints` compiles each alone."""
    hints = dict(function.__annotations__)
    texts = {name: hint for name, hint in hints.items() if isinstance(hint, str)}
    together = "".join(f"({text}),\n" for text in texts.values())
    hints.update(zip(texts, eval(f"({together})", function.__globals__), strict=True))
    return hints


def _refers(hint: Any) -> bool:
    """Whether a hint, or one inside of it, is still a text."""
    return isinstance(hint, str | ForwardRef) or any(map(_refers, getattr(hint, "__args__", ())))


def _kind(function: Callable[..., Any]) -> Kind:
    if inspect.isgeneratorfunction(function):
        return "generator"
    return "async" if inspect.iscoroutinefunction(function) else "function"


def _generated(hint: Any, blame: Blame) -> Any:
    if get_origin(hint) is not Generator:
        raise blame("is a generator; hint its return as 'Steps[...]'")
    return get_args(hint)[2]


def _default(parameter: inspect.Parameter) -> Any:
    return MISSING if parameter.default is parameter.empty else parameter.default


def _inputs(
    function: Callable[..., Any], hints: dict[str, Any], kind: Kind, blame: Blame
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
        made = read_input(parameter.name, hint, _default(parameter), blame)
        if made.lazy and kind != "async":
            raise blame(f"input {made.name!r} is Lazy; only an 'async def' node can await it")
        inputs.append(made)
    return tuple(inputs), run_parameter


class _Gives(NamedTuple):
    """What a return hint says: the outputs, whether the node shows something, and how.

    `single`: the function returns one bare value. `artifact`: place of the Artifact among the
    fields of what it returns, if there are others.
    """

    outputs: tuple[Output, ...]
    shows: bool = False
    single: bool = False
    artifact: int | None = None


def _gives(hint: Any, blame: Blame) -> _Gives:
    if hint is None or hint is type(None):
        raise blame("returns nothing; return outputs, or an Artifact to show")
    if hint is Artifact:
        return _Gives((), shows=True, single=True)
    tuple_type = get_origin(hint) or hint  # of Pair[T] it is Pair
    if not (isinstance(tuple_type, type) and hasattr(tuple_type, "_fields")):
        return _Gives((read_output(None, hint, blame),), single=True)
    fields = get_type_hints(tuple_type, include_extras=True)
    places = [place for place, field in enumerate(fields.values()) if field is Artifact]
    outputs = tuple(
        read_output(name, field, blame) for name, field in fields.items() if field is not Artifact
    )
    return _Gives(outputs, shows=bool(places), artifact=places[0] if places else None)


def _passing(
    names: Sequence[str], inputs: Sequence[Input], gives: _Gives, blame: Blame
) -> tuple[Output, ...]:
    known = {input.name: input for input in inputs if not input.optional and not input.is_dynamic}
    for name in names:
        if not gives.shows or name not in known:
            raise blame(f"cannot pass {name!r} on: only an output node can, what it always gets")
    return tuple(Output(name, known[name].type, passthrough=name) for name in names)


def _shown(function: Callable[..., Any], artifact: int) -> Callable[..., Any]:
    """A function whose Artifact holds the outputs that it returns beside it."""

    def call(*args: Any, **arguments: Any) -> Artifact | Blocked | Expansion:
        returned = function(*args, **arguments)
        if isinstance(returned, Blocked | Expansion):
            return returned
        outputs = (*returned[:artifact], *returned[artifact + 1 :])
        return Artifact(**returned[artifact].shown, outputs=outputs)

    return call


WORDS = re.compile(
    r"(?<=[a-z])(?=[A-Z])"  # Latent|Image
    r"|(?<=[A-Z]{2})(?=[A-Z][a-z])"  # VAE|Decode, but KSampler
    r"|(?<=[0-9])(?=[A-Z][a-z](?![0-9]))"  # Flux2|Scheduler, but 2M and 3Dv2
    r"|_+"
)
"""Where the words of an id are parted."""


def _spaced(id: str) -> str:
    """'EmptySD3LatentImage' as 'Empty SD3 Latent Image', 'SVD_img2vid' as 'SVD img2vid'."""
    return WORDS.sub(" ", id).strip()


def _version(function: Callable[..., Any]) -> str:
    code = marshal.dumps(function.__code__, MARSHAL_VERSION)
    return hashlib.blake2b(code, digest_size=8).hexdigest()
