"""May a prompt run? Every error of every node, found at once."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from engine.authoring.dynamic import flatten
from engine.authoring.errors import SoundstageError
from engine.authoring.registry import Registry
from engine.authoring.sockets import is_compatible
from engine.authoring.spec import Input, NodeSpec
from engine.graph.core_nodes import CORE_NODES
from engine.graph.errors import (
    InputError,
    NodeErrors,
    PromptError,
    failed_validation,
    missing_input,
    refused_input,
)
from engine.graph.literals import (
    SHOWN_CHARACTERS,
    FileLists,
    InvalidValue,
    ListedOnce,
    coerce,
    complaint,
    short,
)
from engine.graph.off_loop import in_thread_if, takes_long
from engine.graph.prompt import MOST_NODES, as_link, filled, literal, normal, written
from engine.graph.topological_sort import TopologicalSort

InputConfig: TypeAlias = Callable[[Input], Any]

WALKED_NODES = 100
DEPENDENT_OUTPUTS = 100
WRONG_NODES = 5000
"""So many of the nodes with errors are reported; further ones only keep outputs from running."""


@dataclass(frozen=True)
class Valid:
    """What of a prompt can run.

    Attributes:
        prompt: the prompt in its normal form, its literals coerced.
        outputs: the output nodes whose every ancestor is sound.
        errors: of the outputs that were dropped, by node id.
    """

    prompt: dict[str, Any]
    outputs: list[str]
    errors: dict[str, NodeErrors]


async def validate(
    prompt: Mapping[str, Any],
    registry: Registry,
    folders: FileLists,
    input_config: InputConfig,
    targets: Sequence[str] | None = None,
) -> Valid:
    """Check a prompt in API format.

    Args:
        prompt: node id to ``{"class_type": ..., "inputs": {...}}``.
        registry: the nodes there are.
        folders: lists the files that choices offer.
        input_config: how an input is described to clients, as in object_info.
        targets: run only these output nodes.

    Raises:
        PromptError: nothing of it can run.
    """
    if len(prompt) > MOST_NODES:
        over = f"The prompt has {len(prompt)} nodes, over the limit of {MOST_NODES}."
        raise PromptError("invalid_prompt", over)
    long = takes_long(prompt, registry)
    check = await in_thread_if(
        long, lambda: _examined(prompt, registry, folders, input_config, targets)
    )
    await check.ask()
    return await in_thread_if(long, check.verdict)


def _examined(
    prompt: Mapping[str, Any],
    registry: Registry,
    folders: FileLists,
    input_config: InputConfig,
    targets: Sequence[str] | None,
) -> _Check:
    specs = _specs(prompt, registry)
    wanted = specs.keys() if targets is None else frozenset(targets)
    outputs = [id for id, spec in specs.items() if spec.is_output and id in wanted]
    if not outputs:
        raise PromptError("prompt_no_outputs", "Prompt has no outputs")
    check = _Check(prompt, specs, outputs, ListedOnce(folders), input_config)
    check.examine()
    return check


def _specs(prompt: Mapping[str, Any], registry: Registry) -> dict[str, NodeSpec]:
    specs: dict[str, NodeSpec] = {}
    unknown: list[str] = []
    problem = ""
    for id, entry in prompt.items():
        class_type = entry.get("class_type") if isinstance(entry, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON
        spec = registry.get(class_type)
        if spec is not None:
            specs[id] = _as_given(spec, entry)  # pyright: ignore[reportUnknownArgumentType] - JSON
            continue
        unknown.append(f"Node ID '#{id}'")
        problem = problem or _unknown(class_type, registry)  # pyright: ignore[reportUnknownArgumentType] - JSON
    if unknown:
        raise PromptError("invalid_prompt", problem, ", ".join(unknown))
    return specs


def _unknown(class_type: object, registry: Registry) -> str:
    if class_type is None:
        return "Cannot execute because a node is missing the class_type property."
    said = f"Cannot execute because node {short(class_type)} does not exist"
    if isinstance(class_type, str) and class_type in CORE_NODES:
        return f"{said}: it is a node of ComfyUI that is not supported yet."
    return registry.missing_node_message(short(class_type), said)


def _as_given(spec: NodeSpec, entry: Mapping[str, Any]) -> NodeSpec:
    inputs = entry.get("inputs")
    return flatten(spec, inputs) if isinstance(inputs, dict) else spec  # pyright: ignore[reportUnknownArgumentType] - JSON


class _Check:
    """One prompt under examination; each node is looked at once."""

    def __init__(
        self,
        prompt: Mapping[str, Any],
        specs: Mapping[str, NodeSpec],
        outputs: Sequence[str],
        folders: FileLists,
        input_config: InputConfig,
    ) -> None:
        self.prompt = {id: filled(entry, specs[id]) for id, entry in prompt.items()}
        self.specs = specs
        self.outputs = outputs
        self.folders = folders
        self.input_config = input_config
        self.errors: dict[str, list[InputError]] = {}
        self.values: dict[str, dict[str, Any]] = {}
        self.received: dict[str, dict[str, str]] = {}
        self.sources: dict[str, list[str]] = {}
        self.walk = TopologicalSort((), self.sources.__getitem__)
        self.entered: dict[str, tuple[Input, int]] = {}  # where a node was first linked from
        self.judging: list[str] = []  # nodes that judge their literals themselves

    def examine(self) -> None:
        """Look at every node that the outputs need."""
        frontier = list(reversed(self.outputs))
        while frontier:
            id = frontier.pop()
            if id in self.sources:
                continue
            self._look_at(id)
            frontier.extend(self.sources[id])
        self.walk = TopologicalSort(self.outputs, self.sources.__getitem__)
        for cycle in self.walk.cycles:
            self._report_cycle(cycle)
        for id, errors in self.errors.items():
            if not errors and (self.specs[id].validate_inputs or self.specs[id].judged):
                self.judging.append(id)

    async def ask(self) -> None:
        """Ask the nodes that judge their literals themselves, where nothing else is wrong."""
        asking = [
            self._ask(id, check)
            for id in self.judging
            if (check := self.specs[id].validate_inputs) is not None
        ]
        asking += [self._judge(id, input) for id in self.judging for input in self.specs[id].judged]
        if asking:
            await asyncio.gather(*asking)

    async def _judge(self, id: str, input: Input) -> None:
        """Ask a choice whether the option it was given can be used."""
        value = self.prompt[id]["inputs"].get(input.name)
        why = await asyncio.to_thread(complaint, input, value, self.folders)
        if why is not None:
            self.errors[id].append(refused_input(input.name, f"{input.name} - {why}"))

    def verdict(self) -> Valid:
        """What of the prompt can run.

        Raises:
            PromptError: nothing.
        """
        good, errors = self._good_outputs()
        if good:
            return Valid(self.coerced(), good, errors)
        details = [
            f"{error.message}: {error.details}"
            for output in self.outputs[:WRONG_NODES]
            for error in self.errors.get(output, ())
        ]
        raise PromptError(
            "prompt_outputs_failed_validation",
            "Prompt outputs failed validation",
            "\n".join(details),
            errors,
        )

    def _good_outputs(self) -> tuple[list[str], dict[str, NodeErrors]]:
        """The outputs that can run; of each node with errors what is wrong and what hangs on it."""
        outputs, walk = self.outputs, self.walk
        wrong = [id for id in walk.order if self.errors[id]]
        reported = wrong[:WRONG_NODES]
        made = {id: NodeErrors(self.errors[id], [], self.specs[id].id) for id in reported}
        if not wrong:
            return [*outputs], made
        upstream = self._upstream(wrong, walk)
        room = (1 << len(reported)) - 1  # nodes of which not enough outputs are reported yet
        for output in outputs:
            needed = upstream[output] & room
            while needed:
                bit = needed & -needed
                needed ^= bit
                dependents = made[wrong[bit.bit_length() - 1]].dependent_outputs
                dependents.append(output)
                if len(dependents) == DEPENDENT_OUTPUTS:
                    room ^= bit
        return [output for output in outputs if not upstream[output]], made

    def _upstream(self, wrong: Sequence[str], walk: TopologicalSort) -> dict[str, int]:
        """For each node, which wrong ones it needs: a bit for each reported, one for the others."""
        own = {id: 1 << min(place, WRONG_NODES) for place, id in enumerate(wrong)}
        found: dict[str, int] = {}
        for id in walk.order:
            bits = own.get(id, 0)
            for source in self.sources[id]:
                bits |= found[source] if source in found else own.get(source, 0)
            found[id] = bits
        return found

    def coerced(self) -> dict[str, Any]:
        """The prompt as it is stored, literals of examined nodes as the nodes will get them."""
        prompt = {id: normal(entry) for id, entry in self.prompt.items()}
        for id, values in self.values.items():
            prompt[id]["inputs"] = {**prompt[id]["inputs"], **values}
        return prompt

    def _look_at(self, id: str) -> None:
        spec, inputs = self.specs[id], self.prompt[id].get("inputs")
        self.sources[id] = []
        if not isinstance(inputs, dict):
            self.errors[id] = [self._without_inputs(id, spec)]
            return
        given: dict[str, Any] = inputs  # pyright: ignore[reportUnknownVariableType] - JSON
        self.errors[id] = list(self._problems(id, spec, given))

    def _problems(self, id: str, spec: NodeSpec, given: Mapping[str, Any]) -> Iterator[InputError]:
        for input in spec.inputs:
            value = given.get(input.name)
            if value is None and input.optional:
                continue
            if input.name not in given:
                if not input.later:
                    yield missing_input(input)
                continue
            if isinstance(value, list):
                yield from self._link_problems(id, input, value)  # pyright: ignore[reportUnknownArgumentType] - JSON
                continue
            yield from self._literal_problems(id, input, value)
        if spec.takes_more:
            for name, value in given.items():
                if name not in spec.by_name and as_link(value) is not None:
                    yield from self._link_problems(id, spec.input(name), value)

    def _literal_problems(self, id: str, input: Input, value: Any) -> Iterator[InputError]:
        config, judged = (
            partial(self.input_config, input),
            input.name in self.specs[id].validated_inputs,
        )
        try:
            fit = coerce(input, literal(value), self.folders, config, judged=judged)
        except InvalidValue as unfit:
            yield unfit.error
        else:
            if fit is not value:
                self.values.setdefault(id, {})[input.name] = written(fit)

    def _link_problems(self, id: str, input: Input, value: list[Any]) -> Iterator[InputError]:
        link = as_link(value)
        if link is None:
            yield InputError(
                "bad_linked_input",
                "Bad linked input, must be a length-2 list of [node_id, slot_index]",
                input.name,
                self._facts(input, received_value=_readable(value)),
            )
            return
        source = self.specs.get(link.node)
        if source is None:
            text = f"input {input.name!r} links to node {link.node!r}, which is not in the prompt"
            yield failed_validation(f"'{link.node}'", "KeyError", text)
            return
        if not 0 <= link.slot < len(source.outputs):
            text = f"input {input.name!r} links to output {link.slot} of node {link.node!r} "
            text += f"({source.id}), which has {len(source.outputs)}"
            yield failed_validation("tuple index out of range", "IndexError", text)
            return
        self.sources[id].append(link.node)
        self.entered.setdefault(link.node, (input, link.slot))
        received = source.outputs[link.slot].type
        self.received.setdefault(id, {})[input.name] = received
        if not self.specs[id].validates_types and not _enters(received, input.type, self.specs[id]):
            yield InputError(
                "return_type_mismatch",
                "Return type mismatch between linked nodes",
                f"{input.name}, received_type({received}) mismatch input_type({input.type})",
                self._facts(input, received_type=received, linked_node=[link.node, link.slot]),
            )

    def _report_cycle(self, cycle: list[str]) -> None:
        nodes = list(dict.fromkeys(cycle))[:WALKED_NODES]
        walk = " -> ".join(f"{id} ({self.specs[id].id})" for id in cycle[:WALKED_NODES])
        walk += " -> ..." if len(cycle) > WALKED_NODES or cycle[-1] != cycle[0] else ""
        facts: dict[str, Any] = {"node_id": cycle[0], "cycle_nodes": nodes}
        error = InputError("dependency_cycle", "Dependency cycle detected", walk, facts)
        self.errors[cycle[0]].append(error)

    async def _ask(self, id: str, check: Callable[..., object]) -> None:
        """Let a node validate its literals; its verdict is reported for each input it judges."""
        spec, given = self.specs[id], {**self.prompt[id]["inputs"], **self.values.get(id, {})}
        types = self.received.get(id, {})
        values = {n: None if n in types else literal(given[n]) for n in spec.by_name if n in given}
        if spec.validates_types:
            values["input_types"] = types
        try:
            if inspect.iscoroutinefunction(check):
                said = await check(**values)
            else:
                said = await asyncio.to_thread(check, **values)
                said = await said if inspect.isawaitable(said) else said
        except SoundstageError:
            raise
        except Exception as error:  # noqa: BLE001 - a node may raise anything
            name, text = type(error).__name__, short(error)
            self.errors[id].append(failed_validation(text, name, text))
            return
        if said is not True:
            why = "" if said is False else f" - {short(said)}"
            judged = [
                name for name in spec.by_name if name in spec.validated_inputs and name in given
            ]
            self.errors[id] += [refused_input(name, f"{name}{why}") for name in judged or [spec.id]]

    def _without_inputs(self, id: str, spec: NodeSpec) -> InputError:
        text = f"node {id!r} ({spec.id}) has no 'inputs' object; give it one, {{}} if it needs none"
        if id not in self.entered:
            return failed_validation("'inputs'", "KeyError", text)
        input, slot = self.entered[id]
        return InputError(
            "exception_during_inner_validation",
            "Exception when validating inner node",
            "'inputs'",
            self._facts(
                input,
                exception_message=text,
                exception_type="KeyError",
                linked_node=[id, slot],
            ),
        )

    def _facts(self, input: Input, **more: Any) -> dict[str, Any]:
        return {"input_name": input.name, "input_config": self.input_config(input), **more}


def _enters(received: str, expected: str, taker: NodeSpec) -> bool:
    """Whether a link may enter: a string may choose from a list; numbers widen for our own nodes.

    A custom node's function expects what the protocol lets through, which is no INT for a FLOAT.
    """
    if is_compatible(received, expected) or (received, expected) == ("STRING", "COMBO"):
        return True
    return (received, expected) == ("INT", "FLOAT") and not taker.is_custom


def _readable(value: list[Any]) -> Any:
    text = short(value)
    is_strict = "nan" not in text and "inf" not in text
    return value if len(text) <= SHOWN_CHARACTERS and is_strict else text
