"""How many pictures a second train each network, and what share of the machine's peak that is.

Run from the project's folder: .venv/bin/python tests/benchmarks/bench_train.py [--steps N]
The peak is that of a matrix product in what the network computes in, float32 or bfloat16, measured
in the same run. Pictures are noise. Each part of a step is timed where it stands, for alone it
would find its data in the cache; loop is what is left: the weight average, the learning rate and
all that lies between. mlp is timed as it learns from views that its teacher was asked about before
(see fashion_model/distillation.py).
"""

import argparse
import statistics
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch.utils.flop_counter import FlopCounterMode

from fashion_model.training.augment import augmented
from fashion_model.training.distillation import Views, taught
from fashion_model.training.recipes import ALONE, RECIPES
from fashion_model.training.train import as_input, loss_of
from fashion_model.training.trainer import Run

PICTURES = 55_000  # as many as are learnt from, so that a batch is as far from the cache
WARM_UP = 5  # steps
PARTS = ("network", "optimiser", "augmentation", "loop")


def peak(dtype: torch.dtype, size: int = 2048, rounds: int = 12) -> float:
    """Floating-point operations a second of a matrix product."""
    a, times = torch.randn(size, size).to(dtype), []
    for _ in range(rounds):
        start = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - start)
    return 2 * size**3 / statistics.median(times[2:])


def time_steps(name: str, steps: int) -> tuple[dict[str, float], int, int]:
    """Median seconds of each of PARTS and of a whole "step"; its floating-point operations, and
    its pictures."""
    recipe = replace(RECIPES[name], **ALONE[name])
    run = Run(name, recipe, device="cpu")
    pixels = torch.randint(0, 256, (PICTURES, 28, 28), dtype=torch.uint8)
    accept = torch.eye(10).bool().repeat(PICTURES // 10, 1)
    views = Views(pixels, torch.randn(PICTURES, 10).half(), 1) if recipe.teachers else None
    marks: dict[str, float] = {}

    def mark(name: str) -> None:
        marks[name] = time.perf_counter()

    def learn(network, x, index, logits):
        mark("forward")
        said = network(x)
        if logits is None:
            return loss_of(said, accept[index], recipe.smoothing)
        return taught(said, logits)

    run.optimizers[0].register_step_pre_hook(lambda *_: mark("learnt"))
    run.optimizers[-1].register_step_post_hook(lambda *_: mark("optimised"))
    times: dict[str, list[float]] = {part: [] for part in (*PARTS, "step")}
    operations = 0
    for number in range(steps + WARM_UP):
        mark("begin")
        index = torch.randint(0, PICTURES, (recipe.batch,))
        if views is None:
            x, logits = augmented(as_input(pixels[index]), recipe, run.generator), None
        else:
            x, logits = views.drawn(index, run.generator, recipe.jitter)
        mark("drawn")
        with FlopCounterMode(display=False) if number == 0 else nullcontext() as counted:
            run.step(partial(learn, x=x, index=index, logits=logits), last=10_000)
        mark("end")
        if counted is not None:
            operations = counted.get_total_flops()
        if number < WARM_UP:
            continue
        spent = {
            "network": marks["learnt"] - marks["forward"],
            "optimiser": marks["optimised"] - marks["learnt"],
            "augmentation": marks["drawn"] - marks["begin"],
            "step": marks["end"] - marks["begin"],
        }
        spent["loop"] = 2 * spent["step"] - sum(spent.values())
        for part, seconds in spent.items():
            times[part].append(seconds)
    return {k: statistics.median(v) for k, v in times.items()}, operations, recipe.batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    best = {half: peak(torch.bfloat16 if half else torch.float32) for half in (False, True)}
    told = ", ".join(
        f"{'bfloat16' if half else 'float32'} {rate / 1e9:.0f}" for half, rate in best.items()
    )
    print(f"{torch.get_num_threads()} threads, matrix product: {told} GFLOP/s")
    columns = "pictures/s  network  optimiser  augmentation  loop  of peak"
    print(f"{'':5}{columns}   (network to loop: shares of a step)")
    for name in ("mlp", "cnn"):
        spent, operations, batch = time_steps(name, options.steps)
        step = spent["step"]
        network, optimiser, augmentation, loop = (f"{spent[part] / step:.1%}" for part in PARTS)
        print(
            f"{name:5}{batch / step:10.0f}{network:>9}{optimiser:>11}{augmentation:>14}"
            f"{loop:>6}{operations / step / best[RECIPES[name].bfloat16]:>9.1%}"
        )


if __name__ == "__main__":
    main()
