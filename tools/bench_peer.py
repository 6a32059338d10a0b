#!/usr/bin/env python3
"""acol against PyTorch on the CPU: the same network, the same weights, the same pictures, the same number of threads.

    tools/bench_peer.py                            ratio table of all cases
    tools/bench_peer.py --accuracy --cases none    errors of both against float64
    tools/bench_peer.py --isa avx2                 both without AVX-512

PyTorch comes from PyPI into a virtual environment of its own beside the program (several GB), or give --python an
interpreter that has torch and numpy. PyTorch runs with an allocator that keeps its memory (without that, page faults
cost it 10 to 40 %), in each of its formats, of which the best counts; float32, no autocast. Before anything is timed,
both must give the same outputs, losses and gradients. Then they take turns: acol in a process of its own while PyTorch
waits, PyTorch here, and so on; medians over the rounds."""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[1]
INSIDE = "ACOL_BENCH_PEER_INSIDE"
CASES = [f"{side}x{side}-{what}" for side in (14, 28) for what in ("forward-1", "forward-8", "train-8")]
TUNED = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
# oneDNN's convolutions, ATen's own loops, MKL's products.
TORCH_AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def fail(text):
    raise SystemExit("bench_peer: " + text)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--acol", type=pathlib.Path, default=ROOT / "build" / "acol", help="the program (build/acol)")
    add("--python", type=pathlib.Path, help="interpreter with torch and numpy; default: peer-venv beside the program")
    add("--cases", default="all", help="all, none, or some of " + ",".join(CASES))
    add("--latency-1-thread", action="store_true", help="also one picture on one thread")
    add("--accuracy", action="store_true", help="also the errors against float64")
    add("--isa", choices=["avx2"], help="the most that both may use")
    add("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: one a core")
    add("--rounds", type=int, default=5, help="turns of each")
    add("--repeats", type=int, default=3, help="timed runs a turn")
    add("--arch", default="vgg16")
    add("--width", type=float, default=1.0, help="factor on all channel counts")
    add("--size", type=int, default=224, help="side of the pictures; the maps of a case are called by what 224 gives")
    add("--classes", type=int, default=200)
    add("--json", type=pathlib.Path, help="write the figures there, too")
    options = parser.parse_args()
    if options.cases == "all":
        options.cases = CASES
    else:
        options.cases = [case for case in options.cases.split(",") if case not in ("none", "")]
    for case in options.cases:
        if case not in CASES:
            parser.error(f"unknown case '{case}'; there are {', '.join(CASES)}")
    for name in ("threads", "rounds", "repeats", "size", "classes"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    if not (options.cases or options.accuracy or options.latency_1_thread):
        parser.error("nothing to do: no cases, no --accuracy, no --latency-1-thread")
    if not os.access(options.acol, os.X_OK):
        parser.error(f"no program {options.acol}: build it first (cmake --build build), or say where with --acol")
    return options


def has_torch(python):
    return subprocess.run([python, "-c", "import torch, numpy"], capture_output=True).returncode == 0


def find_python(options):
    if options.python:
        if not has_torch(options.python):
            fail(f"{options.python} cannot import torch and numpy")
        return options.python
    venv = options.acol.resolve().parent / "peer-venv"
    python = venv / "bin" / "python"
    if python.exists() and has_torch(python):
        return python
    print(f"bench_peer: installing torch and numpy in {venv}, which takes minutes", file=sys.stderr)
    for command in ([sys.executable, "-m", "venv", venv], [python, "-m", "pip", "install", "-q", "torch", "numpy"]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            hint = "" if "pip" in command else "; Debian has venv in the package python3-venv"
            fail(f"`{shlex.join(map(str, command))}` failed: {(done.stderr or done.stdout).strip()[-500:]}{hint}")
    if not has_torch(python):
        fail(f"the torch in {venv} cannot be imported; remove that folder, or use --python")
    return python


def restart_inside(options):
    """This script again, in the interpreter that has torch, with what is read before a process starts."""
    python = find_python(options)
    environment = {**os.environ, **TUNED, INSIDE: "1", "OMP_NUM_THREADS": str(options.threads)}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):  # each waits for its threads as it is made to
        environment.pop(name, None)
    if options.isa == "avx2":
        environment.update(TORCH_AVX2)
    os.execve(python, [str(python), __file__, *sys.argv[1:]], environment)


class Acol:
    """Runs the program, as a user would: without the settings made for PyTorch."""

    def __init__(self, options):
        self.options = options
        tuned = (*TUNED, *TORCH_AVX2, INSIDE, "OMP_NUM_THREADS")
        self.environment = {name: value for name, value in os.environ.items() if name not in tuned}
        if options.isa:
            self.environment["ACOL_SIMD"] = options.isa

    def run(self, *words):
        command = [str(word) for word in (self.options.acol, *words)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            fail(f"`{shlex.join(command)}` failed: {done.stderr.strip()}")
        return done.stdout

    def bench(self, what, map_stride, batch, threads, repeats, save=None):
        """The JSON of `acol bench WHAT`."""
        o = self.options
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "bench.json"
            words = ["bench", what, "--arch", o.arch, "--width", o.width, "--size", o.size, "--classes", o.classes]
            words += ["--map-stride", map_stride, "--batch-size", batch, "--threads", threads, "--repeats", repeats]
            self.run(*words, "--json", path, *(["--save", save] if save else []))
            return json.loads(path.read_text())


def time_runs(body, repeats, warm_up):
    for _ in range(warm_up):
        body()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        body()
        times.append(1000 * (time.perf_counter() - start))
    return times


class TorchForward:
    """A forward pass in every format that PyTorch has for it."""

    def __init__(self, folder):
        import torch
        from bench_peer_net import check_outputs, load, nchw, read_safetensors

        self.torch = torch
        saved, _ = read_safetensors(folder / "net.safetensors")
        x = nchw(saved["input"])
        self.runs, self.skipped, self.largest_error = {}, {}, 0.0
        for name in ("NCHW", "channels_last", "frozen"):
            network = load(folder / "model.safetensors")[0].eval()
            try:
                self.runs[name] = self.prepared(name, network, x)
            except Exception as problem:  # whatever a version of the compiler does not like
                self.skipped[name] = f"{type(problem).__name__}: {str(problem).strip().splitlines()[0]}"
                continue
            with torch.inference_mode():
                self.largest_error = max(self.largest_error, check_outputs(self.runs[name](), saved))

    def prepared(self, name, network, x):
        torch = self.torch
        if name == "channels_last":
            network, x = network.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
        if name == "frozen":
            with torch.no_grad():
                network = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, x)))
                for _ in range(3):  # the first runs still compile
                    network(x)
        return lambda: network(x)

    def time(self, name, repeats):
        with self.torch.inference_mode():
            return time_runs(self.runs[name], repeats, 1)


