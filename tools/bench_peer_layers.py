"""Every convolution of the network alone on a card, forward and both gradients: acol, what PyTorch calls for it, and a
matrix product of the same size. Used by bench_peer_gpu.py."""

import statistics

import torch
from torch.nn import functional as F

from bench_peer_net import Mismatch, error, nchw, read_safetensors

PASSES = ("forward", "backward_data", "backward_weights")
# Relative L2 error of one layer against float64, without ReLU.
LIMIT = {"fp32": 1e-5, "tf32": 1e-3, "bf16": 1e-2}
SETS = 3


def check(card, folder, names, precision):
    """The files that `acol bench conv --save` wrote: errors of acol and of PyTorch, the largest of each pass."""
    worst = {who: dict.fromkeys((*PASSES, "bias"), 0.0) for who in ("acol", "torch")}
    for name in names:
        saved, metadata = read_safetensors(folder / f"{name}.safetensors")
        saved = {key: tensor.to(card.device) for key, tensor in saved.items()}
        pad = int(metadata["pad"])
        results = {}
        for who, dtype in (("true", torch.float64), ("torch", dtype_of(precision))):
            order = torch.channels_last if who == "torch" else torch.contiguous_format
            x, dy = (nchw(saved[key]).to(dtype, memory_format=order) for key in ("x", "dy"))
            w, bias = (saved[key].to(dtype) for key in ("w", "bias"))
            with card.settings(precision):
                results[who] = {"forward": F.conv2d(x, w, bias, padding=pad)}
                gradients = backward(dy, x, w, pad, (True, True, True))
            results[who].update(zip(("backward_data", "backward_weights", "bias"), gradients))
        ours = {"forward": nchw(saved["y"]), "backward_data": nchw(saved["dx"])}
        results["acol"] = {**ours, "backward_weights": saved["dw"], "bias": saved["db"]}
        for who in worst:
            for what, true in results["true"].items():
                distance = error(results[who][what], true)
                if who == "acol" and not distance <= LIMIT[precision]:  # NaN never passes
                    text = f"{name} {what} of acol, {precision}: {distance:.2e} from float64 (relative L2)"
                    raise Mismatch(f"{text}, allowed is {LIMIT[precision]:.0e}")
                worst[who][what] = max(worst[who][what], distance)
    return worst


def dtype_of(precision):
    return torch.bfloat16 if precision == "bf16" else torch.float32


def backward(dy, x, w, pad, mask):
    bias = [w.shape[0]]
    return torch.ops.aten.convolution_backward(dy, x, w, bias, [1, 1], [pad, pad], [1, 1], False, [0, 0], 1, mask)


