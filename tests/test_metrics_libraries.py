"""The same features through the field's own libraries (torchmetrics, torch-fidelity, prdc) give the same figures to 1e-4."""

import numpy as np
import prdc
import pytest
import torch
from torch import nn
from torch_fidelity import metric_fid, metric_kid, metric_prc
from torchmetrics.functional.multimodal import clip_score
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_mmd

from artlab.metrics import agreement, fidelity

SHAPES = [(40, 30, 40), (60, 200, 60), (120, 64, 120)]


def sets(n: int, d: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows like pooled features: not negative, correlated, of uneven scale."""
    rng = np.random.default_rng([n, d])
    mix = rng.normal(size=(d, d)) / np.sqrt(d)
    return np.abs(rng.normal(size=(n, d)) @ mix), np.abs(rng.normal(size=(m, d)) @ mix * 1.1 + 0.1)


class Flat(nn.Module):
    """Pictures that are their own features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)


@pytest.mark.parametrize(("n", "d", "m"), SHAPES)
def test_fd(n, d, m):

    x, y = sets(n, d, m)
    ours = fidelity.fd(x, y)
    theirs = FrechetInceptionDistance(feature=Flat(d), input_img_size=(1, 1, d)).set_dtype(torch.float64)
    for rows, real in ((x, True), (y, False)):
        theirs.update(torch.tensor(rows)[:, None, None], real=real)
    statistics = [metric_fid.fid_features_to_statistics(torch.tensor(rows)) for rows in (x, y)]
    second = metric_fid.fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert ours == pytest.approx(float(theirs.compute()), rel=1e-4)
    assert ours == pytest.approx(second, rel=1e-4)


@pytest.mark.parametrize(("n", "d", "m"), SHAPES)
def test_kid(n, d, m):

    x, y = sets(n, d, m)
    theirs = metric_kid.kid_features_to_metric(torch.tensor(x), torch.tensor(y), kid_subsets=2, kid_subset_size=n, verbose=False)
    assert fidelity.kid(x, y) == pytest.approx(float(poly_mmd(torch.tensor(x), torch.tensor(y))), rel=1e-4)
    assert fidelity.kid(x, y) == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)


@pytest.mark.parametrize(("n", "d", "m"), SHAPES)
@pytest.mark.parametrize("k", [3, 5])
def test_precision_recall_density_coverage(n, d, m, k):

    x, y = sets(n, d, m)
    theirs = prdc.compute_prdc(real_features=x, fake_features=y, nearest_k=k)
    assert fidelity.precision_recall(x, y, k) == pytest.approx((theirs["precision"], theirs["recall"]), rel=1e-4)
    assert fidelity.density_coverage(x, y, k) == pytest.approx((theirs["density"], theirs["coverage"]), rel=1e-4)
    second = metric_prc.calculate_precision_recall_full(torch.tensor(y), torch.tensor(x), k)
    assert fidelity.precision_recall(x, y, k) == pytest.approx(second, rel=1e-4)


def test_clip_score_by_torchmetrics():

    x, y = sets(12, 16, 12)

    class Model:
        """Hands out the rows in place of a network."""

        config = None

        def to(self, device):
            return self

        def eval(self):
            return self

        def get_image_features(self, pixels):
            return torch.tensor(x)

        def get_text_features(self, *args, **kwargs):
            return torch.tensor(y)

    def processor(**kwargs):
        n = len(next(kwargs[key] for key in ("text", "images") if key in kwargs))
        return {"pixel_values": torch.zeros(n, 3, 2, 2), "input_ids": torch.zeros(n, 4), "attention_mask": torch.ones(n, 4)}

    pictures = [torch.zeros(3, 2, 2, dtype=torch.uint8) for _ in x]
    found = clip_score(pictures, ["a cat"] * 12, model_name_or_path=lambda: (Model(), processor))
    assert agreement.clip_score(x, y, "torchmetrics") == pytest.approx(float(found), rel=1e-4)
