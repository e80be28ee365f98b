"""The modules that packs import, as packs use them."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType] - no stubs

from engine.authoring.errors import BadPath, MissingFile
from engine.authoring.registry import Registry
from engine.compat.plain import presentable
from engine.compat.standins.comfy import (
    IO,
    CheckLazyMixin,
    ProgressBar,
    comfy,
    common_upscale,
    load_torch_file,
)
from engine.compat.standins.comfy_api import comfy_api
from engine.compat.standins.folder_paths import FolderPaths
from engine.compat.standins.graph import (
    DynamicPrompt,
    GraphBuilder,
    NodeNotFoundError,
    add_graph_prefix,
    comfy_execution,
    is_link,
)
from engine.compat.standins.node_helpers import conditioning_set_values, pillow
from engine.compat.standins.sampling import UnknownNoise, prepare_noise, sampler, sampling
from engine.compat.standins.server import server
from engine.store.folders import Folders


@pytest.fixture
def paths(tmp_path: Path) -> FolderPaths:
    folders = Folders(tmp_path)
    folders.create()
    loras = tmp_path / "models" / "loras"
    (loras / "styles").mkdir()
    for name in ("b.safetensors", "styles/a.SAFETENSORS", "notes.txt"):
        (loras / name).write_text("x")
    (tmp_path / "input" / "x.png").write_text("x")
    (tmp_path / "output" / "y.png").write_text("x")
    return FolderPaths(folders, [])


def test_models_are_listed_and_found(paths: FolderPaths):
    assert paths.get_filename_list("loras") == ["b.safetensors", "styles/a.SAFETENSORS"]
    found = paths.get_full_path("loras", "styles/a.SAFETENSORS")
    assert found is not None
    assert Path(found).is_file()
    assert paths.get_full_path("loras", "none.safetensors") is None
    assert paths.get_full_path("loras", "../../input/x.png") is None


def test_a_model_that_is_not_there_is_a_missing_file_in_both_worlds(paths: FolderPaths):
    for error in (MissingFile, FileNotFoundError):
        with pytest.raises(error, match="there is no model 'x'"):
            paths.get_full_path_or_raise("loras", "x")


def test_the_home_is_found_by_the_modules_file(paths: FolderPaths, tmp_path: Path):
    assert Path(str(paths.__file__)).parent == Path(paths.base_path) == tmp_path


def test_older_names_of_folders_still_hold(paths: FolderPaths):
    assert paths.get_folder_paths("clip") == paths.get_folder_paths("text_encoders")
    with pytest.raises(KeyError):
        paths.get_folder_paths("nothing")


def test_a_pack_adds_folders_of_its_own(paths: FolderPaths, tmp_path: Path):
    for name in ("late", "first"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.bin").write_text(name)
    paths.add_model_folder_path("mine", str(tmp_path / "late"))
    paths.add_model_folder_path("mine", str(tmp_path / "first"), is_default=True)
    assert paths.get_filename_list("mine") == ["m.bin"]
    assert Path(paths.get_full_path_or_raise("mine", "m.bin")).read_text() == "first"
    paths.folder_names_and_paths["other"] = ([str(tmp_path / "late")], {".txt"})
    assert paths.get_filename_list("other") == []


def test_annotated_names_lead_to_their_folders_and_never_out_of_them(paths: FolderPaths):
    assert paths.get_annotated_filepath("x.png") == str(Path(paths.get_input_directory()) / "x.png")
    assert paths.get_annotated_filepath("y.png [output]").startswith(paths.get_output_directory())
    assert paths.exists_annotated_filepath("x.png")
    assert not paths.exists_annotated_filepath("y.png")
    with pytest.raises(BadPath):
        paths.get_annotated_filepath("../soundstage.db")
    assert not paths.exists_annotated_filepath("../soundstage.db")


def test_the_next_file_of_a_name(paths: FolderPaths):
    output = paths.get_output_directory()
    folder, name, number, subfolder, prefix = paths.get_save_image_path("a/%width%", output, 64, 32)
    assert (name, number, subfolder, prefix) == ("64", 1, "a", "a/64")
    (Path(folder) / f"{name}_{number:05}_.png").write_text("x")
    assert paths.get_save_image_path("a/64", output)[2] == 2
    assert paths.get_save_image_path("plain", output)[3] == ""
    with pytest.raises(BadPath):
        paths.get_save_image_path("../out", output)


def test_files_by_what_they_hold(paths: FolderPaths):
    names = ["a.png", "b.wav", "c.mp4", "d"]
    assert paths.filter_files_content_types(names, ["image", "video"]) == ["a.png", "c.mp4"]


def test_a_graph_is_built_linked_and_changed():
    graph = GraphBuilder(prefix="p.")
    one = graph.node("Number", value=1)
    two = graph.node("Add", "two", a=one.out(0), b=2)
    assert graph.node("Add", "two") is two
    assert graph.lookup_node("two") is two
    assert graph.finalize() == {
        "p.1": {"class_type": "Number", "inputs": {"value": 1}},
        "p.two": {"class_type": "Add", "inputs": {"a": ["p.1", 0], "b": 2}},
    }
    graph.replace_node_output("1", 0, 5)
    assert two.get_input("a") == 5
    graph.remove_node("1")
    assert [*graph.finalize()] == ["p.two"]
    assert graph.node("Number").id == "p.2", "an id is given once"


def test_a_prefix_is_put_before_every_id():
    graph: dict[str, dict[str, Any]] = {
        "1": {"class_type": "A", "inputs": {}},
        "2": {"class_type": "B", "inputs": {"x": ["1", 0]}},
    }
    nodes, outputs = add_graph_prefix(graph, (["2", 0], 7), "p.")
    assert nodes["p.2"]["inputs"] == {"x": ["p.1", 0]}
    assert outputs == (["p.2", 0], 7)


@pytest.mark.parametrize(
    ("value", "link"),
    [(["1", 0], True), (["1", True], False), (("1", 0), False), ([1, 0], False), (["1"], False)],
)
def test_a_link_is_a_list_of_an_id_and_a_slot(value: object, link: bool):
    assert is_link(value) is link


def test_a_prompt_that_grows_knows_where_nodes_come_from():
    prompt = DynamicPrompt({"1": "A"}, {"1.0.0.1": "B"}, {"1.0.0.1": "1"})
    assert prompt.get_node("1.0.0.1") == "B"
    assert prompt.get_display_node_id("1.0.0.1") == "1"
    assert prompt.get_parent_node_id("1") is None
    assert prompt.all_node_ids() == {"1", "1.0.0.1"}
    assert not prompt.has_node("2")
    with pytest.raises(NodeNotFoundError, match="2"):
        prompt.get_node("2")


def test_modules_are_found_as_packs_import_them():
    made: dict[str, ModuleType] = comfy(Registry()) | comfy_api({}) | comfy_execution() | server()
    assert made["comfy"].utils is made["comfy.utils"]
    assert made["comfy_api"].latest is made["comfy_api.latest"]
    made |= sampling(Registry(), {"common_ksampler": None})
    assert made["comfy.samplers"].KSampler.SAMPLERS == []
    with pytest.raises(AttributeError, match=r"comfy\.sd\.load_lora is not here"):
        made["comfy"].sd.load_lora()
    assert made["comfy.cli_args"].args.disable_metadata is False
    assert made["comfy.model_management"].get_free_memory() > 0


def test_noise_is_that_of_its_seed_or_refused():
    latents = torch.zeros(3, 4, 2, 2)
    whole = prepare_noise(latents, 5)
    assert torch.equal(prepare_noise(latents, 5), whole)
    assert torch.equal(prepare_noise(latents[:2], 5, [0, 2])[0], whole[0])
    sample = sampler(lambda *_, **given: [{"samples": given["disable_noise"]}])
    texts = ("euler", "normal", None, None)
    assert sample(None, whole, 4, 1.0, *texts, latents, seed=5) is False
    assert sample(None, torch.zeros_like(latents), 4, 1.0, *texts, latents) is True
    with pytest.raises(UnknownNoise, match="not that of the seed"):
        sample(None, whole, 4, 1.0, *texts, latents, seed=6)


def test_types_are_their_names():
    assert (IO.IMAGE, str(IO.NUMBER), IO.ANY) == ("IMAGE", "FLOAT,INT", "*")


def test_the_mixin_asks_for_what_is_not_there():
    assert CheckLazyMixin().check_lazy_status(a=None, b=0) == ["a"]


def test_a_progress_bar_outside_of_a_job_only_counts():
    bar = ProgressBar(3)
    bar.update(2)
    bar.update(2)
    assert bar.current == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no name 'x' in 'y' (/usr/lib/y/z.py)", "no name 'x' in 'y' (z.py)"),
        ("No such file: '/a/b c/d.txt'", "No such file: 'd.txt'"),
        ("see https://example.org/a/b and a/b/c", "see https://example.org/a/b and a/b/c"),
    ],
)
def test_errors_tell_no_folders(text: str, told: str):
    assert presentable(text) == told


@pytest.mark.parametrize(("crop", "corner"), [("center", 1.0), ("disabled", 0.0)])
def test_pictures_get_another_size_and_the_middle_of_them_if_asked(crop: str, corner: float):
    picture = torch.zeros(1, 3, 4, 8)
    picture[..., 3:5] = 1  # the middle
    small = common_upscale(picture, 2, 2, "nearest-exact", crop)
    assert small.shape == (1, 3, 2, 2)
    assert small[0, 0, 0, 0] == corner


def test_tensors_are_read_and_nothing_in_a_pickle_is_executed(tmp_path: Path):
    save_file({"a": torch.ones(2)}, tmp_path / "a.safetensors", {"note": "x"})
    tensors, metadata = load_torch_file(str(tmp_path / "a.safetensors"), return_metadata=True)
    assert (tensors["a"].tolist(), metadata) == ([1.0, 1.0], {"note": "x"})
    torch.save({"state_dict": {"b": torch.zeros(1)}}, tmp_path / "b.ckpt")
    assert load_torch_file(str(tmp_path / "b.ckpt"))["b"].tolist() == [0.0]

    class Deed:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "done",)

    torch.save({"deed": Deed()}, tmp_path / "c.pt")
    with pytest.raises(pickle.UnpicklingError):
        load_torch_file(str(tmp_path / "c.pt"), safe_load=False)
    assert not (tmp_path / "done").exists()


def test_a_conditioning_gets_more_options_and_the_old_one_stays():
    before = [["text", {"a": 1}]]
    assert conditioning_set_values(before, {"b": 2}) == [["text", {"a": 1, "b": 2}]]
    assert before == [["text", {"a": 1}]]


def test_of_a_picture_that_is_cut_off_the_rest_is_shown(tmp_path: Path):
    path = tmp_path / "half.png"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:-1000])

    def opened(path: Path) -> tuple[int, int]:
        with Image.open(path) as picture:
            picture.load()
            return picture.size

    with pytest.raises(OSError, match="truncated"):
        opened(path)
    assert pillow(opened, path) == (64, 64)
    with pytest.raises(OSError, match="truncated"):
        opened(path)
