"""The gallery against a plain loop over diffusers' parts: same base, steps, guidance, precision, in one run.

    python benchmarks/gallery_speed.py --pictures 8 --steps 20

The loop is what a user writes: UNet, scheduler, autoencoder; one picture at a time, its prompt encoded each time, guidance at every step,
all threads. The gallery is `artlab gallery` with a worker a core, from the start of its processes to the last picture. Figures: seconds
a picture, the ratio, the highest memory of each. Everything is measured on the same machine one after the other; give it an idle one.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMPTS = ("a fox in the snow", "a lighthouse by the sea", "a vase of flowers", "a house on a hill")

LOOP = """
import json, resource, sys, time
began = time.monotonic()
import torch
from diffusers import AutoencoderDC, DPMSolverMultistepScheduler, UNet2DConditionModel
from PIL import Image
from artlab.bases import mini
folder, prompts, steps, guidance = mini.folder(), json.loads(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
unet = UNet2DConditionModel.from_pretrained(folder / "unet", variant="fp16").eval()
vae = AutoencoderDC.from_pretrained(folder / "vae").eval()
config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
mini.minilm()
loaded = time.monotonic()
def picture(prompt, seed):
    scheduler = DPMSolverMultistepScheduler.from_config(config, timestep_spacing="trailing", final_sigmas_type="zero")
    scheduler.set_timesteps(steps)
    states = torch.cat([mini.text_states([""]), mini.text_states([prompt])])
    x = torch.randn((1, unet.config.in_channels, unet.config.sample_size, unet.config.sample_size), generator=torch.Generator().manual_seed(seed))
    for t in scheduler.timesteps:
        away, toward = unet(torch.cat([x, x]), t, encoder_hidden_states=states).sample.chunk(2)
        x = scheduler.step(away + guidance * (toward - away), t, x).prev_sample
    pixels = vae.decode(x).sample[0].clamp(-1, 1).add(1).mul(127.5).round().byte().permute(1, 2, 0).numpy()
    return Image.fromarray(pixels)
with torch.no_grad():
    for seed, prompt in enumerate(prompts):
        picture(prompt, seed).save(f"{sys.argv[4]}/{seed}.png")
print(json.dumps({"seconds": time.monotonic() - loaded, "whole": time.monotonic() - began,
                  "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def loop(prompts: list[str], steps: int, guidance: float) -> dict[str, float]:
    """Seconds and memory of the plain loop, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-W", "ignore", "-c", LOOP, json.dumps(prompts), str(steps), str(guidance), folder]
        return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def gallery(prompts: list[str], steps: int, guidance: float, workers: int, together: int) -> dict[str, float]:
    """Seconds from the first to the last picture, scaled to all of them, and for the whole command; memory of the largest process."""
    with tempfile.TemporaryDirectory() as folder:
        plan, out = Path(folder) / "plan.json", Path(folder) / "out"
        rows = [{"prompt": prompt, "seed": seed} for seed, prompt in enumerate(prompts)]
        plan.write_text(
            json.dumps(
                {
                    "prompts": rows,
                    "num_inference_steps": steps,
                    "guidance_scale": guidance,
                    "upscale": False,
                    "base": "mini",
                    "together": together,
                }
            )
        )
        words = [sys.executable, "-m", "artlab.gallery", str(plan), "--output-dir", str(out), "--no-scores", "--no-watermark"]
        words += ["--workers", str(workers), "--mixed-precision", "fp32", "--devices", "cpu"]
        began = time.monotonic()
        subprocess.run(words, check=True, capture_output=True)
        whole = time.monotonic() - began
        times = sorted(path.stat().st_mtime for path in (out / "pictures").glob("*.png"))
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    first = workers * together  # each worker's first pictures warm it up
    warm = (times[-1] - times[first - 1]) / max(1, len(times) - first) * len(times)
    return {"seconds": warm, "whole": whole, "megabytes": used}


def main() -> None:
    """Measure and print a table of Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=4.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--together", type=int, default=4, help="pictures that go through the network at once")
    asked = parser.parse_args()
    prompts = [PROMPTS[number % len(PROMPTS)] for number in range(asked.pictures)]
    ours = gallery(prompts, asked.steps, asked.guidance, asked.workers, asked.together)
    theirs = loop(prompts, asked.steps, asked.guidance)
    print("| | s a picture | whole command | largest process |\n|---|---|---|---|")
    for name, row in (("plain loop", theirs), (f"gallery, {asked.workers} workers", ours)):
        print(f"| {name} | {row['seconds'] / asked.pictures:.2f} | {row['whole']:.1f} s | {row['megabytes']:.0f} MB |")
    print(
        f"\nratio of the pictures {theirs['seconds'] / ours['seconds']:.2f}, of the whole commands {theirs['whole'] / ours['whole']:.2f}"
    )


if __name__ == "__main__":
    main()
