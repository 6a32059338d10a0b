#!/usr/bin/env python3
"""Writes tests/golden/pil_resize.txt: checksums of Pillow's bilinear resize over many sizes.

    python3 -m venv venv && venv/bin/pip install pillow==13.0.0
    venv/bin/python tools/golden/make_pil_resize.py tests/golden/pil_resize.txt

The pictures are made by a small generator that tests/test_resize.cpp repeats, so only results are stored: a 64-bit FNV-1a
hash of all bytes for each pair of sizes, and all bytes for the few smallest, which show where a difference is.
"""
import sys

import PIL
from PIL import Image


def picture(width, height, seed):
    """Bytes of a linear congruential generator (modulus 2^32), bits 16 to 23; one in four is pushed to 0 or 255."""
    state, out = seed, bytearray()
    for _ in range(width * height * 3):
        state = (state * 1664525 + 1013904223) % 2**32
        value = (state >> 16) & 255
        kind = (state >> 24) & 7
        out.append(0 if kind == 0 else 255 if kind == 1 else value)
    return Image.frombytes("RGB", (width, height), bytes(out))


def fnv1a(data):
    hashed = 0xCBF29CE484222325
    for byte in data:
        hashed = ((hashed ^ byte) * 0x100000001B3) % 2**64
    return hashed


CASES = [
    (1, 1, 1, 1), (1, 1, 5, 3), (5, 3, 1, 1), (2, 2, 3, 3), (3, 2, 2, 3), (4, 4, 2, 2), (7, 1, 3, 1), (1, 7, 1, 3),
    (64, 64, 64, 64), (64, 64, 56, 56), (64, 64, 72, 72), (64, 64, 224, 224), (64, 64, 256, 256), (64, 48, 64, 31),
    (64, 48, 31, 48), (96, 96, 64, 64), (96, 96, 112, 112), (100, 75, 33, 25), (101, 67, 40, 97), (33, 500, 17, 224),
    (500, 33, 224, 17), (500, 375, 341, 256), (375, 500, 224, 224), (500, 333, 224, 224), (13, 17, 300, 1), (299, 7, 3, 200),
    (31, 37, 32, 38), (32, 38, 31, 37), (255, 255, 256, 256), (257, 129, 128, 64), (640, 480, 9, 11), (3, 1000, 2, 3),
]


def main():
    lines = ["# Pillow %s, Image.resize(BILINEAR): in_w in_h out_w out_h fnv1a bytes-if-few" % PIL.__version__]
    for number, (in_width, in_height, width, height) in enumerate(CASES):
        data = picture(in_width, in_height, number + 1).resize((width, height), Image.BILINEAR).tobytes()
        few = " " + data.hex() if len(data) <= 48 else ""
        lines.append("%d %d %d %d %016x%s" % (in_width, in_height, width, height, fnv1a(data), few))
    with open(sys.argv[1], "w") as out:
        out.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
