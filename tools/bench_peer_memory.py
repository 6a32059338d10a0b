"""Peak memory of a training step and of one inference: of acol, and of PyTorch, each in a process of its own. Used by
bench_peer.py, which starts this file for a PyTorch process:

    bench_peer_memory.py import THREADS
    bench_peer_memory.py train|forward THREADS FORMAT FOLDER   (FOLDER: what acol bench --save wrote)

It prints the most memory that it had in use, MB (2^20 bytes)."""

import json
import pathlib
import shutil
import subprocess
import sys
import warnings

FORMATS = {"train": ("NCHW", "channels_last"), "forward": ("NCHW", "channels_last", "frozen")}
MAPS = {"14x14": 16, "28x28": 8}  # map strides
TRAIN_BATCH = 8
MISMATCH = 3  # exit status


def peak_rss_mb():
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("no VmHWM in /proc/self/status")


def main(kind, threads, fmt=None, folder=None):
    import torch

    torch.set_num_threads(int(threads))
    warnings.filterwarnings("ignore")  # of tracing
    if kind == "import":
        print(peak_rss_mb())
        return
    import bench_peer_net as net

    # Two runs, since the second has beside it what the first left: momentum, or a compiled network. What is compared
    # is read after the memory is, and everything before tensor by tensor.
    folder = pathlib.Path(folder)
    saved = net.Safetensors(folder / f"{'net' if kind == 'forward' else 'train'}.safetensors")
    try:
        if kind == "forward":
            x = net.nchw(saved["input"])
            run = net.forward_in_format(net.load(folder / "model.safetensors")[0].eval(), x, fmt)
            with torch.inference_mode():
                run()
                outputs = run()
            peak = peak_rss_mb()
            net.check_outputs(outputs, saved)
        else:
            run = net.train_in_format(folder / "model.safetensors", net.nchw(saved["input"]), saved["labels"], fmt)
            losses = [loss.detach() for loss in run() if loss is not None]
            run()
            peak = peak_rss_mb()
            for name, loss in zip(("loss_a", "loss_b"), losses):
                net.demand(name, net.error(saved[name], loss.reshape(1)), net.OUTPUT_LIMIT)
    except net.Mismatch as mismatch:
        print(mismatch, file=sys.stderr)
        raise SystemExit(MISMATCH)
    print(peak)


def torch_peak(environment, *words):
    """MB, or why there is none."""
    command = [sys.executable, __file__, *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode == 0:
        return float(done.stdout)
    if done.returncode == MISMATCH:
        raise SystemExit(f"bench_peer: memory: {done.stderr.strip()}")
    return (done.stderr.strip() or f"ended with status {done.returncode}").splitlines()[-1]


def measure(acol, environments, folder):
    """`environments`: those to run PyTorch in, by what the table calls them. `folder` is for weights and pictures."""
    threads = acol.options.threads
    result = {"import_torch_mb": torch_peak(next(iter(environments.values())), "import", threads), "rows": []}
    for maps, stride in MAPS.items():
        print(f"bench_peer: memory, {maps}", file=sys.stderr)
        ours = {
            how: acol.bench("memory", stride, TRAIN_BATCH, threads, more=["--memory", how])["rows"]
            for how in ("plain", "lean")
        }
        for kind, batch in (("train", TRAIN_BATCH), ("forward", 1)):
            row = {"maps": maps, "what": kind, "batch": batch, "torch_mb": {}, "torch_skipped": {}}
            peaks = {how: next(r["peak_rss_mb"] for r in rows if r["what"] == kind) for how, rows in ours.items()}
            row["acol_mb"] = peaks if kind == "train" else {"plain": peaks["plain"]}  # inference has no lean
            acol.bench("net" if kind == "forward" else "train", stride, batch, threads, 1, save=folder)
            for name, environment in environments.items():
                row["torch_mb"][name] = {}
                for fmt in FORMATS[kind]:
                    print(f"bench_peer: memory, {maps}, {kind}: PyTorch {fmt}, {name}", file=sys.stderr)
                    peak = torch_peak(environment, kind, threads, fmt, folder)
                    part = "torch_mb" if isinstance(peak, float) else "torch_skipped"
                    row[part].setdefault(name, {})[fmt] = peak
            shutil.rmtree(folder)
            found = [peak for peaks in row["torch_mb"].values() for peak in peaks.values()]
            if not found:
                raise SystemExit(f"bench_peer: memory of PyTorch: none measured: {row['torch_skipped']}")
            row["ratio"] = {how: min(found) / mb for how, mb in row["acol_mb"].items()}
            result["rows"].append(row)
    return result


def table(result):
    names = list(result["rows"][0]["torch_mb"])
    formats = FORMATS["forward"]
    head = ["maps", "what", "batch", "acol plain", "acol lean", *(f"PyTorch {fmt}" for fmt in formats)]
    head += ["ratio plain", "ratio lean"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in result["rows"]:
        cells = [row["maps"], "training step" if row["what"] == "train" else row["what"], str(row["batch"])]
        cells += [f"{row['acol_mb'][how]:.0f} MB" if how in row["acol_mb"] else "-" for how in ("plain", "lean")]
        for fmt in formats:
            peaks = [row["torch_mb"][name].get(fmt) for name in names]
            text = " / ".join("-" if peak is None else f"{peak:.0f}" for peak in peaks)
            cells.append("-" if not any(peaks) else text + " MB")
        cells += [f"**{row['ratio'][how]:.2f}**" if how in row["ratio"] else "-" for how in ("plain", "lean")]
        lines.append("| " + " | ".join(cells) + " |")
    lines.append(f"\nPeak memory (VmHWM) after two runs. PyTorch: allocator {' / '.join(names)}; ratio = the least of")
    alone = result["import_torch_mb"]
    lines.append(f"PyTorch / acol. Importing torch alone: {alone if isinstance(alone, str) else f'{alone:.0f} MB'}.")
    for row in result["rows"]:
        for name, problems in row["torch_skipped"].items():
            for fmt, problem in problems.items():
                lines.append(f"\n{row['maps']} {row['what']}: PyTorch {fmt} ({name}) left out: {problem}")
    return "\n".join(lines)


if __name__ == "__main__":
    main(*sys.argv[1:])
