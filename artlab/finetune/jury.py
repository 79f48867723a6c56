"""The judge in the training: adapters are kept at even steps, and, if asked for, pictures of each decide when to stop and what to keep.

The held-out loss cannot see pictures; the jury looks at nothing else. Its notes (`judge.jsonl` in the run's folder) are cut back to
where a resumed training stands, so that an interrupted one judges as one that was not.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from accelerate.utils import broadcast_object_list
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from artlab import files, images, judge
from artlab.bases import lora
from artlab.portfolio import Portfolio, captions
from artlab.portfolio.split import Split
from artlab.rundir import Run
from artlab.settings import Finetune
from artlab.trainer import TrainingError

PLAIN = ("a house by the sea", "a tree on a hill", "a bird", "a boat under the moon", "flowers in a garden", "a cat")
Paint = Callable[[list[str], list[int]], list[Image.Image]]


class Jury:
    """Keeps the adapters of a run, and judges them when the settings say so; `paint` makes pictures of prompts at seeds."""

    def __init__(self, settings: Finetune, portfolio: Portfolio, split: Split, run: Run, *, main: bool) -> None:
        self.settings, self.run, self.main, self.trigger = settings, run, main, portfolio.trigger
        self.prompts = prompts_for(split, settings.judge_count)
        self.scores: list[judge.Score] = []
        self.judge: judge.Judge | None = None
        if settings.judge and len(split.train) < judge.LEAST:
            raise TrainingError(
                f"The judge needs {judge.LEAST} works to learn from, and there are {len(split.train)}; leave out --judge, or add works."
            )
        if settings.judge and main:
            self.judge = judge.Judge.watching([images.open_image(work.path) for work in split.train], self.prompts)

    @property
    def notes(self) -> Path:
        """Where the scores are written down, a row a step."""
        return self.run.folder / "judge.jsonl"

    def adapter(self, step: int) -> Path:
        """The file of a step's adapter."""
        return self.run.folder / "adapters" / f"step-{step:08d}.safetensors"

    def go_back(self, at: int) -> None:
        """Forget what was judged and kept after `at`: it is of a past that did not happen."""
        rows = [row for row in files.read_jsonl(self.notes) if at and row["step"] <= at]  # at 0 the base is judged anew
        self.scores = [judge.Score.of(row) for row in rows]
        if not self.main:
            return
        self.notes.unlink(missing_ok=True)
        for row in rows:
            files.append_jsonl(self.notes, row)
        for path in self.adapter(0).parent.glob("step-*.safetensors"):
            if int(path.stem.removeprefix("step-")) > at:
                path.unlink()

    def keep(self, step: int, weights: dict[str, Tensor], metadata: dict[str, str]) -> None:
        """Keep the adapter of a step."""
        if self.main and step and (self.settings.keep_adapters or self.settings.judge):
            lora.save(self.adapter(step), weights, metadata)

    def hear(self, step: int, paint: Paint) -> bool:
        """Judge the pictures of a step; True when it is time to stop. Step 0 is the bare base."""
        if not self.settings.judge:
            return False
        enough = False
        if self.judge is not None:
            texts = [captions.with_trigger(text, self.trigger) for text in self.prompts] if step else list(self.prompts)
            score = self.judge(step, paint(texts, list(range(len(texts)))))
            files.append_jsonl(self.notes, score.row())
            self.scores.append(score)
            enough = self.has_seen_enough
        return bool(broadcast_object_list([enough])[0])  # one process has judged; all of them stop or none

    @property
    def has_seen_enough(self) -> bool:
        """Whether the last step judged was one to stop at."""
        return len(self.scores) > 1 and judge.enough(self.scores[1:], self.scores[0], self.settings.early_stopping_patience)

    def choice(self) -> judge.Choice | None:
        """The step to keep and why, when there is something to choose from."""
        return judge.choose(self.scores[1:], self.scores[0]) if len(self.scores) > 1 else None

    def weights(self, step: int) -> dict[str, Tensor]:
        """The adapter of a step, as it was kept."""
        return {key: value.float() for key, value in load_file(self.adapter(step)).items()}


def prompts_for(split: Split, count: int) -> tuple[str, ...]:
    """What the judge has painted: captions of held-out works first, then of works learned from, each once more if they are few."""
    texts: Sequence[str] = tuple(dict.fromkeys(work.caption for work in (*split.validation, *split.train) if work.caption))
    texts = texts if len(texts) >= 4 else (*texts, *PLAIN)
    return tuple(texts[index % len(texts)] for index in range(count))
