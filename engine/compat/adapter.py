"""A V1 class as the functions of a NodeSpec: arguments in, instances kept, results turned."""

from __future__ import annotations

import inspect
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from engine.authoring.spec import NodeSpec
from engine.compat.call import CurrentCall, during
from engine.compat.injected import hidden_value
from engine.compat.results import returned
from engine.run.context import NodeContext
from engine.run.invocation import residents
from engine.run.remote_nodes import RUN_PARAMETER, NodeDescription, spec_of

KEPT_INSTANCES = 4096


class Instances:
    """The objects that packs' nodes are: one for each node id and class, kept between jobs."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[str, type], Any] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, node: str, kind: type) -> Any:
        """The object of a node, made when it is first asked for."""
        with self._lock:
            if (node, kind) not in self._made:
                self._made[node, kind] = kind()
                while len(self._made) > KEPT_INSTANCES:
                    self._made.popitem(last=False)
            self._made.move_to_end((node, kind))
            return self._made[node, kind]


class Adapter:
    """One V1 class.

    Args:
        kind: the class.
        node: what it declares.
        hidden: its hidden inputs, name to what fills it.
        instances: of all classes.
        turn: held while a function of the pack runs, as packs do not expect two at once.
    """

    def __init__(
        self,
        kind: Any,
        node: NodeDescription,
        hidden: Mapping[str, str],
        instances: Instances,
        turn: threading.Lock,
    ) -> None:
        self._kind = kind
        self._node = node
        self._hidden = hidden
        self._instances = instances
        self._turn = turn

    def spec(self) -> NodeSpec:
        """The class as a node of ours."""
        functions: dict[str, Callable[..., Any]] = {}
        if self._node.has_check:
            functions["validate_inputs"] = self.check
        if hasattr(self._kind, "check_lazy_status"):
            functions["check_lazy_status"] = self.needs
        if hasattr(self._kind, "IS_CHANGED"):
            functions["fingerprint"] = self.fingerprint
        function = self.call_async if self._node.kind == "async" else self.call
        return spec_of(self._node, function, **functions)

    def call(self, /, **given: Any) -> Any:
        """Run FUNCTION."""
        call, function, arguments = self._prepared(given)
        with self._turn, during(call), without_gradients():
            return returned(function(**arguments), self._node)

    async def call_async(self, /, **given: Any) -> Any:
        """Run an async FUNCTION."""
        call, function, arguments = self._prepared(given)
        with during(call):
            return returned(await function(**arguments), self._node)

    def needs(self, /, **given: Any) -> Any:
        """Ask check_lazy_status for the inputs it wants."""
        run: NodeContext = given.pop(RUN_PARAMETER)
        instance = self._instances.of(run.node, self._kind)
        with self._turn, during(CurrentCall(run)):
            wanted = instance.check_lazy_status(**given, **self._filled(run))
            return wanted if inspect.isawaitable(wanted) else names(wanted)

    def check(self, /, **given: Any) -> Any:
        """Ask VALIDATE_INPUTS about those literals that it names."""
        return self._kind.VALIDATE_INPUTS(**accepted(self._kind.VALIDATE_INPUTS, given))

    def fingerprint(self, /, **given: Any) -> Any:
        """Ask IS_CHANGED; hidden inputs that it names are None there."""
        hidden = accepted(self._kind.IS_CHANGED, dict.fromkeys(self._hidden), named_only=True)
        return self._kind.IS_CHANGED(**{**hidden, **given})

    def _prepared(
        self, given: dict[str, Any]
    ) -> tuple[CurrentCall, Callable[..., Any], dict[str, Any]]:
        run: NodeContext = given.pop(RUN_PARAMETER)
        instance = self._instances.of(run.node, self._kind)
        call = CurrentCall(run, residents(given))
        return call, getattr(instance, self._kind.FUNCTION), {**given, **self._filled(run)}

    def _filled(self, run: NodeContext) -> dict[str, Any]:
        """The hidden inputs; lists of one where all inputs are lists."""
        values = {name: hidden_value(kind, run) for name, kind in self._hidden.items()}
        return {n: [value] for n, value in values.items()} if self._node.collects else values


def accepted(
    function: Callable[..., Any], given: Mapping[str, Any], *, named_only: bool = False
) -> dict[str, Any]:
    """Those arguments that a function takes: all, or those that it names."""
    parameters = inspect.signature(function).parameters
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    if takes_all and not named_only:
        return dict(given)
    return {name: value for name, value in given.items() if name in parameters}


def names(wanted: Any) -> list[str]:
    """What check_lazy_status returned: names, or nothing."""
    return [] if wanted is None else list(wanted)


@contextmanager
def without_gradients() -> Generator[None]:
    """Without recording gradients, if the pack uses torch at all."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    with torch.no_grad():
        yield
