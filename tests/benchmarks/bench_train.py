"""How many pictures a second train each network, and what share of the machine's peak that is.

Run from the project's folder: .venv/bin/python tests/benchmarks/bench_train.py [--steps N]
The peak is that of a matrix product in what the network computes in, float32 or bfloat16, measured
in the same run. Pictures are noise. Each part of a step is timed where it stands, for alone it
would find its data in the cache; loop is what is left: the weight average, the learning rate and
all that lies between. mlp is timed as it learns from views that its teacher was asked about before
(see training/distillation.py).
"""

import argparse
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fashion_model import checkpoint
from fashion_model.training.classification import LabelTask
from fashion_model.training.distillation import DistillationTask, Views
from fashion_model.training.initialization import untrained
from fashion_model.training.pictures import PixelDataset
from fashion_model.training.recipes import CNN, MLP
from fashion_model.training.trainer import Trainer

CPU = torch.device("cpu")
CONFIGS = {"mlp": MLP, "cnn": CNN}
PICTURES = 55_000  # as many as are learnt from, so that a batch is as far from the cache
WARM_UP = 5  # steps
PARTS = ("network", "optimizer", "augmentation", "loop")


def peak(dtype: torch.dtype, size: int = 2048, rounds: int = 12) -> float:
    """Floating-point operations a second of a matrix product."""
    a, times = torch.randn(size, size).to(dtype), []
    for _ in range(rounds):
        start = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - start)
    return 2 * size**3 / statistics.median(times[2:])


def source_of(name: str) -> LabelTask | DistillationTask:
    """Noise to learn as name does."""
    pixels = torch.randint(0, 256, (PICTURES, 28, 28), dtype=torch.uint8)
    if name == "cnn":
        return LabelTask(PixelDataset.from_labels(pixels, torch.arange(PICTURES) % 10), CNN, CPU)
    views = DistillationTask(pixels, nn.Identity(), MLP)
    views.views = Views(pixels[None], torch.randn(1, PICTURES, 10).half())
    return views


def time_steps(name: str, steps: int) -> tuple[dict[str, float], int]:
    """Median seconds of each of PARTS and of a whole "step"; its floating-point operations."""
    config, source = replace(CONFIGS[name], epochs=1), source_of(name)
    trainer = Trainer(untrained(name, 0, CPU), config)
    marks: dict[str, float] = {}
    times: dict[str, list[float]] = {part: [] for part in (*PARTS, "step")}

    def mark(name: str) -> None:
        marks[name] = time.perf_counter()

    def batches(generator):
        stream = source.batches(generator)
        for _ in range(steps + WARM_UP):
            mark("begin")
            batch = next(stream)
            mark("drawn")
            yield batch
            mark("end")
            keep()

    def loss(network, batch):
        mark("forward")
        return source.loss(network, batch)

    def keep() -> None:
        spent = {
            "network": marks["learned"] - marks["forward"],
            "optimizer": marks["optimized"] - marks["learned"],
            "augmentation": marks["drawn"] - marks["begin"],
            "step": marks["end"] - marks["begin"],
        }
        spent["loop"] = 2 * spent["step"] - sum(spent.values())
        for part, seconds in spent.items():
            times[part].append(seconds)

    trainer.optimizers[0].register_step_pre_hook(lambda *_: mark("learned"))
    trainer.optimizers[-1].register_step_post_hook(lambda *_: mark("optimized"))
    with FlopCounterMode(display=False) as counted:
        batch = next(iter(source.batches(trainer.generator)))
        source.loss(trainer.network.train(), batch).backward()
    trainer.fit(batches, loss, steps + WARM_UP)
    medians = {part: statistics.median(found[WARM_UP:]) for part, found in times.items()}
    return medians, counted.get_total_flops()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    fast = checkpoint.has_fast_bfloat16(torch.device("cpu"))
    kinds = (False, True) if fast else (False,)
    best = {half: peak(torch.bfloat16 if half else torch.float32) for half in kinds}
    rates = ", ".join(
        f"{'bfloat16' if half else 'float32'} {rate / 1e9:.0f}" for half, rate in best.items()
    )
    print(f"{torch.get_num_threads()} threads, matrix product: {rates} GFLOP/s")
    columns = "pictures/s  network  optimizer  augmentation  loop  of peak"
    print(f"{'':5}{columns}   (network to loop: shares of a step)")
    for name in ("mlp", "cnn"):
        spent, operations = time_steps(name, options.steps)
        step, batch = spent["step"], CONFIGS[name].batch
        network, optimizer, augmentation, loop = (f"{spent[part] / step:.1%}" for part in PARTS)
        print(
            f"{name:5}{batch / step:10.0f}{network:>9}{optimizer:>11}{augmentation:>14}"
            f"{loop:>6}{operations / step / best[fast and CONFIGS[name].bfloat16]:>9.1%}"
        )


if __name__ == "__main__":
    main()