class LayerInputs:
    """Random tensors of a layer's shapes, in PyTorch's best order for cards."""

    def __init__(self, card, conv, batch, dtype):
        side = [conv[name] + 2 * conv["pad"] - conv["filter"] + 1 for name in ("in_h", "in_w")]

        def numbers(*shape, bound=1.0):
            tensor = torch.empty(shape, dtype=torch.float32, device=card.device).uniform_(-bound, bound).to(dtype)
            return tensor.to(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor

        window, into, out = conv["filter"], conv["in_c"], conv["out_c"]
        self.pad, self.relu = conv["pad"], conv["relu"]
        self.x = [numbers(batch, into, conv["in_h"], conv["in_w"]) for _ in range(SETS)]
        self.dy = [numbers(batch, out, *side) for _ in range(SETS)]
        self.w = numbers(out, into, window, window, bound=(6 / (window * window * into)) ** 0.5)
        self.bias = numbers(out, bound=0.1)
        self.y = F.conv2d(self.x[0], self.w, self.bias, padding=self.pad).relu_()
        self.turn = 0
        pixels, taps = batch * side[0] * side[1], window * window
        # rows, columns and what is added up, of the product that each pass is.
        self.products = {
            "forward": (pixels, out, taps * into),
            "backward_data": (batch * conv["in_h"] * conv["in_w"], into, taps * out),
            "backward_weights": (out, taps * into, pixels),
        }

    def choose(self, i):
        self.turn = i % SETS

    def runs(self, what):
        """{name: function}. `bare`: the convolution alone. `same`: with what acol's pass does besides, one kernel after
        the other; `fused`: the same in one call."""
        x, dy = (lambda: self.x[self.turn]), (lambda: self.dy[self.turn])
        relu = self.relu
        masked = lambda: torch.ops.aten.threshold_backward(dy(), self.y, 0) if relu else dy()  # noqa: E731
        if what == "forward":
            biased = lambda: F.conv2d(x(), self.w, self.bias, padding=self.pad)  # noqa: E731
            runs = {
                "bare": lambda: F.conv2d(x(), self.w, None, padding=self.pad),
                "bias": biased,
                "same": (lambda: biased().relu_()) if relu else biased,
            }
            if relu:
                pad = [self.pad, self.pad]
                runs["fused"] = lambda: torch.cudnn_convolution_relu(x(), self.w, self.bias, [1, 1], pad, [1, 1], 1)
            return runs
        data = what == "backward_data"
        bare, same = ((True, False, False),) * 2 if data else ((False, True, False), (False, True, True))
        return {
            "bare": lambda: backward(dy(), x(), self.w, self.pad, bare),
            # A training step of PyTorch masks once for both gradients, here in the pass of the data.
            "same": lambda: backward(masked() if data else dy(), x(), self.w, self.pad, same),
        }


def product(card, shape, dtype, sets):
    rows, columns, depth = shape
    left = [torch.empty(rows, depth, dtype=dtype, device=card.device).uniform_(-1, 1) for _ in range(sets)]
    right = torch.empty(depth, columns, dtype=dtype, device=card.device).uniform_(-1, 1)
    turn = [0]

    def choose(i):
        turn[0] = i % sets

    return lambda: torch.matmul(left[turn[0]], right), choose


def first_line(problem):
    return f"{type(problem).__name__}: {(str(problem).strip() or '-').splitlines()[0][:120]}"


def time_torch(card, ours, precision, repeats, warm_up, seen, profile):
    """ms of every row of `ours` by what was run; `seen` collects kernels and problems."""
    dtype, times, layers = dtype_of(precision), {}, {}
    for row in ours:
        layers.setdefault(row["layer"], []).append(row)
    with card.settings(precision), torch.no_grad():
        for layer, rows in layers.items():
            inputs = LayerInputs(card, rows[0]["conv"], rows[0]["batch"], dtype)
            for row in rows:
                what = row["what"]
                runs = {name: (run, inputs.choose) for name, run in inputs.runs(what).items()}
                for name in [*runs, "matmul"]:
                    try:
                        if name == "matmul":
                            runs[name] = product(card, inputs.products[what], dtype, SETS)
                        run, choose = runs[name]
                        ms = card.time(run, repeats, warm_up, choose, run_ahead=True)
                        if profile and name in ("bare", "fused") and (layer, what, name) not in seen["kernels"]:
                            seen["kernels"][layer, what, name] = card.kernels(run)
                    except (RuntimeError, NotImplementedError) as problem:  # out of memory, no such kernel
                        seen["skipped"].setdefault(name, f"{layer} {what}: {first_line(problem)}")
                        continue
                    times[layer, what, name] = ms
                runs.pop("matmul", None)
                card.forget()
    return times


def measure(acol, card, side, map_stride, batch, precision, folder):
    """Checks, then acol and PyTorch in turn. One row a layer and pass."""
    o = acol.options
    more = ["--device", "cuda", "--precision", precision]
    checked = acol.bench("conv", map_stride, 1, o.threads, 1, save=folder, more=more)["rows"]
    names = [row["layer"] for row in checked if row["what"] == "forward"]
    errors = check(card, folder, names, precision)
    card.forget()
    more += ["--warm-up", o.warm_up, "--input-sets", SETS]
    ours, theirs, seen = {}, {}, {"kernels": {}, "skipped": {}}
    for _ in range(o.rounds):
        rows = acol.bench("conv", map_stride, batch, o.threads, o.repeats, more=more)["rows"]
        for row in rows:
            ours.setdefault((row["layer"], row["what"]), []).extend(row["ms"])
        for key, ms in time_torch(card, rows, precision, o.repeats, o.warm_up, seen, o.profile).items():
            theirs.setdefault(key, []).extend(ms)
        card.forget()
    result = {"case": f"{side}-layers-{batch}", "precision": precision, "batch": batch, "errors": errors, "rows": []}
    for row in rows:
        key = (row["layer"], row["what"])
        conv = row["conv"]
        pixels = batch * (conv["in_h"] + 2 * conv["pad"] - conv["filter"] + 1) ** 2
        flop = 2 * pixels * conv["out_c"] * conv["in_c"] * conv["filter"] ** 2
        medians = {k[2]: statistics.median(ms) for k, ms in theirs.items() if k[:2] == key}
        shape = f"{conv['filter']}x{conv['filter']} {conv['in_c']}>{conv['out_c']} on {conv['in_h']}x{conv['in_w']}"
        entry = {"layer": row["layer"], "what": row["what"], "shape": shape, "uses": conv["uses"], "gflop": flop / 1e9}
        entry.update(acol_ms=statistics.median(ours[key]), torch_ms=medians, launches=row["launches"])
        entry["kernels"] = {k[2]: names for k, names in seen["kernels"].items() if k[:2] == key}
        result["rows"].append(entry)
    result["skipped"] = seen["skipped"]
    return result


def sums(rows):
    """{what or "all": {"acol": ms, "bare": ms, ...}} over the network's layers, of the rows that have all of them;
    "rows": how many those are, and of how many."""
    names = [name for name in ("bare", "same", "matmul") if any(name in row["torch_ms"] for row in rows)]
    measured, rows = rows, [row for row in rows if all(name in row["torch_ms"] for name in names)]
    result = {}
    for what in (*PASSES, "all"):
        part = [row for row in rows if what in (row["what"], "all")]
        if not part:
            continue
        total = {"gflop": sum(row["uses"] * row["gflop"] for row in part)}
        total["rows"] = len(part), sum(what in (row["what"], "all") for row in measured)
        total["acol"] = sum(row["uses"] * row["acol_ms"] for row in part)
        total.update((name, sum(row["uses"] * row["torch_ms"][name] for row in part)) for name in names)
        result[what] = total
    return result


def rate(tflops):
    return f"{tflops:.0f}" if tflops >= 100 else f"{tflops:.3g}"


def table(result):
    def speed(ms, gflop):
        return "-" if ms is None else f"{1000 * ms:.1f} us, {rate(gflop / ms)}"

    def ratio(ms, ours):
        return "-" if ms is None else f"{ms / ours:.2f}"

    head = ["layer", "pass", "acol", "PyTorch bare", "+ bias", "the same work", "fused", "matmul"]
    head += ["ratio same", "ratio bare", "ratio matmul"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in result["rows"]:
        uses = f", {row['uses']} times" if row["uses"] > 1 else ""
        torch_ms, gflop, ours = row["torch_ms"], row["gflop"], row["acol_ms"]
        cells = [f"{row['layer']} {row['shape']}{uses}", row["what"], speed(ours, gflop)]
        cells += [speed(torch_ms.get(name), gflop) for name in ("bare", "bias", "same", "fused", "matmul")]
        same = min((torch_ms[name] for name in ("same", "fused") if name in torch_ms), default=None)
        cells += [f"**{ratio(same, ours)}**", ratio(torch_ms.get("bare"), ours), ratio(torch_ms.get("matmul"), ours)]
        lines.append("| " + " | ".join(cells) + " |")
    for what, total in sums(result["rows"]).items():
        counted, there = total["rows"]
        which = "all layers" if counted == there else f"{counted} of {there} rows, for want of the others"
        cells = [f"**{which}**", what, f"{total['acol']:.3f} ms, {rate(total['gflop'] / total['acol'])}"]
        for name in ("bare", "bias", "same", "fused", "matmul"):
            cells.append(f"{total[name]:.3f} ms, {rate(total['gflop'] / total[name])}" if name in total else "-")
        cells += [f"**{ratio(total.get('same'), total['acol'])}**"]
        cells += [ratio(total.get(name), total["acol"]) for name in ("bare", "matmul")]
        lines.append("| " + " | ".join(cells) + " |")
    lines.append("\nMedians, TFLOP/s of direct convolution after each; ratio = PyTorch / acol, above 1 where acol is")
    lines.append("faster. acol: with bias, ReLU (where no pool does it), the ReLU's mask, the bias's gradient. The")
    lines.append("same work: these one kernel after the other; ratio same: that, or the fused. Tensors of both: ")
    lines[-1] += f"{tensors(result)}; acol's weights and their gradients: float32."
    worst = {who: max(errors.values()) for who, errors in result["errors"].items()}
    text = f"Before, one picture: acol within {worst['acol']:.1e} of float64"
    lines.append(f"{text}, PyTorch within {worst['torch']:.1e} (relative L2, the worst layer and pass).")
    lines += [f"Left out, PyTorch {name}: {problem}" for name, problem in result["skipped"].items()]
    return "\n".join(lines)


def tensors(result):
    return "bfloat16" if result["precision"] == "bf16" else "float32"
