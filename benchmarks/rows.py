"""Rows at once on this CPU: seconds for a row, by the size of the network and of the latents."""

from __future__ import annotations

import time
from typing import Any

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from benchmarks.tables import Measures

RUNS = 5
ROWS = (1, 2, 4, 8)
NETWORKS: dict[str, dict[str, Any]] = {
    "demo (4 M parameters)": {
        "block_out_channels": (64, 96, 128),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 128,
    },
    "SD1.5 (860 M parameters)": {"cross_attention_dim": 768},
}
CELLS = {"demo (4 M parameters)": (16, 32), "SD1.5 (860 M parameters)": (32, 64)}


@torch.inference_mode()
def main() -> None:
    """Measure and print."""
    measures = Measures(f"UNets with random weights, {torch.get_num_threads()} threads")
    kind: Any = UNet2DConditionModel
    for name, config in NETWORKS.items():
        network = kind(attention_head_dim=8, **config).eval()
        for cells in CELLS[name]:
            for rows in ROWS:
                x = torch.randn(rows, 4, cells, cells)
                text = torch.randn(rows, 77, config["cross_attention_dim"])
                seconds: list[float] = []
                for _ in range(RUNS):
                    began = time.perf_counter()
                    network(x, torch.ones(rows), text)
                    seconds.append((time.perf_counter() - began) / rows)
                measures.add(f"{name}, {cells} x {cells}, {rows} at once", seconds, "s a row")
    measures.print()


if __name__ == "__main__":
    main()
