"""What all settings share: the class they come from, spellings, and the choices that several verbs offer."""

from typing import Any, Literal

import tyro
from pydantic import BaseModel, ConfigDict

Optimizer = Literal["adamw", "adam", "rmsprop", "sgd", "prodigy"]
Schedule = Literal["constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
Sampler = Literal["dpm++", "ddim", "euler"]


class Settings(BaseModel):
    """What all settings share: frozen, and an unknown key is an error that names it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


def alias(*names: str) -> Any:
    """Further spellings of a flag: kohya's, mostly."""
    return tyro.conf.arg(aliases=[f"--{name}".replace("_", "-") for name in names])  # tyro reads both spellings
