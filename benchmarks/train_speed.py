"""LoRA training speed and peak memory on this processor: artlab beside diffusers' own training script, in one run.

    python benchmarks/train_speed.py --diffusers_script train_text_to_image_lora.py --diffusers_site SITE > table.md

Both are whole processes on one model folder, one folder of works, one batch, rank, set of layers, loss and thread count. Both
take each step with a torch optimizer, whose hook writes down the process's own time here: the steps between a warm-up and the
last, in processor seconds, so that other programs on the machine do not count. Peak memory is the kernel's own figure for the
process (`ru_maxrss` from wait4). What the numbers do and don't say: README.md.
"""

import argparse
import json
import math
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from math import prod
from multiprocessing import get_context
from pathlib import Path
from typing import Any

# torch is imported only in processes of their own: the peak of a child counts from its parent's size, so this one stays small.

REPOSITORY = Path(__file__).resolve().parent.parent
ENTRIES = {"diffusers-fp32": "no", "artlab-fp32": "fp32", "artlab-bf16": "bf16", "diffusers-bf16": "bf16"}
NEVER = "1000000"
CLOCK = "steps.txt"
HOOK = """\
import os, time
if os.environ.get("STEP_CLOCK"):
    from torch.optim.optimizer import register_optimizer_step_post_hook
    def note(*_):
        with open(os.environ["STEP_CLOCK"], "a") as file:
            file.write(f"{time.process_time()}\\n")
    register_optimizer_step_post_hook(note)
"""
TEXT_WIDTH = 128


@dataclass(frozen=True)
class Flags:
    """What the command line says."""

    diffusers_script: Path
    diffusers_site: Path | None
    entries: tuple[str, ...]
    repeats: int
    warmup: int
    steps: int
    batch: int
    rank: int
    resolution: int
    width: int
    works: int
    views: int
    artist: str
    threads: int
    work_dir: Path


@dataclass(frozen=True)
class Run:
    """One process: seconds of one step, seconds in all, size."""

    entry: str
    step_seconds: float
    seconds: float
    peak_bytes: int
    weights: int


@dataclass(frozen=True)
class Machine:
    """What the machine can do, in FLOP/s, and what a picture asks of it, in FLOP."""

    torch: str
    diffusers: str
    fp32: float
    bf16: float
    train: float
    encode: float
    text: float


def main() -> None:
    """Build model and works, measure the machine, run the trainings in turn, print the table."""
    flags = parse()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))  # so that a training under way is ended too
    say(f"Working in {flags.work_dir}; load average {os.getloadavg()[0]:.1f}.")
    model, works = flags.work_dir / "model", flags.work_dir / "works"
    (flags.work_dir / "hook").mkdir()
    (flags.work_dir / "hook" / "sitecustomize.py").write_text(HOOK)
    alone(partial(draw_works, works, flags.artist, flags.works), flags)
    alone(partial(build_model, model, flags.width, flags.resolution), flags)
    machine: Machine = alone(partial(measure_machine, model, flags.resolution, flags.rank, flags.threads), flags)
    load = os.getloadavg()[0]
    runs = []
    for repeat in range(flags.repeats):
        for entry in flags.entries:
            runs.append(train(entry, flags))
            (flags.work_dir / "runs.json").write_text(json.dumps([asdict(run) for run in runs], indent=1))
        say(f"Repeat {repeat + 1} of {flags.repeats} done.")
    if len(sizes := {run.weights for run in runs}) != 1:
        sys.exit(
            f"The adapters are not of one size ({sorted(sizes)} weights), so the trainings were not the same: {flags.work_dir}."
        )
    print(report(runs, machine, load, flags))


