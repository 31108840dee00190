"""How many pictures a second train each network, and what share of the machine's peak that is.

Run from the project's folder: .venv/bin/python tests/benchmarks/bench_train.py [--steps N]
The peak is that of a matrix product in what the network computes in, float32 or bfloat16, measured
in the same run. Pictures are noise. mlp is timed as it learns from views that its teacher was asked
about before (see fashion_model/distillation.py).
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch.utils.flop_counter import FlopCounterMode

from fashion_model.distillation import Views
from fashion_model.recipes import RECIPES
from fashion_model.run import Run
from fashion_model.training import as_input, augmented, loss_of


def seconds(call, rounds: int) -> float:
    """Median of rounds calls, after two to warm up."""
    times = []
    for _ in range(rounds + 2):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:])


def peak(dtype: torch.dtype, size: int = 2048) -> float:
    """Floating-point operations a second of a matrix product."""
    a = torch.randn(size, size).to(dtype)
    return 2 * size**3 / seconds(lambda: a @ a, 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    best = {half: peak(torch.bfloat16 if half else torch.float32) for half in (False, True)}
    told = ", ".join(
        f"{'bfloat16' if half else 'float32'} {rate / 1e9:.0f}" for half, rate in best.items()
    )
    print(f"{torch.get_num_threads()} threads, matrix product: {told} GFLOP/s")
    columns = "pictures/s  network  optimiser  augmentation  loop  of peak"
    print(f"{'':5}{columns}   (network to loop: shares of a step)")
    for name in ("mlp", "cnn"):
        recipe = RECIPES[name]
        run = Run(name, recipe, device="cpu")
        pixels = torch.randint(0, 256, (20 * recipe.batch, 28, 28), dtype=torch.uint8)
        accept = torch.eye(10).bool().repeat(len(pixels) // 10, 1)
        index = torch.arange(recipe.batch)

        views = Views(pixels, torch.randn(len(pixels), 10).half(), 1) if recipe.teachers else None

        def drawn(pixels=pixels, recipe=recipe, run=run, views=views):
            index = torch.randint(0, len(pixels), (recipe.batch,))
            if views is not None:
                return views.drawn(index, run.generator)[0]
            return augmented(as_input(pixels[index]), recipe, run.generator)

        x, y = drawn(), accept[index]

        def learn(network, x=x, y=y, smoothing=recipe.smoothing):
            return loss_of(network(x), y, smoothing)

        def backward(run=run, learn=learn, half=recipe.bfloat16):
            run.twin.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                loss = learn(run.twin)
            loss.backward()

        def optimise(run=run):
            for optimizer in run.optimizers:
                optimizer.step()

        def whole(run=run, learn=learn, drawn=drawn):
            drawn()
            run.step(learn, last=10_000)

        with FlopCounterMode(display=False) as flops:
            backward()
        step = seconds(whole, options.steps)
        parts = [seconds(part, options.steps) for part in (backward, optimise, drawn)]
        shares = [part / step for part in (*parts, step - sum(parts))]
        network, optimiser, augmentation, loop = (f"{share:.1%}" for share in shares)
        print(
            f"{name:5}{recipe.batch / step:10.0f}{network:>9}{optimiser:>11}{augmentation:>14}"
            f"{loop:>6}{flops.get_total_flops() / step / best[recipe.bfloat16]:>9.1%}"
        )


if __name__ == "__main__":
    main()
