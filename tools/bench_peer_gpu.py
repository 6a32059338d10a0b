"""acol against PyTorch on an NVIDIA card, for bench_peer.py --device cuda.

Layers: each convolution, forward and both gradients, beside what PyTorch calls for it and a matrix product of the same
size. Whole: forward passes and training steps, beside PyTorch's ways to run them (lanes): eager with channels_last and
cudnn.benchmark, the same as a CUDA graph, with deterministic algorithms, and torch.compile(mode="max-autotune").
Precisions, each beside its twin: fp32 with TF32 off, TF32 on everywhere, bf16 as autocast and as bfloat16 activations
with float32 master weights.

Both must compute the same before PyTorch is timed, or nothing more is. They take turns; acol in processes of its own,
which are gone while PyTorch runs; PyTorch gives back its free memory while acol runs. Times are those of the card's
events, the median over all turns. Random inputs, three sets in turn. acol's training step brings losses and answers to
the host in every step, PyTorch's brings nothing.

torch.compile comes last, since it can compile for minutes; --lanes compile is that alone. Where --minutes are over,
the rest is left out and named. --json is written after each case; Ctrl-C shows what there is."""

import datetime
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

MAPS = {"14x14": 16, "28x28": 8}  # map strides
LANES = ("eager", "graphed", "deterministic", "compile")
PRECISIONS = ("bf16", "tf32", "fp32")  # the slow one last
# In the order in which they run. Names end in the batch size.
KINDS = ("layers-32", "train-32", "forward-1", "forward-32", "forward-128")
OPTIONS = {
    "precision": {"help": "some of fp32,tf32,bf16 (all)"},
    "lanes": {"help": f"some of PyTorch's {','.join(LANES)} (all)"},
    "warm_up": {"type": int, "help": "runs before the timed ones of a turn (20)"},
    "minutes": {"type": float, "help": "no case is begun after so long (5)"},
    "profile": {"action": "store_true", "help": "also PyTorch's kernels; what is timed later may be slower for it"},
    "dry_run": {"action": "store_true", "help": "the same code on the CPU with the emulated card; times mean nothing"},
}
CPU_ONLY = ("accuracy", "latency_1_thread", "isa")
DEFAULTS = {"rounds": 2, "repeats": 25, "warm_up": 20, "minutes": 5.0, "precision": ",".join(PRECISIONS)}
DRY = {"rounds": 2, "repeats": 1, "warm_up": 1, "minutes": 60.0, "width": 0.0625, "size": 32, "classes": 8}
INPUT_SETS = 3


def add_options(parser):
    text = "--cases are then like 14x14-train-32: 14x14 or 28x28, layers or train or forward, any batch size; all: "
    group = parser.add_argument_group("with --device cuda", text + " ".join(KINDS) + " of both.")
    for name, how in OPTIONS.items():
        group.add_argument("--" + name.replace("_", "-"), **how)


def refuse(options, error):
    for name in OPTIONS:
        if getattr(options, name):
            error(f"--{name.replace('_', '-')} is for --device cuda")


def complete(options, build, error):
    """Defaults and lists."""
    for name in CPU_ONLY:
        if getattr(options, name):
            error(f"--{name.replace('_', '-')} is not for --device cuda")
    defaults = {**DEFAULTS, "lanes": ",".join(LANES)}
    if options.dry_run:
        defaults.update(DRY, acol=build / "acol_emulated")
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    if options.warm_up < 1:
        error("--warm-up must be at least 1")
    for name, known in (("precision", PRECISIONS), ("lanes", LANES)):
        chosen = getattr(options, name).split(",")
        for each in chosen:
            if each not in known:
                error(f"--{name}: unknown '{each}'; there are {', '.join(known)}")
        setattr(options, name, [each for each in known if each in chosen])
    kinds = ("layers-2", "train-2", "forward-1", "forward-2") if options.dry_run else KINDS
    if options.cases == "all":
        options.cases = [f"{side}-{kind}" for kind in kinds for side in MAPS]
    else:
        options.cases = [case for case in options.cases.split(",") if case]
    for case in options.cases:
        if not re.fullmatch(r"(14x14|28x28)-(layers|train|forward)-[1-9]\d*", case):
            error(f"unknown case '{case}'; one is 14x14-train-32: maps, layers or train or forward, batch size")


def fail(text):
    raise SystemExit("bench_peer: " + text)


