"""Train the text encoder and the denoiser together on the latents of the chosen pictures.

v-prediction (Salimans & Ho 2022) on the noise schedule of Stable Diffusion: at 16x16 its last
sigma, 14.6, leaves next to nothing of a picture, and it is finite, so that every sampler and
schedule written for that family works here as it is.
"""

# torch and diffusers annotate their methods only in part:
# pyright: reportUnknownMemberType=false

import argparse
import logging
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from training.autoencoder import LATENT_SIDE, latent_statistics, load_autoencoder, plain_pictures
from training.data import CACHE, HERE, chosen_emoji, chosen_labels, load_clean
from training.loop import train
from training.text import LENGTH, PHRASES, captions, save_tokenizer

log = logging.getLogger(__name__)

CHECKPOINT = CACHE / "denoiser.pt"
TOKENIZER = CACHE / "tokenizer"
TEXT_WIDTH = 128
STEPS, BETA_START, BETA_END = 1000, 0.00085, 0.012
CAPTIONS = 64  # different ones for each picture
BATCH = 8
EMPTY = 0.1  # the share of empty captions, for guidance


def new_denoiser() -> UNet2DConditionModel:
    """The untrained denoiser, 4.1 M parameters; it adds the pooled text to the time embedding."""
    unet = UNet2DConditionModel(
        sample_size=LATENT_SIDE,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(64, 128),
        layers_per_block=1,
        attention_head_dim=cast(
            Any, (2, 4)
        ),  # in diffusers the number of heads, of 32 channels each
        norm_num_groups=16,
        cross_attention_dim=TEXT_WIDTH,
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
    )
    unet.set_attn_processor(AttnProcessor())  # faster backward than the fused one at 64 positions
    return unet


def new_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """The untrained text encoder: two layers, token embeddings far enough apart to tell words."""
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
    nn.init.normal_(cast(nn.Embedding, encoder.get_input_embeddings()).weight, std=0.5)
    return encoder


def new_tokenizer() -> CLIPTokenizer:
    """The tokenizer, trained on the names of all pictures, the chosen ones counting most.

    Trained once and then kept in the cache: equally frequent pairs come in another order each time.
    """
    if not TOKENIZER.exists():
        labels = chosen_labels()
        phrases = 20 * [phrase.format("") for phrase in PHRASES]
        save_tokenizer([e.label for e in load_clean()] + 20 * labels + phrases, TOKENIZER)
    return cast(CLIPTokenizer, CLIPTokenizer.from_pretrained(TOKENIZER))


def caption_tokens(tokenizer: CLIPTokenizer) -> Tensor:
    """Token ids of the captions: [N, 64, 32], and those of the empty caption as one row more."""
    labels = chosen_labels()
    known = {word for label in labels for word in label.split()}
    words = {word for emoji in load_clean() for word in emoji.label.split()}
    fillers = sorted(words - known)
    rows = [captions(label, labels, fillers, CAPTIONS) for label in labels] + [[""] * CAPTIONS]
    return torch.stack([tokens(tokenizer, row) for row in rows])


def tokens(tokenizer: CLIPTokenizer, prompts: list[str]) -> Tensor:
    """Token ids of `prompts`, padded: int64 [B, 32]."""
    return cast(Any, tokenizer)(
        prompts, padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt"
    ).input_ids


def kept_signal() -> Tensor:
    """The cumulative product of the alphas for each of the 1000 timesteps (scaled linear betas)."""
    betas = torch.linspace(BETA_START**0.5, BETA_END**0.5, STEPS) ** 2
    return torch.cumprod(1 - betas, 0)


