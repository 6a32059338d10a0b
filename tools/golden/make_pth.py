"""Files of torch.save() in every format that is read, written to tests/golden/. Run once; the tests need only the files.

    python3 -m venv venv && venv/bin/pip install torch numpy safetensors
    venv/bin/python tools/golden/make_pth.py

  pth_zip.pth, pth_zip_protocol4.pth      torch.save as it is, pickle protocols 2 and 4
  pth_legacy.pth, pth_legacy_protocol1.pth  _use_new_zipfile_serialization=False, protocols 2 and 1
  pth_values.safetensors                  what is in each of these: types, strides, views, a Parameter; as float64
  pth_checkpoint.pth                      a training checkpoint: settings, NumPy numbers, an optimizer, "module." names
  pth_official.pth                        the network of vgg16_acol.safetensors as xiaomengyc/ACoL saves it: legacy,
                                          under "state_dict", names module.features, module.cls, module.cls_erase
  pth_hal.pth                             the same as halbielee/ACoL_pytorch does: zip, classifier_A, classifier_B
  pth_shifted.pth                         its trunk with the numbers of a trunk without pool4, under "model"

The network's weights are those of float16, so that half a float32's bytes hold them exactly.
"""

import argparse
import pathlib
from collections import Counter, OrderedDict

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden"


def assorted():
    g = torch.Generator().manual_seed(7)
    whole = torch.randn(5, 4, generator=g)
    filter4 = torch.randn(4, 3, 2, 5, generator=g)
    state = OrderedDict()
    state["f32"] = torch.randn(2, 3, generator=g)
    state["f64"] = torch.randn(3, generator=g, dtype=torch.float64)
    state["f16"] = torch.tensor([1.5, -0.0, 65504.0, 6e-8, 1e-4, float("inf")], dtype=torch.float16)
    state["bf16"] = torch.tensor([[1.0, -3.140625], [1e30, 1e-40]], dtype=torch.bfloat16)
    state["i64"] = torch.tensor(7)
    state["whole"] = whole
    state["row"] = whole[2]  # shares its storage, at an offset
    state["transposed"] = whole.t()
    state["column"] = whole[:, 1]
    state["every_other"] = whole[::2, ::3]
    state["filter"] = filter4
    state["channels_last"] = filter4.contiguous(memory_format=torch.channels_last)
    state["half_filter"] = filter4[1:3, :, :, 1:4].half()[:, 1:]
    state["scalar"] = torch.tensor(2.5)
    state["empty"] = torch.zeros(0, 3)
    state["parameter"] = torch.nn.Parameter(torch.randn(3, generator=g))
    return state


def checkpoint():
    module = torch.nn.DataParallel(torch.nn.Sequential(OrderedDict(features=torch.nn.Sequential(
        torch.nn.Conv2d(3, 2, 3), torch.nn.BatchNorm2d(2)))))
    torch.manual_seed(8)
    for p in module.parameters():
        torch.nn.init.normal_(p)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    module(torch.randn(2, 3, 5, 5)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 6])
    return {"epoch": 3, "args": argparse.Namespace(lr=0.1, data="images"), "best_acc1": np.float64(12.5),
            "best": torch.tensor(0.5), "seen": {"a", "b"}, "count": Counter({3: 1}), "big": 2**70, "none": None,
            "state_dict": module.state_dict(), "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict()}


def main():
    state = assorted()
    torch.save(state, OUT / "pth_zip.pth")
    torch.save(state, OUT / "pth_zip_protocol4.pth", pickle_protocol=4)
    torch.save(state, OUT / "pth_legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(state, OUT / "pth_legacy_protocol1.pth", _use_new_zipfile_serialization=False, pickle_protocol=1)
    save_file({k: np.ascontiguousarray(v.detach().double().numpy()) for k, v in state.items() if k != "i64"},
              OUT / "pth_values.safetensors")
    torch.save(checkpoint(), OUT / "pth_checkpoint.pth")

    weights = {k: torch.from_numpy(v) for k, v in load_file(OUT / "vgg16_acol.safetensors").items()
               if k.startswith(("features.", "classifier_"))}
    assert all(v.dtype == torch.float16 for v in weights.values())

    def named(a, b, prefix):
        return OrderedDict((prefix + k.replace("classifier_a", a).replace("classifier_b", b), v)
                           for k, v in weights.items())

    torch.save({"epoch": 5, "arch": "resnet", "global_counter": 99, "state_dict": named("cls", "cls_erase", "module."),
                "optimizer": {"state": {}, "param_groups": []}}, OUT / "pth_official.pth",
               _use_new_zipfile_serialization=False)
    torch.save(named("classifier_A", "classifier_B", ""), OUT / "pth_hal.pth")
    shifted = OrderedDict()
    for name, value in weights.items():
        if name.startswith("features."):
            number = int(name.split(".")[1])
            shifted[f"features.{number - (number > 23)}.{name.split('.')[2]}"] = value
    torch.save({"model": shifted}, OUT / "pth_shifted.pth")


if __name__ == "__main__":
    main()
