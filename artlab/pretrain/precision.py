"""The number format in which the parts of the base learn on a processor."""

import time
from functools import lru_cache

import torch


def fast() -> torch.autocast:
    """bfloat16 products where they are the faster ones on this processor, float32 elsewhere."""
    return torch.autocast("cpu", torch.bfloat16, enabled=bfloat16_pays())


@lru_cache(maxsize=1)
def bfloat16_pays() -> bool:
    """Whether this processor multiplies bfloat16 faster than float32, tried once: having the instructions says nothing.

    Intel's AMX tiles and AMD's AVX-512 take a quarter of float32's time, Intel's AVX-512 twice as long.
    """
    if not torch.cpu._is_avx512_bf16_supported():
        return False
    return _seconds(torch.bfloat16) < 0.7 * _seconds(torch.float32)


def _seconds(dtype: torch.dtype, size: int = 768, tries: int = 5) -> float:
    """The least time of some products of two square matrices."""
    matrix, times = torch.ones(size, size, dtype=dtype), []
    for _ in range(tries):
        began = time.perf_counter()
        matrix @ matrix
        times.append(time.perf_counter() - began)
    return min(times)
