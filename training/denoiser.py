"""Train the text encoder and the denoiser together on latents of scenes.

v-prediction (Salimans & Ho 2022) on the noise schedule of Stable Diffusion: at 16x16 its last
sigma, 14.6, leaves next to nothing of a picture, and it is finite, so that every sampler and
schedule written for that family works here as it is.
"""

# torch and diffusers annotate their methods only in part:
# pyright: reportUnknownMemberType=false

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, cast

import torch
from diffusers.models.attention_processor import AttnProcessor
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from training.patches import SIZE
from training.text import LENGTH

TEXT_WIDTH = 192
STEPS, BETA_START, BETA_END = 1000, 0.00085, 0.012


def new_denoiser(channels: int, widths: tuple[int, int] = (64, 128)) -> UNet2DConditionModel:
    """The untrained denoiser, 4.2 M parameters; it adds the pooled text to the time embedding."""
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=channels,
        out_channels=channels,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=widths,
        layers_per_block=1,
        # in diffusers the number of heads, of 32 channels each:
        attention_head_dim=cast(Any, tuple(width // 32 for width in widths)),
        norm_num_groups=16,
        cross_attention_dim=TEXT_WIDTH,
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
    )
    unet.set_attn_processor(AttnProcessor())  # faster backward than the fused one at 64 positions
    return unet


def new_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """The text encoder: two layers of random weights, which stay as they are.

    What it gives differs as much between two names as random vectors do, and stays so. Trained with
    the denoiser, its answers to all names drift to the same, which is of use before a name means
    anything; the names are learnt many times slower then, or lost for good.

    Tokens that stand in every prompt begin at zero, and so do positions: a layer norm makes what
    comes from the words as large as anything at each of the places, most of which are padding.
    """
    make: Any = CLIPTextConfig  # its hints lack attn_implementation
    config: CLIPTextConfig = make(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=4 * TEXT_WIDTH,
        projection_dim=TEXT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        attn_implementation="eager",  # trains faster than the fused one at this size
    )
    encoder = CLIPTextModel(config)
    tokens = cast(nn.Embedding, encoder.get_input_embeddings()).weight
    positions = cast(nn.Embedding, encoder.get_submodule("embeddings.position_embedding")).weight
    with torch.no_grad():
        nn.init.normal_(tokens, std=0.5)
        for constant in (config.bos_token_id, config.eos_token_id):
            tokens[cast(int, constant)] = 0
        nn.init.zeros_(positions)
    return encoder.requires_grad_(False)


@cache
def kept_signal(device: torch.device) -> Tensor:
    """The cumulative product of the alphas for each of the 1000 timesteps (scaled linear betas)."""
    betas = torch.linspace(BETA_START**0.5, BETA_END**0.5, STEPS, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float().to(device)


def levels(device: torch.device) -> Tensor:
    """Noise against signal, sigma, at each timestep: [1000], 0.03 to 14.6."""
    return (1 / kept_signal(device) - 1).sqrt()


class TextToLatent(nn.Module):
    """Text encoder and denoiser as one thing to train."""

    def __init__(
        self, tokenizer: CLIPTokenizer, channels: int, widths: tuple[int, int] = (64, 128)
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.text_encoder = new_text_encoder(tokenizer)
        self.unet = new_denoiser(channels, widths)

    @torch.no_grad()
    def centre(self, prompts: Sequence[str]) -> None:
        """Shift the pooled text, which then stays as it is, so that its mean over `prompts` is 0.

        It is normed afterwards: what all of them share would take its place.
        """
        pooling: Any = self.unet.add_embedding
        pooled = pooling.pool(pooling.norm1(self.words(prompts))).mean(0)
        pooling.proj.bias.copy_(-(pooling.proj.weight @ pooled))
        pooling.requires_grad_(False)

    def words(self, prompts: Sequence[str]) -> Tensor:
        """What the denoiser is told of `prompts`: [B, LENGTH, TEXT_WIDTH]."""
        ids = cast(Any, self.tokenizer)(
            list(prompts),
            padding="max_length",
            max_length=LENGTH,
            truncation=True,
            return_tensors="pt",
        ).input_ids.to(self.text_encoder.device)
        return self.text_encoder(input_ids=ids).last_hidden_state

    def forward(self, noised: Tensor, timestep: Tensor, words: Tensor) -> Tensor:
        """The v of `noised` [B, C, h, w] at `timestep` [B]."""
        return self.unet(noised, timestep, encoder_hidden_states=words).sample

    def clean(self, x: Tensor, timestep: Tensor, words: Tensor) -> Tensor:
        """The latent without noise, guessed from x = latent + sigma noise."""
        kept = kept_signal(x.device)[timestep][:, None, None, None]
        predicted = self(kept.sqrt() * x, timestep, words)
        return kept * x - (1 - kept).sqrt() * predicted


def draw_timesteps(count: int, device: torch.device) -> Tensor:
    """Timesteps to train on: log sigma from a normal distribution, one in seven evenly.

    The middle of the noise, where shapes are decided, counts most (Karras et al. 2022); for latents
    of another size it is elsewhere.
    """
    wanted = torch.randn(count, device=device) * 1.2 + 0.4 - math.log(SIZE)
    table = levels(device).log()
    logged = torch.searchsorted(table, wanted).clamp(max=STEPS - 1)
    evenly = torch.randint(STEPS, (count,), device=device)
    return torch.where(torch.rand(count, device=device) < 1 / 7, evenly, logged)


def v_loss(model: TextToLatent, latents: Tensor, prompts: Sequence[str]) -> Tensor:
    """Squared error of the predicted v = sqrt(a) noise - sqrt(1 - a) latent."""
    timestep = draw_timesteps(len(latents), latents.device)
    noise = torch.randn_like(latents)
    kept = kept_signal(latents.device)[timestep][:, None, None, None]
    noised = kept.sqrt() * latents + (1 - kept).sqrt() * noise
    target = kept.sqrt() * noise - (1 - kept).sqrt() * latents
    noised = noised.contiguous(memory_format=torch.channels_last)
    return ((model(noised, timestep, model.words(prompts)) - target) ** 2).mean()


def noise_like(latents: Tensor, noise: Tensor) -> Tensor:
    """Where a sampler starts: noise as at the last timestep, and as strong as with a picture."""
    return noise * math.sqrt(float(levels(latents.device)[-1]) ** 2 + 1)


@torch.no_grad()
def walk(
    model: TextToLatent, x: Tensor, said: Sequence[str], cfg: float, times: Sequence[int]
) -> Iterator[tuple[Tensor, Tensor]]:
    """The states and timesteps that Euler's method visits from x, and at last the latents.

    Args:
        model: the model.
        x: noise at the first of the timesteps, [B, C, h, w].
        said: prompts, [B].
        cfg: guidance; 1 needs no answer to the empty prompt.
        times: falling timesteps.
    """
    table = levels(x.device)
    words, empty = model.words(said), model.words([""] * len(said))
    steps = [torch.tensor(time, device=x.device) for time in times]
    for place, time in enumerate(steps):
        yield x, time
        at = time.expand(len(x))
        guess = model.clean(x, at, words)
        if cfg != 1:
            without = model.clean(x, at, empty)
            guess = without + cfg * (guess - without)
        left = table[steps[place + 1]] if place + 1 < len(steps) else torch.zeros_like(table[0])
        x = guess + (x - guess) * (left / table[time])
    yield x, torch.zeros_like(steps[0])


def sample(
    model: TextToLatent,
    prompts: Sequence[str],
    cfg: float,
    *,
    steps: int = 20,
    seed: int = 0,
    batch: int = 32,
    side: int = 16,
) -> Tensor:
    """Latents [B, C, side, side] on evenly spaced timesteps, as KSampler's "normal".

    Each prompt has noise of its own, from `seed` and its place.
    """
    times = [round((STEPS - 1) * (1 - n / max(1, steps - 1))) for n in range(steps)]
    channels = model.unet.config["in_channels"]
    device = model.text_encoder.device
    done: list[Tensor] = []
    for start in range(0, len(prompts), batch):
        some = prompts[start : start + batch]
        seeds = [torch.Generator().manual_seed(seed + start + n) for n in range(len(some))]
        noise = torch.stack([torch.randn(channels, side, side, generator=g) for g in seeds])
        noise = noise_like(noise, noise).to(device)
        *_, (latents, _) = walk(model, noise, some, cfg, times)
        done.append(latents)
    return torch.cat(done)
