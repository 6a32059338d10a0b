"""PyTorch's ways to run the network on a card, and whether they and acol compute the same. Used by
bench_peer_gpu.py."""

import contextlib
import statistics
import warnings

import torch
from torch.nn import functional as F

from bench_peer_net import Mismatch, error, load, make_optimizer, nchw, read_safetensors

# What PyTorch has for each of acol's precisions. autocast: weights stay float32 and each convolution casts its inputs.
# pure: weights and activations are bfloat16; a float32 copy of the weights takes the steps.
TWINS = {"fp32": ("",), "tf32": ("",), "bf16": ("autocast", "pure")}

# All errors are relative L2 distances to the same pass of PyTorch in strict float32, with the hole that acol cut: a
# pixel next to the threshold falls on either side. Rounding the factors of every convolution of VGG16-ACoL in PyTorch
# gave errors of the maps of 0.9e-3 (TF32) and 7e-3 (bf16) after its 16 layers, of the worst gradient of 0.10 and 0.22,
# since below a ReLU or a max pool that decides the other way gradients part; the limits are about twice that. What a
# wrong gradient could hide behind is closed by the limits of single layers, bench_peer_layers.py.
OUTPUT_LIMIT = {"fp32": 1e-5, "tf32": 2e-3, "bf16": 1.5e-2}
GRADIENT_LIMIT = {"fp32": 1e-2, "tf32": 0.2, "bf16": 0.45}
# Of PyTorch: libraries may cut TF32 off instead of rounding it, which makes all numbers smaller: 1.1e-2 in the maps. In
# pure bfloat16 all that is stored is rounded, too.
TWIN_LIMIT = {"fp32": 1e-5, "tf32": 3e-2, "bf16": 4e-2}
# Of the loss of branch B if the lane cuts its own hole.
OWN_HOLE_LIMIT = 0.1


def require(what, value, limit):
    """NaN never passes."""
    if not value <= limit:
        raise Mismatch(f"{what}: {value:.2e} from PyTorch in strict float32 (relative L2), allowed is {limit:.1e}")


def names_of_lanes(precision, lanes):
    return [f"{lane} {twin}".strip() for lane in lanes for twin in TWINS[precision]]


