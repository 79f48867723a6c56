"""Adapters: exact sums, the true alpha, nothing but the adapter changed, and hostile files refused by name."""

import json
import pickle

import pytest
import tiny
import torch
from safetensors.torch import save_file

from artlab.bases import load_base, lora
from artlab.bases.lora import LoraError


@pytest.fixture(scope="module", params=["unet", "mini"])
def base(request, tmp_path_factory, tiny_base_folder):
    folder = tiny.stable_diffusion(tmp_path_factory.mktemp("sd") / "sd") if request.param == "unet" else tiny_base_folder
    return load_base(str(folder), device="cpu", precision="fp32")


@pytest.fixture
def inputs(base):
    torch.manual_seed(1)
    return torch.randn(2, base.channels, 8, 8), base.condition(["cat", "a cat"])


def output(base, inputs):
    with torch.no_grad():
        return base.predict(inputs[0], torch.tensor([100, 900]), inputs[1])


def made(base, path, *, rank=3, alpha=3.0, seed=0, targets="attention+ff"):
    """A random adapter file."""
    lora.attach(base, rank, alpha, targets, seed=seed)
    torch.manual_seed(seed + 10)
    tensors = {k: torch.randn_like(v) * 0.2 if "lora_up" in k else v for k, v in lora.state(base).items()}
    lora.detach(base)
    save_file(tensors, path)
    return path


def delta(base, inputs, *styles):
    plain = output(base, inputs)
    lora.load_styles(base, styles)
    try:
        return output(base, inputs) - plain
    finally:
        lora.detach(base)


def weights(base):
    return {name: value.clone() for name, value in base.denoiser.state_dict().items()}


def test_a_fresh_adapter_changes_nothing_and_detaching_leaves_no_trace(base, inputs):
    before, plain = weights(base), output(base, inputs)
    parameters = lora.attach(base, 4, 4.0, "attention+ff")
    assert torch.equal(output(base, inputs), plain)
    assert all(p.dtype == torch.float32 for p in parameters)
    assert sum(p.requires_grad for p in base.denoiser.parameters()) == len(parameters)
    lora.detach(base)
    assert weights(base).keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in weights(base).items())


def test_target_sets_grow(base):
    counts = [len(lora.target_modules(base.denoiser, targets)) for targets in ("attention", "attention+ff", "all-linear")]
    assert counts[0] < counts[1] < counts[2]
    assert all(name.split(".")[-1] in ("to_q", "to_k", "to_v", "0") for name in lora.target_modules(base.denoiser, "attention"))


def test_file_gives_back_what_was_attached(base, inputs, tmp_path):
    lora.attach(base, 4, 8.0, "attention+ff")
    with torch.no_grad():
        for parameter in base.denoiser.parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.randn_like(parameter).half())
    wanted, tensors = output(base, inputs), lora.state(base)
    lora.save(tmp_path / "a.safetensors", tensors, {"ss_network_dim": "4"})
    lora.load_styles(base, [(tmp_path / "a.safetensors", 1.0)])
    torch.testing.assert_close(output(base, inputs), wanted, rtol=1e-5, atol=1e-5)
    lora.detach(base)
    assert lora.metadata(tmp_path / "a.safetensors")["ss_network_dim"] == "4"
    assert {float(v) for k, v in tensors.items() if k.endswith(".alpha")} == {8.0}, "the true alpha, not the rank"


def test_sums_of_unequal_ranks_and_alphas_are_exact(base, inputs, tmp_path):
    """Merged by hand in the weights, the two adapters give what attaching both gives."""
    a, b = (
        made(base, tmp_path / "a.st", rank=2, alpha=5.0),
        made(base, tmp_path / "b.st", rank=7, alpha=2.0, seed=3, targets="attention"),
    )
    both = delta(base, inputs, (a, 0.7), (b, -0.4))
    assert both.abs().max() > 1e-3
    torch.testing.assert_close(delta(base, inputs, (b, -0.4), (a, 0.7)), both, rtol=1e-4, atol=1e-5)
    kept, plain = weights(base), output(base, inputs)
    for path, weight in ((a, 0.7), (b, -0.4)):
        tensors = lora.check_file(path)
        for name, module in lora._linear(base.denoiser).items():
            key = lora.PREFIX + name.replace(".", "_")
            if f"{key}.alpha" in tensors:
                down, up = tensors[f"{key}.lora_down.weight"], tensors[f"{key}.lora_up.weight"]
                module.weight.data += weight * float(tensors[f"{key}.alpha"]) / down.shape[0] * (up @ down)
    merged = output(base, inputs) - plain
    base.denoiser.load_state_dict(kept)
    torch.testing.assert_close(both, merged, rtol=1e-3, atol=1e-5)


def test_weight_nought_is_the_base(base, inputs, tmp_path):
    a = made(base, tmp_path / "a.st")
    assert torch.equal(delta(base, inputs, (a, 0.0)), torch.zeros_like(output(base, inputs)))
    assert not torch.equal(delta(base, inputs, (a, 1.0)), torch.zeros_like(output(base, inputs)))


def test_nan_is_never_saved(base, tmp_path):
    with pytest.raises(LoraError, match="NaN"):
        lora.save(tmp_path / "a.safetensors", {"x.lora_up.weight": torch.tensor([float("nan")])}, {})
    assert not (tmp_path / "a.safetensors").exists()


class Canary:
    """Unpickling it writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_pickle_renamed_is_refused_and_never_run(base, tmp_path):
    path, canary = tmp_path / "evil.safetensors", tmp_path / "canary"
    path.write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(LoraError, match=r"evil\.safetensors is no safetensors file"):
        lora.load_styles(base, [(path, 1.0)])
    assert not canary.exists()


def test_hostile_headers_are_refused(tmp_path):
    for number, data in enumerate([b"", b"\x01", (2**63).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"[]"]):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(data)
        with pytest.raises(LoraError, match="no safetensors file"):
            lora.check_file(path)
    path.write_bytes(
        (60).to_bytes(8, "little") + json.dumps({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}).encode().ljust(60)
    )
    with pytest.raises(LoraError, match="damaged"):
        lora.check_file(path)


def change(tensors, how):
    up = next(key for key in tensors if key.endswith("lora_up.weight"))
    stem = up.removesuffix(".lora_up.weight")
    match how:
        case "nan":
            tensors[up] = torch.full_like(tensors[up], float("nan"))
        case "alpha 0":
            tensors[f"{stem}.alpha"] = torch.tensor(0.0)
        case "half missing":
            del tensors[up]
        case "other width":
            tensors[up] = torch.zeros(tensors[up].shape[0] + 1, tensors[up].shape[1])
        case "other layer":
            tensors["lora_unet_nowhere.lora_up.weight"] = tensors.pop(up)
    return tensors


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("nan", "NaN"),
        ("alpha 0", "positive"),
        ("half missing", "incomplete"),
        ("other width", "does not fit"),
        ("other layer", "does not fit"),
    ],
)
def test_unusable_adapters_are_named(base, inputs, tmp_path, how, words):
    good = made(base, tmp_path / "good.st")
    save_file(change(lora.check_file(good), how), tmp_path / "bad.safetensors")
    with pytest.raises(LoraError, match=words) as caught:
        lora.load_styles(base, [(tmp_path / "bad.safetensors", 1.0)])
    lora.detach(base)
    assert "bad.safetensors" in str(caught.value)


def test_a_missing_file_is_named(base, tmp_path):
    with pytest.raises(LoraError, match="no adapter file"):
        lora.load_styles(base, [(tmp_path / "gone.safetensors", 1.0)])
