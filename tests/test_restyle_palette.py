"""Colour transfer: colours arrive, shapes stay, nothing gets noisier; OKLab there and back."""

import numpy as np
import pytest
import torch
from PIL import Image

from artlab.restyle import colour, palette


def scene(seed=0, size=96, tint=(0.8, 0.6, 0.3)):
    """A soft landscape of two tones with a little grain."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    shade = 0.25 + 0.6 * y + 0.1 * np.sin(9 * x + seed)
    pixels = shade[None] * np.array(tint)[:, None, None] + draw.normal(0, 0.01, (3, size, size))
    return torch.from_numpy(pixels.clip(0, 1)).float()


def test_oklab_there_and_back():
    rgb = torch.rand(3, 20, 20, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(colour.from_oklab(colour.to_oklab(rgb)), rgb, atol=2e-4)
    white = colour.to_oklab(torch.ones(3, 1, 1)).flatten()
    assert torch.allclose(white, torch.tensor([1.0, 0.0, 0.0]), atol=1e-3)


def test_colours_out_of_gamut_keep_lightness_and_hue():
    lab = torch.tensor([0.6, 0.35, 0.1]).view(3, 1, 1)
    shown = colour.to_oklab(colour.from_oklab(lab)).flatten()
    assert abs(float(shown[0]) - 0.6) < 0.03
    assert torch.atan2(shown[2], shown[1]) == pytest.approx(float(torch.atan2(torch.tensor(0.1), torch.tensor(0.35))), abs=0.05)


def test_the_palette_of_the_style_arrives():
    content, style = scene(0, tint=(0.8, 0.6, 0.3)), scene(1, tint=(0.3, 0.5, 0.9))
    result = palette.transport(content, [(style, 1.0)])

    def mean(picture):
        return colour.to_oklab(picture).mean(dim=(1, 2))

    assert (mean(result) - mean(style)).norm() < 0.25 * (mean(content) - mean(style)).norm()


def test_its_own_palette_changes_little():
    content = scene()
    assert (palette.transport(content, [(content, 1.0)]) - content).abs().mean() < 0.02


def test_shapes_stay():
    content, style = scene(0), scene(1, tint=(0.3, 0.5, 0.9))
    result = palette.transport(content, [(style, 1.0)])
    one, other = colour.to_oklab(content)[0].flatten(), colour.to_oklab(result)[0].flatten()
    assert torch.corrcoef(torch.stack([one, other]))[0, 1] > 0.97


def test_grain_is_not_amplified():
    draw = torch.Generator().manual_seed(0)
    flat = torch.full((3, 64, 64), 0.5) + 0.015 * torch.randn(3, 64, 64, generator=draw)
    flat[:, :, 32:] += 0.05
    contrasty = torch.zeros(3, 64, 64)
    contrasty[0, :, 32:] = 1
    result = palette.transport(flat.clamp(0, 1), [(contrasty, 1.0)])
    grain = (colour.to_oklab(flat) - colour.smooth(colour.to_oklab(flat))).std()
    left = (colour.to_oklab(result) - colour.smooth(colour.to_oklab(result)))[:, 4:-4, 4:26].std()
    assert left < 1.5 * grain


def test_a_plain_ground_stays_plain():
    content = torch.ones(3, 64, 64)
    content[:, 20:40, 30:33] = 0.1
    result = palette.transport(content, [(scene(3, 96, (0.9, 0.7, 0.5)), 1.0)])
    assert result[:, :, 45:].std(dim=(1, 2)).max() < 1e-3


def test_weights_are_shares_and_order_does_not_matter():
    content, a, b = scene(), scene(1, tint=(0.2, 0.5, 0.9)), scene(2, tint=(0.9, 0.3, 0.3))
    once = palette.transport(content, [(a, 1.0), (b, 3.0)])
    assert torch.allclose(once, palette.transport(content, [(a, 0.25), (b, 0.75)]), atol=1e-5)
    assert (once - palette.transport(content, [(b, 0.75), (a, 0.25)])).abs().mean() < 0.01
    alone = palette.transport(content, [(a, 0.0), (b, 1.0)])
    assert torch.allclose(alone, palette.transport(content, [(b, 2.0)]), atol=1e-5)


def test_amount_zero_is_the_content():
    content = scene()
    assert torch.allclose(palette.transport(content, [(scene(1), 1.0)], amount=0.0), content, atol=1e-3)


def test_strips_leave_no_seam(monkeypatch):
    content, style = scene(0, 120), scene(1, tint=(0.3, 0.5, 0.9))
    whole = palette.transport(content, [(style, 1.0)])
    monkeypatch.setattr(palette, "STRIP", 50)
    assert torch.allclose(palette.transport(content, [(style, 1.0)]), whole, atol=1e-5)


def test_the_same_twice():
    content, style = scene(), scene(1)
    assert torch.equal(palette.transport(content, [(style, 1.0)]), palette.transport(content, [(style, 1.0)]))


def test_pixels_and_picture():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8))
    assert colour.picture(colour.pixels(image)).tobytes() == image.tobytes()


def test_a_single_colour_works():
    grey = torch.full((3, 32, 32), 0.5)
    result = palette.transport(grey, [(torch.full((3, 32, 32), 0.9), 1.0)])
    assert abs(float(result.mean()) - 0.9) < 0.05
