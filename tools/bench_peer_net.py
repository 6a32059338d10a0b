"""The network of acol in PyTorch, written from the description in acol/network/, with the weights of a model file; and
the comparison of what both compute. Used by bench_peer.py."""

import json
import math

import torch
from torch import nn
from torch.nn import functional as F

# Convolutions in each of the five blocks.
DEPTHS = {"vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}


class Mismatch(Exception):
    """acol and PyTorch do not compute the same."""


class Safetensors:
    """The tensors of a file by name, each read when it is asked for. The format is described in
    tensor/safetensors.h."""

    def __init__(self, path, dtype=None):
        """`dtype`: what the tensors become; None: as they are stored."""
        self.path, self.dtype = path, dtype
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            self.entries = json.loads(file.read(length))
        self.start = 8 + length
        self.metadata = self.entries.pop("__metadata__", {})

    def __contains__(self, name):
        return name in self.entries

    def __getitem__(self, name):
        entry = self.entries[name]
        begin, end = entry["data_offsets"]
        content = bytearray(end - begin)
        with open(self.path, "rb") as file:
            file.seek(self.start + begin)
            if file.readinto(content) != len(content):
                raise SystemExit(f"bench_peer: {self.path} ends early")
        stored = {"F32": torch.float32, "F64": torch.float64}[entry["dtype"]]
        return torch.frombuffer(content, dtype=stored).reshape(entry["shape"]).to(self.dtype or stored)


def read_safetensors(path):
    """(tensors, metadata)"""
    file = Safetensors(path)
    return {name: file[name] for name in file.entries}, file.metadata


def nchw(tensor):
    """Activations are (N, H, W, C) in acol."""
    return tensor.permute(0, 3, 1, 2).contiguous()


def conv_of(tensors, prefix):
    weight, bias = tensors[prefix + ".weight"], tensors[prefix + ".bias"]
    out, into, rows, columns = weight.shape
    conv = nn.Conv2d(into, out, (rows, columns), padding=(rows // 2, columns // 2), dtype=weight.dtype)
    with torch.no_grad():
        conv.weight.copy_(weight)
        conv.bias.copy_(bias)
    return conv


class Network(nn.Module):
    """x (N, 3, H, W) -> branch A's probabilities (training: logits) and maps, branch B's maps. `labels`: whose map of A
    is cut out of B's features; A's own answer if not given, as at test."""

    def __init__(self, tensors, config):
        super().__init__()
        arch = config["arch"]
        if arch not in DEPTHS:
            raise SystemExit(f"bench_peer: {arch}: only plain VGG networks are compared ({', '.join(DEPTHS)})")
        layers, number = {}, 0
        for block, depth in enumerate(DEPTHS[arch]):
            for _ in range(depth):
                layers[str(number)] = conv_of(tensors, f"features.{number}")
                layers[str(number + 1)] = nn.ReLU(inplace=True)
                number += 2
            stride = 2 if block < 3 or (block == 3 and config["map_stride"] == 16) else 1
            layers[str(number)] = nn.MaxPool2d(3, stride, 1)
            number += 1
        self.features = nn.Sequential()
        for name, layer in layers.items():
            self.features.add_module(name, layer)
        self.classifier_a = self.head(tensors, "classifier_a")
        self.classifier_b = self.head(tensors, "classifier_b") if config["method"] == "acol" else None
        self.threshold = config["erase_threshold"]

    @staticmethod
    def head(tensors, name):
        return nn.Sequential(
            conv_of(tensors, name + ".0"),
            nn.ReLU(inplace=True),
            conv_of(tensors, name + ".2"),
            nn.ReLU(inplace=True),
            conv_of(tensors, name + ".4"),
        )

    def heat(self, maps, labels):
        """Each image's map of its label, min-max normalised; all 0 where it is constant."""
        n, _, p, q = maps.shape
        chosen = maps.detach().gather(1, labels.view(n, 1, 1, 1).expand(n, 1, p, q)).double()
        low, high = chosen.amin((2, 3), keepdim=True), chosen.amax((2, 3), keepdim=True)
        return torch.where(high > low, (chosen - low) / (high - low), torch.zeros_like(chosen)).to(maps.dtype)

    def kept(self, maps, labels):
        """1 where branch B sees its features, 0 in the hole of the labels' maps."""
        return self.heat(maps, labels) < self.threshold

    def parts(self, x, labels=None, kept=None):
        """`kept`: instead of that of the network's own maps."""
        smooth = F.avg_pool2d(self.features(x), 3, 1, 1)
        maps_a = self.classifier_a(smooth)
        logits = maps_a.mean((2, 3))
        if self.classifier_b is None:
            return smooth, logits, maps_a, maps_a
        if kept is None:
            kept = self.kept(maps_a, logits.argmax(1) if labels is None else labels)
        return smooth, logits, maps_a, self.classifier_b(smooth * kept.to(smooth.dtype))

    def forward(self, x):
        _, logits, maps_a, maps_b = self.parts(x)
        return logits.softmax(1), maps_a, maps_b

    def losses(self, x, labels):
        _, logits, _, maps_b = self.parts(x, labels)
        loss_a = F.cross_entropy(logits, labels)
        if self.classifier_b is None:
            return loss_a, None
        return loss_a, F.cross_entropy(maps_b.mean((2, 3)), labels)


def load(path, dtype=torch.float32):
    """The network of a model file and its training settings."""
    file = Safetensors(path, dtype)
    config = json.loads(file.metadata["acol_model"])["config"]
    return Network(file, config), config


def make_optimizer(named_parameters, config):
    """The parameter groups of parameter_groups() in acol/train/trainer.h; fused, where this PyTorch has that."""
    groups = {}
    for name, parameter in named_parameters:
        head = 1.0 if name.startswith("features.") else config["head_lr_factor"]
        bias = config["bias_lr_factor"] if name.endswith(".bias") else 1.0
        groups.setdefault(head * bias, []).append(parameter)
    settings = {key: config[key] for key in ("momentum", "nesterov", "weight_decay")}
    lists = [{"params": parameters, "lr": config["lr"] * factor} for factor, parameters in groups.items()]
    try:
        return torch.optim.SGD(lists, lr=config["lr"], fused=True, **settings)
    except (TypeError, RuntimeError):
        return torch.optim.SGD(lists, lr=config["lr"], **settings)


def train_step(network, optimizer, x, labels):
    optimizer.zero_grad(set_to_none=True)
    loss_a, loss_b = network.losses(x, labels)
    loss = loss_a if loss_b is None else loss_a + loss_b
    loss.backward()
    optimizer.step()
    return loss_a, loss_b


def forward_in_format(network, x, name):
    """A function that runs the network, in evaluation mode, on x: "NCHW", "channels_last" or "frozen" TorchScript."""
    if name == "channels_last":
        network, x = network.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    if name == "frozen":
        with torch.no_grad():
            network = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, x)))
            for _ in range(3):  # the first runs still compile
                network(x)
    return lambda: network(x)


