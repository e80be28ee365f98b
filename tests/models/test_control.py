"""Control nets: what they add, and how several are put together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.adapter import T2IAdapter
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from nodes import control as nodes
from nodes.models.conditioning.control import Control, ControlNet, shared_with, with_control
from nodes.models.files.tensor_files import ModelFileError, TensorFile
from nodes.models.networks.control_net import SteeringNet, read_control_net, union_kind
from nodes.models.networks.patched_unet import PatchedUNet
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.guiders import cfg_guider
from tests.models.bench import Prompt, n, opened
from tests.models.conftest import WIDTH, Loaded, handles, make_tiny_folder, write_tensors

NETWORKS: Any = {
    "controlnet": ControlNetModel,
    "union": ControlNetUnionModel,
    "adapter": T2IAdapter,
    "unet": UNet2DConditionModel,
}
TINY: dict[str, Any] = {
    "block_out_channels": (32, 32),
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "layers_per_block": 1,
    "cross_attention_dim": WIDTH,
    "conditioning_embedding_out_channels": (4, 4, 8, 8),
}


def random(module: Any, seed: int) -> Any:
    """The network with random weights everywhere, also where training begins with zeros."""
    generator = torch.Generator().manual_seed(seed)
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=generator) * 0.2
    return module.eval().requires_grad_(False)


def make(folder: Path, name: str = "net", kind: str = "controlnet", **settings: Any) -> Any:
    """A small network with random weights, written to a file; as diffusers has it."""
    module = random(NETWORKS[kind](**settings), len(name))
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / f"{name}.safetensors", module.state_dict())
    return module


def unet(tiny: Loaded, folder: Path) -> Any:
    """The tiny model's denoiser, as diffusers loads it."""
    return NETWORKS["unet"].from_pretrained(folder / "unet").eval().requires_grad_(False)


@pytest.fixture(scope="module")
def plain_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_folder(tmp_path_factory.mktemp("models") / "tiny")


def asked(tiny: Loaded, positive: Any, negative: Any, scale: float = 1.0) -> Tensor:
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    guider = cfg_guider(tiny.model, positive, negative, scale)
    for handle in guider.handles:
        assert isinstance(handle, SteeringNet)
        handle.ready()
    return evaluate([StepRequest(guider, x, torch.tensor(2.0))])[0]


def text(seed: int = 5) -> Tensor:
    return torch.randn(1, 24, WIDTH, generator=torch.Generator().manual_seed(seed))


def hint(seed: int = 7, height: int = 64, width: int = 64) -> Tensor:
    return torch.rand(1, height, width, 3, generator=torch.Generator().manual_seed(seed))


def by_diffusers(
    tiny: Loaded,
    folder: Path,
    nets: list[tuple[Any, Tensor, float]],
    words: Tensor,
    steering: Tensor | None = None,
) -> Tensor:
    """The denoised latents that diffusers' networks give; `steering` is the text of the nets."""
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    sigma = torch.tensor([2.0, 2.0])
    given, timestep = tiny.model.space.network_input(x, sigma), tiny.model.space.timestep(sigma)
    words = words.expand(2, -1, -1)
    told = words if steering is None else steering.expand(2, -1, -1)
    down: list[Tensor] = []
    middle = inner = None
    for net, picture, strength in nets:
        planes = picture.movedim(-1, 1).expand(2, -1, -1, -1)
        if isinstance(net, T2IAdapter):
            inner = [part * strength for part in net(planes)]
            continue
        made, mid = net(given, timestep, told, planes, strength, return_dict=False)
        down = [*made] if not down else [a + b for a, b in zip(down, made, strict=True)]
        middle = mid if middle is None else middle + mid
    steered: dict[str, Any] = {"down_intrablock_additional_residuals": inner}
    if middle is not None:
        steered |= {
            "down_block_additional_residuals": tuple(down),
            "mid_block_additional_residual": middle,
        }
    answer = unet(tiny, folder)(
        given, timestep, encoder_hidden_states=words, return_dict=False, **steered
    )[0]
    return tiny.model.space.denoised(x, answer, sigma)


@pytest.fixture
def tiny_model(plain_folder: Path) -> Loaded:
    found = handles(plain_folder)
    return replace(found, model=found.model.ready())


def net_of(folder: Path, name: str = "net") -> ControlNet:
    return ControlNet(read_control_net(folder / f"{name}.safetensors"))


def test_a_control_net_adds_what_diffusers_adds(
    tiny_model: Loaded, plain_folder: Path, tmp_path: Path
):
    module = make(tmp_path, **TINY)
    control = Control(net_of(tmp_path), hint(), 0.7)
    (positive,) = with_control([[(text(), {})]], control)
    expected = by_diffusers(tiny_model, plain_folder, [(module, hint(), 0.7)], text())
    found = asked(tiny_model, positive, [])
    assert torch.allclose(found, expected, atol=1e-4, rtol=1e-4)
    plain = asked(tiny_model, [(text(), {})], [])
    assert not torch.allclose(plain, expected, atol=1e-2), "the control net does something"