def need_card(acol):
    """Before anything is installed: acol's own words, if it has none."""
    command = [str(acol.options.acol), "bench", "conv", "--device", "cuda", "--width", "0.0625", "--size", "16"]
    command += ["--classes", "2", "--batch-size", "1", "--repeats", "1"]
    done = subprocess.run(command, env=acol.environment, capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"no card for {acol.options.acol}: {(done.stderr.strip() or 'it failed').splitlines()[-1]}")


class Deadline:
    def __init__(self, minutes):
        self.end = time.monotonic() + 60 * minutes

    def left(self):
        return self.end - time.monotonic()

    def limited(self, body):
        """Runs `body`, which may be compiling, up to the deadline, but for half a minute at least."""

        def over(*_):
            raise TimeoutError("not done when --minutes were over")

        before = signal.signal(signal.SIGALRM, over)
        signal.setitimer(signal.ITIMER_REAL, max(30.0, self.left()))
        try:
            return body()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def figures(samples):
    """Of ms."""
    ordered = sorted(samples)
    rank = min(len(ordered) - 1, int(0.9 * len(ordered)))
    return {"ms": statistics.median(ordered), "min": ordered[0], "p90": ordered[rank], "runs": len(ordered)}


def start_lane(card, checked, name, saved, deadline, precision, profile):
    """A lane that has run and computes the same as the others, and its figures so far."""
    import torch
    from bench_peer_lanes import ForwardLane, TrainLane, repeats

    train = saved.kind == "train"
    generator = torch.Generator(card.device).manual_seed(1)
    sets = [saved.x]
    for _ in range(INPUT_SETS - 1):
        x = torch.empty_like(saved.x)
        sets.append(x.uniform_(-2, 2, generator=generator))
    card.forget()
    allocated, held = card.memory()
    words = (card, name, saved.model, sets)
    lane = TrainLane(*words, saved.labels) if train else ForwardLane(*words)
    with lane.context(precision):
        deadline.limited(lane.start)
        checked.check_lane(lane)
        entry = {"repeats": repeats(lane)}
        peak = card.peak_of(lambda: [lane.run() for _ in range(2)])
        if profile:
            kernels = card.kernels(lane.run)
            entry["launches"] = len(kernels) if kernels else None
    inputs = sum(x.nbytes for x in sets) / (1 << 20)  # which acol's figure has, too
    entry["peak_mb"], entry["held_mb"] = peak[0] - allocated + inputs, peak[1] - held + inputs
    if lane.remark:
        entry["remark"] = lane.remark
    return lane, entry


def whole_case(acol, card, case, precision, lanes, deadline, folder):
    """A row: checks, then acol and PyTorch's lanes in turn."""
    import torch
    from bench_peer_lanes import CheckedForward, CheckedTrain, Saved, names_of_lanes
    from bench_peer_layers import first_line

    o = acol.options
    side, kind, batch = case.split("-")
    train = kind == "train"
    if "compile" in lanes:
        torch._dynamo.reset()  # what earlier cases compiled
    more = ["--device", "cuda", "--precision", precision, "--warm-up", o.warm_up, "--input-sets", INPUT_SETS]
    row = {"case": case, "precision": precision, "batch": int(batch), "lanes": {}, "skipped": {}}
    ours, localize, theirs, running = [], [], {}, {}
    grad = torch.enable_grad if train else torch.inference_mode
    for turn in range(o.rounds):
        place = folder / ("one" if turn == 0 else "other")
        what = "train" if train else "net"
        rows = acol.bench(what, MAPS[side], int(batch), o.threads, o.repeats, save=place, more=more)["rows"]
        ours += rows[-1]["ms"]
        localize += rows[0]["ms"]
        if turn == 0:
            row.update(acol_peak_mb=rows[-1]["device_peak_mb"], acol_held_mb=rows[-1]["device_held_mb"])
            row["acol_launches"] = rows[-1]["launches"]
            saved = Saved(card, place, kind)
            checked = (CheckedTrain if train else CheckedForward)(card, saved, precision)
            row["errors"] = checked.errors
            for name in names_of_lanes(precision, lanes):
                print(f"bench_peer: {case} {precision}: starting {name}", file=sys.stderr)
                words = (card, checked, name, saved, deadline, precision, o.profile)
                try:
                    with grad():
                        running[name], row["lanes"][name] = start_lane(*words)
                    theirs[name] = []
                except Exception as problem:  # whatever this PyTorch, its compiler or this card does not like
                    row["skipped"][name] = first_line(problem)
            del checked
        else:
            row["acol_repeats"] = row.get("acol_repeats", True) and same_files(folder / "one", place)
            shutil.rmtree(place)
        for name, lane in list(running.items()):
            try:
                with lane.context(precision), grad():
                    theirs[name] += card.time(lane.run, o.repeats, o.warm_up, lane.prepare)
            except Exception as problem:
                row["skipped"][name] = first_line(problem)
                row["lanes"].pop(name)
                theirs.pop(name)
                running.pop(name)
        card.forget()
    shutil.rmtree(folder)
    row["acol"] = figures(ours)
    if not train:
        row["acol_localize"] = figures(localize)
    for name, samples in theirs.items():
        row["lanes"][name].update(figures(samples))
        # acol's time of the same turns
        row["lanes"][name]["ratio"] = row["lanes"][name]["ms"] / row["acol"]["ms"]
    return row