def parse() -> Flags:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--diffusers_script", type=Path, required=True, help="diffusers' examples/text_to_image/train_text_to_image_lora.py"
    )
    parser.add_argument(
        "--diffusers_site", type=Path, help="folder with `datasets`, which that script imports (pip install --target)"
    )
    parser.add_argument(
        "--entries",
        nargs="+",
        choices=ENTRIES,
        default=list(ENTRIES),
        help="what to compare, in order; the first is the baseline",
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--warmup", type=int, default=4, help="steps before the clock")
    parser.add_argument("--steps", type=int, default=24, help="steps on the clock")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--width", type=int, default=64, help="channels of the UNet's first level (Stable Diffusion 1.5: 320)")
    parser.add_argument("--works", type=int, default=16)
    parser.add_argument("--views", type=int, default=16, help="crops that artlab caches of each work before the first step")
    parser.add_argument("--artist", help="a drawn artist; the first one if left out", default="")
    parser.add_argument(
        "--threads", type=int, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    )
    parser.add_argument("--work_dir", type=Path, help="an empty folder for model, works and logs; a temporary one if left out")
    said = vars(parser.parse_args())
    if not said["diffusers_script"].is_file():
        parser.error(f"there is no {said['diffusers_script']}")
    if min(said["warmup"], said["steps"], said["repeats"]) < 1:
        parser.error("warm-up, steps and repeats are at least one each")
    if said["works"] < 12 or said["works"] % said["batch"]:
        parser.error(
            "works must be at least 12 and a multiple of the batch, or diffusers' last batch of an epoch is a smaller one"
        )
    if said["work_dir"] and said["work_dir"].exists() and any(said["work_dir"].iterdir()):
        parser.error(f"{said['work_dir']} is not empty")
    site, work_dir = said["diffusers_site"], said["work_dir"] or Path(tempfile.mkdtemp(prefix="train-speed-"))
    work_dir.mkdir(parents=True, exist_ok=True)
    fixed = {"diffusers_script": said["diffusers_script"].resolve(), "diffusers_site": site and site.resolve()}
    return Flags(**{**said, **fixed, "entries": tuple(dict.fromkeys(said["entries"])), "work_dir": work_dir.resolve()})


# -- the trainings ----------------------------------------------------------------------------------------------------------


def train(entry: str, flags: Flags) -> Run:
    """Run one training as a process in a fresh folder, so that every cache is cold, and measure it."""
    with tempfile.TemporaryDirectory(dir=flags.work_dir, prefix=f"{entry}-") as name:
        scratch = Path(name)
        command, adapter = (artlab_command if entry.startswith("artlab") else diffusers_command)(ENTRIES[entry], scratch, flags)
        log = flags.work_dir / f"{entry}.log"
        with open(log, "ab") as output:
            output.write(f"\n$ {' '.join(command)}\n".encode())
            output.flush()
            began = time.perf_counter()
            child = subprocess.Popen(
                command, cwd=REPOSITORY, env=environment(scratch, flags, entry), stdout=output, stderr=subprocess.STDOUT
            )
            try:
                _, status, used = os.wait4(child.pid, 0)
            except BaseException:
                child.kill()
                child.wait()
                raise
            seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode or not adapter.is_file():
            end = log.read_text(errors="replace")[-2000:]
            sys.exit(f"{entry} failed (exit code {child.returncode}). The end of {log}:\n{end}")
        peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        step = step_seconds(scratch, flags.steps)
        say(f"{entry}: {flags.batch / step:.2f} pictures per processor second, {seconds:.0f} s in all, {peak / 2**20:.0f} MiB.")
        return Run(entry, step, seconds, peak, weights_in(adapter))


def steps_in_all(flags: Flags) -> int:
    """Steps that a training is told to take."""
    return flags.warmup + flags.steps


def step_seconds(folder: Path, steps: int) -> float:
    """Mean processor seconds of the last `steps` steps, from the times that the hook wrote (artlab's trial comes before them)."""
    times = [float(line) for line in (folder / CLOCK).read_text().split()]
    return (times[-1] - times[-1 - steps]) / steps


def artlab_command(precision: str, scratch: Path, flags: Flags) -> tuple[list[str], Path]:
    """artlab's command, and the adapter it leaves. Measuring, sampling and saving happen once at the ends, whatever the steps."""
    style = scratch / "style"
    asked = {
        "base": flags.work_dir / "model", "output_dir": style, "name": "bench", "device": "cpu", "mixed_precision": precision,
        "max_train_steps": steps_in_all(flags), "train_batch_size": flags.batch, "rank": flags.rank,
        "resolution": flags.resolution, "lora_targets": "attention", "snr_gamma": 5, "learning_rate": 1e-4,
        "lr_scheduler": "constant", "lr_warmup_steps": 0, "early_stopping_patience": 0, "validation_steps": NEVER,
        "sample_steps": NEVER, "views": flags.views, "checkpointing_steps": NEVER, "validation_prompt": "a house",
    }  # fmt: skip
    works = str(flags.work_dir / "works")
    return [sys.executable, "-m", "artlab.finetune", works, *words(asked)], style / "lora.safetensors"


def diffusers_command(precision: str, scratch: Path, flags: Flags) -> tuple[list[str], Path]:
    """The command of diffusers' script, and the adapter it leaves. It always adapts the attention layers, and no others."""
    asked = {
        "pretrained_model_name_or_path": flags.work_dir / "model", "train_data_dir": flags.work_dir / "works",
        "image_column": "image", "caption_column": "text", "cache_dir": scratch / "datasets", "output_dir": scratch / "out",
        "mixed_precision": precision, "max_train_steps": steps_in_all(flags), "train_batch_size": flags.batch, "rank": flags.rank,
        "resolution": flags.resolution, "snr_gamma": 5, "learning_rate": 1e-4, "lr_scheduler": "constant",
        "lr_warmup_steps": 0, "checkpointing_steps": NEVER, "seed": 0,
    }  # fmt: skip
    return [sys.executable, str(flags.diffusers_script), *words(asked)], scratch / "out" / "pytorch_lora_weights.safetensors"


def words(asked: dict[str, Any]) -> list[str]:
    """Flags as a command line has them."""
    return [word for key, value in asked.items() for word in (f"--{key}", str(value))]


def environment(scratch: Path, flags: Flags, entry: str = "") -> dict[str, str]:
    """One environment for all: so many threads, no GPU, no network, caches in the scratch folder."""
    fixed = {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(flags.threads))
    moved = {"ARTLAB_HOME": str(scratch / "home"), "HF_HOME": str(scratch / "hf")}
    paths = [str(flags.work_dir / "hook")]
    paths += [str(flags.diffusers_site)] if flags.diffusers_site and entry.startswith("diffusers") else []
    clock = {"PYTHONPATH": os.pathsep.join(paths), "STEP_CLOCK": str(scratch / CLOCK)} if entry else {}
    return {**os.environ, **fixed, **threads, **moved, **clock}


def weights_in(adapter: Path) -> int:
    """How many weights an adapter holds, from the header of its safetensors file; the scalars `alpha` don't count."""
    with open(adapter, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__" and len(tensor["shape"]) > 1)


# -- in processes of their own ----------------------------------------------------------------------------------------------


def alone(work: Callable[[], Any], flags: Flags) -> Any:
    """What `work` returns, from a process of its own."""
    os.environ |= environment(flags.work_dir / "own", flags)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work).result()


def draw_works(folder: Path, artist: str, count: int, side: int = 512) -> None:
    """A drawn portfolio as an imagefolder of squares, so that both trainings see one shape, with captions both can read."""
    from PIL import ImageOps  # noqa: PLC0415 - see the top of the file

    from artlab import drawing  # noqa: PLC0415

    folder.mkdir()
    rows = []
    for index in range(count):
        work = drawing.draw_work(artist or next(iter(drawing.ARTISTS)), index, height=side)
        ImageOps.fit(work.picture, (side, side)).save(folder / f"{index:03d}.png")
        rows.append({"file_name": f"{index:03d}.png", "text": work.caption})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def build_model(folder: Path, width: int, resolution: int) -> None:
    """Stable Diffusion 1.5's shape with narrower layers and random weights, in diffusers' layout.

    Four levels, two blocks each, 8 heads, attention on three levels. The autoencoder is narrowed so that encoding a picture takes
    about the share of the work that it takes in Stable Diffusion 1.5 (0.65 of a training pass of the UNet, there at 512 pixels).
    """
    import torch  # noqa: PLC0415
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel  # noqa: PLC0415
    from transformers import CLIPTextConfig, CLIPTextModel  # noqa: PLC0415

    torch.manual_seed(0)
    UNet2DConditionModel(
        sample_size=resolution // 8, block_out_channels=(width, 2 * width, 4 * width, 4 * width), norm_num_groups=math.gcd(32, width),
        attention_head_dim=8, cross_attention_dim=TEXT_WIDTH,
    ).save_pretrained(folder / "unet")  # fmt: skip
    AutoencoderKL(
        block_out_channels=(width // 2, width, width, width), norm_num_groups=math.gcd(32, width // 2),
        layers_per_block=2, latent_channels=4, down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    ).save_pretrained(folder / "vae")  # fmt: skip
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    DDIMScheduler(**schedule).save_pretrained(folder / "scheduler")
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    vocabulary = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    text = CLIPTextConfig(
        vocab_size=len(vocabulary), hidden_size=TEXT_WIDTH, intermediate_size=4 * TEXT_WIDTH, num_hidden_layers=4,
        num_attention_heads=4, max_position_embeddings=77, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    CLIPTextModel(text).save_pretrained(folder / "text_encoder")
    described = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "<|endoftext|>"}
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer" / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(vocabulary)}))
    (folder / "tokenizer" / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(described))
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))


