"""The number format in which the parts of the base learn on a processor."""

import torch


def fast() -> torch.autocast:
    """bfloat16 products where the processor has tiles for them (AMX); elsewhere they are slower than float32's."""
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_amx_tile_supported())