def test_several_control_nets_and_an_adapter_add_up(
    tiny_model: Loaded, plain_folder: Path, tmp_path: Path
):
    first, second = make(tmp_path, "a", **TINY), make(tmp_path, "bb", **TINY)
    adapter = make(tmp_path, "ccc", "adapter", channels=[32, 32])
    control = Control(net_of(tmp_path, "a"), hint(1), 0.7)
    (positive,) = with_control([[(text(), {})]], control)
    (positive,) = with_control([positive], Control(net_of(tmp_path, "bb"), hint(2), 1.3))
    (positive,) = with_control([positive], Control(net_of(tmp_path, "ccc"), hint(3), 0.5))
    nets = [(first, hint(1), 0.7), (second, hint(2), 1.3), (adapter, hint(3), 0.5)]
    expected = by_diffusers(tiny_model, plain_folder, nets, text())
    assert torch.allclose(asked(tiny_model, positive, []), expected, atol=1e-4, rtol=1e-4)


def test_a_control_counts_in_its_part_of_the_sampling_alone(tiny_model: Loaded, tmp_path: Path):
    make(tmp_path, **TINY)
    plain = asked(tiny_model, [(text(), {})], [])
    sigmas = tiny_model.model.space
    now = next(p / 1000 for p in range(1000) if sigmas.percent_to_sigma(p / 1000) <= 2.0)
    for start, end, steers in ((0, now - 0.1, False), (now + 0.1, 1, False), (0, 1, True)):
        control = Control(net_of(tmp_path), hint(), 1.0, start, end)
        (positive,) = with_control([[(text(), {})]], control)
        assert torch.equal(asked(tiny_model, positive, []), plain) is not steers


def test_a_hint_of_another_size_is_cut_about_the_centre_and_repeated_for_a_batch(tmp_path: Path):
    make(tmp_path, **TINY)
    control = Control(net_of(tmp_path), torch.cat([hint(1, 32, 96), hint(2, 32, 96)]))
    found = control.sized(3, 64, 64)
    assert found.shape == (3, 3, 64, 64)
    cut = hint(1, 32, 96)[:, :, 32:64].movedim(-1, 1)
    assert torch.equal(found[0], cut.repeat_interleave(2, 2).repeat_interleave(2, 3)[0])
    assert torch.equal(found[0], found[2])


def test_texts_for_a_part_of_the_picture_have_controls_of_their_own(
    tiny_model: Loaded, tmp_path: Path
):
    make(tmp_path, **TINY)
    mask = torch.zeros(1, 8, 8)
    mask[:, :, :4] = 1
    (steered,) = with_control([[(text(), {"mask": mask})]], Control(net_of(tmp_path), hint(), 1.0))
    (whole,) = with_control([[(text(), {})]], Control(net_of(tmp_path), hint(), 1.0))
    both = [*steered, (text(), {"mask": 1 - mask})]
    found = asked(tiny_model, both, [])
    assert torch.allclose(found[..., :4], asked(tiny_model, whole, [])[..., :4], atol=1e-5)
    plain = asked(tiny_model, [(text(), {})], [])
    assert torch.allclose(found[..., 4:], plain[..., 4:], atol=1e-5)


def test_the_old_node_steers_a_negative_that_nothing_steers_as_well(
    tiny_model: Loaded, tmp_path: Path
):
    make(tmp_path, **TINY)
    control = Control(net_of(tmp_path), hint(), 1.0)
    negative: list[tuple[Tensor, dict[str, Any]]] = [(text(9), {})]
    (old,) = with_control([[(text(), {})]], control, shared=True)
    both = with_control([[(text(), {})], negative], control)
    assert torch.allclose(
        asked(tiny_model, old, negative, 3.0), asked(tiny_model, both[0], both[1], 3.0), atol=1e-5
    )
    assert both[0][0][1]["control"] is both[1][0][1]["control"]
    alone = with_control([[(text(), {})]], control)[0]
    assert shared_with(alone, negative) is negative
    assert shared_with(old, both[1]) is both[1]
    area = [(text(9), {"area": (1, 1, 0, 0)})]
    assert shared_with(old, area) is area
    more = shared_with([*old, *old], negative)
    assert [options["control"] for _, options in more] == [old[0][1]["control"]] * 2


