#!/usr/bin/env python3
"""acol against PyTorch: the same network, the same weights, the same pictures, the same number of threads.

    tools/bench_peer.py                            tables of all cases
    tools/bench_peer.py --accuracy --cases none    errors of both against float64
    tools/bench_peer.py --isa avx2                 both without AVX-512
    tools/bench_peer.py --cases memory             peak memory only
    tools/bench_peer.py --cases two-processes      two acol processes at once; without PyTorch
    tools/bench_peer.py --device cuda              on an NVIDIA card (bench_peer_gpu.py says how)
    tools/bench_peer.py --device cuda --dry-run    the same code on the CPU with the emulated card; times mean nothing

PyTorch comes from PyPI into a virtual environment of its own beside the program (several GB), or give --python an
interpreter that has torch and numpy. PyTorch runs with an allocator that keeps its memory (without that, page faults
cost it 10 to 40 %), in each of its formats, of which the best counts; float32, no autocast. Before anything is timed,
both must give the same outputs, losses and gradients. Then they take turns: acol in a process of its own while PyTorch
waits, PyTorch here, and so on; medians over the rounds. Peak memory is that of processes of their own after two runs,
of PyTorch with both allocators."""

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
TIMED = [f"{side}x{side}-{what}" for side in (14, 28) for what in ("forward-1", "forward-8", "train-8")]
CASES = [*TIMED, "memory", "two-processes"]
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
    import bench_peer_gpu

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--acol", type=pathlib.Path, help="the program (build/acol; of a dry run build/acol_emulated)")
    add("--python", type=pathlib.Path, help="interpreter with torch and numpy; default: peer-venv beside the program")
    add("--device", choices=["cpu", "cuda"], default="cpu")
    add("--cases", default="all", help=f"all, none, or some of {','.join(CASES)}; for cuda see below")
    add("--latency-1-thread", action="store_true", help="also one picture on one thread")
    add("--accuracy", action="store_true", help="also the errors against float64")
    add("--isa", choices=["avx2"], help="the most that both may use")
    add("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: one a core")
    add("--rounds", type=int, help="turns of each (5; cuda 2)")
    add("--repeats", type=int, help="timed runs a turn (3; cuda 25)")
    add("--arch", default="vgg16")
    add("--width", type=float, help="factor on all channel counts (1)")
    add("--size", type=int, help="side of the pictures (224); the maps of a case are called by what 224 gives")
    add("--classes", type=int, help="(200)")
    add("--json", type=pathlib.Path, help="write the figures there, too")
    bench_peer_gpu.add_options(parser)
    options = parser.parse_args()
    if options.device == "cuda":
        bench_peer_gpu.complete(options, ROOT / "build", parser.error)
    else:
        bench_peer_gpu.refuse(options, parser.error)
    defaults = {"acol": ROOT / "build" / "acol", "rounds": 5, "repeats": 3, "width": 1.0, "size": 224, "classes": 200}
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    if options.cases == "all":
        options.cases = CASES
    elif isinstance(options.cases, str):
        options.cases = [case for case in options.cases.split(",") if case not in ("none", "")]
    for case in options.cases if options.device == "cpu" else []:
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


def needs_torch(options):
    return options.accuracy or options.latency_1_thread or set(options.cases) != {"two-processes"}


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

    def bench(self, what, map_stride, batch, threads, repeats=None, save=None, more=()):
        """The JSON of `acol bench WHAT`, with options `more`."""
        o = self.options
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "bench.json"
            words = ["bench", what, "--arch", o.arch, "--width", o.width, "--size", o.size, "--classes", o.classes]
            words += ["--map-stride", map_stride, "--batch-size", batch, "--threads", threads, *more]
            words += ["--repeats", repeats] if repeats else []
            words += ["--save", save] if save else []
            self.run(*words, "--json", path)
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
        from bench_peer_net import check_outputs, forward_in_format, load, nchw, read_safetensors

        self.torch = torch
        saved, _ = read_safetensors(folder / "net.safetensors")
        x = nchw(saved["input"])
        self.runs, self.skipped, self.largest_error = {}, {}, 0.0
        for name in ("NCHW", "channels_last", "frozen"):
            network = load(folder / "model.safetensors")[0].eval()
            try:
                self.runs[name] = forward_in_format(network, x, name)
            except Exception as problem:  # whatever a version of the compiler does not like
                self.skipped[name] = f"{type(problem).__name__}: {str(problem).strip().splitlines()[0]}"
                continue
            with torch.inference_mode():
                self.largest_error = max(self.largest_error, check_outputs(self.runs[name](), saved))

    def time(self, name, repeats):
        with self.torch.inference_mode():
            return time_runs(self.runs[name], repeats, 1)