class Lane:
    """One way: `run()` after `prepare(i)`, which chooses the inputs of run number i."""

    def __init__(self, card, name, model, inputs):
        """`inputs`: sets of float32 (N, 3, H, W) on the card, channels last."""
        self.card, self.name = card, name
        self.kind, self.twin = (name.split() + [""])[:2]
        self.network, self.config = load(model)
        self.network = self.network.to(card.device, memory_format=torch.channels_last)
        if self.twin == "pure":
            inputs = [x.to(torch.bfloat16) for x in inputs]
        self.inputs, self.x, self.remark = inputs, inputs[0], None

    def context(self, precision):
        return self.card.settings(precision, deterministic=self.kind == "deterministic")

    def casting(self):
        if self.twin == "autocast":
            return torch.autocast(self.card.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    def prepare(self, i):
        x = self.inputs[i % len(self.inputs)]
        if self.kind == "graphed":
            self.x.copy_(x)  # what the graph reads
        else:
            self.x = x

    def start(self):
        """Everything that has to happen once: compiling, capturing, choosing algorithms."""
        self.run = self.body
        if self.kind == "deterministic":
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                self.run()
            without = sorted({str(w.message).split(" ")[0] for w in caught if "deterministic" in str(w.message)})
            self.remark = "PyTorch has no deterministic " + ", ".join(without) if without else None
        elif self.kind == "graphed":
            self.x = self.inputs[0].clone()
            with self.card.beside():
                for _ in range(3):
                    self.run()
            self.before_capture()
            replay, result = self.card.graph(self.body)

            def run():
                replay()
                return result

            self.run = run
        for _ in range(2):
            self.run()

    def before_capture(self):
        pass

    def compiled(self, function):
        """`function`, or what runs in its place; it may write its last results anew."""
        if self.kind != "compile":
            return function
        compiled = torch.compile(function, mode="max-autotune", dynamic=False)

        def run(*arguments):
            torch.compiler.cudagraph_mark_step_begin()
            return compiled(*arguments)

        return run


class ForwardLane(Lane):
    def __init__(self, *words):
        super().__init__(*words)
        self.network.eval()
        if self.twin == "pure":
            self.network.to(torch.bfloat16)
        self.function = self.compiled(self.outputs)

    def outputs(self, x):
        with self.casting():
            _, logits, maps_a, maps_b = self.network.parts(x)
        return logits.float().softmax(1), maps_a, maps_b

    def body(self):
        return self.function(self.x)

    def first(self):
        """What comes out for the first inputs: what the lane must share with others, and what must repeat."""
        self.prepare(0)
        return [t.detach().clone() for t in self.run()]


class TrainLane(Lane):
    def __init__(self, card, name, model, inputs, labels):
        super().__init__(card, name, model, inputs)
        self.labels = labels
        self.network.train()
        masters = dict(self.network.named_parameters())
        self.parameters = list(masters.values())
        self.masters = None  # where the weights themselves are no float32
        if self.twin == "pure":
            masters = {name: p.detach().clone().requires_grad_() for name, p in masters.items()}
            self.masters = list(masters.values())
            self.network.to(torch.bfloat16)
            self.parameters = list(self.network.parameters())
            for master in self.masters:
                master.grad = torch.zeros_like(master)
        self.optimizer = make_optimizer(masters.items(), self.config)
        self.stepped = self.masters or self.parameters
        self.initial = [p.detach().clone() for p in self.stepped]
        self.function = self.compiled(self.losses)

    def losses(self, x, kept=None):
        with self.casting():
            _, logits, _, maps_b = self.network.parts(x, self.labels, kept)
            both = [logits] if self.network.classifier_b is None else [logits, maps_b.mean((2, 3))]
            return [F.cross_entropy(each.float(), self.labels) for each in both]

    def backward(self, losses):
        sum(losses).backward()
        if self.masters:
            torch._foreach_copy_([m.grad for m in self.masters], [p.grad for p in self.parameters])

    def body(self):
        for parameter in self.parameters:
            parameter.grad = None
        losses = self.function(self.x)
        self.backward(losses)
        self.optimizer.step()
        if self.masters:
            with torch.no_grad():
                torch._foreach_copy_(self.parameters, self.masters)
        return [loss.detach() for loss in losses]

    def before_capture(self):
        for parameter in self.parameters:
            parameter.grad = None  # so that the graph assigns gradients of its own

    def restore(self):
        """The weights before the first step."""
        with torch.no_grad():
            torch._foreach_copy_(self.stepped, self.initial)
            if self.masters:
                torch._foreach_copy_(self.parameters, self.masters)
            for state in self.optimizer.state.values():
                if state.get("momentum_buffer") is not None:
                    state["momentum_buffer"].zero_()  # the first step of momentum takes the gradient as it is

    def first(self):
        self.restore()
        self.prepare(0)
        losses = [loss.clone() for loss in self.run()]
        return losses + [p.detach().clone() for p in self.stepped]


def repeats(lane):
    """Whether two runs have the same bits."""
    return all(torch.equal(a, b) for a, b in zip(lane.first(), lane.first()))


class Saved:
    """What `acol bench net|train --save` wrote, on the card."""

    def __init__(self, card, folder, kind):
        tensors, _ = read_safetensors(folder / ("train.safetensors" if kind == "train" else "net.safetensors"))
        self.tensors = {name: tensor.to(card.device) for name, tensor in tensors.items()}
        self.model, self.kind = folder / "model.safetensors", kind
        self.x = nchw(self.tensors["input"]).to(memory_format=torch.channels_last)
        self.maps_a = nchw(self.tensors["maps_a"])
        if kind == "train":
            self.labels = self.tensors["labels"].long()
        else:
            self.labels = self.tensors["probabilities"].argmax(1)  # whose holes were cut

    def __getitem__(self, name):
        tensor = self.tensors[name]
        return nchw(tensor) if name in ("features", "maps_a", "maps_b") else tensor

    def __contains__(self, name):
        return name in self.tensors


class Checked:
    """The same pass by acol, by PyTorch in strict float32 and by its eager twins: all the same, or Mismatch."""

    def __init__(self, card, saved, precision):
        self.card, self.saved, self.precision = card, saved, precision
        with card.settings("fp32"):
            self.true = self.results("eager", saved)
        self.errors = {"acol": self.compare("acol", saved, OUTPUT_LIMIT[precision])}
        for twin in TWINS[precision]:
            with card.settings(precision):
                results = self.results(f"eager {twin}".strip(), saved)
            self.errors[twin or "eager"] = self.compare(f"PyTorch {twin}".strip(), results, TWIN_LIMIT[precision])

    def compare(self, who, results, limit):
        errors = {}
        for name, true in self.true.items():
            if name not in results:
                raise Mismatch(f"{who} gave no {name}")
            got = results[name]
            if name == "probabilities":  # the softmax makes absolute errors of logits relative ones
                got, true = (t.double().clamp_min(1e-30).log() for t in (got, true))
            errors[name] = error(got, true)
            allowed = GRADIENT_LIMIT[self.precision] if name.startswith("gradient.") else limit
            require(f"{name} of {who}, {self.precision}", errors[name], allowed)
        gradients = [e for name, e in errors.items() if name.startswith("gradient.")]
        summary = {"outputs": max(e for name, e in errors.items() if not name.startswith("gradient."))}
        if gradients:
            summary.update(gradients=max(gradients), gradients_median=statistics.median(gradients))
        return summary


class CheckedForward(Checked):
    def results(self, name, saved):
        lane = ForwardLane(self.card, name, saved.model, [saved.x])
        with torch.inference_mode(), lane.casting():
            kept = lane.network.kept(saved.maps_a, saved.labels)
            smooth, logits, maps_a, maps_b = lane.network.parts(lane.x, kept=kept)
        results = {"features": smooth, "maps_a": maps_a, "probabilities": logits.float().softmax(1)}
        return {**results, "maps_b": maps_b} if "maps_b" in saved else results

    def check_lane(self, lane):
        probabilities, maps_a, maps_b = lane.first()
        who, limit, true = f"PyTorch {lane.name}", TWIN_LIMIT[self.precision], self.true
        require(f"maps_a of {who}", error(maps_a, true["maps_a"]), limit)
        if "maps_b" not in true:
            return
        own = lane.network.kept(maps_a, probabilities.argmax(1))
        same = (own == lane.network.kept(self.saved.maps_a, self.saved.labels)).flatten(1).all(1)
        if same.any():
            require(f"maps_b of {who}", error(maps_b[same], true["maps_b"][same]), limit)


class CheckedTrain(Checked):
    def results(self, name, saved):
        lane = TrainLane(self.card, name, saved.model, [saved.x], saved.labels)
        with lane.casting():
            with torch.no_grad():
                _, _, maps_a, _ = lane.network.parts(lane.x, saved.labels)
        losses = lane.losses(lane.x, lane.network.kept(saved.maps_a, saved.labels))
        lane.backward(losses)
        results = {"maps_a": maps_a, "loss_a": losses[0].detach().reshape(1)}
        if len(losses) == 2:
            results["loss_b"] = losses[1].detach().reshape(1)
        names = [n for n, _ in lane.network.named_parameters()]
        results.update((f"gradient.{n}", p.grad.clone()) for n, p in zip(names, lane.stepped))
        lane.optimizer.step()
        if self.weights is None:
            self.weights = {n: (p, q.detach()) for n, p, q in zip(names, lane.initial, lane.stepped)}
        return results

    def __init__(self, card, saved, precision):
        self.weights = None  # before and after a step in strict float32
        super().__init__(card, saved, precision)
        # The steps themselves, beside which the rounding of the weights may be large.
        limit = GRADIENT_LIMIT[precision]
        for name, (before, after) in self.weights.items():
            step, apart = ((t.double() - s.double()).norm() for t, s in ((after, before), (saved[name], after)))
            rounding = 2.0**-23 * before.double().norm() / GRADIENT_LIMIT["fp32"]
            require(f"new {name} of acol, {precision}", float(apart / (step + rounding)), limit)

    def check_lane(self, lane):
        losses = lane.first()[: 2 if "loss_b" in self.true else 1]
        limits = (TWIN_LIMIT[self.precision], OWN_HOLE_LIMIT)
        for name, loss, limit in zip(("loss_a", "loss_b"), losses, limits):
            require(f"{name} of PyTorch {lane.name}", error(loss.reshape(1), self.true[name]), limit)

