#!/usr/bin/env python3
"""Writes tests/golden/box_rules.txt: normalised maps, boxes by each rule and contours, as NumPy, SciPy and OpenCV give them.

    python3 -m venv venv && venv/bin/pip install numpy scipy opencv-python-headless matplotlib
    venv/bin/python tools/golden/make_box_rules.py tests/golden/box_rules.txt

The maps are drawn in whole numbers by the generator of generator.py, and the tests draw them again. The rules are
written from their descriptions in papers and from what the published programs do, with the libraries that those use.
"""
import math
import sys

import cv2
import matplotlib
import numpy as np
import scipy.ndimage

from generator import Generator, fnv1a

KINDS = ["blobs", "steps", "binary", "bytes", "pixel", "frames", "ramp", "lines", "plateau", "constant", "ones"]
SIZES = [(1, 1), (1, 9), (9, 1), (3, 4), (7, 5), (8, 8), (12, 20), (24, 17), (33, 40), (60, 45)]
REPEATS = {"pixel": 2, "frames": 2, "ramp": 2, "constant": 1, "ones": 1}


def whole_map(kind, width, height, seed):
    generator = Generator(seed)
    values = [[0] * width for _ in range(height)]
    everywhere = [(x, y) for y in range(height) for x in range(width)]
    if kind in ("blobs", "plateau"):
        shapes = []
        for _ in range(3):
            cx, cy = generator.below(width), generator.below(height)
            radius = 1 + (width + height) // 20 + generator.below(1 + (width + height) // 6)
            shapes.append((cx, cy, radius * radius, (200 + generator.below(800)) * 1000))
        for x, y in everywhere:
            for cx, cy, square, top in shapes:
                values[y][x] += top * square // (square + (x - cx) * (x - cx) + (y - cy) * (y - cy))
        if kind == "plateau":
            for x, y in everywhere:
                values[y][x] = values[y][x] // 150000
    elif kind in ("steps", "binary"):
        cell, levels = 1 + generator.below(4), 5 if kind == "steps" else 2
        across, down = (width + cell - 1) // cell, (height + cell - 1) // cell
        cells = [[generator.below(levels) for _ in range(across)] for _ in range(down)]
        for x, y in everywhere:
            values[y][x] = cells[y // cell][x // cell]
    elif kind == "bytes":
        for x, y in everywhere:
            values[y][x] = generator.below(256)
        values[0][0], values[-1][-1] = 0, 255
    elif kind == "pixel":
        values[generator.below(height)][generator.below(width)] = 1000
    elif kind == "frames":
        period = 2 + generator.below(3)
        for x, y in everywhere:
            values[y][x] = min(x, y, width - 1 - x, height - 1 - y) % period
    elif kind == "ramp":
        a, b = generator.below(5), generator.below(5)
        for x, y in everywhere:
            values[y][x] = a * x + b * y
    elif kind == "lines":
        for _ in range(4):
            x, y, step, top = generator.below(width), generator.below(height), generator.below(3), 500 + generator.below(500)
            while x < width and y < height:
                values[y][x] = top
                x, y = x + (step != 1), y + (step != 0)
        x0, y0 = generator.below(width), generator.below(height)
        for y in range(y0, min(height, y0 + 1 + height // 4)):
            for x in range(x0, min(width, x0 + 1 + width // 4)):
                values[y][x] = 400
    else:
        values = [[7] * width for _ in range(height)]
    return np.array(values, np.int64)


def scores_of(kind, whole):
    low, high = whole.min(), whole.max()
    if low == high:
        return np.full(whole.shape, 1.0 if kind == "ones" else 0.0)
    return (whole - low).astype(np.float64) / np.float64(high - low)


# ---- normalisations ----


def raw_of(whole):
    """Any scale, on both sides of zero."""
    return (whole.astype(np.float64) - np.float64(whole.max() // 3)) / 1000.0


def ranked(values, share):
    return np.sort(values.flatten())[min(int(values.size * share), values.size - 1)]


def normalised(values, name, percent, rank):
    if values.min() == values.max():
        return np.zeros_like(values)
    if name == "min-max":
        return (values - values.min()) / (values.max() - values.min())
    if name == "max":
        above = np.maximum(0, values)
        return above / above.max() if above.max() > 0 else above
    if name == "pas":
        above = values - values.min()
        top = ranked(above, percent / 100) if rank else np.percentile(above, percent)
        return np.minimum(1, above / top) if top > 0 else (above > 0).astype(np.float64)
    zero = ranked(values, percent / 100) if rank else np.percentile(values, percent)
    above = np.maximum(0, values - zero)
    return above / above.max() if above.max() > 0 else above


NORMALISATIONS = [("min-max", 0, 0), ("max", 0, 0), ("pas", 90, 0), ("pas", 90, 1), ("pas", 37.5, 0), ("pas", 100, 0),
                  ("ivr", 45, 0), ("ivr", 45, 1), ("ivr", 0, 0), ("ivr", 99, 0), ("ivr", 100, 1)]


def normalisation_text(name, percent, rank):
    return name if name in ("min-max", "max") else "%s:%g%s" % (name, percent, "/rank" if rank else "")


# ---- box rules ----


def largest_component(scores, tau):
    if not scores.max() > 0:
        return []
    mask = (scores >= tau * scores.max()).astype(np.uint8)
    count, labels = cv2.connectedComponents(mask, connectivity=8)
    found = [(-(labels == i).sum(), np.flatnonzero(labels == i)[0], i) for i in range(1, count)]
    return [around(labels == min(found)[2])] if found else []


def around(mask):
    rows, columns = np.where(mask.any(axis=1))[0], np.where(mask.any(axis=0))[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def union(scores, tau):
    return [around(scores >= tau)] if (scores >= tau).any() else []


def largest_box_area(scores, tau):
    labels, count = scipy.ndimage.label(scores >= tau)
    best, best_area = [], 0
    for i in range(1, count + 1):
        box = around(labels == i)
        area = (box[2] - box[0] + 1) * (box[3] - box[1] + 1)
        if area > best_area:
            best, best_area = [box], area
    return best


def contour_box(grey, cut, mode):
    _, binary = cv2.threshold(grey, cut, 255, mode)
    contours, _ = cv2.findContours(binary, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return []
    x, y, w, h = cv2.boundingRect(max(contours, key=cv2.contourArea))
    return [(x, y, x + w, y + h)]


def largest_contour(scores, tau):
    grey = (scores * 255.0).astype(np.uint8)
    return contour_box(grey, int(tau * np.max(grey)), cv2.THRESH_BINARY)


def adl(scores, tau):
    colours = (matplotlib.colormaps["cubehelix"](scores)[..., :3].astype("float32") * 255.0).astype(np.uint8)
    grey = cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY)
    return contour_box(grey, int(np.max(grey) * tau), cv2.THRESH_TOZERO)


def pas(scores, tau, percent):
    grey = (scores * 255).astype(np.uint8)
    return contour_box(grey, int(tau * np.percentile(grey, q=percent)), cv2.THRESH_BINARY)


def wsol(scores, tau):
    height, width = scores.shape
    grey = (scores * 255).astype(np.uint8)
    _, binary = cv2.threshold(grey, int(tau * np.max(grey)), 255, cv2.THRESH_BINARY)
    contours, _ = cv2.findContours(binary, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    areas = [cv2.contourArea(c) for c in contours]
    first = [areas.index(max(areas))] if areas else []
    boxes = []
    for i in first + [i for i in range(len(contours)) if i not in first]:
        x, y, w, h = cv2.boundingRect(contours[i])
        boxes.append((x, y, min(x + w, width - 1), min(y + h, height - 1)))
    return boxes


def thick_parts(grey, level):
    mask = np.where(grey > level, 255, 0).astype(np.uint8)
    if mask.all():
        return mask
    distance = scipy.ndimage.distance_transform_edt(mask)
    assert np.allclose(distance, cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), atol=1e-3)
    if not mask.any():
        return mask
    scaled = np.floor(distance * (255.0 / distance.max()) + 0.5)
    return np.where(scaled > 10, 255, 0).astype(np.uint8)


def dt_box(scores, levels, clear):
    """Rows x, y, w, h as the program of CAM prints them; checked by hand against its sample picture and its output."""
    if not scores.max() > 0:
        return []
    grey = np.floor(255.0 * (scores / scores.max()) + 0.5).astype(np.uint8)
    height, width = grey.shape
    limit = lambda v, low, high: low if v < low else high if v > high else v
    rects = []
    for level in levels:
        mask = thick_parts(grey, level)
        if clear:
            mask[[0, -1], :] = 0
            mask[:, [0, -1]] = 0
        contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        for contour in contours:
            x, y, w, h = cv2.boundingRect(contour)
            rects.append((limit(x, 0, width - 5), limit(y, 0, height - 5), limit(w, 0, width - x - 5), limit(h, 0, height - y - 5)))
    rects.sort(key=lambda r: -(r[2] * r[3]))
    i = 0
    while i < len(rects):
        j = i + 1
        while j < len(rects):
            a, b = rects[i], rects[j]
            across = max(0, min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]))
            down = max(0, min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]))
            if across * down > int(max(a[2] * a[3], b[2] * b[3]) * 0.5):
                del rects[j]
            j += 1  # also after a deletion
        i += 1
    return [(min(x, x + w), min(y, y + h), max(x, x + w), max(y, y + h)) for x, y, w, h in rects]


RULES = [("cam-paper:0.2", lambda s: largest_component(s, 0.2)), ("cam-paper:0.5", lambda s: largest_component(s, 0.5)),
         ("gradcam", lambda s: largest_component(s, 0.15)), ("union", lambda s: union(s, 0.2)),
         ("union:0.6", lambda s: union(s, 0.6)), ("largest-box-area", lambda s: largest_box_area(s, 0.2)),
         ("largest-box-area:0.5", lambda s: largest_box_area(s, 0.5)), ("largest-contour", lambda s: largest_contour(s, 0.2)),
         ("largest-contour:0.15", lambda s: largest_contour(s, 0.15)), ("largest-contour:0.6", lambda s: largest_contour(s, 0.6)),
         ("adl", lambda s: adl(s, 0.2)), ("adl:0.45", lambda s: adl(s, 0.45)), ("pas", lambda s: pas(s, 0.35, 90)),
         ("pas:0.8/62.5", lambda s: pas(s, 0.8, 62.5)), ("wsol", lambda s: wsol(s, 0.2)), ("wsol:0.6", lambda s: wsol(s, 0.6)),
         ("dt-box", lambda s: dt_box(s, (20, 100, 110), False)), ("dt-box:30/90/150", lambda s: dt_box(s, (30, 90, 150), False)),
         ("dt-box:20/100/110/clear", lambda s: dt_box(s, (20, 100, 110), True)), ("dt-box:1/2/254", lambda s: dt_box(s, (1, 2, 254), False))]


def boxes_text(boxes):
    texts = ["%d,%d,%d,%d" % box for box in boxes]
    if not texts:
        return "-"
    return " ".join(texts if len(texts) <= 2 else texts[:2] + ["%d:%s" % (len(texts), fnv1a(" ".join(texts))[:8])])


def two_level_text(scores):
    contours, hierarchy = cv2.findContours((scores > 0.5).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    lines = ["%d %d %d %d %d\n" % (*cv2.boundingRect(c), hierarchy[0][i][3]) for i, c in enumerate(contours)]
    return fnv1a("".join(lines))[:8]


def main():
    out = ["# Per map: contours of RETR_CCOMP (hash); each normalisation (hash); the boxes of each rule, by '|', as",
           "# x0,y0,x1,y1: all if at most two, else two, the count and a hash of all"]
    out.append("normalisations " + " ".join(normalisation_text(*n) for n in NORMALISATIONS))
    out.append("rules " + " ".join(name for name, _ in RULES))
    seed = 0
    for kind in KINDS:
        for width, height in SIZES:
            for _ in range(REPEATS.get(kind, 3)):
                seed += 1
                whole = whole_map(kind, width, height, seed)
                scores, raw = scores_of(kind, whole), raw_of(whole)
                norms = [fnv1a("".join("%.17g\n" % v for v in normalised(raw, *n).flatten()))[:8] for n in NORMALISATIONS]
                boxes = [boxes_text(rule(scores)) for _, rule in RULES]
                assert all(map(math.isfinite, scores.flatten()))
                out.append("map %s %d %d %d %s %s|%s" % (kind, width, height, seed, two_level_text(scores), " ".join(norms), "|".join(boxes)))
    with open(sys.argv[1], "w") as file:
        file.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
