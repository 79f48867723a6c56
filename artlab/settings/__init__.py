"""One frozen settings class per verb: the only configuration there is.

Flags, `--help`, JSON configs, the web form and the docs derive from the fields. Names are diffusers' own, kohya's are aliases
(`--network_dim` is `--rank`). Unknown keys are refused.
"""

from artlab.settings.batch import Gallery
from artlab.settings.blending import Between, Blend, Inpaint, Vary
from artlab.settings.creating import Enlarge, Transfer
from artlab.settings.hosting import Studio
from artlab.settings.judging import Evaluate
from artlab.settings.making import Demo, Generate, Portfolio, Recipe
from artlab.settings.shared import Settings
from artlab.settings.studio import Intake
from artlab.settings.training import Finetune, Pretrain

__all__ = [
    "VERBS",
    "Between",
    "Blend",
    "Demo",
    "Enlarge",
    "Evaluate",
    "Finetune",
    "Gallery",
    "Generate",
    "Inpaint",
    "Intake",
    "Portfolio",
    "Pretrain",
    "Recipe",
    "Settings",
    "Studio",
    "Transfer",
    "Vary",
]

VERBS: dict[str, type[Settings]] = {
    "finetune": Finetune,
    "generate": Generate,
    "transfer": Transfer,
    "enlarge": Enlarge,
    "blend": Blend,
    "between": Between,
    "vary": Vary,
    "inpaint": Inpaint,
    "evaluate": Evaluate,
    "gallery": Gallery,
    "portfolio": Portfolio,
    "recipe": Recipe,
    "demo": Demo,
    "intake": Intake,
    "pretrain": Pretrain,
    "studio": Studio,
}
