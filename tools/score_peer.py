#!/usr/bin/env python3
"""`acol score` beside an evaluator in NumPy and OpenCV, on the same maps: equal results first, then times in turn.

    python3 -m venv venv && venv/bin/pip install numpy opencv-python-headless
    venv/bin/python tools/score_peer.py --acol build/acol --maps 100

The evaluator is that of tools/golden/make_wsol_metrics.py: it searches contours at each of the 1,000 thresholds, as the
published one does. "each cut once" searches them once for thresholds that cut the bytes at the same value, which a
careful user of Python would do. Both read float64 maps of 224 x 224 from .npy files and compute MaxBoxAcc and V2.
acol's time is that of the whole process; Python's begins after its imports.
"""
import argparse
import json
import multiprocessing
import pathlib
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent / "golden"))
import make_wsol_metrics as metrics

SIDE, STEP = 224, 0.001


def smooth_map(rng):
    """Up to three hills and some unrest on 28 x 28, resized, as a network's maps are."""
    y, x = np.mgrid[0:28, 0:28]
    values = rng.uniform(0, 0.08, (28, 28))
    for _ in range(rng.integers(1, 4)):
        u, v, width, height = rng.uniform(5, 23), rng.uniform(5, 23), rng.uniform(2, 6), rng.uniform(0.4, 1)
        values += height * np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * width * width))
    return metrics.min_max(cv2.resize(values, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))


def make_set(folder, count):
    rng = np.random.default_rng(1)
    lists = {name: [] for name in ("image_ids", "class_labels", "image_sizes", "localization")}
    (folder / "maps").mkdir()
    truth = {}
    for i in range(count):
        name = f"{i}.jpg"
        np.save(folder / "maps" / f"{i}.npy", smooth_map(rng))
        x0, y0 = rng.integers(0, 120, 2)
        box = [int(x0), int(y0), int(x0 + rng.integers(40, 103)), int(y0 + rng.integers(40, 103))]
        truth[name] = np.array([box])
        lists["image_ids"].append(name)
        lists["class_labels"].append(f"{name},0")
        lists["image_sizes"].append(f"{name},{SIDE},{SIDE}")
        lists["localization"].append(",".join([name, *map(str, box)]))
    (folder / "test").mkdir()
    for name, lines in lists.items():
        (folder / "test" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return truth


def overlaps_each_cut_once(metric, scores, truth):
    byte_map = (scores * 255).astype(np.uint8)
    highest, known = int(byte_map.max()), {}
    for tau in metric.taus:
        cut = int(tau * highest)
        if cut not in known:
            largest, every = metrics.boxes_at(byte_map, tau)
            known[cut] = metrics.best_iou(largest, truth), metrics.best_iou(every, truth)
    return np.array([known[int(tau * highest)] for tau in metric.taus]).T


def evaluate_part(arguments):
    folder, truth, once = arguments
    cv2.setNumThreads(1)
    metric = metrics.MaxBoxAcc(STEP)
    for name, boxes in truth.items():
        scores = np.load(folder / "maps" / (name[:-4] + ".npy"))
        metric.add(overlaps_each_cut_once(metric, scores, boxes) if once else metric.overlaps(scores, boxes))
    return metric


def python_seconds(folder, truth, processes, once):
    names = list(truth)
    parts = [(folder, {name: truth[name] for name in names[i::processes]}, once) for i in range(processes)]
    start = time.perf_counter()
    if processes == 1:
        done = [evaluate_part(parts[0])]
    else:
        with multiprocessing.Pool(processes) as pool:
            done = pool.map(evaluate_part, parts, chunksize=1)
    total = metrics.MaxBoxAcc(STEP)
    for part in done:
        total.count += part.count
        total.hits_v1 += part.hits_v1
        total.hits_v2 += part.hits_v2
    result = total.result()
    return time.perf_counter() - start, result[:5] + [round(float(tau), 12) for tau in result[5:]]  # as acol writes them


def acol_seconds(acol, folder, threads):
    out = folder / "scores.json"
    command = [acol, "score", "--maps", folder / "maps", "--metadata", folder, "--threads", threads, "--out", out]
    start = time.perf_counter()
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    got = json.loads(out.read_text())
    at, best = got["max_box_acc_at"], got["best_thresholds_v2"]
    return seconds, [got["max_box_acc"], got["max_box_acc_v2"], *at.values(), got["best_threshold"], *best.values()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--acol", default="build/acol", help="the program")
    parser.add_argument("--maps", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=3, help="runs of each, in turn")
    parser.add_argument("--threads", type=int, default=2, help="acol's threads and Python's processes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        truth = make_set(folder, options.maps)
        acol = lambda: acol_seconds(options.acol, folder, options.threads)
        acol()  # the files are in the system's cache from here on
        ways = {
            "one process": lambda: python_seconds(folder, truth, 1, False),
            f"{options.threads} processes": lambda: python_seconds(folder, truth, options.threads, False),
            f"{options.threads} processes, each cut once": lambda: python_seconds(folder, truth, options.threads, True),
        }
        print("| Python | Python, maps/s | acol, maps/s | ratio |\n|---|---|---|---|")
        for way, run in ways.items():
            rates = {"python": [], "acol": []}
            for _ in range(options.pairs):
                for who, measure in (("acol", acol), ("python", run)):
                    seconds, result = measure()
                    rates[who].append(options.maps / seconds)
                    expected = result if who == "acol" else expected
                    if result != expected:
                        raise SystemExit(f"score_peer: results differ: acol {expected}, Python {result}")
            python, ours = np.median(rates["python"]), np.median(rates["acol"])
            print(f"| {way} | {python:.2f} | {ours:.1f} | {ours / python:.1f} |", flush=True)
    print(f"\n{options.maps} maps, medians of {options.pairs} runs in turn; acol on {options.threads} threads.")
    print("Equal results.")


if __name__ == "__main__":
    main()
