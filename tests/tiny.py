"""The real classes, tiny: bases of every family built from configs, saved in diffusers' layout. No download, a second on the CPU."""

import json
import shutil
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
)
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
)


def stable_diffusion(folder: Path, seed: int = 0, width: int = 16) -> Path:
    """A folder as `StableDiffusionPipeline.save_pretrained` leaves it: UNet, VAE, CLIP text encoder and tokenizer, scheduler."""
    torch.manual_seed(seed)
    UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(width, 2 * width),
        layers_per_block=1,
        cross_attention_dim=32,
        attention_head_dim=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        norm_num_groups=4,
    ).save_pretrained(folder / "unet")
    AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=4,
    ).save_pretrained(folder / "vae")
    DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1).save_pretrained(
        folder / "scheduler"
    )
    _text(folder)
    index = {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def _text(folder: Path) -> None:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    vocabulary = [
        "<|startoftext|>",
        "<|endoftext|>",
        *letters,
        *(f"{letter}</w>" for letter in letters),
        "ca",
        "cat</w>",
        ",</w>",
    ]
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer" / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(vocabulary)}))
    (folder / "tokenizer" / "merges.txt").write_text("#version: 0.2\nc a\nca t</w>\n")
    described = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "<|endoftext|>"}
    (folder / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(described))
    config = CLIPTextConfig(
        vocab_size=len(vocabulary), hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=77, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    CLIPTextModel(config).save_pretrained(folder / "text_encoder")


def stable_diffusion_2(folder: Path) -> Path:
    """As Stable Diffusion 2.x: v-prediction, linear projections, an OpenCLIP whose last layer is left out, 1024-wide states."""
    stable_diffusion(folder)
    torch.manual_seed(2)
    UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32), layers_per_block=1, cross_attention_dim=1024, attention_head_dim=(2, 4),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        norm_num_groups=4, use_linear_projection=True,
    ).save_pretrained(folder / "unet")  # fmt: skip
    DDIMScheduler(prediction_type="v_prediction", beta_schedule="scaled_linear").save_pretrained(folder / "scheduler")
    CLIPTextModel(_clip_config(1024, hidden_act="gelu")).save_pretrained(folder / "text_encoder")
    return folder


def sdxl(folder: Path) -> Path:
    """As `StableDiffusionXLPipeline.save_pretrained` leaves it."""
    stable_diffusion(folder)
    torch.manual_seed(3)
    UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32), layers_per_block=1, cross_attention_dim=64, attention_head_dim=(2, 4),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4, use_linear_projection=True, transformer_layers_per_block=(1, 2), addition_embed_type="text_time",
        addition_time_embed_dim=8, projection_class_embeddings_input_dim=80,
    ).save_pretrained(folder / "unet")  # fmt: skip
    _second_clip(folder)
    return _index(folder, "StableDiffusionXLPipeline")


def sd3(folder: Path, t5: bool = True) -> Path:
    """As `StableDiffusion3Pipeline.save_pretrained` leaves it."""
    _flow(folder, latent_channels=4, shift=3.0)
    SD3Transformer2DModel(
        sample_size=16, patch_size=2, in_channels=4, out_channels=4, num_layers=2, attention_head_dim=8, num_attention_heads=4,
        joint_attention_dim=64, caption_projection_dim=32, pooled_projection_dim=64, pos_embed_max_size=32,
    ).save_pretrained(folder / "transformer")  # fmt: skip
    CLIPTextModelWithProjection(_clip_config(32, projection_dim=32)).save_pretrained(folder / "text_encoder")
    _second_clip(folder)
    if t5:
        _t5(folder, "_3", width=64)
    return _index(folder, "StableDiffusion3Pipeline")


def flux(folder: Path) -> Path:
    """As `FluxPipeline.save_pretrained` leaves it (dev: with guidance built in)."""
    _flow(folder, latent_channels=4, use_dynamic_shifting=True, shift=3.0)
    FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8), guidance_embeds=True,
    ).save_pretrained(folder / "transformer")  # fmt: skip
    _t5(folder, "_2", width=32)
    return _index(folder, "FluxPipeline")


def _flow(folder: Path, latent_channels: int, **schedule) -> None:
    stable_diffusion(folder)
    shutil.rmtree(folder / "unet")
    torch.manual_seed(4)
    AutoencoderKL(
        block_out_channels=(8, 8, 8, 8), down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=latent_channels, norm_num_groups=4, scaling_factor=1.5, shift_factor=0.06, use_quant_conv=False,
        use_post_quant_conv=False,
    ).save_pretrained(folder / "vae")  # fmt: skip
    FlowMatchEulerDiscreteScheduler(**schedule).save_pretrained(folder / "scheduler")


def _second_clip(folder: Path) -> None:
    shutil.copytree(folder / "tokenizer", folder / "tokenizer_2")
    CLIPTextModelWithProjection(_clip_config(32, projection_dim=32, hidden_act="gelu")).save_pretrained(folder / "text_encoder_2")


def _clip_config(width: int, **more) -> CLIPTextConfig:
    tokens = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    return CLIPTextConfig(
        vocab_size=57, hidden_size=width, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=77, **tokens, **more,
    )  # fmt: skip


def _t5(folder: Path, suffix: str, width: int) -> None:
    words = {word: index for index, word in enumerate(("<pad>", "</s>", "<unk>", "a", "cat", "house"))}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    ).save_pretrained(folder / f"tokenizer{suffix}")
    T5EncoderModel(T5Config(vocab_size=6, d_model=width, d_kv=8, d_ff=32, num_layers=1, num_heads=2)).save_pretrained(
        folder / f"text_encoder{suffix}"
    )


def _index(folder: Path, pipeline: str) -> Path:
    (folder / "model_index.json").write_text(json.dumps({"_class_name": pipeline}))
    return folder