class TorchTrain:
    """A training step in both memory formats."""

    def __init__(self, folder):
        import torch
        from bench_peer_net import check_step, load, make_optimizer, nchw, read_safetensors, train_step

        saved, _ = read_safetensors(folder / "train.safetensors")
        self.largest_error = check_step(folder / "model.safetensors", saved)
        self.skipped, self.runs = {}, {}
        x, labels = nchw(saved["input"]), saved["labels"].long()
        for name, memory_format in (("NCHW", torch.contiguous_format), ("channels_last", torch.channels_last)):
            network, config = load(folder / "model.safetensors")
            network = network.train().to(memory_format=memory_format)
            optimizer, pictures = make_optimizer(network, config), x.to(memory_format=memory_format)
            self.runs[name] = lambda n=network, o=optimizer, p=pictures: train_step(n, o, p, labels)

    def time(self, name, repeats):
        return time_runs(self.runs[name], repeats, 1)


def compare(acol, name, threads, folder):
    """One row of the table: checks, then rounds of acol, PyTorch, acol, PyTorch, ..."""
    import torch

    options = acol.options
    torch.set_num_threads(threads)
    side, what, batch = name.split("-")
    map_stride, batch = {"14x14": 16, "28x28": 8}[side], int(batch)
    kind = "net" if what == "forward" else "train"
    print(f"bench_peer: {name}: checking", file=sys.stderr)
    acol.bench(kind, map_stride, batch, threads, 1, save=folder)
    peer = TorchForward(folder) if what == "forward" else TorchTrain(folder)
    shutil.rmtree(folder)

    ours, theirs = [], {fmt: [] for fmt in peer.runs}
    for turn in range(options.rounds):
        print(f"bench_peer: {name}: round {turn + 1} of {options.rounds}", file=sys.stderr)
        result = acol.bench(kind, map_stride, batch, threads, options.repeats)
        ours.append(result["rows"][0])
        for fmt, times in theirs.items():
            times.append(peer.time(fmt, options.repeats))
    medians = {fmt: statistics.median(statistics.median(turn) for turn in times) for fmt, times in theirs.items()}
    minima = {fmt: min(min(turn) for turn in times) for fmt, times in theirs.items()}
    best = min(medians, key=medians.get)
    ms = statistics.median(row["ms_median"] for row in ours)
    ms_min = min(row["ms_min"] for row in ours)
    return {
        "case": name,
        "threads": threads,
        "batch": batch,
        "acol_ms": ms,
        "acol_ms_min": ms_min,
        "acol_peak_rss_mb": max(row["peak_rss_mb"] for row in ours),
        "torch_ms": medians,
        "torch_ms_min": minima,
        "torch_skipped": peer.skipped,
        "torch_best": best,
        "ratio": medians[best] / ms,
        "ratio_of_minima": min(minima.values()) / ms_min,
        "largest_difference": peer.largest_error,
        "level": result["level"],
    }


