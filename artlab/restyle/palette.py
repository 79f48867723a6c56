"""`palette`: the colours of the style on the content, nothing else. Shapes stay where they are to the pixel.

Sliced optimal transport between colours (Pitié, Kokaram and Dahyot 2007, "Automated colour grading using colour distribution
transfer"; sliced: Rabin et al. 2011). Departures from the paper, each for a defect of it:
- The transport is found between small sets of colours, whose weights are powers (0.6) of how often they occur: a large plain ground
  is then one colour among many and is not torn into the many colours of the style.
- It is written down as one smooth displacement on a grid of colours, a regularised least-squares fit, so that neighbouring colours
  stay neighbours: no blotches of hue, no banding.
- The displacement is read at the picture without its grain, and what was grain comes back no stronger than it was: scans and JPEG
  blocks are not amplified.
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import cg
from torch import Tensor
from torch.nn import functional as nnf

from artlab.restyle import colour

GRID = 17
SAMPLE = 192
ROTATIONS = 48
EVENING = 0.6
STRIP = 512
GRAIN = 1.15


def transport(content: Tensor, styles: Sequence[tuple[Tensor, float]], *, amount: float = 1.0, seed: int = 0) -> Tensor:
    """The content (3, h, w) in the colours of the weighted style pictures; `amount` 0 leaves it as it is, 1 goes all the way.

    Weights are shares of the mixture of colours and need not sum to 1. Memory beyond the result is bounded: strips are mapped one
    after the other.
    """
    return apply(content, displacement(content, styles, seed=seed) * amount)


def displacement(content: Tensor, styles: Sequence[tuple[Tensor, float]], *, seed: int = 0) -> Tensor:
    """(3, GRID, GRID, GRID): how far in OKLab each colour of a grid over sRGB (b, g, r) has to go."""
    rgb, source, mass = colours(content)
    parts = [(*colours(picture)[1:], weight) for picture, weight in styles if weight > 0]
    target = np.concatenate([lab for lab, _, _ in parts])
    target_mass = np.concatenate([share * weight for _, share, weight in parts])
    moved = _sliced(source, mass, target, target_mass / target_mass.sum(), np.random.default_rng(seed))
    return _fit(rgb, moved - source, mass)


def colours(picture: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The colours of a picture in up to 24^3 cells: mean sRGB (n, 3), mean OKLab (n, 3) and evened-out shares (n,)."""
    scale = min(1.0, SAMPLE / max(picture.shape[-2:]))
    small = colour.resize(picture, (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[2] * scale))))
    rgb = small.clamp(0, 1).reshape(3, -1).double().numpy().T
    cells = np.minimum((rgb * 24).astype(int), 23) @ np.array([1, 24, 576])
    _, where, count = np.unique(cells, return_inverse=True, return_counts=True)
    mean = np.stack([np.bincount(where, rgb[:, axis]) / count for axis in range(3)], axis=1)
    lab = colour.to_oklab(torch.from_numpy(mean.T)).numpy().T
    share = count.astype(float) ** EVENING
    return mean, lab, share / share.sum()


def _sliced(x: np.ndarray, a: np.ndarray, y: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Where the colours x (n, 3) of masses a go, so that they are distributed like y of masses b."""
    x = x.copy()
    for _ in range(ROTATIONS):
        axes, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        for axis in axes.T:
            p, q = x @ axis, y @ axis
            order, wanted = np.argsort(p), np.argsort(q)
            levels = np.cumsum(a[order]) - a[order] / 2
            steps = np.cumsum(b[wanted]) - b[wanted] / 2
            x[order] += (np.interp(levels, steps, q[wanted]) - p[order])[:, None] * axis
    return x


def _fit(rgb: np.ndarray, moves: np.ndarray, mass: np.ndarray, stiffness: float = 4e-4) -> Tensor:
    """The smooth field on the grid that says `moves` (n, 3) at the colours `rgb`, weighted, and is as flat as it can be elsewhere."""
    corners, weights = _corners(rgb)
    rows = np.repeat(np.arange(len(rgb)), 8)
    splat = sparse.csr_matrix((weights.ravel(), (rows, corners.ravel())), shape=(len(rgb), GRID**3))
    system = splat.T @ sparse.diags(mass) @ splat + stiffness * _laplacian() + 1e-9 * sparse.identity(GRID**3)
    wanted = splat.T @ (mass[:, None] * moves)
    field = [cg(system, column, rtol=1e-4, maxiter=400)[0] for column in wanted.T]
    return torch.from_numpy(np.stack(field)).float().view(3, GRID, GRID, GRID)


def _corners(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The eight grid points around each colour (n, 8) and their trilinear weights."""
    place = np.clip(rgb, 0, 1) * (GRID - 1)
    low = np.minimum(place.astype(int), GRID - 2)
    part = place - low
    corners, weights = [], []
    for corner in range(8):
        bits = np.array([corner & 1, corner >> 1 & 1, corner >> 2 & 1])
        corners.append((low + bits) @ np.array([1, GRID, GRID**2]))
        weights.append(np.prod(np.where(bits, part, 1 - part), axis=1))
    return np.stack(corners, axis=1), np.stack(weights, axis=1)


def _laplacian() -> sparse.spmatrix:
    line = sparse.diags([-np.ones(GRID - 1), np.ones(GRID - 1)], [0, 1], shape=(GRID - 1, GRID))
    line = (line.T @ line).tocsr()
    one = sparse.identity(GRID)
    return (
        sparse.kron(sparse.kron(line, one), one)
        + sparse.kron(sparse.kron(one, line), one)
        + sparse.kron(sparse.kron(one, one), line)
    ).tocsr()


def apply(content: Tensor, field: Tensor) -> Tensor:
    """The content with each colour moved as the field says, in strips of rows that overlap by the filter's reach."""
    height, reach = content.shape[1], 16
    result = torch.empty_like(content)
    for top in range(0, height, STRIP):
        bottom = min(height, top + STRIP)
        first, last = max(0, top - reach), min(height, bottom + reach)
        result[:, top:bottom] = _moved(content[:, first:last], field)[:, top - first : bottom - first]
    return result


def _moved(rgb: Tensor, field: Tensor) -> Tensor:
    lab = colour.to_oklab(rgb)
    plain = colour.smooth(lab)
    base = plain + _read(field, colour.from_oklab(plain))
    grain, new = lab - plain, lab + _read(field, rgb) - base
    # What was grain may fade with its colours, but not grow.
    limit = GRAIN * grain.norm(dim=0, keepdim=True)
    return colour.from_oklab(base + new * (limit / new.norm(dim=0, keepdim=True).clamp_min(1e-6)).clamp(max=1))


def _read(field: Tensor, rgb: Tensor) -> Tensor:
    """The field at the colours rgb (3, h, w), trilinear."""
    at = rgb.clamp(0, 1).mul(2).sub(1).permute(1, 2, 0)[None, None]
    return nnf.grid_sample(field[None].to(rgb), at, mode="bilinear", padding_mode="border", align_corners=True)[0, :, 0]
