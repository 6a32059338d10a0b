#!/usr/bin/env python3
"""Writes tests/golden/wsol_metrics.txt: MaxBoxAcc, MaxBoxAccV2 and PxAP of a thousand maps, by NumPy and OpenCV.

    python3 -m venv venv && venv/bin/pip install numpy opencv-python-headless
    venv/bin/python tools/golden/make_wsol_metrics.py tests/golden/wsol_metrics.txt

Maps, boxes and masks are made by a small generator in whole numbers that the tests repeat, so only results are stored.
Many maps are there to confuse: constant ones, NaN, one pixel, rings, ties, thin diagonals, objects at the borders. The
evaluators are written from the definition of the metrics (Choe et al., CVPR 2020, and their published evaluator), map
by map and threshold by threshold. tools/score_peer.py times them.
"""
import sys

import cv2
import numpy as np

from generator import Generator, fnv1a

DELTAS = (0.3, 0.5, 0.7)


# ---- the metrics ----


def min_max(scores):
    """To [0, 1]; zeros if the map is constant or holds a NaN or an infinity."""
    if not np.isfinite(scores).all() or scores.max() == scores.min():
        return np.zeros(scores.shape)
    return (scores - scores.min()) / (scores.max() - scores.min())


def boxes_at(byte_map, tau):
    """The box of the largest contour, and those of all, at one threshold."""
    height, width = byte_map.shape
    _, binary = cv2.threshold(byte_map, int(tau * np.max(byte_map)), 255, cv2.THRESH_BINARY)
    contours, _ = cv2.findContours(binary, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    if len(contours) == 0:
        return np.zeros((1, 4), int), np.zeros((1, 4), int)

    def box(contour):
        x, y, w, h = cv2.boundingRect(contour)
        return x, y, min(x + w, width - 1), min(y + h, height - 1)

    return np.array([box(max(contours, key=cv2.contourArea))]), np.array([box(c) for c in contours])


def best_iou(boxes, truth):
    """The largest overlap between any of (n, 4) and any of (m, 4) boxes with inclusive corners."""
    a, b = boxes[:, None, :], truth[None, :, :]
    width = np.maximum(0, np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0]) + 1)
    height = np.maximum(0, np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1]) + 1)
    both = width * height
    area = lambda c: (c[..., 2] - c[..., 0] + 1) * (c[..., 3] - c[..., 1] + 1)
    return (both / (area(a) + area(b) - both)).max()


class MaxBoxAcc:
    def __init__(self, step):
        self.taus = np.arange(0, 1, step)
        self.count = 0
        self.hits_v1 = np.zeros(len(self.taus))
        self.hits_v2 = np.zeros((len(DELTAS), len(self.taus)))

    def overlaps(self, scores, truth):
        """(2, thresholds): the best IoU of the largest contour's box, and of those of all contours."""
        if np.isnan(scores).any() or scores.min() < 0 or scores.max() > 1:
            raise ValueError("scores must be in [0, 1]")
        byte_map = (scores * 255).astype(np.uint8)
        pairs = (boxes_at(byte_map, tau) for tau in self.taus)
        return np.array([(best_iou(largest, truth), best_iou(every, truth)) for largest, every in pairs]).T

    def add(self, overlaps):
        self.count += 1
        self.hits_v1 += overlaps[0] >= 0.5
        for hits, delta in zip(self.hits_v2, DELTAS):
            hits += overlaps[1] >= delta

    def result(self):
        """v1, v2, the three rates of v2, and the smallest best threshold of v1 and of each rate."""
        v1 = self.hits_v1 * 100.0 / float(self.count)
        v2 = self.hits_v2 * 100.0 / float(self.count)
        each = [curve.max() for curve in v2]
        return [v1.max(), np.average(each), *each, self.taus[v1.argmax()], *(self.taus[curve.argmax()] for curve in v2)]


def pixel_truth(masks, ignore, side):
    """1 on the object, 255 where ignored, else 0; masks are grey pictures of any size."""

    def on_grid(mask):
        return cv2.resize(np.float32(mask), (side, side), interpolation=cv2.INTER_NEAREST) > 0.5

    objects = np.stack([on_grid(mask) for mask in masks]).any(axis=0)
    ignored = on_grid(ignore) & ~objects if ignore is not None else np.zeros_like(objects)
    return objects.astype(np.uint8) + 255 * ignored.astype(np.uint8)


class PxAP:
    def __init__(self, step):
        self.edges = np.append(np.arange(0, 1, step), [1.0, 2.0, 3.0])
        self.true = np.zeros(len(self.edges) - 1)
        self.false = np.zeros(len(self.edges) - 1)

    def add(self, scores, truth):
        self.true += np.histogram(scores[truth == 1], bins=self.edges)[0]
        self.false += np.histogram(scores[truth == 0], bins=self.edges)[0]

    def result(self):
        tp, fp = self.true[::-1].cumsum(), self.false[::-1].cumsum()
        with np.errstate(invalid="ignore"):
            precision = tp / (tp + fp)
        recall = tp / tp[-1]
        terms = (precision[1:] * np.diff(recall))[(tp + fp)[1:] != 0]
        return np.cumsum(terms)[-1] * 100  # one after the other; sum() adds in pairs, which may move the last digit


