"""What bench_peer_gpu.py prints. No PyTorch here."""

import bench_peer_layers


def head(result):
    machine = result["machine"]
    lines = [f"`{result['command']}`", ""]
    card = machine["card"]
    if "memory_mb" in machine:
        card += f", compute capability {machine['compute_capability']}, {machine['memory_mb']} MB"
    lines.append(f"{card}; {result['date']}; {machine['nvidia_smi']}.")
    peer = f"PyTorch {machine['torch']}"
    if "cudnn" in machine:
        peer += f" for CUDA {machine['torch_cuda']}, cuDNN {machine['cudnn']}"
    r = result["runs"]
    lines.append(f"{machine['acol']}; {peer}.")
    turn = f"{r['warm_up']} runs to warm up, {r['repeats']} timed"
    lines.append(f"{r['rounds']} turns of each, acol first; a turn: {turn}.")
    return "\n".join(lines)


def lanes_of(rows):
    names = []
    for row in rows:
        names += [name for name in (*row["lanes"], *row["skipped"]) if name not in names]
    return names


def ratio(row, names):
    """PyTorch / acol of the fastest of the lanes."""
    ratios = [row["lanes"][name]["ratio"] for name in names if name in row["lanes"]]
    return f"{min(ratios):.2f}" if ratios else "-"


def what_of(row):
    side, kind, batch = row["case"].split("-")
    return [side, "training step" if kind == "train" else kind, batch]


def speed_table(rows):
    names = lanes_of(rows)
    head = ["maps", "what", "batch", "acol", "img/s", *(f"PyTorch {name}" for name in names), "best, img/s"]
    head += ["ratio to best", "to eager"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        ours, lanes, batch = row["acol"], row["lanes"], row["batch"]
        cells = [*what_of(row), f"{ours['ms']:.3f} ms", f"{1000 * batch / ours['ms']:.0f}"]
        best = min(lanes, key=lambda name: lanes[name]["ratio"], default=None)
        for name in names:
            text = f"{lanes[name]['ms']:.3f} ms" if name in lanes else "-"
            cells.append(f"**{text}**" if name == best else text)
        cells.append(f"{1000 * batch / lanes[best]['ms']:.0f}" if best else "-")
        eager = [name for name in names if name.startswith("eager")]
        lines.append("| " + " | ".join([*cells, f"**{ratio(row, names)}**", ratio(row, eager)]) + " |")
    return "\n".join(lines)


def spread_lines(rows):
    """Least and 90th percentile."""
    lines = []
    for row in rows:
        each = [("acol", row["acol"]), *row["lanes"].items()]
        text = "; ".join(f"{name} {f['min']:.3f}..{f['p90']:.3f} of {f['runs']}" for name, f in each)
        if "acol_localize" in row:
            text += f"; acol with the answers' maps brought to the host {row['acol_localize']['ms']:.3f}"
        lines.append(f"{' '.join(what_of(row))}, ms, least..90th percentile of runs: {text}.")
    return "\n\n".join(lines)


def memory_table(rows):
    names = lanes_of(rows)
    head = ["maps", "what", "batch", "acol", *(f"PyTorch {name}" for name in names), "same bits twice", "launches"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [*what_of(row), f"{row['acol_peak_mb']:.0f} / {row['acol_held_mb']:.0f} MB"]
        for name in names:
            lane = row["lanes"].get(name)
            cells.append(f"{lane['peak_mb']:.0f} / {lane['held_mb']:.0f} MB" if lane else "-")
        same = {"acol": row.get("acol_repeats"), **{name: lane["repeats"] for name, lane in row["lanes"].items()}}
        words = {True: "yes", False: "no", None: "?"}
        if len(set(same.values())) == 1:
            cells.append(f"all: {words[same['acol']]}")
        else:
            cells.append(", ".join(f"{name} {words[value]}" for name, value in same.items()))
        launches = [f"{row['acol_launches']:.0f}"]
        launches += [f"{name} {lane['launches']}" for name, lane in row["lanes"].items() if lane.get("launches")]
        cells.append(", ".join(launches))
        lines.append("| " + " | ".join(cells) + " |")
    lines.append("\nThe most memory in use / held. A graph's is in use only while it is captured: see what is held.")
    lines.append("Same bits: acol's weights, or maps, of two processes; PyTorch's of two runs from the same start.")
    return "\n".join(lines)


def notes(rows):
    lines = []
    for row in rows:
        name = " ".join(what_of(row))
        acol = row["errors"]["acol"]
        text = ", ".join(f"{part.replace('_', ', ')} {value:.1e}" for part, value in acol.items())
        peers = "; ".join(f"{who} {e['outputs']:.1e}" for who, e in row["errors"].items() if who != "acol")
        lines.append(f"{name}: from strict float32 (relative L2): acol {text}; PyTorch {peers}.")
        for lane, problem in row["skipped"].items():
            lines.append(f"{name}: PyTorch {lane} left out: {problem}.")
        for lane, entry in row["lanes"].items():
            if "remark" in entry:
                lines.append(f"{name}: {lane}: {entry['remark']}.")
    return "\n\n".join(lines)


def outside_line(rows, layers):
    """How much of a training step is not its convolutions."""
    lines = []
    for row in rows:
        side, kind, batch = row["case"].split("-")
        twin = f"{side}-layers-{batch}"
        for part in layers:
            if kind == "train" and part["case"] == twin and part["precision"] == row["precision"]:
                alone = sum(each["uses"] * each["acol_ms"] for each in part["rows"])
                share = 100 * (1 - alone / row["acol"]["ms"])
                text = f"acol's convolutions alone {alone:.2f} ms; {share:.0f} % is outside"
                lines.append(f"{side} training step: {text}.")
    return "\n\n".join(lines)


def kernels_text(part):
    lines = []
    for row in part["rows"]:
        for name, kernels in row["kernels"].items():
            if kernels:
                lines.append(f"    {row['layer']} {row['what']} {name}: {'; '.join(k[:100] for k in kernels)}")
    return "PyTorch's kernels:\n\n" + "\n".join(lines) if lines else ""


def all_tables(result):
    parts = []
    for precision in dict.fromkeys(row["precision"] for row in [*result["layers"], *result["whole"]]):
        layers = [part for part in result["layers"] if part["precision"] == precision]
        rows = [row for row in result["whole"] if row["precision"] == precision]
        parts.append(f"\n## {precision}")
        for part in layers:
            parts.append(f"{part['case'].split('-')[0]} maps, every convolution, batch {part['batch']}:")
            parts += [bench_peer_layers.table(part), kernels_text(part)]
        if rows:
            parts += [speed_table(rows), spread_lines(rows), memory_table(rows), notes(rows)]
            parts.append(outside_line(rows, layers))
    running = result["machine"].get("while_running")
    if running:
        text = "; ".join(f"{name} {low:g}, {middle:g}, {high:g}" for name, (low, middle, high) in running.items())
        parts.append(f"While all ran (least, median, most): {text}.")
    if result["left_out"]:
        parts.append(f"Left out when --minutes were over, or at Ctrl-C: {', '.join(result['left_out'])}.")
    if result["machine"]["card"].startswith("none"):
        parts.append("A dry run: no time here means anything.")
    return "\n\n".join(part for part in parts if part)
