"""How far acol and PyTorch in float32 are from the same computation in float64. Used by bench_peer.py."""

import shutil
import statistics
import sys

import torch
from torch.nn import functional as F

from bench_peer_net import error, load, nchw, read_safetensors, train_step


def conv_results(saved, metadata, dtype):
    """y, dx, dw and db of one layer, from the inputs that acol saved."""
    x = nchw(saved["x"]).to(dtype).requires_grad_()
    w, bias = (saved[name].to(dtype).requires_grad_() for name in ("w", "bias"))
    stride, pad, dilation = (int(metadata[name]) for name in ("stride", "pad", "dilation"))
    y = F.conv2d(x, w, bias, stride=stride, padding=pad, dilation=dilation)
    y.backward(nchw(saved["dy"]).to(dtype))
    return {"forward": y.detach(), "backward_data": x.grad, "backward_weights": w.grad}


def layer_errors(folder, names):
    """Relative L2 errors of acol and of PyTorch for each layer NAME.safetensors that `acol bench conv --save` wrote."""
    rows = []
    for name in names:
        saved, metadata = read_safetensors(folder / f"{name}.safetensors")
        true, peer = conv_results(saved, metadata, torch.float64), conv_results(saved, metadata, torch.float32)
        acol = {"forward": nchw(saved["y"]), "backward_data": nchw(saved["dx"]), "backward_weights": saved["dw"]}
        out, into, window, _ = saved["w"].shape
        _, height, width, _ = saved["x"].shape
        row = {"layer": name, "shape": f"{window}x{window} {into}>{out} on {height}x{width}"}
        for what in true:
            row[what] = {"acol": error(acol[what], true[what]), "torch": error(peer[what], true[what])}
        rows.append(row)
    return rows


def net_errors(net_folder, train_folder):
    """The whole network: what a forward pass gives, and the gradients of a training step."""
    saved, _ = read_safetensors(net_folder / "net.safetensors")
    x = nchw(saved["input"])
    results = {}
    with torch.inference_mode():
        for dtype in (torch.float64, torch.float32):
            network, _ = load(net_folder / "model.safetensors", dtype)
            smooth, logits, maps_a, maps_b = network.eval().parts(x.to(dtype))
            outputs = {"features": smooth, "probabilities": logits.softmax(1), "maps_a": maps_a, "maps_b": maps_b}
            results[dtype] = outputs
    rows = []
    for what, true in results[torch.float64].items():
        if what not in saved:
            continue
        acol = nchw(saved[what]) if saved[what].dim() == 4 else saved[what]
        rows.append({"what": what, "acol": error(acol, true), "torch": error(results[torch.float32][what], true)})

    saved, _ = read_safetensors(train_folder / "train.safetensors")
    gradients = {}
    for dtype in (torch.float64, torch.float32):
        network, _ = load(train_folder / "model.safetensors", dtype)
        nothing = torch.optim.SGD(network.parameters(), lr=0.0)
        train_step(network.train(), nothing, nchw(saved["input"]).to(dtype), saved["labels"].long())
        gradients[dtype] = {name: parameter.grad for name, parameter in network.named_parameters()}
    errors = {"acol": [], "torch": []}
    for name, true in gradients[torch.float64].items():
        errors["acol"].append(error(saved["gradient." + name], true))
        errors["torch"].append(error(gradients[torch.float32][name], true))
    for what, choose in (("gradients, median", statistics.median), ("gradients, largest", max)):
        rows.append({"what": what, **{who: choose(list_) for who, list_ in errors.items()}})
    return rows


def layer_table(rows):
    lines = [
        "| layer | shape | forward: acol | PyTorch | backward data: acol | PyTorch | weights: acol | PyTorch |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["layer"], row["shape"]]
        for what in ("forward", "backward_data", "backward_weights"):
            cells += [f"{row[what]['acol']:.1e}", f"{row[what]['torch']:.1e}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def net_table(rows):
    lines = ["| whole network | acol | PyTorch |", "|---|---|---|"]
    lines += [f"| {row['what']} | {row['acol']:.1e} | {row['torch']:.1e} |" for row in rows]
    return "\n".join(lines)


def measure(acol, folder):
    """For both map strides. `folder` is for what acol saves."""
    print("bench_peer: errors against float64", file=sys.stderr)
    torch.set_num_threads(acol.options.threads)
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


def tables(results):
    text = ""
    for side, parts in results.items():
        text += f"\nErrors against float64 (relative L2), {side}, one picture.\n\n"
        text += layer_table(parts["layers"]) + "\n\n" + net_table(parts["net"]) + "\n"
    return text
