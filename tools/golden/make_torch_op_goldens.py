"""Golden vectors of single operations from PyTorch, written to tests/golden/ops.safetensors.
They are read by tests/test_golden_ops.cpp.

    python3 -m venv venv && venv/bin/pip install torch numpy safetensors
    venv/bin/python tools/golden/make_torch_op_goldens.py

For every case: inputs (representable in float32), the output, a random upstream gradient "dy" and the gradient of
sum(dy * output) with respect to each input, all computed in float64. Activations are stored as (N, H, W, C), filters as
(O, C, R, S). "cases" in the metadata entry "golden" (JSON) lists each case's operation, name and settings.
"""

import json
import pathlib

import numpy as np
import torch
from safetensors.numpy import save_file
from torch.nn import functional as F

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "ops.safetensors"
generator = torch.Generator().manual_seed(7)
tensors, cases = {}, []


def draw(*shape):
    return torch.randn(shape, generator=generator).double().requires_grad_()


def put(key, value):
    """A tensor of rank 4 goes from NCHW to NHWC, filters ("/w") excepted."""
    value = value.detach()
    if value.dim() == 4 and not key.split("/")[-1] in ("w", "dw"):
        value = value.permute(0, 2, 3, 1)
    tensors[key] = np.ascontiguousarray(np.atleast_1d(value.numpy().astype(np.float64)))


def case(op, settings, inputs, output, **extra):
    """inputs: name -> leaf. Runs the backward pass and stores all."""
    name = f"{op}_{sum(c['op'] == op for c in cases)}"
    dy = draw(*output.shape).detach()
    (output * dy).sum().backward()
    for key, value in inputs.items():
        put(f"{name}/{key}", value)
        put(f"{name}/d{key}", value.grad)
    put(f"{name}/y", output)
    put(f"{name}/dy", dy)
    for key, value in extra.items():
        put(f"{name}/{key}", value)
    cases.append({"op": op, "name": name, **settings})


def conv2d(shape, out, kernel, stride=(1, 1), pad=(0, 0), dilation=(1, 1), bias=True, relu=False):
    inputs = {"x": draw(*shape), "w": draw(out, shape[1], *kernel)}
    if bias:
        inputs["b"] = draw(out)
    y = F.conv2d(inputs["x"], inputs["w"], inputs.get("b"), stride, pad, dilation)
    case("conv2d", {"stride": stride, "pad": pad, "dilation": dilation, "relu": relu}, inputs, F.relu(y) if relu else y)


def pool(op, shape, window, stride, pad, count_padding=True):
    x = draw(*shape)
    if op == "max_pool2d":
        y = F.max_pool2d(x, window, stride, pad)
    else:
        y = F.avg_pool2d(x, window, stride, pad, count_include_pad=count_padding)
    case(op, {"window": window, "stride": stride, "pad": pad, "count_padding": count_padding}, {"x": x}, y)


def batch_norm(training):
    inputs = {"x": draw(3, 5, 4, 6), "gamma": draw(5), "beta": draw(5)}
    mean = draw(5).detach()
    variance = torch.rand(5, generator=generator).double() + 0.5
    before = mean.clone(), variance.clone()
    y = F.batch_norm(inputs["x"], mean, variance, inputs["gamma"], inputs["beta"], training, 0.1, 1e-5)
    case("batch_norm", {"training": training}, inputs, y, mean=before[0], variance=before[1], mean_after=mean,
         variance_after=variance)


def resize(mode, shape, size):
    x = draw(*shape)
    y = F.interpolate(x, size, mode=mode, align_corners=False, antialias=False)
    case("resize", {"mode": mode, "size": size}, {"x": x}, y)


def cross_entropy(rows, classes, scale):
    x = (scale * draw(rows, classes).detach()).requires_grad_()
    labels = torch.randint(classes, (rows,), generator=generator)
    case("cross_entropy", {"labels": labels.tolist()}, {"x": x},
         F.cross_entropy(x, labels).reshape(1))


conv2d((2, 3, 7, 6), 4, (3, 3), pad=(1, 1))
conv2d((2, 3, 7, 6), 4, (3, 3), pad=(1, 1), relu=True)
conv2d((1, 4, 9, 8), 3, (3, 2), stride=(2, 1), pad=(1, 0), bias=False)
conv2d((2, 2, 11, 10), 3, (3, 3), stride=(2, 3), pad=(2, 2), dilation=(2, 2))
conv2d((1, 5, 4, 5), 7, (1, 1))
conv2d((1, 2, 9, 12), 2, (5, 7), stride=(3, 2), pad=(2, 3), dilation=(1, 2))
pool("max_pool2d", (2, 3, 7, 6), (3, 3), (2, 2), (1, 1))
pool("max_pool2d", (2, 3, 7, 6), (3, 3), (1, 1), (1, 1))
pool("max_pool2d", (1, 2, 8, 7), (2, 3), (2, 1), (0, 1))
for count_padding in (True, False):
    pool("avg_pool2d", (2, 3, 7, 6), (3, 3), (1, 1), (1, 1), count_padding)
    pool("avg_pool2d", (1, 2, 8, 7), (4, 3), (3, 2), (2, 1), count_padding)
batch_norm(True)
batch_norm(False)
for mode in ("bilinear", "bicubic"):
    resize(mode, (2, 3, 4, 5), (11, 8))
    resize(mode, (1, 2, 9, 10), (4, 3))
    resize(mode, (1, 1, 7, 4), (3, 9))
    resize(mode, (1, 2, 1, 3), (4, 6))
cross_entropy(4, 6, 1)
cross_entropy(3, 5, 32)  # nearly one-hot: the row's maximum must be subtracted

OUT.parent.mkdir(parents=True, exist_ok=True)
# One entry: the order of several is random, and the file would change with every run.
save_file(tensors, OUT, {"golden": json.dumps({"maker": "tools/golden/make_torch_op_goldens.py",
                                               "torch": torch.__version__, "cases": cases})})
print(len(cases), "cases,", OUT.stat().st_size, "bytes")