def test_nodes_with_a_vae_steer_as_the_one_without(tiny_model: Loaded, tmp_path: Path):
    make(tmp_path, **TINY)
    net = ControlNet(read_control_net(tmp_path / "net.safetensors"))
    picture = torch.rand(1, 16, 16, 3)
    given: dict[str, Any] = {"control_net": net, "image": picture, "strength": 0.5}
    given |= {"positive": [(text(), {})], "negative": []}
    with_vae = nodes.apply_with_vae(vae=tiny_model.vae, **given)
    masked = nodes.apply_inpainting(vae=tiny_model.vae, mask=torch.ones(1, 16, 16), **given)
    for (_, options), *_rest in (with_vae.positive, masked.positive):
        control = options["control"]
        assert (control.control_net, control.hint, control.strength) == (net, picture, 0.5)


@pytest.mark.parametrize(("name", "number"), [("auto", None), ("depth", 1)])
def test_a_union_control_net_is_told_the_kind_of_its_hint(
    tmp_path: Path, name: str, number: int | None
):
    settings: dict[str, Any] = {
        **TINY,
        "num_trans_channel": 32,
        "num_proj_channel": 32,
        "addition_time_embed_dim": 16,
        "projection_class_embeddings_input_dim": 96,
    }
    module = make(tmp_path, kind="union", **settings)
    net = read_control_net(tmp_path / "net.safetensors").ready()
    assert net.layout.kind == "union"
    assert union_kind(net, name) == number
    x, words, timestep = torch.randn(1, 4, 8, 8), text(), torch.tensor([3.0])
    planes = hint().movedim(-1, 1)
    inputs = {"text": words}
    found = net.residuals(x, timestep, inputs, planes, number)
    types = torch.zeros(1, 6)
    if number is None:
        embedded = module.controlnet_cond_embedding(planes)

        def add(_module: Any, _given: Any, made: Tensor) -> Tensor:
            return made + embedded

        module.conv_in.register_forward_hook(add)
        down, mid = module(x, timestep, words, [], types, [], return_dict=False)
    else:
        types[:, number] = 1
        down, mid = module(x, timestep, words, [planes], types, [number], return_dict=False)
    assert torch.allclose(found["control.mid"], mid, atol=1e-5)
    for place, residual in enumerate(down):
        assert torch.allclose(found[f"control.down.{place:02}"], residual, atol=1e-5)
    with pytest.raises(ValueError, match="does not know 'tile', but openpose, depth, "):
        union_kind(net, "tile")


def test_residuals_of_a_shuffle_are_their_means(tmp_path: Path):
    make(tmp_path, "control_shuffle", **TINY)
    make(tmp_path, "control_shuffle"[::-1], **TINY)
    path = tmp_path / "control_shuffle.safetensors"
    pooled = read_control_net(path).ready()
    plain = replace(pooled, pooled=False).ready()
    x, timestep, inputs = torch.randn(1, 4, 8, 8), torch.tensor([3.0]), {"text": text()}
    planes = hint().movedim(-1, 1)
    found = pooled.residuals(x, timestep, inputs, planes, None)
    for name, residual in plain.residuals(x, timestep, inputs, planes, None).items():
        assert torch.allclose(found[name], residual.mean(dim=(2, 3), keepdim=True), atol=1e-6)
        assert found[name].shape == residual.shape


def test_a_file_of_differences_is_added_to_the_model(tiny_model: Loaded, tmp_path: Path):
    whole = make(tmp_path, **TINY)
    weights = whole.state_dict()
    source = tiny_model.model.source
    file = TensorFile(source.header)
    differences = {
        name: weight - source.weight(file, name)
        if name in source.pieces and source.shape(name) == tuple(weight.shape)
        else weight
        for name, weight in weights.items()
    }
    path = write_tensors(tmp_path / "d.safetensors", {**differences, "difference": torch.ones(1)})
    with pytest.raises(ModelFileError, match="load it with DiffControlNetLoader"):
        read_control_net(path)
    net = read_control_net(path, source).ready()
    found = net.network.module.state_dict()
    assert all(torch.allclose(found[name], weight, atol=1e-5) for name, weight in weights.items())


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"lora_controlnet": (1,), "input_blocks.0.0.up": (4, 4)}, "a control LoRA"),
        ({"lllite_unet_a.down.0.weight": (4, 4)}, "a ControlNet-LLLite"),
        ({"pos_embed_input.proj.weight": (4, 4)}, "a ControlNet of Stable Diffusion 3"),
        ({"controlnet_x_embedder.weight": (4, 4)}, "a ControlNet of FLUX"),
        ({"x": (4, 4)}, "something unknown"),
    ],
)
def test_what_cannot_steer_is_refused_by_name(
    tmp_path: Path, tensors: dict[str, tuple[int, ...]], words: str
):
    made = {name: torch.zeros(shape) for name, shape in tensors.items()}
    with pytest.raises(ModelFileError, match=f"not a ControlNet .* it looks like {words}"):
        read_control_net(write_tensors(tmp_path / "x.safetensors", made))


