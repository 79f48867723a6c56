"""Command lines and config files become settings, in every spelling that users of diffusers and kohya bring along."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from artlab import flags
from artlab.flags import CommandError
from artlab.settings import Finetune, Generate


def finetune(*words: str) -> Finetune:
    return flags.parse("finetune", words)


@pytest.mark.parametrize("spelling", ["--network_dim", "--network-dim", "--rank", "--RANK"])
def test_both_spellings_and_aliases(spelling):
    assert finetune("works", spelling, "8") == Finetune(portfolio="works", rank=8)
    assert finetune("works", f"{spelling}=8").rank == 8


@pytest.mark.parametrize(
    "words",
    [
        ["works"],
        ["--train_data_dir", "works"],
        ["--instance_data_dir=works"],
        ["--portfolio", "works"],
        ["--rank", "16", "works"],
        ["--", "works"],
        ["--validation_prompt", "a", "b", "--train_data_dir", "works", "--rank", "16"],
    ],
)
def test_the_portfolio_in_every_place(words):
    assert finetune(*words).portfolio == "works"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--deterministic"], True),
        (["--deterministic", "True"], True),
        (["--deterministic=yes"], True),
        (["--deterministic", "0"], False),
        (["--no-deterministic"], False),
        (["--no_deterministic"], False),
        (["--deterministic", "false", "--deterministic"], True),
    ],
)
def test_switches(words, expected):
    assert finetune("works", *words).deterministic is expected


def test_a_switch_does_not_swallow_the_portfolio():
    assert finetune("--deterministic", "works") == Finetune(portfolio="works", deterministic=True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [([], None), (["--flip_aug"], True), (["--random-flip", "false"], False), (["--random_flip", "None"], None)],
)
def test_a_switch_with_a_third_state(words, expected):
    assert finetune("works", *words).random_flip is expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--resume_from_checkpoint", "latest"], True),
        (["--resume_from_checkpoint=none"], False),
        (["--no-resume"], False),
        (["--resume"], True),
    ],
)
def test_resuming(words, expected):
    assert finetune("works", *words).resume is expected


def test_resuming_from_a_named_checkpoint_is_refused_rather_than_ignored():
    with pytest.raises(CommandError, match="latest, not out/checkpoint-500"):
        finetune("works", "--resume_from_checkpoint", "out/checkpoint-500")


def test_none_and_numbers():
    settings = finetune("works", "--snr_gamma", "none", "--lr", "3e-4", "--max_train_steps", "10")
    assert (settings.snr_gamma, settings.learning_rate, settings.max_train_steps) == (None, 3e-4, 10)


def test_lists_take_many_words_and_repetitions():
    settings = flags.parse("generate", ["a fox", "a wren", "--style", "wren:0.8", "ember:-0.4", "--seed", "1", "--seed", "2"])
    assert settings == Generate(prompt=("a fox", "a wren"), style=("wren:0.8", "ember:-0.4"), seed=(1, 2))


def test_a_prompt_as_a_flag():
    assert flags.parse("generate", ["--prompt", "a fox", "--steps", "3"]).prompt == ("a fox",)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--netwrok_dim", "8"], "no setting --netwrok-dim. Did you mean --network_dim"),
        (["--qqqq", "8"], "artlab finetune --help"),
        (["--rank", "many"], "'many' is no whole number"),
        (["--lr", "fast"], "'fast' is no number"),
        (["--rank"], "Missing value"),
        (["--optimizer", "lion"], "lion"),
        (["--deterministic=maybe"], "is a switch"),
        (["--no-deterministic=1"], "takes no value"),
        (["a", "b"], "b"),
        (["--config"], "needs a file"),
    ],
)
def test_what_cannot_be_understood_is_named_in_one_sentence(words, message, capfd):
    with pytest.raises(CommandError) as caught:
        finetune(*words)
    assert message in str(caught.value)
    assert not set("│╭─\n") & set(str(caught.value))
    assert capfd.readouterr() == ("", "")


def test_values_out_of_range_are_pydantics_to_refuse():
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        finetune("works", "--rank", "0")
    with pytest.raises(ValidationError, match="not both"):
        finetune("works", "--max_train_steps", "3", "--num_train_epochs", "3")


CONFIGS = {
    "a.json": json.dumps({"portfolio": "works", "network_dim": 4, "deterministic": True, "validation_prompt": ["x", "y"]}),
    "a.yaml": "train_data_dir: works\nnetwork-dim: 4\ndeterministic: true\nvalidation_prompt: [x, y]\n",
    "a.toml": 'train_data_dir = "works"\ndeterministic = true\n[network]\nnetwork_dim=4\n[samples]\nsample_prompts = ["x","y"]\n',
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_gives_defaults_that_flags_override(tmp_path, name):
    path = tmp_path / name
    path.write_text(CONFIGS[name])
    whole = Finetune(portfolio="works", rank=4, deterministic=True, validation_prompt=("x", "y"))
    assert finetune("--config", str(path)) == whole
    changed = finetune("others", f"--config_file={path}", "--rank", "2", "--no-deterministic", "--sample_prompts", "z")
    assert changed == Finetune(portfolio="others", rank=2, validation_prompt=("z",))


def test_a_config_may_say_it_in_the_words_of_flags(tmp_path):
    (tmp_path / "a.yaml").write_text("lr: 1e-4\nsnr_gamma: null\nresume_from_checkpoint: latest\noutput_dir: out\n")
    settings = finetune("works", "--config", str(tmp_path / "a.yaml"))
    assert settings == Finetune(portfolio="works", learning_rate=1e-4, snr_gamma=None, output_dir=Path("out"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "rnk: 8", "unknown setting “rnk”. Did you mean --rank"),
        ("a.yaml", "rank: 8\nnetwork_dim: 4", "sets rank twice"),
        ("a.yaml", "- rank", "holds no settings"),
        ("a.yaml", "", "holds no settings"),
        ("a.yaml", "a: [", "cannot be read"),
        ("a.yaml", "!!python/object/apply:os.system [id]", "cannot be read"),
        ("a.json", "{", "cannot be read"),
        ("a.toml", "rank", "cannot be read"),
    ],
)
def test_a_bad_config_is_named(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(CommandError) as caught:
        finetune("works", "--config", str(tmp_path / name))
    assert message in str(caught.value)
    assert name in str(caught.value)


def test_a_config_that_is_not_there(tmp_path):
    with pytest.raises(CommandError, match="no config file"):
        finetune("--config", str(tmp_path / "none.yaml"))
    with pytest.raises(CommandError, match="is a folder"):
        finetune("--config", str(tmp_path))


def test_a_recipe_needs_its_picture():
    with pytest.raises(CommandError, match="PATH"):
        flags.parse("recipe", [])
    assert flags.parse("recipe", ["--picture", "a.png"]).picture == Path("a.png")


@pytest.mark.parametrize("words", [["draw", "wren"], ["--action", "draw", "--source", "wren"], ["--count", "24", "draw", "wren"]])
def test_two_positional_words(words):
    settings = flags.parse("portfolio", words)
    assert (settings.action, settings.source) == ("draw", "wren")


def test_a_folder_after_a_switch_is_the_portfolio():
    parsed = flags.parse("finetune", ["--dry_run", "./works"])
    assert (parsed.dry_run, parsed.portfolio) == (True, "./works")
