"""How the requests of many samplers share evaluations of a network."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

from nodes.models.conditioning.areas import Region, WeightedArea
from nodes.models.conditioning.control import (
    Control,
    ControlNet,
    active,
    control_inputs,
    steered,
)
from nodes.models.conditioning.gligen import OPTION as GLIGEN
from nodes.models.conditioning.hooks import OPTION as HOOKS
from nodes.models.conditioning.hooks import Hooks, denoiser_patches
from nodes.models.conditioning.inputs import Batch, Inputs, batched, signature, within
from nodes.models.networks.changes import Patch
from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.patched_unet import UNetPatch
from nodes.models.networks.unet_patches import RecordedAttention
from nodes.models.sampling.cfg import Extra, ExtraPass
from nodes.models.sampling.guiders import Answered, Guider
from nodes.models.sampling.recall import Answers, Recall


@dataclass(frozen=True, eq=False)
class StepRequest:
    """A sampler asks for the denoised form of `x` [B, C, H, W] at the noise level `sigma`.

    `index` of `total` steps are done; `denoised` is the last answer, None before the first.
    """

    guider: Guider
    x: Tensor
    sigma: Tensor
    index: int = 0
    total: int = 1
    denoised: Tensor | None = None

    @property
    def key(self) -> Hashable:
        """Requests of equal key can be answered by one evaluation."""
        guider = self.guider
        return guider.model.terms, self.x.shape[1:], self.x.device, guider.signatures(self.x)


@dataclass(frozen=True, eq=False)
class _Row:
    """One text for one request, on the part of the picture where it counts.

    `text` tells it from the other texts of the request.
    """

    text: int
    x: Tensor
    sigma: Tensor
    inputs: Inputs
    weighted_area: WeightedArea | None
    patches: tuple[UNetPatch, ...]
    controls: tuple[Control, ...]
    weights: tuple[Patch, ...]

    @cached_property
    def kind(self) -> Hashable:
        """Rows of one kind can be evaluated together."""
        controls = tuple(control.kind for control in self.controls)
        weights = tuple(patch.key for patch in self.weights)
        return self.x.shape[1:], signature(self.inputs), self.patches, controls, weights


def evaluate(requests: Sequence[StepRequest]) -> list[Tensor]:
    """The denoised latents that each of `requests`, all of equal key, asks for, in their order."""
    recalls = [Recall(request.guider, request.x, request.sigma) for request in requests]
    known = [recall.guided() for recall in recalls]
    open_ = [n for n, found in enumerate(known) if found is None]
    made = _answers([requests[n] for n in open_], [recalls[n] for n in open_])
    for n, answers in zip(open_, made, strict=True):
        guider, x, sigma = requests[n].guider, requests[n].x, requests[n].sigma
        given = Answered(answers.groups, x, sigma, answers.extras, guider.memory)
        known[n] = guided = guider.combine(given)
        recalls[n].keep_guided(guided)
    return [found for found in known if found is not None]


def _answers(requests: Sequence[StepRequest], recalls: Sequence[Recall]) -> list[Answers]:
    """What each request's guider combines, from the network where no cache has it."""
    rows = [
        [[_row(request, region) for region in group] for group in _groups(request)]
        for request in requests
    ]
    contexts = [_context(*each) for each in zip(requests, rows, strict=True)]
    known = [
        recall.answers(context, len(of_one))
        for recall, context, of_one in zip(recalls, contexts, rows, strict=True)
    ]
    open_ = [n for n, found in enumerate(known) if found is None]
    made = _by_network([requests[n] for n in open_], [rows[n] for n in open_])
    for n, answers in zip(open_, made, strict=True):
        known[n] = answers
        recalls[n].keep_answers(contexts[n], answers)
    return [found for found in known if found is not None]


def _context(request: StepRequest, rows: Sequence[Sequence[_Row]]) -> Hashable:
    """What the answers depend on beside the latents."""
    level = float(request.sigma)
    passes = tuple(extra.active(level) for extra in request.guider.model.guidance.passes)
    asked = tuple(tuple((row.text, row.kind) for row in group) for group in rows)
    return asked, passes


def _by_network(
    requests: Sequence[StepRequest], rows: Sequence[Sequence[Sequence[_Row]]]
) -> list[Answers]:
    if not requests:
        return []
    model = requests[0].guider.model
    groups = _denoised(model, [request.x for request in requests], rows)
    extras = _extras(model, requests, groups)
    return [Answers(*of_one) for of_one in zip(groups, extras, strict=True)]


def _groups(request: StepRequest) -> list[list[Region]]:
    return request.guider.active(request.x.shape, request.sigma)