# ---- the maps ----


KINDS = ["smooth", "grainy", "noise", "ties", "steps", "rings", "diagonals", "borders", "pixel", "constant", "nan"]
KINDS += ["infinite"]


def raw_map(kind, side, g):
    """side x side numbers, before they are brought to [0, 1]."""
    if kind in ("smooth", "grainy"):
        blobs = []
        for _ in range(3):
            x, y = g.below(side), g.below(side)
            radius = 1 + side // 16 + g.below(side // 4)
            blobs.append((x, y, radius * radius, (200 + g.below(800)) * 1000))
    cell, centre_x, centre_y, period = 2 + g.below(5), g.below(side), g.below(side), 3 + g.below(4)
    patches = [g.below(16) for _ in range(side * side)] if kind == "steps" else None
    level = g.below(5)

    def value(x, y):
        if kind in ("smooth", "grainy"):
            total = g.below(60000) if kind == "grainy" else 0
            return total + sum(h * s // (s + (x - a) * (x - a) + (y - b) * (y - b)) for a, b, s, h in blobs)
        if kind == "ties":
            return g.below(4)
        if kind == "steps":
            return patches[y // cell * side + x // cell]
        if kind == "rings":
            return 3 if max(abs(x - centre_x), abs(y - centre_y)) % period == 0 else g.below(2)
        if kind == "diagonals":
            return 5 if (x + y) % period == 0 or (x + side - y) % period == 0 else g.below(3)
        if kind == "borders":
            return side - min(x, y, side - 1 - x, side - 1 - y) + g.below(3)
        if kind == "pixel":
            return 1 if (x, y) == (centre_x, centre_y) else 0
        if kind == "constant":
            return level
        return g.below(256)  # noise, nan, infinite

    values = np.array([[value(x, y) for x in range(side)] for y in range(side)], np.float64)
    if kind in ("nan", "infinite"):
        values[centre_y, centre_x] = np.nan if kind == "nan" else np.inf
    return values


def rectangle(width, height, g):
    x0, y0 = g.below(width), g.below(height)
    return x0, y0, x0 + g.below(width - x0), y0 + g.below(height - y0)


def box_near(scores, side, g):
    """Around the pixels with at least the score of some pixel, moved a little."""
    y, x = np.nonzero(scores >= scores[g.below(side), g.below(side)])
    x0, y0 = max(0, x.min() - g.below(4)), max(0, y.min() - g.below(4))
    return x0, y0, max(x0, min(side - 1, x.max() + 2 - g.below(4))), max(y0, min(side - 1, y.max() + 2 - g.below(4)))


def picture_of(kind, side, seed):
    """Map, true boxes on the grid, and what each pixel of the grid counts as."""
    g = Generator(seed)
    scores = min_max(raw_map(kind, side, g))
    boxes = np.array([box_near(scores, side, g), *(rectangle(side, side, g) for _ in range(g.below(3)))])
    width, height = 10 + g.below(90), 10 + g.below(90)
    masks = []
    for _ in range(2 + g.below(2)):  # the last one is to be ignored
        x0, y0, x1, y1 = rectangle(width, height, g)
        mask = np.zeros((height, width), np.uint8)
        mask[y0 : y1 + 1, x0 : x1 + 1] = 255 if g.below(4) else 1  # dim masks are masks, too
        masks.append(mask)
    return scores, boxes, pixel_truth(masks[:-1], masks[-1], side)


# name, side of the grid, step between thresholds, maps of each kind
SETS = [("fine", 32, 0.001, 50), ("coarse", 21, 0.01, 20), ("large", 48, 0.001, 15), ("odd", 27, 0.3, 4)]


def main():
    out = ["# set NAME SIDE STEP; map KIND SEED, hash of overlaps; result v1 v2 v2@.3 .5 .7 their thresholds pxap"]
    seed = 0
    for name, side, step, count in SETS:
        out.append("set %s %d %r" % (name, side, step))
        boxes_metric, pixels_metric = MaxBoxAcc(step), PxAP(step)
        for kind in KINDS:
            for _ in range(count):
                seed += 1
                scores, boxes, truth = picture_of(kind, side, seed)
                overlaps = boxes_metric.overlaps(scores, boxes)
                boxes_metric.add(overlaps)
                pixels_metric.add(scores, truth)
                text = "".join("%d %d\n" % pair for pair in zip(*(overlaps * 1e6).astype(int)))
                out.append("map %s %d %s" % (kind, seed, fnv1a(text)))
        numbers = boxes_metric.result() + [pixels_metric.result()]
        out.append("result " + " ".join("%.17g" % number for number in numbers))
    # OpenCV's INTER_NEAREST: sums over i of (i + 1) times the pixel taken, from `source` pixels to 224.
    for source in range(1, 700, 3):
        row = np.arange(source, dtype=np.float32)[None, :]
        taken = cv2.resize(row, (224, 1), interpolation=cv2.INTER_NEAREST)[0].astype(np.int64)
        out.append("nearest %d %d" % (source, (taken * np.arange(1, 225)).sum()))
    with open(sys.argv[1], "w") as file:
        file.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
