"""Samplers: how noise becomes a latent, one call to the model after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from nodes.models.sampling.samplers.dpm_solver import dpm_adaptive, dpm_fast
from nodes.models.sampling.samplers.exponential import dpmpp_2m, dpmpp_2s_ancestral, res_multistep
from nodes.models.sampling.samplers.multistep import deis, ipndm, lms
from nodes.models.sampling.samplers.protocol import ModelCall, Noise, SamplerFunction, SamplerSteps
from nodes.models.sampling.samplers.sa_solver import sa_solver
from nodes.models.sampling.samplers.slopes import (
    ddpm,
    dpm_2,
    dpm_2_ancestral,
    euler,
    euler_ancestral,
    gradient_estimation,
    heun,
    heunpp2,
    lcm,
)
from nodes.models.sampling.samplers.stochastic import (
    dpmpp_2m_sde,
    dpmpp_3m_sde,
    dpmpp_sde,
    er_sde,
    seeds_2,
    seeds_3,
)
from nodes.models.sampling.samplers.uni_pc import uni_pc
from nodes.models.sampling.sigma_space import SigmaSpace

__all__ = [
    "BROWNIAN",
    "CFG_PP",
    "DISCARD_PENULTIMATE",
    "SAMPLERS",
    "ModelCall",
    "Noise",
    "Sampler",
    "SamplerSteps",
]

SAMPLERS: Mapping[str, SamplerFunction] = {
    "euler": euler,
    "euler_cfg_pp": partial(euler_ancestral, eta=0.0, cfg_pp=True),
    "euler_ancestral": euler_ancestral,
    "euler_ancestral_cfg_pp": partial(euler_ancestral, cfg_pp=True),
    "heun": heun,
    "heunpp2": heunpp2,
    "dpm_2": dpm_2,
    "dpm_2_ancestral": dpm_2_ancestral,
    "lms": lms,
    "dpm_fast": dpm_fast,
    "dpm_adaptive": dpm_adaptive,
    "dpmpp_2s_ancestral": dpmpp_2s_ancestral,
    "dpmpp_2s_ancestral_cfg_pp": partial(dpmpp_2s_ancestral, cfg_pp=True),
    "dpmpp_sde": dpmpp_sde,
    "dpmpp_sde_gpu": dpmpp_sde,
    "dpmpp_2m": dpmpp_2m,
    "dpmpp_2m_cfg_pp": partial(dpmpp_2m, cfg_pp=True),
    "dpmpp_2m_sde": dpmpp_2m_sde,
    "dpmpp_2m_sde_gpu": dpmpp_2m_sde,
    "dpmpp_2m_sde_heun": partial(dpmpp_2m_sde, heun=True),
    "dpmpp_2m_sde_heun_gpu": partial(dpmpp_2m_sde, heun=True),
    "dpmpp_3m_sde": dpmpp_3m_sde,
    "dpmpp_3m_sde_gpu": dpmpp_3m_sde,
    "ddpm": ddpm,
    "lcm": lcm,
    "ipndm": ipndm,
    "ipndm_v": lms,
    "deis": deis,
    "res_multistep": res_multistep,
    "res_multistep_cfg_pp": partial(res_multistep, cfg_pp=True),
    "res_multistep_ancestral": partial(res_multistep, eta=1.0),
    "res_multistep_ancestral_cfg_pp": partial(res_multistep, eta=1.0, cfg_pp=True),
    "gradient_estimation": gradient_estimation,
    "gradient_estimation_cfg_pp": partial(gradient_estimation, cfg_pp=True),
    "er_sde": er_sde,
    "seeds_2": seeds_2,
    "seeds_3": seeds_3,
    "sa_solver": sa_solver,
    "sa_solver_pece": partial(sa_solver, use_pece=True),
    "ddim": euler,
    "uni_pc": uni_pc,
    "uni_pc_bh2": partial(uni_pc, exponential=True),
}
"""Those on the device of the model (`_gpu`) draw their noise as the others do: on the CPU."""
DISCARD_PENULTIMATE = frozenset({"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"})
"""Samplers that leave out the last level but 0: they would ask for one that is lower still."""
CFG_PP = frozenset(name for name in SAMPLERS if name.endswith("_cfg_pp"))
"""Samplers that want the answer without guidance too, see `protocol.Answers`."""
BROWNIAN = frozenset(name for name in SAMPLERS if name.startswith("dpmpp_") and "sde" in name)
"""Samplers whose noise is one path through all levels, see `brownian`."""


@dataclass(frozen=True)
class Sampler:
    """A sampler by its name in `SAMPLERS`, and the numbers it is given."""

    name: str
    numbers: Mapping[str, object] = field(default_factory=dict[str, object])

    def steps(self, x: Tensor, sigmas: Tensor, noise: Noise, space: SigmaSpace) -> SamplerSteps:
        """Its walk from `x` down some levels, of a model of that sigma space."""
        moving = sigmas[1:] != sigmas[:-1]
        sigmas = torch.cat([sigmas[:1], sigmas[1:][moving]])  # without steps that go nowhere
        numbers = dict(self.numbers)
        if self.name.startswith("sa_solver"):
            numbers = {
                "start": space.percent_to_sigma(0.2),
                "end": space.percent_to_sigma(0.8),
                **numbers,
            }
        return SAMPLERS[self.name](x, sigmas, noise, **numbers)
