"""The built-in nodes: one thin module for each family."""

from pathlib import Path

from nodes.models.files.tensor_files import TensorCodec
from nodes.models.networks.precision import setting

__all__ = ["BACKENDS", "BUNDLED", "CODECS", "INSPECTORS", "TOKENS", "setting"]

BUNDLED = {"checkpoints": {"demo": Path(__file__).parent / "models" / "demo"}}
CODECS = [TensorCodec()]
TOKENS = ["nodes.models.text.prompt_tokens:PromptTokens"]
BACKENDS = ["nodes.models.networks.torch_devices:TorchDevices"]
INSPECTORS = ["nodes.models.networks.inspecting:inspect"]