def same_files(one, other):
    names = sorted(path.name for path in one.iterdir())
    if names != sorted(path.name for path in other.iterdir()):
        return False
    return all(subprocess.run(["cmp", "-s", one / name, other / name]).returncode == 0 for name in names)


def merged(rows):
    """One row for each case and precision: torch.compile was measured later, beside acol's second time."""
    result = {}
    for row in rows:
        key = (row["case"], row["precision"])
        if key not in result:
            result[key] = {**row, "lanes": dict(row["lanes"]), "skipped": dict(row["skipped"])}
        else:
            for part in ("lanes", "skipped"):
                result[key][part].update(row[part])
    return list(result.values())


def jobs(options):
    """(precision, case, lanes), in the order in which they run."""
    quick = [lane for lane in options.lanes if lane != "compile"]
    result = [(p, case, quick) for p in options.precision for case in options.cases if quick or "layers" in case]
    if "compile" in options.lanes:
        result += [(p, case, ["compile"]) for p in options.precision for case in options.cases if "layers" not in case]
    return result


def main(acol, restart):
    """`restart`: starts this again where there is torch; None: here it is."""
    options = acol.options
    if restart:
        need_card(acol)
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # deterministic products need it
        restart(options)
    import warnings

    import bench_peer_gpu_tables as tables
    import bench_peer_layers
    from bench_peer_card import Card, DryRun, Watch
    from bench_peer_net import Mismatch

    warnings.filterwarnings("ignore")  # of compiling, of switches that have newer names
    sys.stdout.reconfigure(line_buffering=True)
    card = DryRun() if options.dry_run else Card()
    deadline, watch = Deadline(options.minutes), Watch()
    result = {
        "command": shlex.join(["tools/bench_peer.py", *sys.argv[1:]]),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "machine": {"acol": acol.run("--version").strip(), **card.describe(), "nvidia_smi": watch.head()},
        "runs": {name: getattr(options, name) for name in ("rounds", "repeats", "warm_up")},
        "layers": [],
        "whole": [],
        "left_out": [],
    }
    print(tables.head(result))
    interrupted = False  # then what there is is shown

    def interrupt(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)

    def write():
        if options.json:
            partial = options.json.with_name(options.json.name + ".partial")
            partial.write_text(json.dumps(result, indent=2) + "\n")
            partial.replace(options.json)

    with tempfile.TemporaryDirectory(prefix="acol-peer-", dir=options.acol.resolve().parent) as temporary:
        folder = pathlib.Path(temporary) / "saved"
        for precision, case, lanes in jobs(options):
            name = f"{case} {precision}" + (" compile" if lanes == ["compile"] else "")
            if interrupted or deadline.left() <= 0:
                result["left_out"].append(name)
                continue
            print(f"bench_peer: {name}", file=sys.stderr)
            started = time.monotonic()
            side, kind, batch = case.split("-")
            try:
                if kind == "layers":
                    row = bench_peer_layers.measure(acol, card, side, MAPS[side], int(batch), precision, folder)
                    shutil.rmtree(folder)
                else:
                    row = whole_case(acol, card, case, precision, lanes, deadline, folder)
            except Mismatch as mismatch:
                fail(f"{case}: {mismatch}")
            except KeyboardInterrupt:
                interrupted = True
                result["left_out"].append(name)
                continue
            row["seconds"] = time.monotonic() - started
            result["layers" if kind == "layers" else "whole"].append(row)
            write()
    result["machine"]["while_running"] = watch.stop()
    result["whole"] = merged(result["whole"])
    write()
    print(tables.all_tables(result))
    if interrupted:
        raise SystemExit(130)