def train_in_format(model_path, x, labels, name):
    """A function that takes a training step of its own network on x and returns the losses: "NCHW" or
    "channels_last"."""
    memory_format = {"NCHW": torch.contiguous_format, "channels_last": torch.channels_last}[name]
    network, config = load(model_path)
    network = network.train().to(memory_format=memory_format)
    optimizer = make_optimizer(network.named_parameters(), config)
    x, labels = x.to(memory_format=memory_format), labels.long()
    return lambda: train_step(network, optimizer, x, labels)


def error(got, true):
    """Relative L2 distance."""
    true = true.double()
    return float((got.double() - true).norm() / true.norm())


def demand(what, value, limit):
    """NaN never passes."""
    if not value <= limit:
        raise Mismatch(f"{what}: acol and PyTorch differ by {value:.2e} (relative L2), allowed is {limit:.0e}")


OUTPUT_LIMIT = 1e-5
# Below a ReLU or a max pool where two candidates tie within rounding, gradients of two correct programs part.
GRADIENT_LIMIT = 1e-2


def check_outputs(outputs, saved):
    """`outputs`: what Network.forward() gave; `saved`: net.safetensors. The largest error."""
    probabilities, maps_a, maps_b = outputs
    pairs = [("probabilities", probabilities, saved["probabilities"]), ("maps of A", maps_a, nchw(saved["maps_a"]))]
    if "maps_b" in saved:
        if not torch.equal(probabilities.argmax(1), saved["probabilities"].argmax(1)):
            raise Mismatch("acol and PyTorch answer differently, so that they cut different holes")
        pairs.append(("maps of B", maps_b, nchw(saved["maps_b"])))
    for what, got, expected in pairs:
        demand(what, error(expected, got), OUTPUT_LIMIT)
    return max(error(expected, got) for _, got, expected in pairs)


def check_step(model_path, saved):
    """One step from the model file against train.safetensors: losses, all gradients, all new weights. The largest error
    of a gradient."""
    network, config = load(model_path)
    network.train()
    optimizer = make_optimizer(network.named_parameters(), config)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    losses = train_step(network, optimizer, nchw(saved["input"]), saved["labels"].long())
    for name, loss in zip(("loss_a", "loss_b"), losses):
        if loss is not None:
            demand(name, error(saved[name], loss.detach().reshape(1)), OUTPUT_LIMIT)
    worst = 0.0
    for name, parameter in network.named_parameters():
        gradient = error(saved["gradient." + name], parameter.grad)
        demand(f"gradient of {name}", gradient, GRADIENT_LIMIT)
        worst = max(worst, gradient)
        # The step that was taken, beside which the rounding of the weight itself may be large.
        step = (parameter.detach() - before[name]).double().norm()
        apart = (parameter.detach().double() - saved[name].double()).norm()
        rounding = math.ldexp(1, -23) * before[name].double().norm()
        demand(f"new {name}", float(apart / (step + rounding / GRADIENT_LIMIT)), GRADIENT_LIMIT)
    return worst
