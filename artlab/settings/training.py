"""Settings of the verbs that train: a style, or the embedded base itself."""

from pathlib import Path
from typing import Annotated, Literal

import tyro
from pydantic import Field, model_validator

from artlab.settings.shared import Optimizer, Precision, Schedule, Settings, alias


class Finetune(Settings):
    """Teach a base model one portfolio's style: a LoRA, trained on Accelerate.

    The portfolio is all that must be given; every default is chosen for 10-200 works.
    """

    portfolio: tyro.conf.Positional[str] = ""
    """Folder, ZIP or drawn artist (`drawn:NAME`) to learn from."""
    name: Annotated[str | None, alias("output_name")] = None
    """Name of the style; the portfolio's own name if left out."""
    trigger: str | None = None
    """Word that calls the style in a prompt; made from the name if left out."""
    base: Annotated[str, alias("pretrained_model_name_or_path", "base_model_name")] = "mini"
    """`mini`, a hub id or a local folder in diffusers' layout."""
    output_dir: Path | None = None
    """Folder that the finished style is put in; `styles/` under artlab's home if left out."""

    rank: Annotated[int, alias("network_dim")] = Field(16, ge=1, le=512)
    """Rank of the adapter."""
    lora_alpha: Annotated[float | None, alias("network_alpha")] = Field(None, gt=0)
    """Scale: the update is lora_alpha / rank times B A. Equal to the rank if left out, so scale 1."""
    lora_targets: Literal["attention", "attention+ff", "all-linear"] = "attention+ff"
    """Layers adapted; feed-forward layers close most of the gap to full training."""
    lora_dropout: Annotated[float, alias("network_dropout")] = Field(0.0, ge=0, lt=1)
    """Dropout before the adapter."""

    max_train_steps: Annotated[int | None, alias("steps")] = Field(None, ge=1)
    """Optimizer steps; chosen from the number of works if left out, and early stopping may end sooner."""
    num_train_epochs: Annotated[int | None, alias("max_train_epochs")] = Field(None, ge=1)
    """Passes over the works, in place of max_train_steps."""
    train_batch_size: Annotated[int, alias("batch_size")] = Field(8, ge=1, le=512)
    """Pictures a step on one device."""
    gradient_accumulation_steps: int = Field(1, ge=1)
    """Micro-batches added up to one step."""
    gradient_checkpointing: bool = False
    """Trade time for memory."""
    mixed_precision: Precision = "auto"
    """`auto` is bf16 where the device is faster with it (GPUs, processors with AMX), else fp32."""
    resolution: int | None = Field(None, ge=64, le=2048)
    """Side of the square that a bucket's area equals; the base's own if left out."""

    optimizer: Annotated[Optimizer, alias("optimizer_type")] = "adamw"
    """Update rule."""
    learning_rate: Annotated[float | None, alias("lr", "unet_lr")] = Field(None, gt=0)
    """Peak rate; the base's own default if left out (prodigy: 1)."""
    lr_scheduler: Schedule = "cosine"
    """Shape of the rate over the steps."""
    lr_warmup_steps: int | None = Field(None, ge=0)
    """Steps of linear warm-up; 5 % if left out."""
    adam_beta1: float = Field(0.9, ge=0, lt=1)
    adam_beta2: float = Field(0.99, ge=0, lt=1)
    weight_decay: Annotated[float, alias("adam_weight_decay")] = Field(0.01, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients longer than this are shortened to it."""
    ema_decay: float = Field(0.99, ge=0, lt=1)
    """Running average of the adapter that is kept as the result; 0 keeps the last weights."""

    snr_gamma: Annotated[float | None, alias("min_snr_gamma")] = Field(5.0, gt=0)
    """Min-SNR weighting of the loss (Hang et al. 2023); `None` weights all times alike."""
    noise_offset: float = Field(0.0, ge=0, le=1)
    """Added per-channel noise; only for bases that were trained with it."""
    caption_dropout: Annotated[float, alias("caption_dropout_rate")] = Field(0.1, ge=0, le=1)
    """Share of captions left empty, so that guidance keeps working."""
    prior_preservation: float = Field(0.0, ge=0, le=1)
    """Weight of the base's own pictures in the loss: they keep it from forgetting the rest of the world."""
    imagined: int | None = Field(None, ge=0, le=400)
    """Pictures of things she never made, drawn by the base and brought into her colours: with them a small base keeps the sense
    of its words. On `mini` one for each six steps, at most 48, if left out; on other bases none."""
    random_flip: Annotated[bool | None, alias("flip_aug")] = None
    """Mirror works at random; the portfolio's own choice if left out. Never on works with lettering or a signature."""
    crop_scale_min: float = Field(0.7, gt=0, le=1)
    """Smallest share of a work's area that a random crop keeps."""
    views: int | None = Field(None, ge=1, le=64)
    """Crops cached per work; more for small portfolios if left out."""

    validation_split: float = Field(0.15, ge=0, lt=0.5)
    """Share of works held out for the loss that chooses the checkpoint."""
    fold: int = Field(0, ge=0, lt=10)
    """Which fold is held out when there are fewer than 12 works."""
    validation_steps: int | None = Field(None, ge=1)
    """Steps between two held-out losses; a twentieth of the run if left out."""
    early_stopping_patience: int = Field(5, ge=0)
    """Held-out losses in a row above the lowest, or samples too close to works, before stopping; 0 never stops early."""
    validation_prompt: Annotated[tuple[str, ...], alias("sample_prompts")] = ()
    """Prompts of the sample strip; chosen from the captions if left out."""
    sample_steps: Annotated[int | None, alias("sample_every_n_steps")] = Field(None, ge=1)
    """Steps between two samples; a quarter of the run if left out."""

    judge: bool = False
    """Let pictures decide: stop when they come no nearer to the works, forget the prompt or repeat works; keep the best step."""
    judge_steps: int | None = Field(None, ge=1)
    """Steps between two adapters kept, and judged if asked for; a tenth of the run if left out."""
    judge_count: int = Field(12, ge=8, le=200)
    """Pictures that the judge looks at each time."""
    keep_adapters: bool = True
    """Keep the adapter of each tenth of the run, for `artlab evaluate` to draw a curve over the steps."""

    checkpointing_steps: Annotated[int | None, alias("save_every_n_steps")] = Field(None, ge=1)
    """Steps between two checkpoints; a tenth of the run if left out."""
    checkpoints_total_limit: int = Field(2, ge=2)
    """Checkpoints kept for resuming."""
    resume: Annotated[bool, alias("resume_from_checkpoint")] = True
    """Go on from where an interrupted run of the same settings was."""
    force: bool = False
    """Resume although settings, works or base have changed since; replace a style that was taught from other works."""

    seed: int = Field(0, ge=0, lt=2**63)
    deterministic: bool = False
    """Bit-equal on repetition, at some cost of speed on a GPU."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, `mps`."""
    country: str = Field("DEU", pattern="^[A-Z]{3}$")
    """ISO code whose electricity mix turns energy into CO2."""
    dry_run: bool = False
    """Say what would happen and how long it takes, then stop."""

    @model_validator(mode="after")
    def _one_length(self) -> "Finetune":
        if self.max_train_steps and self.num_train_epochs:
            raise ValueError("give max_train_steps or num_train_epochs, not both")
        return self


class Pretrain(Settings):
    """Make the embedded base again from scratch: data, autoencoder, denoiser, figures. Takes many hours; can be killed at any time."""

    stage: tyro.conf.Positional[Literal["data", "autoencoder", "decoder", "denoiser", "upscaler", "export", "figures", "all"]] = (
        "all"
    )
    """What to do; each stage goes on from where it was."""
    art: Path | None = None
    """Folder of captioned real art (`captions.jsonl` and pictures); drawn works alone if left out."""
    exclude: tuple[str, ...] = ()
    """Artists left out of the real art, so that their portfolios stay unknown to the base."""
    drawn: int = Field(20_000, ge=100)
    """Pictures that artlab draws for it."""
    real_share: float = Field(0.2, ge=0, le=1)
    """Share of real art in a batch of the denoiser."""
    autoencoder_steps: int = Field(20_000, ge=1)
    latent_channels: int = Field(16, ge=1, le=64)
    """Channels of the latents; more keep more detail and are harder to learn over. An autoencoder to start from is widened."""
    decoder_steps: int = Field(4_000, ge=1)
    """Steps of the stage `decoder`, in which the encoder stands still: latents, and a denoiser over them, stay valid."""
    denoiser_steps: int = Field(60_000, ge=1)
    half_steps: int = Field(20_000, ge=0)
    """The first steps of the denoiser, at half size: four times cheaper, for composition and palette."""
    upscaler_steps: int = Field(4_000, ge=1)
    """Steps of the network that brings pictures to four times their size."""
    large_art: Path | None = None
    """Folder of real art of 384 px and more, at any depth, for the upscaler; drawn works alone if left out."""
    large_drawn: int = Field(600, ge=1)
    """Large pictures that artlab draws for the upscaler."""
    recogniser_steps: int = Field(600, ge=1)
    """Steps of the network that judges, for the figures, whether a sample shows what was asked for."""
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(5e-4, gt=0)
    start: Path | None = None
    """Base to go on from, for instance the shipped one: its denoiser and autoencoder are where the stages begin."""
    output_dir: Path | None = None
    """Where everything goes; `pretrain/` under artlab's home if left out."""
    seed: int = Field(0, ge=0)
