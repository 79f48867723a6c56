"""Every family, the real classes tiny: trained two steps, sampled two, its adapter saved, read back, and read by diffusers' pipelines."""

import diffusers
import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import load_file

from artlab.bases import FAMILIES, attention, card, detect, folded, load_base, lora

MAKERS = {"unet": tiny.stable_diffusion, "sd2": tiny.stable_diffusion_2, "sdxl": tiny.sdxl, "sd3": tiny.sd3, "flux": tiny.flux}


@pytest.fixture(scope="module", params=MAKERS)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def folder(family, tmp_path_factory):
    return MAKERS[family](tmp_path_factory.mktemp(family) / family)


@pytest.fixture(scope="module")
def base(folder):
    return load_base(str(folder), device="cpu", precision="fp32")


def losses(base):
    torch.manual_seed(0)
    latents, noise = torch.randn(2, 2, base.channels, 8, 8)
    return base.loss(latents, base.condition(["a cat", ""]), noise=noise, times=torch.tensor([0.3, 0.8]), snr_gamma=5.0)


def test_every_family_has_a_card_and_a_folder_tells_it(family, folder):
    assert detect(folder) == family
    assert card(family).family == family
    assert set(MAKERS) | {"mini"} == set(FAMILIES)


def test_two_steps_two_samples_and_the_file_gives_them_back(base, family, tmp_path):
    parameters = lora.attach(base, 2, 4.0, "attention+ff")
    optimizer = torch.optim.SGD(parameters, lr=0.5)
    before = losses(base)
    assert before.shape == (2,)
    for _ in range(2):
        optimizer.zero_grad()
        losses(base).sum().backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in parameters if p.grad is not None)
        optimizer.step()
    trained = losses(base).detach()
    assert not torch.allclose(trained, before)
    lora.save(tmp_path / "a.safetensors", lora.spelled(base, lora.state(base)), {}, torch.float32)
    lora.load_styles(base, [(tmp_path / "a.safetensors", 1.0)])
    with torch.no_grad():
        torch.testing.assert_close(losses(base), trained, rtol=1e-4, atol=1e-5)
    made = base.sample(base.condition(["a cat"] * 2), [1, 2], steps=2, guidance=3.0, size=(64, 64))
    assert [picture.size for picture in made] == [(64, 64)] * 2
    assert not np.array_equal(np.asarray(made[0]), np.asarray(made[1]))
    lora.detach(base)
    alone = base.sample(base.condition(["a cat"]), [2], steps=2, guidance=3.0, size=(64, 64))[0]
    again = base.sample(base.condition(["a cat"] * 2), [1, 2], steps=2, guidance=3.0, size=(64, 64))[1]
    assert np.abs(np.asarray(alone).astype(int) - np.asarray(again)).max() <= 1


def pipeline(base, family):
    """diffusers' own pipeline around the tiny denoiser; what only makes pictures is left out."""
    kind = {"sdxl": "StableDiffusionXLPipeline", "sd3": "StableDiffusion3Pipeline", "flux": "FluxPipeline"}.get(
        family, "StableDiffusionPipeline"
    )
    parts = dict.fromkeys(("tokenizer", "text_encoder", "tokenizer_2", "text_encoder_2", "tokenizer_3", "text_encoder_3"))
    parts = {k: v for k, v in parts.items() if k in getattr(diffusers, kind).__init__.__annotations__}
    parts |= {"safety_checker": None, "feature_extractor": None} if kind == "StableDiffusionPipeline" else {}
    denoiser = "transformer" if family in ("sd3", "flux") else "unet"
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler() if denoiser == "transformer" else diffusers.DDIMScheduler()
    return getattr(diffusers, kind)(vae=base.vae, scheduler=scheduler, **parts, **{denoiser: base.denoiser}), denoiser


@pytest.mark.filterwarnings("ignore")
def test_diffusers_reads_our_file(folder, family, tmp_path):
    """The pipeline's denoiser, with our file loaded by `load_lora_weights`, computes what ours computes."""
    base = load_base(str(folder), device="cpu", precision="fp32")
    parameters = lora.attach(base, 2, 4.0, "attention+ff")
    with torch.no_grad():
        for parameter in parameters:
            parameter.copy_(torch.randn_like(parameter) * 0.2)
        plain = losses(base)
    lora.save(tmp_path / "a.safetensors", lora.spelled(base, lora.state(base)), {}, torch.float32)
    lora.detach(base)
    whole, _ = pipeline(base, family)
    whole.load_lora_weights(str(tmp_path), weight_name="a.safetensors")
    with torch.no_grad():
        torch.testing.assert_close(losses(base), plain, rtol=1e-4, atol=1e-5)
    keys = load_file(tmp_path / "a.safetensors")
    assert all(key.startswith("transformer." if family in ("sd3", "flux") else "lora_unet_") for key in keys)


def test_folded_adapters_have_pefts_gradients(base):
    """One product in place of three: the same losses and gradients, at ranks below and above where the other way is cheaper."""
    for rank in (2, 64):
        made = []
        for fold in (False, True):
            parameters = lora.attach(base, rank, 2.0 * rank, "attention+ff")
            with torch.no_grad():
                torch.manual_seed(5)
                for parameter in parameters:
                    parameter.copy_(torch.randn_like(parameter) * 0.05)
            assert folded.fold(base) == len(parameters) // 2 if fold else True
            loss = losses(base).sum()
            loss.backward()
            made.append([loss.detach(), *(p.grad for p in parameters if p.grad is not None)])
        assert len(made[0]) == len(made[1]) > 8
        for plain, other in zip(*made, strict=True):
            torch.testing.assert_close(other, plain, rtol=1e-4, atol=1e-5 * float(plain.abs().max() + 1))
    lora.detach(base)


def test_a_denoiser_that_forgets_its_blocks_has_the_same_gradients_in_bfloat16(folder):
    """Attention goes by the same rule when a block is computed anew, else the shapes of what was saved would not be met."""

    def gradients(forgetful):
        base = load_base(str(folder), device="cpu", precision="bf16")
        trained = lora.attach(base, 4, 4.0, "attention")
        for one in trained[1::2]:
            torch.nn.init.constant_(one, 0.01)
        if forgetful:
            attention.enable_checkpointing(base.denoiser, base.device, base.dtype)
        losses(base).mean().backward()
        return [one.grad for one in trained]

    plain, forgetful = gradients(False), gradients(True)
    assert all(torch.equal(one, other) for one, other in zip(plain, forgetful, strict=True))
    assert any(one.abs().max() > 0 for one in plain)


def test_attention_is_taken_in_float32_where_the_rest_is_bfloat16():
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 4, 32, 8).bfloat16()
    exact = torch.nn.functional.scaled_dot_product_attention(query.float(), key.float(), value.float()).bfloat16()
    plain = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    with attention.mixed(torch.device("cpu"), torch.bfloat16):
        wide = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=None, is_causal=False)
        product = torch.nn.Linear(8, 8)(query.float())
    assert product.dtype == torch.bfloat16
    assert torch.equal(wide, exact)
    assert not torch.equal(plain, exact)
    with attention.mixed(torch.device("cpu"), torch.float32):
        assert torch.nn.Linear(8, 8)(query.float()).dtype == torch.float32
