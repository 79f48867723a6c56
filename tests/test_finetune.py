"""The main job on a tiny base of the real classes: a portfolio becomes a style, and nothing stops it from being exactly repeatable."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest
import tiny
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from artlab import checkpoints, cli, drawing, files, monitors, rundir, style
from artlab.bases import load_base, lora
from artlab.finetune import finetune
from artlab.portfolio import PortfolioError, gather
from artlab.settings import Finetune
from artlab.trainer import Data, Trainer, TrainingError


@pytest.fixture(scope="session")
def works(tmp_path_factory):
    """Fourteen works of a drawn artist, small."""
    folder = tmp_path_factory.mktemp("works") / "vask"
    drawing.draw_portfolio("vask", folder, count=14, height=96)
    return folder


@pytest.fixture(scope="session")
def sd(tmp_path_factory):
    return tiny.stable_diffusion(tmp_path_factory.mktemp("base") / "sd")


@pytest.fixture
def settings(works, sd):
    def make(**changes) -> Finetune:
        given = {
            "portfolio": str(works), "base": str(sd), "resolution": 64, "max_train_steps": 12, "train_batch_size": 2, "rank": 2, "views": 2,
            "validation_steps": 4, "sample_steps": 6, "checkpointing_steps": 3, "device": "cpu", "mixed_precision": "fp32",
        }  # fmt: skip
        return Finetune(**given | changes)

    return make


def run(settings, **more):
    steps = []
    made = finetune(settings, report=steps.append, say=lambda text: None)
    return made, steps


def rows(name="vask"):
    return list(files.read_jsonl(files.runs() / name / "log.jsonl"))


def test_a_portfolio_becomes_a_style(settings, works):
    made, steps = run(settings())
    assert [step.step for step in steps] == list(range(1, 13))
    assert [step.step for step in steps if step.held_out is not None] == [4, 8, 12]
    assert all(path.exists() for step in steps for path in step.pictures)
    card = made.card
    assert card["data"]["trained_on"] + card["data"]["held_out"] == card["data"]["kept"] == 14
    assert card["chosen_step"] in (4, 8, 12)
    assert str(card["chosen_step"]) in card["reason"]
    assert card["energy"]["joules"] > 0
    assert card["settings"]["rank"] == 2
    assert made.preview.exists()
    assert str(works) not in (made.folder / "style.json").read_text(), "a card must not tell where the works are"
    assert style.load("vask").sha256 == made.sha256
    metadata = lora.metadata(made.weights)
    assert (metadata["ss_network_dim"], metadata["ss_network_alpha"], metadata["modelspec.trigger_phrase"]) == (
        "2",
        "2.0",
        made.trigger,
    )
    tensors = load_file(made.weights)
    assert any(value.abs().max() > 0 for key, value in tensors.items() if "lora_up" in key)


def test_only_the_adapter_changed(settings, sd, monkeypatch):
    before = load_file(next((sd / "unet").glob("*.safetensors")))
    seen = {}
    finish = Trainer.step

    def spy(self, *args):
        seen["base"] = self.base
        return finish(self, *args)

    monkeypatch.setattr(Trainer, "step", spy)
    run(settings(max_train_steps=4))
    after = seen["base"].denoiser.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)


def adapters(run_folder):
    newest = checkpoints.latest(run_folder / "checkpoints")
    return (newest / "adapter.safetensors").read_bytes()


def test_killed_at_any_step_it_ends_bit_equal(settings, home, tmp_path, monkeypatch):
    """SIGKILL is the end of a process at some step: here the exception that nothing catches, at steps before and after a checkpoint."""
    whole, _ = run(settings())
    wanted, wanted_rows, wanted_state = (
        whole.weights.read_bytes(),
        [(r["step"], r["loss"]) for r in rows()],
        adapters(files.runs() / "vask"),
    )
    for fatal in (2, 3, 7, 11):
        monkeypatch.setenv("ARTLAB_HOME", str(tmp_path / f"killed-{fatal}"))

        class Killed(BaseException):
            pass

        def die(step, fatal=fatal, killed=Killed):
            if step.step == fatal:
                raise killed

        with pytest.raises(Killed):
            finetune(settings(), report=die, say=lambda text: None)
        again, steps = run(settings())
        assert steps[0].step <= fatal + 1
        assert adapters(files.runs() / "vask") == wanted_state
        assert again.weights.read_bytes() == wanted
        assert [(r["step"], r["loss"]) for r in rows()] == wanted_rows, "no gap and no double in the log"


def test_the_kill_command_loses_nothing(settings, tmp_path, monkeypatch, works, sd):
    """The same with a real process and a real SIGKILL, and then SIGTERM, which saves and exits with 143."""
    flags = [
        str(works), "--base", str(sd), "--resolution", "64", "--max_train_steps", "60", "--train_batch_size", "2", "--rank", "2", "--views", "2",
        "--validation_steps", "20", "--sample_steps", "60", "--checkpointing_steps", "3", "--device", "cpu", "--mixed_precision", "fp32",
    ]  # fmt: skip
    run_folder = files.runs() / "vask"

    def start():
        return subprocess.Popen(
            [sys.executable, "-m", "artlab.finetune", *flags], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )

    def wait_for_row(least):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            done = list(files.read_jsonl(run_folder / "log.jsonl"))
            if done and done[-1]["step"] >= least:
                return
            time.sleep(0.05)
        raise AssertionError("the training did not get going")

    process = start()
    wait_for_row(5)
    process.kill()
    process.communicate()
    process = start()
    wait_for_row(12)
    process.send_signal(signal.SIGTERM)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 143, told
    assert "goes on from there" in told
    stopped = checkpoints.step_of(checkpoints.latest(run_folder / "checkpoints"))
    assert stopped >= 12
    process = start()
    told = process.communicate(timeout=120)[1]
    assert process.returncode == 0, told
    assert f"Going on from step {stopped}" in told
    assert [r["step"] for r in rows()] == list(range(1, 61))


def test_a_changed_setting_is_refused_by_name(settings, works):
    with pytest.raises(KeyboardInterrupt):
        finetune(settings(), report=stop_at(5), say=print)
    with pytest.raises(rundir.ResumeError, match=r"learning_rate was None, now 0\.5"):
        run(settings(learning_rate=0.5))
    made, steps = run(settings(learning_rate=0.5, force=True))
    assert steps[0].step == 4
    assert made.card["steps"] == 12


def test_no_resume_starts_anew_and_a_finished_run_is_not_trained_twice(settings):
    with pytest.raises(KeyboardInterrupt):
        finetune(settings(), report=stop_at(5), say=print)
    first, steps = run(settings(resume=False))
    assert steps[0].step == 1
    again, steps = run(settings())
    assert (steps, again.sha256) == ([], first.sha256)


def stop_at(number):
    def report(step):
        if step.step == number:
            raise KeyboardInterrupt

    return report


def test_a_damaged_checkpoint_is_passed_over_and_said(settings):
    with pytest.raises(KeyboardInterrupt):
        finetune(settings(), report=stop_at(8), say=print)
    newest = checkpoints.latest(files.runs() / "vask" / "checkpoints")
    (newest / "adapter.safetensors").write_bytes(b"cut")
    said = []
    finetune(settings(), report=lambda step: None, say=said.append)
    assert any(f"{newest.name} is damaged" in text for text in said)
    assert any("Going on from step 3" in text for text in said)


def trainer(sd, **changes):
    given = {"rank": 2, "train_batch_size": 4, "mixed_precision": "fp32", "caption_dropout": 0.5}
    settings = Finetune(**given | changes)
    base = load_base(str(sd), device="cpu", precision="fp32")
    return Trainer(base, settings, 10, Accelerator(cpu=True))


def data(base, count=6):
    torch.manual_seed(3)
    from artlab.portfolio.augment import STILL  # noqa: PLC0415
    from artlab.portfolio.dataset import Item  # noqa: PLC0415

    items = [Item(str(i), 0, "cat", (64, 64), 1.0, files.home(), STILL, 0) for i in range(count)]
    texts = {text: {k: v[0] for k, v in base.condition([text]).items()} for text in ("cat", "")}
    return Data(items, [torch.randn(base.channels, 8, 8) for _ in items], texts)


def test_clipping_clips_what_the_optimizer_steps_on(sd):
    seen = []
    one = trainer(sd, max_grad_norm=1e-3)
    length = lambda *_: seen.append(float(torch.cat([p.grad.flatten() for p in one.parameters]).norm()))  # noqa: E731
    one.plain_optimizer.register_step_pre_hook(length)
    taken = one.step(0, data(one.base), [0, 1, 2, 3])
    assert taken.norm > 1e-3
    assert seen == [pytest.approx(1e-3, rel=1e-3)]
    assert len(one.plain_optimizer.param_groups[0]["params"]) == len(one.parameters) > 0


def test_running_out_of_memory_halves_the_micro_batch_and_not_the_batch(sd):
    plain, squeezed = trainer(sd), trainer(sd)
    real, calls = squeezed.base.loss, []

    def loss(latents, *args, **kwargs):
        calls.append(len(latents))
        if len(latents) > 1:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real(latents, *args, **kwargs)

    squeezed.base.loss = loss
    a = plain.step(0, data(plain.base), [0, 1, 2, 3])
    b = squeezed.step(0, data(squeezed.base), [0, 1, 2, 3])
    assert calls == [4, 2, 1, 1, 1, 1]
    assert squeezed.micro == 1
    assert b.loss == pytest.approx(a.loss, rel=1e-5)
    for p, q in zip(plain.parameters, squeezed.parameters, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-6)
    squeezed.base.loss = lambda *a, **k: (_ for _ in ()).throw(torch.cuda.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(TrainingError, match="Out of memory even with 1 picture"):
        squeezed.step(1, data(squeezed.base), [0, 1, 2, 3])


def test_a_step_that_is_not_finite_changes_nothing(sd):
    one = trainer(sd)
    before = [p.detach().clone() for p in one.parameters]
    real = one.base.loss
    one.base.loss = lambda *a, **k: real(*a, **k) * float("nan")
    assert not one.step(0, data(one.base), [0, 1, 2, 3]).finite
    assert all(torch.equal(p, q) for p, q in zip(one.parameters, before, strict=True))
    one.base.loss = real
    assert one.step(1, data(one.base), [0, 1, 2, 3]).finite
    assert one.bad == 0


def test_nan_again_and_again_ends_with_a_word_and_saves_nothing(settings, monkeypatch):
    real = Trainer._losses
    monkeypatch.setattr(Trainer, "_losses", lambda self, step, *a: real(self, step, *a) * (float("nan") if step >= 4 else 1.0))
    with pytest.raises(TrainingError, match="not finite again and again"):
        run(settings())
    newest = checkpoints.latest(files.runs() / "vask" / "checkpoints")
    assert checkpoints.step_of(newest) == 3
    assert not (files.styles() / "vask").exists()


def test_a_full_disk_pauses_the_training(settings, monkeypatch):
    real, failures, said = checkpoints.save, iter([True, True]), []

    def save(*args, **kwargs):
        if next(failures, False):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args, **kwargs)

    monkeypatch.setattr(checkpoints, "save", save)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    finetune(settings(), report=lambda step: None, say=said.append)
    assert sum("disk is full" in text for text in said) == 2


def test_accumulation_and_micro_batches_give_one_gradient(sd):
    """Four pictures at once, or two and two: the same noise, times and dropped captions, so the same step."""
    a, b = trainer(sd), trainer(sd, train_batch_size=2, gradient_accumulation_steps=2)
    a.step(0, data(a.base), [0, 1, 2, 3])
    b.step(0, data(b.base), [0, 1, 2, 3])
    for p, q in zip(a.parameters, b.parameters, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "rmsprop", "sgd", "prodigy"])
def test_every_optimizer_learns_and_resumes_exactly(sd, optimizer):
    one, other = trainer(sd, optimizer=optimizer), trainer(sd, optimizer=optimizer)
    content = data(one.base)
    for step in range(2):
        one.step(step, content, [0, 1, 2, 3])
    packed = one.pack()
    other.unpack(packed)
    one.step(2, content, [2, 3, 4, 5])
    other.step(2, content, [2, 3, 4, 5])
    assert all(torch.equal(p, q) for p, q in zip(one.parameters, other.parameters, strict=True))
    assert other.pack() == one.pack()
    assert any(p.abs().max() > 0 for p in one.parameters[1::2])


@pytest.mark.parametrize("setting", [
    {"lr_scheduler": "constant"}, {"lr_scheduler": "linear"}, {"lr_scheduler": "cosine_with_restarts"}, {"noise_offset": 0.1}, {"snr_gamma": None},
    {"lora_dropout": 0.3}, {"lora_targets": "all-linear"}, {"lora_targets": "attention"}, {"gradient_checkpointing": True}, {"lora_alpha": 7.0},
    {"ema_decay": 0.0}, {"prior_preservation": 0.5}, {"mixed_precision": "bf16"}, {"random_flip": True}, {"validation_split": 0.0},
])  # fmt: skip
def test_every_setting_runs(settings, setting):
    made, steps = run(settings(max_train_steps=3, validation_steps=3, sample_steps=3, **setting))
    assert steps[-1].step == 3
    assert steps[-1].loss > 0
    assert made.card["settings"][next(iter(setting))] == next(iter(setting.values()))


def test_early_stopping_keeps_the_best_and_says_why(settings, monkeypatch):
    values = iter([1.0, 0.5, 0.8, 0.9, 1.0, 1.1])
    monkeypatch.setattr(monitors.HeldOutLoss, "__call__", lambda self, *a: next(values))
    made, steps = run(settings(max_train_steps=40, validation_steps=2, early_stopping_patience=3))
    assert steps[-1].step == 10
    assert made.card["chosen_step"] == 4
    assert "0.5" in made.card["reason"]


def test_dry_run_says_what_it_takes_and_leaves_nothing(settings, home):
    said = []
    finetune(settings(dry_run=True), say=said.append)
    assert any("12 steps" in text and "GiB" in text for text in said)
    assert not files.runs().exists()
    assert not files.styles().exists()


def test_few_works_use_folds_and_one_work_is_refused(settings, works, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(works.glob("*.png"))[:5]:
        (few / path.name).write_bytes(path.read_bytes())
    made, _ = run(settings(portfolio=str(few), max_train_steps=2, validation_steps=2))
    assert made.card["data"]["held_out"] == 1
    for path in sorted(few.glob("*.png"))[1:]:
        path.unlink()
    with pytest.raises(PortfolioError):
        run(settings(portfolio=str(few), name="one"))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["drawn:nobody"], "no drawn artist “nobody”"),
        (["/no/such/folder"], "/no/such/folder"),
        ([], "No portfolio was given"),
        (["drawn:vask", "--rankk", "4"], "rank"),
        (["WORKS", "--base", "/no/base"], "/no/base"),
        (["WORKS", "--base", "WORKS"], "no model_index.json"),
        (["WORKS", "--device", "cuda:99"], "cuda:99"),
    ],
)
def test_bad_input_ends_with_a_sentence_and_leaves_nothing(flags, words, works, capsys, home):
    code = cli.main(["finetune", *[str(works) if flag == "WORKS" else flag for flag in flags]])
    told = capsys.readouterr().err
    assert code != 0
    assert words in told
    assert "Traceback" not in told
    assert not files.runs().exists()
    assert not files.styles().exists()


GRADIENT = """
import sys, torch, json
sys.path.insert(0, {tests!r})
from test_finetune import trainer, data
one = trainer({sd!r}, train_batch_size={batch})
rank = one.accelerator.process_index
rows = list(range(4))[rank * {batch} : (rank + 1) * {batch}]
one.scheduler.step = one.plain_optimizer.step = lambda *a, **k: None
grads = {{}}
zero = one.optimizer.zero_grad
one.optimizer.zero_grad = lambda **k: (grads.update({{i: p.grad.clone() for i, p in enumerate(one.parameters)}}), zero(**k))
one.step(0, data(one.base), rows)
if rank == 0:
    torch.save(grads, {out!r})
