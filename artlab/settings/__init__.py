"""One frozen settings class per verb: the only configuration there is.

Flags, `--help`, JSON configs, the web form and the docs derive from the fields. Names are diffusers' own, kohya's are aliases
(`--network_dim` is `--rank`). Unknown keys are refused.
"""

from artlab.settings.hosting import Studio
from artlab.settings.making import Demo, Generate, Portfolio, Recipe
from artlab.settings.shared import Settings
from artlab.settings.studio import Intake
from artlab.settings.training import Finetune, Pretrain

__all__ = ["VERBS", "Demo", "Finetune", "Generate", "Intake", "Portfolio", "Pretrain", "Recipe", "Settings", "Studio"]

VERBS: dict[str, type[Settings]] = {
    "finetune": Finetune,
    "generate": Generate,
    "portfolio": Portfolio,
    "recipe": Recipe,
    "demo": Demo,
    "intake": Intake,
    "pretrain": Pretrain,
    "studio": Studio,
}
