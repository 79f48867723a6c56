"""Settings: the only configuration. Unknown keys are refused, everything has a type, a default and words for the help."""

import ast
import inspect
import io
import itertools
from contextlib import redirect_stdout

import pytest
from pydantic import ValidationError

from artlab import flags, settings
from artlab.settings import VERBS, Finetune

FIELDS = [(verb, field) for verb, kind in VERBS.items() for field in kind.model_fields]
# Names that every user of diffusers knows and whose help would only repeat them.
PLAIN = {
    "adam_beta1",
    "adam_beta2",
    "weight_decay",
    "seed",
    "width",
    "height",
    "sampler",
    "mixed_precision",
    "device",
    "base",
    "batch_size",
}
PLAIN |= {
    "max_train_steps",
    "output_dir",
    "num_inference_steps",
    "random_flip",
    "crop_scale_min",
    "autoencoder_steps",
    "denoiser_steps",
    "learning_rate",
}


def documented(kind: type) -> set[str]:
    """The fields with a docstring beneath them."""
    body = ast.parse(inspect.getsource(kind)).body[0].body
    return {
        one.target.id
        for one, after in itertools.pairwise(body)
        if isinstance(one, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    }


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_says_what_it_does(verb):
    assert (VERBS[verb].__doc__ or "").strip().splitlines()[0].endswith(".")


@pytest.mark.parametrize("verb", VERBS)
def test_every_field_is_documented_where_its_name_does_not_say_all(verb):
    assert set(VERBS[verb].model_fields) - documented(VERBS[verb]) <= PLAIN


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_every_field_and_alias(verb):
    with redirect_stdout(io.StringIO()) as shown:
        flags.show_help(verb)
    text = shown.getvalue()
    for name, field in flags.spellings(VERBS[verb]).items():
        if name in flags.FOLDERS or flags.is_positional(VERBS[verb].model_fields[field]):
            continue
        assert (name if name.startswith("-") else f"--{name}") in text


def test_unknown_keys_are_refused_by_name():
    with pytest.raises(ValidationError, match="rnk"):
        Finetune(rnk=8)


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(ValidationError, match="frozen"):
        Finetune().rank = 3


@pytest.mark.parametrize("verb", VERBS)
def test_settings_survive_json(verb):
    asked = {name: "a.png" for name, field in VERBS[verb].model_fields.items() if field.is_required()}
    made = VERBS[verb].model_validate(asked)
    assert VERBS[verb].model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize("verb", VERBS)
def test_no_spelling_means_two_things(verb):
    spellings = [field.replace("_", "-") for field in VERBS[verb].model_fields]
    for info in VERBS[verb].model_fields.values():
        for note in info.metadata:
            spellings += [alias.removeprefix("--") for alias in getattr(note, "aliases", None) or ()]
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize(
    ("kohya", "diffusers"),
    [
        ("network_dim", "rank"),
        ("network_alpha", "lora_alpha"),
        ("min_snr_gamma", "snr_gamma"),
        ("max_train_epochs", "num_train_epochs"),
        ("optimizer_type", "optimizer"),
        ("sample_prompts", "validation_prompt"),
        ("train_data_dir", "portfolio"),
        ("pretrained_model_name_or_path", "base"),
        ("resume_from_checkpoint", "resume"),
    ],
)
def test_kohyas_names(kohya, diffusers):
    assert flags.spellings(Finetune)[kohya.replace("_", "-")] == diffusers


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"rank": 0},
        {"seed": -1},
        {"country": "de"},
        {"optimizer": "lion"},
    ],
)
def test_values_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        Finetune(**wrong)


def test_a_prompt_beyond_all_measure_is_refused_with_its_length():
    with pytest.raises(ValidationError, match="5,000 characters"):
        settings.Generate(prompt=("a" * 5000,))