def measure_machine(model: Path, resolution: int, rank: int, threads: int) -> Machine:
    """The rate of large matrix products, and the FLOPs of one picture: UNet forward and backward, its encoding, its caption."""
    import diffusers  # noqa: PLC0415
    import torch  # noqa: PLC0415
    from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: PLC0415
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415

    from artlab.bases import load_base, lora  # noqa: PLC0415

    def rate(dtype: torch.dtype, side: int = 2048, times: int = 10) -> float:
        a, b = torch.randn(2, side, side).to(dtype)
        seconds = []
        for _ in range(times):
            began = time.perf_counter()
            a @ b
            seconds.append(time.perf_counter() - began)
        return 2 * side**3 / min(seconds)

    def count(work: Callable[[], Any]) -> float:
        # The counter knows no fused attention of the CPU; written out, attention is matrix products that it counts.
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            work()
        return float(counter.get_total_flops())

    torch.set_num_threads(threads)
    base = load_base(str(model), device="cpu", precision="fp32")
    encode = count(lambda: base.encode(torch.zeros(1, 3, resolution, resolution)))
    states = base.condition([""])
    text = count(lambda: base.condition([""]))
    lora.attach(base, rank, rank, "attention")
    latents = torch.randn(1, base.channels, resolution // base.factor, resolution // base.factor)
    learn = count(lambda: base.loss(latents, states, snr_gamma=5.0).sum().backward())
    return Machine(torch.__version__, diffusers.__version__, rate(torch.float32), rate(torch.bfloat16), learn, encode, text)


# -- the table --------------------------------------------------------------------------------------------------------------


def report(runs: list[Run], machine: Machine, load: float, flags: Flags) -> str:
    """The Markdown for docs/MEASURED.md."""
    baseline = statistics.median(run.step_seconds for run in runs if run.entry == flags.entries[0])
    busy = " (**the machine was not quiet**)" if load > 0.3 * flags.threads else ""
    channels = ", ".join(str(flags.width * times) for times in (1, 2, 4, 4))
    columns = (
        "Training", "Pictures per processor second", "Speed", "All in all, s", "Peak memory, MiB", "GFLOP a picture",
        "Of the matrix rate",
    )  # fmt: skip
    rows = "\n".join(row(entry, [run for run in runs if run.entry == entry], baseline, machine, flags) for entry in flags.entries)
    train, encode, text, fp32, bf16 = (
        value / 1e9 for value in (machine.train, machine.encode, machine.text, machine.fp32, machine.bf16)
    )
    return f"""\
Processor: {processor()}, {flags.threads} threads; load average before the trainings {load:.1f}{busy}.
torch {machine.torch}, diffusers {machine.diffusers} and its `{flags.diffusers_script.name}`.
Matrix products of side 2048: {fp32:.0f} GFLOP/s in fp32, {bf16:.0f} in bf16.
Model: Stable Diffusion 1.5's shape, UNet ({channels}), random weights. LoRA of rank {flags.rank} on the attention layers
({runs[0].weights:,} weights in every row), batch {flags.batch}, {flags.works} works at {flags.resolution} px,
Min-SNR loss, AdamW.
A picture takes {train:.2f} GFLOP in the UNet (forward and backward), {encode:.2f} to encode and {text:.2f} for its caption:
diffusers' script does the last two at every step, artlab once before the first.
Medians of {flags.repeats} runs in turn (least to most), {flags.steps} steps on the clock after {flags.warmup} to warm up.

| {" | ".join(columns)} |
{"|---" * len(columns)}|
{rows}

`python {" ".join([os.path.relpath(sys.argv[0], REPOSITORY), *sys.argv[1:]])}`"""


def row(entry: str, runs: list[Run], baseline: float, machine: Machine, flags: Flags) -> str:
    """One training's line of the table."""
    step = statistics.median(run.step_seconds for run in runs)
    ends = statistics.median(run.seconds for run in runs)
    asked = machine.train + (machine.encode + machine.text if entry.startswith("diffusers") else 0.0)
    share = asked * flags.batch / step / (machine.bf16 if entry.endswith("bf16") else machine.fp32)
    rates = sorted(flags.batch / run.step_seconds for run in runs)
    cells = (
        entry.replace("-", ", "),
        f"{flags.batch / step:.2f} ({rates[0]:.2f}-{rates[-1]:.2f})",
        f"{baseline / step:.2f} x",
        f"{ends:.0f}",
        f"{statistics.median(run.peak_bytes for run in runs) / 2**20:.0f}",
        f"{asked / 1e9:.1f}",
        f"{share:.0%}",
    )
    return f"| {' | '.join(cells)} |"


def processor() -> str:
    """The processor's name, with family and model where Linux tells them: a cloud's name alone says little."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    if "model name" not in told:
        return platform.machine()
    return f"{told['model name']} (family {told.get('cpu family', '?')}, model {told.get('model', '?')})"


def say(text: str) -> None:
    """A sentence on stderr; stdout is for the table."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
