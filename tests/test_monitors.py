"""The listeners: what is chosen, when to stop, what is said, and that a repeated past leaves no double rows."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from artlab import files, metrics, monitors
from artlab.bases import load_base
from artlab.monitors import Choice, Copying, HeldOutLoss, Log, Step, print_step


def hear(choice, values, copying=()):
    return [choice.hear(step, value, {"w": torch.tensor(step)}, copying=step in copying) for step, value in enumerate(values, 1)]


def test_the_latest_within_the_tolerance_is_chosen():
    choice = Choice(patience=0)
    hear(choice, [1.0, 0.8, 0.8 * 1.004, 0.9])
    assert (choice.step, int(choice.weights["w"]), choice.best_step) == (3, 3, 2)
    assert "had risen to 0.9" in choice.reason


def test_stops_after_patience_and_not_before():
    assert hear(Choice(patience=2), [1.0, 0.9, 0.91, 0.92, 0.93]) == [False, False, False, True, True]
    assert not any(hear(Choice(patience=0), [1.0, *[2.0] * 20]))
    assert not any(hear(Choice(patience=2), [1.0 - 0.01 * k for k in range(20)]))


def test_a_loss_that_lies_flat_or_falls_slowly_stops_nothing():
    choice = Choice(patience=2)
    assert not any(hear(choice, [1.0, 0.9995, 0.999, 0.999, 0.9992, 0.9991]))
    assert choice.step == 6


def test_copies_count_against_patience():
    assert hear(Choice(patience=2), [1.0, 0.9, 0.8, 0.7], copying={3, 4}) == [False, False, False, True]


def test_copying_weights_are_passed_over():
    choice = Choice(patience=0)
    hear(choice, [1.0, 0.9, 0.8], copying={3})
    assert choice.step == 2
    assert "too close" in choice.reason


def test_state_survives_json():
    choice = Choice(patience=3)
    hear(choice, [1.0, 0.9])
    again = Choice(patience=3)
    again.restore(files.json.loads(files.json.dumps(choice.state())), choice.weights)
    assert again == choice
    empty = Choice(patience=3)
    again.restore(files.json.loads(files.json.dumps(empty.state())), {})
    assert again.best == float("inf")


def step(number, **more):
    return Step(number, 10, 0.5, 1e-3, 0.1, 8.0, 100.0, **more)


def test_a_resumed_log_has_neither_gap_nor_double(tmp_path):
    log = Log(tmp_path)
    for number in (1, 2, 3, 4):
        log(step(number))
    log.close()
    log = Log(tmp_path, start=2)
    log(step(3, held_out=0.4, message="said"))
    log.close()
    rows = list(files.read_jsonl(tmp_path / "log.jsonl"))
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert rows[-1]["held_out"] == 0.4
    assert list((tmp_path / "tensorboard").iterdir())


def test_a_resumed_log_is_never_without_its_past(tmp_path, monkeypatch):
    """Killed while the log is cut, it is still the old one."""
    log = Log(tmp_path)
    for number in (1, 2, 3):
        log(step(number))
    log.close()

    def killed(path, content):
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        Log(tmp_path, start=2)
    assert [row["step"] for row in files.read_jsonl(tmp_path / "log.jsonl")] == [1, 2, 3]


def test_print_step_says_what_is_notable():
    out = io.StringIO()
    for one in (step(1), step(2, held_out=0.25), step(3, message="Copying alarm"), step(50), step(10)):
        print_step(one, out)
    told = out.getvalue()
    assert told.count("\n") == 5
    assert "step 1/10" not in told
    assert "held-out loss 0.2500" in told
    assert "2 min left" in told


def noise(seed, base=None):
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 255, (8, 8, 3)).astype(np.uint8) if base is None else base
    return Image.fromarray(picture).resize((96, 96), Image.Resampling.BICUBIC)


def test_the_alarm_hears_copies_and_not_new_work():
    works = [noise(seed) for seed in range(8)]
    alarm = Copying(works)
    copies = [picture.resize((90, 90)).resize((96, 96)) for picture in works[:4]]
    assert alarm(copies) == 1.0
    assert alarm([noise(seed) for seed in range(100, 104)]) <= 0.5
    assert "50 %" in Copying.words(0.5) or "50%" in Copying.words(0.5)


def test_features_are_the_networks_own_and_independent_of_the_batch():
    pictures = [noise(seed) for seed in range(5)]
    whole, parts = metrics.features(pictures), np.concatenate([metrics.features(pictures[:2]), metrics.features(pictures[2:])])
    assert whole.shape == (5, 1280)
    np.testing.assert_allclose(whole, parts, rtol=1e-3, atol=1e-4)
    assert metrics.style_features(pictures).shape == (5, 608)
    assert metrics.features([]).shape == (0, 1280)


def test_nearest_leaves_itself_out_when_asked():
    rows = np.eye(3)
    distances, which = metrics.nearest(rows, rows)
    np.testing.assert_allclose(distances, 0)
    assert which.tolist() == [0, 1, 2]
    np.testing.assert_allclose(metrics.nearest(rows, rows, itself=True)[0], 1)


def test_the_held_out_loss_is_stable(tiny_base_folder):
    base = load_base(str(tiny_base_folder), device="cpu", precision="fp32")
    torch.manual_seed(0)
    latents = [torch.randn(base.channels, 8, 8), torch.randn(base.channels, 8, 12), torch.randn(base.channels, 8, 8)]
    conditions = [{k: v[0] for k, v in base.condition([text]).items()} for text in ("a", "b", "c")]
    measure = HeldOutLoss(base, latents, conditions, times=4, noises=2)
    state = torch.get_rng_state()
    first = measure(batch=8)
    assert torch.equal(torch.get_rng_state(), state), "measuring must not disturb the training's chance"
    assert measure(batch=3) == pytest.approx(first, rel=1e-4)
    assert measure(batch=8) == first
    assert monitors.TOLERANCE > 0