def ratio_table(rows):
    formats = [fmt for fmt in ("NCHW", "channels_last", "frozen") if any(fmt in row["torch_ms"] for row in rows)]
    head = ["maps", "what", "batch", "threads", "acol"] + [f"PyTorch {fmt}" for fmt in formats]
    lines = ["| " + " | ".join(head + ["ratio", "of minima"]) + " |", "|" + "---|" * (len(head) + 2)]
    for row in rows:
        side, what, _ = row["case"].split("-")
        cells = [side, "training step" if what == "train" else what, str(row["batch"]), str(row["threads"])]
        cells.append(f"{row['acol_ms']:.1f} ms, {1000 * row['batch'] / row['acol_ms']:.2f} img/s")
        for fmt in formats:
            text = f"{row['torch_ms'][fmt]:.1f} ms" if fmt in row["torch_ms"] else "-"
            cells.append(f"**{text}**" if fmt == row["torch_best"] else text)
        lines.append("| " + " | ".join(cells + [f"**{row['ratio']:.2f}**", f"{row['ratio_of_minima']:.2f}"]) + " |")
    return "\n".join(lines)


def accuracy(acol, folder):
    from bench_peer_accuracy import layer_errors, net_errors

    print("bench_peer: errors against float64", file=sys.stderr)
    results = {}
    for side, map_stride in (("14x14", 16), ("28x28", 8)):
        parts = {kind: folder / side / kind for kind in ("conv", "net", "train")}
        rows = {}
        for kind, part in parts.items():
            rows[kind] = acol.bench(kind, map_stride, 1, acol.options.threads, 1, save=part)["rows"]
        names = [row["layer"] for row in rows["conv"] if row["what"] == "forward"]
        results[side] = {"layers": layer_errors(parts["conv"], names), "net": net_errors(parts["net"], parts["train"])}
        shutil.rmtree(folder / side)
    return results


def versions(acol):
    import torch

    one_dnn = re.search(r"DNN v([\d.]+)", torch.__config__.show())
    return {
        "acol": acol.run("--version").strip(),
        "torch": torch.__version__,
        "onednn": one_dnn[1] if one_dnn else "none",
        "python": platform.python_version(),
    }


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def print_cases(rows):
    print(ratio_table(rows))
    forward = [row["largest_difference"] for row in rows if "forward" in row["case"]]
    train = [row["largest_difference"] for row in rows if "train" in row["case"]]
    if forward:
        print(f"\nBefore: outputs of both the same within {max(forward):.1e} (relative L2).")
    if train:
        print(f"\nBefore: gradients of both the same within {max(train):.1e} (relative L2, the worst of all weights).")
    for row in rows:
        for fmt, problem in row["torch_skipped"].items():
            print(f"\n{row['case']}: PyTorch {fmt} left out: {problem}")


def print_accuracy(results):
    from bench_peer_accuracy import layer_table, net_table

    for side, tables in results.items():
        print(f"\nErrors against float64 (relative L2), {side}, one picture.\n")
        print(layer_table(tables["layers"]) + "\n\n" + net_table(tables["net"]))


def main():
    options = parse_arguments()
    if INSIDE not in os.environ:
        restart_inside(options)
    import torch
    from bench_peer_net import Mismatch

    sys.stdout.reconfigure(line_buffering=True)
    warnings.filterwarnings("ignore")  # of tracing
    torch.set_num_threads(options.threads)
    acol = Acol(options)
    result = {
        "command": shlex.join(["tools/bench_peer.py", *sys.argv[1:]]),
        "cpu": cpu_name(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "threads": options.threads,
        "versions": versions(acol),
        "cases": [],
    }
    print(f"`{result['command']}`\n")
    forced = ", AVX2 forced on both" if options.isa else ""
    print(f"{result['cpu']}, {options.threads} threads{forced}, {result['date']}.")
    print("{acol}; PyTorch {torch} with oneDNN {onednn}, allocator tuned.".format(**result["versions"]))
    print(f"{options.rounds} rounds of {options.repeats} runs each in turn; medians; ratio = best PyTorch / acol.\n")
    cases = [(case, options.threads) for case in options.cases]
    if options.latency_1_thread:
        cases += [(case, 1) for case in ("14x14-forward-1", "28x28-forward-1")]
    # The weights are large: they lie beside the program, not in a /tmp that may be memory.
    with tempfile.TemporaryDirectory(prefix="acol-peer-", dir=options.acol.resolve().parent) as temporary:
        folder = pathlib.Path(temporary)
        try:
            for case, threads in cases:
                result["cases"].append(compare(acol, case, threads, folder / case))
            if result["cases"]:
                print_cases(result["cases"])
            if options.accuracy:
                result["accuracy"] = accuracy(acol, folder)
                print_accuracy(result["accuracy"])
        except Mismatch as mismatch:
            fail(str(mismatch))
    if options.json:
        partial = options.json.with_name(options.json.name + ".partial")
        partial.write_text(json.dumps(result, indent=2) + "\n")
        partial.replace(options.json)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit(130)
