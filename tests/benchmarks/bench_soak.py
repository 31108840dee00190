"""A soak: many clients, good and bad requests mixed, against `python app.py` on loopback.

    python tests/benchmarks/bench_soak.py [--clients 64] [--seconds 120]

Prints the good requests with their p50 and p99, how many of them failed (and why), what became of
the bad ones, the app's resident memory after a third of the time (the warm-up) and at the end,
and the most temporary files that lay there at once.
"""

import argparse
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import serving
import soaking

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    process, address = serving.running()
    folder = Path(serving.UPLOADS.name)
    report = soaking.soak(address, process.pid, folder, options.clients, options.seconds)
    good = report.good
    cuts = statistics.quantiles(good, n=100)
    print(f"good requests   {len(good)}, {len(good) / options.seconds:.1f} a second")
    print(f"                p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms")
    print(f"failed          {len(report.failed)} {report.failed[:5]}")
    print(f"bad requests    {dict(report.bad)}")
    warm = [mb for second, mb in report.memory if options.seconds / 3 <= second]
    growth = warm[-1] / warm[0] - 1
    print(f"memory          {warm[0]:.0f} MB warm, {warm[-1]:.0f} MB at the end ({growth:+.1%})")
    count, size = max(report.files)
    print(f"temporary files {count} at most, {size:.1f} MB")
    sys.exit(bool(report.failed) or growth > 0.05)
