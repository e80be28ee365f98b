"""The built-in nodes: one thin module for each family."""

from pathlib import Path

from nodes.models.tensor_files import TensorCodec

BUNDLED = {"checkpoints": {"demo": Path(__file__).parent / "models" / "demo"}}
CODECS = [TensorCodec()]
TOKENS = ["nodes.models.prompt_tokens:PromptTokens"]
BACKENDS = ["nodes.models.torch_devices:TorchDevices"]
