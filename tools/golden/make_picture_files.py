#!/usr/bin/env python3
"""Writes tests/golden/pictures.txt: small picture files of odd kinds, and the RGB values that Pillow reads from them.

    python3 -m venv venv && venv/bin/pip install pillow==13.0.0 numpy opencv-python-headless
    venv/bin/python tools/golden/make_picture_files.py tests/golden/pictures.txt

A line a picture: name, width, height, the file in hexadecimal, width * height * 3 values in hexadecimal. JPEGs are not
subsampled, so that only the decoders' arithmetic differs. 16-bit files are read with OpenCV: Pillow clips 16-bit grey.
"""
import io
import struct
import sys

import cv2
import numpy as np
from PIL import Image, ImageOps

ADOBE = b"\xff\xee\x00\x0eAdobe"


def smooth(width, height, channels):
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x * (9 + 4 * c) + y * (13 - 5 * c) + 31 * c) % 256 for c in range(channels)]
    wave = [128 + 100 * np.sin((x * (c + 1) + 2 * y) / 7 + c) for c in range(channels)]
    return np.stack([np.where(x < width // 2, p, w) for p, w in zip(planes, wave)], -1).astype(np.uint8)


def saved(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def set_transform(jpeg, transform):
    at = jpeg.index(ADOBE) + 4 + 11
    return jpeg[:at] + bytes([transform]) + jpeg[at + 1:]


def without_adobe(jpeg):
    at = jpeg.index(ADOBE)
    return jpeg[:at] + jpeg[at + 16:]


def exif(orientation, order):
    head = b"II*\0\x08\0\0\0" if order == "<" else b"MM\0*\0\0\0\x08"
    entries = struct.pack(order + "HHII", 0x0100, 4, 1, 77) + struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return head + struct.pack(order + "H", 2) + entries + struct.pack(order + "I", 0)


def main(path):
    files = {}
    cmyk = Image.frombytes("CMYK", (24, 16), smooth(24, 16, 4).tobytes())
    adobe = saved(cmyk, "JPEG", quality=95)
    files["cmyk"] = adobe
    files["cmyk_progressive"] = saved(cmyk, "JPEG", quality=95, progressive=True)
    files["ycck"] = set_transform(adobe, 2)
    files["cmyk_without_adobe"] = without_adobe(adobe)
    rgb = Image.fromarray(smooth(24, 16, 3))
    files["rgb"] = saved(rgb, "JPEG", quality=95, subsampling=0)
    files["grey"] = saved(rgb.convert("L"), "JPEG", quality=95)
    files["rgba_png"] = saved(Image.fromarray(smooth(7, 5, 4)), "PNG")
    files["grey_alpha_png"] = saved(Image.fromarray(smooth(7, 5, 2)), "PNG")
    files["palette_png"] = saved(rgb.quantize(16), "PNG")
    files["palette_alpha_png"] = saved(rgb.quantize(16), "PNG", transparency=3)
    files["one_bit_png"] = saved(rgb.convert("1"), "PNG")
    files["grey16_png"] = cv2.imencode(".png", (smooth(7, 5, 1).astype(np.uint16) * 251 + 77))[1].tobytes()
    files["rgb16_png"] = cv2.imencode(".png", (smooth(7, 5, 3).astype(np.uint16) * 251 + 77))[1].tobytes()
    turned = Image.fromarray(smooth(5, 3, 3))
    for orientation in range(10):
        order = "<" if orientation % 2 else ">"
        files[f"exif_{orientation}"] = saved(turned, "PNG", exif=exif(orientation, order))

    with open(path, "w", encoding="ascii") as out:
        for name, data in files.items():
            if "16_" in name:
                values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
            else:
                picture = Image.open(io.BytesIO(data))
                if name.startswith("exif"):
                    picture = ImageOps.exif_transpose(picture)
                values = np.asarray(picture.convert("RGB"))
            height, width = values.shape[:2]
            out.write(f"{name} {width} {height} {data.hex()} {values.tobytes().hex()}\n")


if __name__ == "__main__":
    main(sys.argv[1])
