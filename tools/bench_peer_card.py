"""The card as PyTorch has it: settings, clock, memory, names of kernels; and what nvidia-smi says. Used by
bench_peer_gpu.py. DryRun is the CPU in its place."""

import atexit
import contextlib
import os
import re
import statistics
import subprocess
import tempfile
import time

import torch

MEGABYTE = 1 << 20


class Unavailable(Exception):
    """What this device or this PyTorch does not have."""


class Card:
    device = torch.device("cuda")

    def __init__(self):
        if not torch.cuda.is_available():
            built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
            raise SystemExit(f"bench_peer: PyTorch {torch.__version__} ({built}) cannot use this machine's card")

    def describe(self):
        properties = torch.cuda.get_device_properties(0)
        return {
            "card": properties.name,
            "compute_capability": f"{properties.major}.{properties.minor}",
            "memory_mb": properties.total_memory // MEGABYTE,
            "torch": torch.__version__,
            "torch_cuda": torch.version.cuda,
            "cudnn": str(torch.backends.cudnn.version()),
        }

    @contextlib.contextmanager
    def settings(self, precision, deterministic=False):
        """For all that runs inside. PyTorch's defaults mix them: TF32 for convolutions, not for products."""
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.benchmark = not deterministic
        torch.backends.cudnn.deterministic = deterministic
        torch.utils.deterministic.fill_uninitialized_memory = False
        torch.use_deterministic_algorithms(deterministic, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(False)

    def wait(self):
        torch.cuda.synchronize()

    def time(self, run, repeats, warm_up, prepare=None, run_ahead=False):
        """Milliseconds of each run, by events. `prepare(i)` comes before run number i, outside its time. `run_ahead`:
        the card is kept busy first, so that it never waits for Python between short kernels."""
        prepare = prepare or (lambda i: None)
        for i in range(warm_up):
            prepare(i)
            run()
        events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(repeats)]
        self.wait()
        if run_ahead:
            torch.cuda._sleep(10_000_000)  # cycles: some milliseconds
        for i, (begin, end) in enumerate(events):
            prepare(warm_up + i)
            begin.record()
            run()
            end.record()
        self.wait()
        return [begin.elapsed_time(end) for begin, end in events]

    def forget(self):
        """Gives back what nobody uses, so that it does not count, nor acol miss it."""
        self.wait()
        torch.cuda.empty_cache()

    def memory(self):
        """MB in use and held, now."""
        return torch.cuda.memory_allocated() / MEGABYTE, torch.cuda.memory_reserved() / MEGABYTE

    def peak_of(self, body):
        """The most of both while `body` runs."""
        self.forget()
        torch.cuda.reset_peak_memory_stats()
        body()
        self.wait()
        return torch.cuda.max_memory_allocated() / MEGABYTE, torch.cuda.max_memory_reserved() / MEGABYTE

    def graph(self, body):
        """A function that runs the kernels of `body` again, and what body gave, which each run writes anew. `body` has
        run before, in a stream beside the usual one."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = body()
        return graph.replay, result

    @contextlib.contextmanager
    def beside(self):
        """In another stream, as what is captured later has to run first."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            yield
        torch.cuda.current_stream().wait_stream(stream)

    def kernels(self, run):
        """The names of the kernels that `run` starts, in order, without copies and clearing. None: not to be had. What
        runs later may be slower for it."""
        try:
            from torch.profiler import ProfilerActivity, profile

            self.wait()
            with profile(activities=[ProfilerActivity.CUDA]) as profiler:
                run()
                self.wait()
            events = [e for e in profiler.events() if e.device_type == torch.autograd.DeviceType.CUDA]
            return [e.name for e in events if not re.match(r"(Memcpy|Memset)", e.name)]
        except Exception:  # without the right to look at the card
            return None


class DryRun(Card):
    """The same code without a card: PyTorch on the CPU. It has no TF32, no graphs and no memory of its own, and times
    mean nothing."""

    device = torch.device("cpu")

    def __init__(self):
        pass

    def describe(self):
        return {"card": "none: a dry run on the CPU", "torch": torch.__version__}

    def wait(self):
        pass

    def time(self, run, repeats, warm_up, prepare=None, run_ahead=False):
        times = []
        for i in range(warm_up + repeats):
            if prepare:
                prepare(i)
            start = time.perf_counter()
            run()
            times.append(1000 * (time.perf_counter() - start))
        return times[warm_up:]

    def forget(self):
        pass

    def memory(self):
        return 0.0, 0.0

    def peak_of(self, body):
        body()
        return 0.0, 0.0

    def graph(self, body):
        raise Unavailable("CUDA graphs need a card")

    def beside(self):
        return contextlib.nullcontext()

    def kernels(self, run):
        return None


class Watch:
    """What nvidia-smi tells twice a second while all runs."""

    QUERY = ("driver_version", "clocks.sm", "clocks.mem", "power.draw", "power.limit", "temperature.gpu")

    def __init__(self):
        card = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0] or "0"
        command = ["nvidia-smi", "--id=" + card, "--query-gpu=" + ",".join(self.QUERY), "--format=csv,noheader,nounits"]
        try:
            once = subprocess.run(command, capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            once = None
        self.first = once.stdout.strip() if once is not None and once.returncode == 0 else None
        self.process = None
        if self.first:
            command.append("--loop-ms=500")
            self.lines = tempfile.TemporaryFile("w+")
            self.process = subprocess.Popen(command, stdout=self.lines, stderr=subprocess.DEVNULL)
            atexit.register(self.stop)

    def head(self):
        if not self.first:
            return "no nvidia-smi"
        return ", ".join(f"{name} {value.strip()}" for name, value in zip(self.QUERY, self.first.split(",")))

    def stop(self):
        """{what: [least, median, most]}; empty without nvidia-smi."""
        if self.process is None:
            return {}
        self.process.terminate()
        self.process.wait()
        self.lines.seek(0)
        columns = {name: [] for name in self.QUERY[1:]}
        for line in self.lines:
            for name, value in zip(self.QUERY, line.split(",")):
                with contextlib.suppress(KeyError, ValueError):  # a card that does not tell, a line cut off
                    columns[name].append(float(value))
        self.process = None
        return {name: [min(v), statistics.median(v), max(v)] for name, v in columns.items() if v}