class TextToLatent(nn.Module):
    """Text encoder and denoiser as one thing to train."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        self.text_encoder = new_text_encoder(tokenizer)
        self.unet = new_denoiser()

    def forward(self, noised: Tensor, timestep: Tensor, ids: Tensor) -> Tensor:
        """The v of `noised` [B, 4, 16, 16] at `timestep` [B] with captions `ids` [B, 32]."""
        words = self.text_encoder(input_ids=ids).last_hidden_state
        return self.unet(noised, timestep, encoder_hidden_states=words).sample


def v_loss(
    model: TextToLatent, latents: Tensor, ids: Tensor, timestep: Tensor, noise: Tensor
) -> Tensor:
    """Squared error of the predicted v = sqrt(a) noise - sqrt(1 - a) latent, per picture: [B]."""
    kept = kept_signal()[timestep][:, None, None, None]
    noised = kept.sqrt() * latents + (1 - kept).sqrt() * noise
    target = kept.sqrt() * noise - (1 - kept).sqrt() * latents
    with torch.autocast("cpu", torch.bfloat16):
        predicted = model(noised, timestep, ids)
    return ((predicted.float() - target) ** 2).mean((1, 2, 3))


@torch.no_grad()
def conditioning_gap(model: TextToLatent, latents: Tensor, ids: Tensor) -> str:
    """The loss with the right, another and no caption; the gap opens long before shapes do."""
    latents, ids = latents[::4], torch.cat([ids[:-1:4], ids[-1:]])
    random = torch.Generator().manual_seed(5)
    noise = torch.randn(latents.shape, generator=random)
    parts: list[str] = []
    for step in (300, 700):
        timestep = torch.full((len(latents),), step)
        losses = [
            float(v_loss(model, latents, rows, timestep, noise).mean())
            for rows in (ids[:-1, 0], ids[:-1, 0].roll(7, 0), ids[-1:, 0].expand(len(latents), -1))
        ]
        parts.append(f"t={step} right {losses[0]:.3f} other {losses[1]:.3f} none {losses[2]:.3f}")
    return "; ".join(parts)


def chosen_latents(path: Path) -> Tensor:
    """Latents of the chosen pictures on white, each channel with mean 0 and deviation 1."""
    vae = load_autoencoder(path)
    pictures = plain_pictures(np.stack([e.rgba for e in chosen_emoji(load_clean())]))
    latents, mean, deviation = latent_statistics(vae, pictures)
    return (latents - mean) / deviation


def learn(
    minutes: float,
    rate: float,
    autoencoder: Path,
    checkpoint: Path,
    warm: Path | None,
    favoured: float,
) -> None:
    """Train for `minutes`, or go on with an unfinished checkpoint.

    `warm` is a finished checkpoint whose weights to start from; `favoured` the share of the
    pictures seen that comes from `favourites.txt` alone, the rest being drawn from all alike.
    """
    torch.manual_seed(3)
    tokenizer = new_tokenizer()
    latents, ids = chosen_latents(autoencoder), caption_tokens(tokenizer)
    model = TextToLatent(tokenizer)
    if warm:
        model.load_state_dict(torch.load(warm, weights_only=True)["average"])
    log.info(
        "%d pictures, %d tokens, %.2f M parameters in the denoiser, %.2f M in the text encoder",
        len(latents),
        len(tokenizer),
        sum(p.numel() for p in model.unet.parameters()) / 1e6,
        sum(p.numel() for p in model.text_encoder.parameters()) / 1e6,
    )
    often = set((HERE / "favourites.txt").read_text().splitlines())
    is_often = torch.tensor([label in often for label in chosen_labels()])
    weight = (1 - favoured) / len(latents) + favoured * is_often / is_often.sum()

    def loss(done: float) -> Tensor:
        picked = torch.multinomial(weight, BATCH)
        timestep = (STEPS * torch.rand(BATCH) ** 0.6).long()  # shapes are decided in strong noise
        noise = torch.randn(BATCH, *latents.shape[1:])
        row = torch.where(torch.rand(BATCH) < EMPTY, len(latents), picked)
        chosen = ids[row, torch.randint(CAPTIONS, (BATCH,))]
        return v_loss(model, latents[picked], chosen, timestep, noise).mean()

    def report(weights: dict[str, Tensor]) -> str:
        averaged = TextToLatent(tokenizer).eval()
        averaged.load_state_dict(weights)
        return conditioning_gap(averaged, latents, ids)

    train(
        model,
        loss,
        minutes=minutes,
        rate=rate,
        decay=0.999,
        warm_up=100,
        checkpoint=checkpoint,
        report=report,
    )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=74)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--warm", type=Path, help="a finished checkpoint to start from")
    parser.add_argument("--favoured", type=float, default=0.0, help="share of favourites.txt")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--autoencoder", type=Path, default=CACHE / "autoencoder.pt")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(asked.threads)
    learn(
        asked.minutes, asked.rate, asked.autoencoder, asked.checkpoint, asked.warm, asked.favoured
    )


if __name__ == "__main__":
    main()