class TorchTrain:
    """A training step in both memory formats."""

    def __init__(self, folder):
        from bench_peer_net import check_step, nchw, read_safetensors, train_in_format

        model = folder / "model.safetensors"
        saved, _ = read_safetensors(folder / "train.safetensors")
        self.largest_error = check_step(model, saved)
        x, labels = nchw(saved["input"]), saved["labels"]
        self.skipped = {}
        self.runs = {name: train_in_format(model, x, labels, name) for name in ("NCHW", "channels_last")}

    def time(self, name, repeats):
        return time_runs(self.runs[name], repeats, 1)


def compare(acol, name, threads, folder):
    """One row of the table: checks, then rounds of acol, PyTorch, acol, PyTorch, ..."""
    import torch
    from bench_peer_net import Mismatch

    options = acol.options
    torch.set_num_threads(threads)
    side, what, batch = name.split("-")
    map_stride, batch = {"14x14": 16, "28x28": 8}[side], int(batch)
    kind = "net" if what == "forward" else "train"
    print(f"bench_peer: {name}: checking", file=sys.stderr)
    acol.bench(kind, map_stride, batch, threads, 1, save=folder)
    try:
        peer = TorchForward(folder) if what == "forward" else TorchTrain(folder)
    except Mismatch as mismatch:
        fail(str(mismatch))
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


def versions(acol):
    found = {"acol": acol.run("--version").strip(), "python": platform.python_version()}
    if needs_torch(acol.options):
        import torch

        one_dnn = re.search(r"DNN v([\d.]+)", torch.__config__.show())
        found.update(torch=torch.__version__, onednn=one_dnn[1] if one_dnn else "none")
    return found


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


def print_head(options, result):
    print(f"`{result['command']}`\n")
    forced = f", {options.isa.upper()} forced on all" if options.isa else ""
    print(f"{result['cpu']}, {options.threads} threads{forced}, {result['date']}.")
    peer = "; PyTorch {torch} with oneDNN {onednn}, allocator tuned" if "torch" in result["versions"] else ""
    print(("{acol}" + peer + ".").format(**result["versions"]))


def write_json(path, result):
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(result, indent=2) + "\n")
    partial.replace(path)


def environments():
    """To run PyTorch in: this one, and that without the tuned allocator."""
    return {"tuned": dict(os.environ), "as installed": {k: v for k, v in os.environ.items() if k not in TUNED}}


def main():
    sys.dont_write_bytecode = True
    options = parse_arguments()
    if options.device == "cuda":
        import bench_peer_gpu

        return bench_peer_gpu.main(Acol(options), None if INSIDE in os.environ else restart_inside)
    if INSIDE not in os.environ and needs_torch(options):
        restart_inside(options)
    sys.stdout.reconfigure(line_buffering=True)
    warnings.filterwarnings("ignore")  # of tracing
    acol = Acol(options)
    result = {
        "command": shlex.join(["tools/bench_peer.py", *sys.argv[1:]]),
        "cpu": cpu_name(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "threads": options.threads,
        "versions": versions(acol),
        "cases": [],
    }
    print_head(options, result)
    cases = [(case, options.threads) for case in options.cases if case in TIMED]
    if options.latency_1_thread:
        cases += [(case, 1) for case in ("14x14-forward-1", "28x28-forward-1")]
    # The weights are large: they lie beside the program, not in a /tmp that may be memory.
    with tempfile.TemporaryDirectory(prefix="acol-peer-", dir=options.acol.resolve().parent) as temporary:
        folder = pathlib.Path(temporary)
        for case, threads in cases:
            result["cases"].append(compare(acol, case, threads, folder / case))
        if result["cases"]:
            runs = f"{options.rounds} rounds of {options.repeats} runs each in turn"
            print(f"{runs}; medians; ratio = best PyTorch / acol.")
            print()
            print_cases(result["cases"])
        if "memory" in options.cases:
            import bench_peer_memory

            result["memory"] = bench_peer_memory.measure(acol, environments(), folder / "memory")
            print("\n" + bench_peer_memory.table(result["memory"]))
        if "two-processes" in options.cases:
            import bench_peer_sharing

            result["two_processes"] = bench_peer_sharing.measure(acol)
            print("\n" + bench_peer_sharing.table(result["two_processes"]))
        if options.accuracy:
            import bench_peer_accuracy

            result["accuracy"] = bench_peer_accuracy.measure(acol, folder)
            print(bench_peer_accuracy.tables(result["accuracy"]))
    if options.json:
        write_json(options.json, result)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit(130)
