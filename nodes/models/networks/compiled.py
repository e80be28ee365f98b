"""Networks that torch compiles (torch.compile)."""

from __future__ import annotations

import logging
import os
import shutil
from typing import Any

import torch
from torch import nn

log = logging.getLogger(__name__)

COMPILERS = ("c++", "g++", "clang++", "cl")


class CompiledNetwork:
    """Called as the module; it is compiled at the first call, and again for another shape.

    Where that fails, the module itself is called from then on, and the log says why.

    Args:
        module: the network, whose weights may change in place.
        backend: of torch.compile.
    """

    def __init__(self, module: nn.Module, backend: str) -> None:
        self._module = module
        self._backend = backend
        untyped: Any = torch  # the types of torch.compile are unknown in part
        self._call: Any = untyped.compile(module, backend=backend)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """What the module answers."""
        if self._call is self._module:
            return self._module(*args, **named)
        from torch._dynamo.exc import TorchDynamoException

        try:
            return self._call(*args, **named)
        except TorchDynamoException as error:
            log.warning(
                "torch.compile with %s fails, the network is computed as it is: %s",
                self._backend,
                str(error).strip().splitlines()[0],
            )
            self._call = self._module
            return self._module(*args, **named)


def why_not(backend: str) -> str | None:
    """Why networks cannot be compiled on this machine; None: they can."""
    if backend == "cudagraphs" and not torch.cuda.is_available():
        return "cudagraphs is for NVIDIA GPUs, and there is none"
    compiler = os.environ.get("CXX") or next(filter(shutil.which, COMPILERS), None)
    if backend == "inductor" and compiler is None:
        return "inductor needs a C++ compiler, and there is none; install g++ or clang"
    return None