def _row(
    request: StepRequest,
    region: Region,
    *more: UNetPatch,
    x: Tensor | None = None,
) -> _Row:
    x = request.x if x is None else x
    sigma = request.sigma.reshape(1).expand(len(x))
    inputs = request.guider.inputs(region.cond, request.x)
    level = float(request.sigma)
    model, weighted_area = request.guider.model, region.weighted_area
    uncond = model.guidance.uncond_patches if region.cond.negative else ()
    own = [patch for patch in (*model.unet_patches, *uncond) if patch.active(level)]
    if (grounding := region.cond.options.get(GLIGEN)) is not None:
        own.append(grounding)
    if weighted_area is not None:
        x, inputs = weighted_area.area.of(x), within(inputs, weighted_area.area)
    hooks: Hooks = region.cond.options.get(HOOKS, ())
    weights = denoiser_patches(hooks, model.source, model.space, level)
    controls = active(region.cond, model, request.sigma)
    inputs = {**inputs, **control_inputs(controls, region.cond.options, x, model.latent.factor)}
    patches = *own, *more
    return _Row(id(region.cond), x, sigma, inputs, weighted_area, patches, controls, weights)


def _denoised(
    model: Denoiser, latents: Sequence[Tensor], rows: Sequence[Sequence[Sequence[_Row]]]
) -> list[list[Tensor]]:
    """The answers to the groups of several requests about some latents."""
    flat = [row for of_one in rows for group in of_one for row in group]
    answers = _evaluated(model, flat)
    return [
        [_shared(x, group, [next(answers) for _ in group]) for group in of_one]
        for x, of_one in zip(latents, rows, strict=True)
    ]


def _extras(
    model: Denoiser, requests: Sequence[StepRequest], groups: Sequence[Sequence[Tensor]]
) -> list[list[Extra | None]]:
    """What the extra passes of each request give, evaluated together."""
    found: list[list[Extra | None]] = [[] for _ in requests]
    positions: list[tuple[int, int]] = []
    latents: list[Tensor] = []
    rows: list[list[list[_Row]]] = []
    for number, (request, answers) in enumerate(zip(requests, groups, strict=True)):
        for extra in request.guider.model.guidance.passes:
            level = float(request.sigma)
            group = request.guider.group_index(extra) if extra.active(level) else None
            x = (
                None
                if group is None
                else _started(model, request, extra, _groups(request)[group], answers[group])
            )
            if group is not None and x is not None:
                regions = _groups(request)[group]
                positions.append((number, len(found[number])))
                latents.append(x)
                rows.append([[_row(request, each, *extra.patches, x=x) for each in regions]])
            found[number].append(None)
    for (number, index), x, (denoised,) in zip(
        positions, latents, _denoised(model, latents, rows), strict=True
    ):
        found[number][index] = Extra(x, denoised)
    return found


def _started(
    model: Denoiser,
    request: StepRequest,
    extra: ExtraPass,
    regions: Sequence[Region],
    denoised: Tensor,
) -> Tensor | None:
    """The latents that an extra pass is about; None where no text counts for all of them.

    None, too, where the network is no UNet, and the pass asks for its attention.
    """
    if extra.start is None:
        return request.x
    whole = [region for region in regions if region.weighted_area is None]
    if not whole:
        return None
    seen = RecordedAttention()
    for _ in _evaluated(model, [_row(request, whole[0], seen)]):
        pass
    if not seen.seen:  # a transformer, whose attentions are not looked at
        return None
    return extra.start(request.x, denoised, torch.cat(seen.seen))


def _evaluated(model: Denoiser, rows: Sequence[_Row]) -> Iterator[Tensor]:
    """The model's answer to each row; rows of one kind share evaluations, as memory allows."""
    answers: dict[int, Tensor] = {}
    for kind in dict.fromkeys(row.kind for row in rows):
        chosen = [index for index, row in enumerate(rows) if row.kind == kind]
        patches = rows[chosen[0]].patches
        asked = model.patched(*weights) if (weights := rows[chosen[0]].weights) else model
        nets = [control.control_net for control in rows[chosen[0]].controls]
        x = torch.cat([rows[index].x for index in chosen])
        sigma = torch.cat([rows[index].sigma for index in chosen])
        given = batched([(rows[index].inputs, len(rows[index].x)) for index in chosen])
        evaluate = partial(_some, asked, nets, x, sigma, given, patches)
        with asked.exclusive() as network:
            found = network.batches.evaluated(evaluate, len(x), x.shape[1:], given.together)
        parts = torch.split(found, [len(rows[index].x) for index in chosen])
        answers.update(zip(chosen, parts, strict=True))
    return (answers[index] for index in range(len(rows)))


def _some(
    model: Denoiser,
    nets: Sequence[ControlNet],
    x: Tensor,
    sigma: Tensor,
    given: Batch,
    patches: Sequence[UNetPatch],
    rows: slice,
) -> Tensor:
    return steered(model, nets, x[rows], sigma[rows], given.of(rows), patches)


def _shared(x: Tensor, rows: Sequence[_Row], answers: Sequence[Tensor]) -> Tensor:
    """The mean of the answers to one group, each with its weight; nothing where none counts."""
    if len(rows) == 1 and rows[0].weighted_area is None:
        return answers[0]
    total, weights = torch.zeros_like(x), torch.full_like(x, 1e-37)
    for row, answer in zip(rows, answers, strict=True):
        if row.weighted_area is None:
            total += answer
            weights += 1
        else:
            weight = row.weighted_area.weight.to(x)
            row.weighted_area.area.of(total).add_(answer * weight)
            row.weighted_area.area.of(weights).add_(weight.expand_as(answer))
    return total / weights