def test_a_control_net_of_another_kind_of_model_is_refused_by_name(
    tiny_model: Loaded, tmp_path: Path
):
    other: dict[str, Any] = {**TINY, "cross_attention_dim": 48}
    make(tmp_path, **other)
    (positive,) = with_control([[(text(), {})]], Control(net_of(tmp_path), hint()))
    with pytest.raises(ValueError, match=r"net\.safetensors is for text 48 wide, and this model's"):
        asked(tiny_model, positive, [])


async def test_control_nets_are_leased_and_several_jobs_share_them(
    tmp_path: Path, plain_folder: Path
):
    models = tmp_path / "models"
    (models / "checkpoints").mkdir(parents=True)
    (models / "checkpoints" / "tiny").symlink_to(plain_folder)
    make(models / "controlnet", **TINY)

    def prompt(name: str, strength: float) -> Prompt:
        return {
            "1": n("CheckpointLoaderSimple", ckpt_name="tiny"),
            "2": n("CLIPTextEncode", clip=["1", 1], text="cat"),
            "3": n("ControlNetLoader", control_net_name="net.safetensors"),
            "4": n("EmptyImage", width=80, height=64, batch_size=1, color=0x336699),
            "5": n("ControlNetApplyAdvanced", positive=["2", 0], negative=["2", 0],
                   control_net=["3", 0], image=["4", 0], strength=strength, start_percent=0.0,
                   end_percent=1.0),
            "6": n("EmptyLatentImage", width=64, height=64, batch_size=1),
            "7": n("KSampler", model=["1", 0], seed=1, steps=2, cfg=3.0, sampler_name="euler",
                   scheduler="normal", positive=["5", 0], negative=["5", 1],
                   latent_image=["6", 0], denoise=1.0),
            "8": n("BasicGuider", model=["1", 0], conditioning=["5", 0]),
            "9": n("RandomNoise", noise_seed=1),
            "10": n("KSamplerSelect", sampler_name="euler"),
            "11": n("BasicScheduler", model=["1", 0], scheduler="normal", steps=2, denoise=1.0),
            "12": n("SamplerCustomAdvanced", noise=["9", 0], guider=["8", 0], sampler=["10", 0],
                    sigmas=["11", 0], latent_image=["6", 0]),
            "13": n("VAEDecode", samples=["7", 0], vae=["1", 2]),
            "14": n("SaveImage", images=["13", 0], filename_prefix=name),
            "15": n("VAEDecode", samples=["12", 0], vae=["1", 2]),
            "16": n("SaveImage", images=["15", 0], filename_prefix=f"custom{name}"),
        }  # fmt: skip

    async with opened(tmp_path / "home", models) as bench:
        entries = await bench.run(prompt("none", 0.0), prompt("half", 0.5), prompt("full", 1.0))
        for entry in entries:
            assert entry.outcome.status == "success", entry.outcome
        pictures = [bench.image(name) for name in ("none", "half", "full")]
        customs = [bench.image(f"custom{name}") for name in ("none", "half", "full")]
    for first, second in ((0, 1), (1, 2), (0, 2)):
        assert abs(pictures[first] - pictures[second]).max() > 0.02
        assert abs(customs[first] - customs[second]).max() > 0.02


@pytest.mark.parametrize(
    ("levels", "kind"),
    [
        (("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"), "full_adapter"),
        (("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), "full_adapter_xl"),
    ],
)
def test_a_unet_evaluated_by_blocks_takes_what_adapters_add(levels: tuple[str, ...], kind: str):
    ups = tuple(level.replace("Down", "Up") for level in reversed(levels))
    unet = random(
        NETWORKS["unet"](
            block_out_channels=(32,) * 3,
            down_block_types=levels,
            up_block_types=ups,
            layers_per_block=1,
            cross_attention_dim=WIDTH,
        ),
        1,
    )
    side = 16 if kind == "full_adapter_xl" else 8
    settings = {"channels": [32] * (4 if side == 16 else 3), "downscale_factor": side}
    adapter = random(NETWORKS["adapter"](adapter_type=kind, **settings), 2)
    planes = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    x = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(2))
    given = (x, torch.tensor([3.0]), text())
    plain = unet(*given, return_dict=False)[0]
    inner = adapter(planes)
    expected = unet(*given, down_intrablock_additional_residuals=[*inner], return_dict=False)[0]
    found = PatchedUNet(unet, ())(*given, down_intrablock_additional_residuals=inner)[0]
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert not torch.allclose(plain, expected, rtol=1e-2)
