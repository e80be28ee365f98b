"""What a declaration says, and what a wrong one is told."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias, TypeVar

import pytest

import engine
from engine import (
    CPU,
    GPU,
    All,
    Artifact,
    Choice,
    DeclarationError,
    Each,
    Files,
    Lazy,
    Mark,
    Prompt,
    Range,
    Run,
    Seed,
    Socket,
    Step,
    Steps,
    Text,
    Tooltip,
    Upload,
    node,
)
from engine.authoring.sockets import is_compatible
from engine.authoring.spec import MISSING, Input, NodeSpec, Output
from tests.conftest import CHECKOUT

if TYPE_CHECKING:
    Image: TypeAlias = list[float]
    Sound: TypeAlias = list[float]
else:
    Image = Socket("IMAGE")
    Sound = Socket("SOUND", "What is heard.")

T = TypeVar("T")
Part = Annotated[float, Range(0.0, 1.0), Tooltip("A part.")]


def spec(function: Any) -> NodeSpec:
    return function.spec


def test_plain_hints_are_widgets_in_the_order_of_the_parameters():
    @node("Mix", category="test")
    def mix(*, b: bool = True, i: int, f: float = 1, s: str = "", p: Prompt, seed: Seed = 0) -> int:
        """Mix them.

        More that the editor does not show.
        """
        raise NotImplementedError

    assert spec(mix).inputs == (
        Input("b", "BOOLEAN", default=True),
        Input("i", "INT"),
        Input("f", "FLOAT", default=1),
        Input("s", "STRING", default=""),
        Input("p", "STRING", text=Text(multiline=True, dynamic_prompts=True)),
        Input("seed", "INT", default=0, seed=True, range=Range(0, 2**64 - 1)),
    )
    assert spec(mix).description == "Mix them."
    assert spec(mix).outputs == (Output("INT", "INT"),)
    assert (spec(mix).kind, spec(mix).on, spec(mix).pure) == ("function", CPU, True)


def test_hints_may_be_quoted_whole_and_in_part():
    @node("Quoted", category="test")
    def quoted(*, whole: "Image", inside: "Annotated['Image', Tooltip('Seen.')]") -> "int":  # noqa: UP037 - as some write them
        raise NotImplementedError

    assert spec(quoted).inputs == (
        Input("whole", "IMAGE"),
        Input("inside", "IMAGE", tooltip="Seen."),
    )
    assert spec(quoted).outputs == (Output("INT", "INT"),)


def test_annotations_make_widgets_of_every_kind():
    @node("Pick", category="test", display_name="Pick one", on=CPU | GPU, pure=False)
    def pick(
        *,
        steps: Annotated[int, Range(1, 9, step=2), Tooltip("How many.")] = 3,
        name: Annotated[str, Choice(["a", "b"])] = "b",
        image: Annotated[str, Choice(Files("input")), Upload("image")],
        number: Annotated[int, Mark.SOCKET],
    ) -> Artifact:
        raise NotImplementedError

    made = spec(pick).by_name
    assert made["steps"].range == Range(1, 9, step=2)
    assert made["steps"].tooltip == "How many."
    assert (made["name"].type, made["name"].default) == ("COMBO", "b")
    assert made["image"].upload == "image"
    assert made["image"].choice == Choice(Files("input"))
    assert made["image"].default is MISSING
    assert made["number"].link_only
    assert spec(pick).is_output
    assert spec(pick).outputs == ()
    assert spec(pick).display_name == "Pick one"
    assert (spec(pick).on, spec(pick).pure) == (CPU | GPU, False)


def test_sockets_may_be_optional_lists_or_anything():
    @node("Sockets", category="test")
    def sockets(
        run: Run,
        *,
        one: Image,
        maybe: Image | None = None,
        told: Annotated[Image | None, Tooltip("Or not.")] = None,
        steps: Annotated[int, Range(1, 9)] | None = None,
        many: All[Image],
        any: T,
    ) -> Each[T]:
        raise NotImplementedError

    made = spec(sockets)
    assert made.inputs == (
        Input("one", "IMAGE"),
        Input("maybe", "IMAGE", optional=True),
        Input("told", "IMAGE", optional=True, tooltip="Or not."),
        Input("steps", "INT", optional=True, range=Range(1, 9)),
        Input("many", "IMAGE", collects=True),
        Input("any", "*", match="T"),
    )
    assert made.run_parameter == "run"
    assert made.outputs == (Output("*", "*", each=True),)


def test_a_named_tuple_names_the_outputs():
    class Parts(NamedTuple):
        image: Image
        sizes: Each[int]

    globals()["Parts"] = Parts

    @node("Part", category="test")
    def part(*, image: Image) -> Parts:
        raise NotImplementedError

    assert spec(part).outputs == (Output("image", "IMAGE"), Output("sizes", "INT", each=True))
    assert not spec(part).single


def test_a_generator_gives_what_its_steps_end_with():
    @node("Walk", category="test")
    def walk(*, steps: int) -> Steps[Image]:
        yield Step(0, steps)
        return []

    assert spec(walk).kind == "generator"
    assert spec(walk).outputs == (Output("IMAGE", "IMAGE"),)


def test_an_async_node_may_have_lazy_inputs():
    @node("Later", category="test")
    async def later(*, image: Lazy[Image], number: Lazy[Annotated[int, Range(0, 5)]]) -> Image:
        return await image

    assert spec(later).kind == "async"
    assert spec(later).by_name["image"] == Input("image", "IMAGE", lazy=True)
    assert spec(later).by_name["number"].range == Range(0, 5)


def test_a_declared_function_stays_callable():
    @node("Double", category="test")
    def double(*, value: int) -> int:
        return 2 * value

    assert double(value=4) == 8


@pytest.mark.parametrize(
    ("id", "title"),
    [
        ("VAEDecodeTiled2x", "VAE Decode Tiled2x"),
        ("EmptySD3LatentImage", "Empty SD3 Latent Image"),
        ("KSamplerSelect", "KSampler Select"),
        ("VPScheduler", "VP Scheduler"),
        ("Flux2Scheduler", "Flux2 Scheduler"),
        ("SamplerDPMPP_2M_SDE", "Sampler DPMPP 2M SDE"),
        ("SamplerER_SDE", "Sampler ER SDE"),
        ("StableCascade_StageB_Conditioning", "Stable Cascade Stage B Conditioning"),
        ("EmptyLatentHunyuan3Dv2", "Empty Latent Hunyuan3Dv2"),
        ("EmptyAceStep1.5LatentAudio", "Empty Ace Step1.5 Latent Audio"),
        ("SVD_img2vid_Conditioning", "SVD img2vid Conditioning"),
        ("ImageRGBToYUV", "Image RGB To YUV"),
        ("Epsilon Scaling", "Epsilon Scaling"),
        ("_hidden__twice_", "hidden twice"),
    ],
)
def test_an_id_is_spaced_for_people(id: str, title: str):
    @node(id, category="test")
    def decode(*, image: Image) -> Image:
        return image

    assert spec(decode).display_name == title


def test_comma_lists_and_the_star_fit_each_other():
    assert is_compatible("IMAGE", "MASK,IMAGE")
    assert is_compatible("INT,FLOAT", "FLOAT")
    assert is_compatible("*", "MODEL")
    assert is_compatible("MODEL", "*")
    assert not is_compatible("IMAGE", "IMAGES")


HEAD = """
from __future__ import annotations
from collections.abc import Generator
from typing import Annotated, Any
from engine import *
Image = Socket("IMAGE")
"""

WRONG = {
    "def f(*, a) -> int: ...": "parameter 'a' has no type hint",
    "def f(a: int) -> int: ...": "parameter 'a' must be keyword-only",
    "def f(*args: int) -> int: ...": "parameter 'args' must be keyword-only",
    "def f(**more: int) -> int: ...": "parameter 'more' must be keyword-only",
    "def f(*, a: Nowhere) -> int: ...": "has a hint that cannot be read: name 'Nowhere'",
    "def f(*, a: list[int]) -> int: ...": "input 'a' has a hint that is neither plain nor a socket",
    "def f(*, a: int | list[int]) -> int: ...": "input 'a' has a hint that is neither plain",
    "def f(*, a: Each[int]) -> int: ...": "input 'a' has a hint that is neither plain",
    "def f(*, a: Annotated[int, Range(1, 5)] = 6) -> int: ...": "default 6 is outside of Range",
    "def f(*, a: Annotated[float, Range(0, 5)] = float('nan')) -> int: ...": "default nan is out",
    "def f(*, a: Annotated[int, Range(5, 1)]) -> int: ...": "nothing is in Range",
    "def f(*, a: Annotated[str, Range(1, 5)]) -> int: ...": "has a Range, but is no int or float",
    "def f(*, a: Annotated[int, Choice('ab')]) -> int: ...": "has a Choice or Text, but is no str",
    "def f(*, a: Annotated[int, Text()]) -> int: ...": "has a Choice or Text, but is no str",
    "def f(*, a: Annotated[str, Choice(['x'])] = 'y') -> int: ...": "'y' is none of its choices",
    "def f(*, a: int = 'x') -> int: ...": "default 'x' does not fit its hint",
    "def f(*, a: int = True) -> int: ...": "default True does not fit its hint",
    "def f(*, a: bool = 0) -> int: ...": "default 0 does not fit its hint",
    "def f(*, a: str = None) -> int: ...": "default None does not fit its hint",
    "def f(*, a: Annotated[int, Range(1, 5)] = None) -> int: ...": "default None does not fit",
    "def f(*, a: Image = 3) -> int: ...": "socket 'a' cannot have a default",
    "def f(*, a: int | None) -> int: ...": "optional input 'a' needs a default",
    "def f(*, a: Annotated[int | None, Range(1, 5)]) -> int: ...": "optional input 'a' needs",
    "def f(*, a: int | None = 'x') -> int: ...": "default 'x' does not fit its hint",
    "def f(*, a: Image | int = 3) -> int: ...": "socket 'a' cannot have a default",
    "def f(*, a: Lazy[int]) -> int: ...": "input 'a' is Lazy; only an 'async def' node",
    "def f(*, a: int) -> int: yield Step(0, 1)": "is a generator; hint its return as 'Steps[...]'",
    "def f(*, a: int): ...": "has no return hint",
    "def f(*, a: int) -> None: ...": "returns nothing",
    "def f(*, a: int) -> Steps[None]: yield Step(0, 1)": "returns nothing",
    "def f(*, a: int) -> All[int]: ...": "output of the return hint is neither plain nor a socket",
    "def f(*, a: int) -> tuple[int, int]: ...": "output of the return hint is neither plain",
}


@pytest.mark.parametrize("declaration", WRONG)
def test_a_wrong_declaration_complains_with_file_and_line(declaration: str, tmp_path: Path):
    file = tmp_path / "pack.py"
    source = f"{HEAD}@node('Wrong', category='test')\n{declaration}\n"
    line = HEAD.count("\n") + 1
    with pytest.raises(DeclarationError) as caught:
        exec(compile(source, str(file), "exec"), {"__name__": "pack"})
    assert str(caught.value).startswith(f"{file}:{line}: node 'Wrong' ")
    assert WRONG[declaration] in str(caught.value)


def test_a_version_changes_with_the_code_and_with_nothing_else(tmp_path: Path):
    def version(body: str) -> str:
        source = f"{HEAD}@node('N', category='test')\ndef f(*, a: int) -> int:\n    {body}\n"
        space: dict[str, Any] = {"__name__": "pack"}
        exec(compile(source, "pack.py", "exec"), space)
        function = space["f"]
        held.append(function.__code__.co_consts)
        return function.spec.version

    held: list[object] = []
    first = version("return a + len(('a constant tuple', 123456789, a))")
    assert version("return a + len(('a constant tuple', 123456789, a))") == first
    assert version("return a + len(('a constant tuple', 123456780, a))") != first


def test_a_version_is_the_same_in_every_process(tmp_path: Path):
    """Results outlive the process: also when it was the one that compiled the file."""
    (tmp_path / "pack.py").write_text(
        HEAD
        + "@node('N', category='test')\n"
        + "def f(*, a: int) -> int:\n"
        + "    return a if a in {1, 2} else len({'x', 'y', 'hello world'} | {'odd_name', 1.5})\n"
    )
    program = (
        "import sys; sys.path.insert(0, '.'); held = [sys.intern('odd' + '_name')] * {count};"
        "import pack; print(pack.f.spec.version)"
    )
    versions = {
        subprocess.run(
            [sys.executable, "-c", program.replace("{count}", str(count))],
            cwd=tmp_path,
            env={"PYTHONPATH": str(CHECKOUT), "PYTHONHASHSEED": str(count)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for count in (1, 2, 3)
    }
    assert len(versions) == 1


def test_the_front_door_lists_everything_behind_it():
    offered = {
        name
        for name, value in vars(engine).items()
        if not name.startswith("_") and not isinstance(value, type(sys))
    } - {"annotations"}
    assert sorted(engine.__all__, key=str.swapcase) == sorted(offered, key=str.swapcase)
    assert len(set(engine.__all__)) == len(engine.__all__)


def test_the_example_of_the_front_door_is_true():
    assert doctest.testmod(engine) == doctest.TestResults(failed=0, attempted=3)


def test_who_uses_a_named_hint_may_say_more_of_it():
    @node("Mix", category="test")
    def mix(*, first: Part, second: Annotated[Part, Tooltip("Of the second.")] = 0.5) -> int:
        """Two parts."""
        raise NotImplementedError

    assert [input.tooltip for input in spec(mix).inputs] == ["A part.", "Of the second."]
    assert [input.range for input in spec(mix).inputs] == [Range(0.0, 1.0)] * 2


def test_an_input_without_a_tooltip_has_what_its_type_says():
    @node("Blend", category="test")
    def blend(*, first: Sound, second: Annotated[Sound, Tooltip("The other.")]) -> int:
        """Two sounds."""
        raise NotImplementedError

    assert [input.tooltip for input in spec(blend).inputs] == ["What is heard.", "The other."]