"""


@pytest.mark.slow
def test_two_processes_give_the_gradient_of_one_with_twice_the_batch(sd, tmp_path):
    made = {}
    for processes, batch in ((1, 4), (2, 2)):
        script, out = tmp_path / f"{processes}.py", tmp_path / f"{processes}.pt"
        script.write_text(GRADIENT.format(tests=os.path.dirname(__file__), sd=str(sd), batch=batch, out=str(out)))
        many = (
            ["--multi_gpu"] if processes > 1 else ["--cpu"]
        )  # what makes accelerate start several; Accelerator(cpu=True) keeps to the CPU
        flags = [
            *many,
            "--num_processes",
            str(processes),
            "--num_machines",
            "1",
            "--mixed_precision",
            "no",
            "--dynamo_backend",
            "no",
        ]
        command = [sys.executable, "-m", "accelerate.commands.launch", *flags, "--main_process_port", "0", str(script)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr[-2000:]
        made[processes] = torch.load(out, weights_only=True)
    for index, gradient in made[1].items():
        torch.testing.assert_close(made[2][index], gradient, rtol=1e-4, atol=1e-7)


def test_another_portfolios_style_is_not_replaced_without_a_word(settings, works, tmp_path):
    """The same works may be taught anew, more of the same place too; others need another name, or force."""
    first, _ = run(settings(max_train_steps=2))
    again, _ = run(settings(max_train_steps=3))
    assert again.sha256 != first.sha256
    others = tmp_path / "elsewhere" / "vask"
    drawing.draw_portfolio("solvane", others, count=6, height=96)
    with pytest.raises(style.StyleError, match=r"a style “vask” in .* taught from 14 other works .* --name, or give --force"):
        run(settings(portfolio=str(others), max_train_steps=2))
    assert style.load("vask").sha256 == again.sha256
    forced, _ = run(settings(portfolio=str(others), max_train_steps=2, force=True))
    assert forced.card["data"]["kept"] == 6
    (others / sorted(path.name for path in others.glob("*.png"))[0]).unlink()
    fewer, _ = run(settings(portfolio=str(others), max_train_steps=2))
    assert fewer.card["data"]["kept"] == 5
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "novel.txt").write_text("mine")
    with pytest.raises(style.StyleError, match=r"holds other things \(novel\.txt\)"):
        run(settings(output_dir=tmp_path / "out"))


def test_the_portfolios_own_choices_are_heard(works, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    for path in sorted(works.iterdir())[:4]:
        (own / path.name).write_bytes(path.read_bytes())
    plain = gather(own)
    (own / "artlab.toml").write_text('flips = true\ntrigger = "wren"\n')
    chosen = gather(own)
    assert (chosen.flips, chosen.trigger, chosen.refused) == (True, "wren", ())
    assert not plain.flips
    assert chosen.fingerprint != plain.fingerprint
    for text in ("flips = 3", "colour = true", "flips ="):
        (own / "artlab.toml").write_text(text)
        with pytest.raises(PortfolioError, match=r"artlab\.toml"):
            gather(own)
