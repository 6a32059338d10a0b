#!/usr/bin/env python3
"""Writes tests/golden/contours.txt: contours, boxes and MaxBoxAcc numbers as OpenCV and NumPy give them.

    python3 -m venv venv && venv/bin/pip install numpy opencv-python-headless
    venv/bin/python tools/golden/make_contours.py tests/golden/contours.txt

Random pictures and maps are made by a small generator in whole numbers that the tests repeat, so only results are stored:
in full for the small ones, which show where a difference is, and as a 64-bit FNV-1a hash of the same text for the others.
The evaluator below is written from the definition of the metric (Choe et al., CVPR 2020, and its published evaluator),
image by image and threshold by threshold, with none of the C++ program's shortcuts.
"""
import sys

import cv2
import numpy as np

from generator import Generator, fnv1a


# ---- contours of binary pictures ----

DRAWN = [  # '#' foreground, rows separated by '/'
    "#", ".", "##", "#/#", "#./.#", ".#/#.", "#.#", "###/###/###", "###/#.#/###", ".#./#.#/.#.", ".#./###/.#.",
    "#.#/.#./#.#", "#####/#...#/#.#.#/#...#/#####", "#######/#.....#/#.###.#/#.#.#.#/#.###.#/#.....#/#######",
    "###.###/#.#.#.#/###.###", "###..../#.#..../#####../..#.#../..#####", "##..##/##..##/..##../..##../##..##/##..##",
    "######/#.##.#/#.##.#/######", "#......#/.#....#./..#..#../...##.../..#..#../.#....#./#......#",
    "........../.########./.#......#./.#.##.#.#./.#.##...#./.#....#.#./.########./..........",
    "####./#..#./#.##./#..##/####.", "#.#.#.#/.#.#.#./#.#.#.#/.#.#.#.", "#.#.#/...../#.#.#/...../#.#.#",
    "..#../.###./#####/.###./..#..", "#########/#.......#/#.#####.#/#.#...#.#/#.#.#.#.#/#.#...#.#/#.#####.#/#.......#/#########",
    "###....###/#.#....#.#/###....###/..........", "##########/..........", "..........##/..........##", "#.........#/#.........#/###########",
    "####/####/..../####/####", "#####.#####/#...#.#...#/#.#.#.#.#.#/#...###...#/#####.#####", ".##./#..#/#..#/.##.", "###/##./#..",
]


def parse(rows):
    rows = rows.split("/")
    width = max(map(len, rows))
    return np.array([[255 * (c == "#") for c in row.ljust(width, ".")] for row in rows], np.uint8)


def random_picture(width, height, cell, permille, seed):
    """Noise in squares of `cell` pixels: above 1 with holes, islands in holes, and diagonal links."""
    generator = Generator(seed)
    across, down = (width + cell - 1) // cell, (height + cell - 1) // cell
    cells = [[generator.below(1000) < permille for _ in range(across)] for _ in range(down)]
    return np.array([[255 * cells[y // cell][x // cell] for x in range(width)] for y in range(height)], np.uint8)


def contours_text(picture):
    contours, hierarchy = cv2.findContours(picture, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    lines, holes = [], []
    for i, contour in enumerate(contours):
        x, y, w, h = cv2.boundingRect(contour)
        parent = hierarchy[0][i][3]
        holes.append(parent >= 0 and not holes[parent])  # outer borders and holes take turns from the frame inwards
        lines.append("%d %d %d %d %d %d %d" % (x, y, w, h, round(2 * cv2.contourArea(contour)), holes[-1], parent))
    return "".join(line + "\n" for line in lines), len(lines)


RANDOM = [(1, 7, 1), (7, 1, 1), (2, 2, 1), (3, 3, 1), (5, 4, 1), (9, 9, 1), (17, 13, 1), (31, 33, 1), (40, 30, 2), (64, 64, 3), (80, 50, 5)]


def contours_part(out):
    for rows in DRAWN:
        picture = parse(rows)
        text, count = contours_text(picture)
        shape = "/".join("".join(".#"[int(v > 0)] for v in row) for row in picture)
        out.append("drawn %s %d" % (shape, count))
        out.extend(text.splitlines())
    seed = 0
    for width, height, cell in RANDOM:
        for permille in (100, 300, 450, 550, 650, 750, 900):
            for repeat in range(4):
                seed += 1
                text, count = contours_text(random_picture(width, height, cell, permille, seed))
                out.append("random %d %d %d %d %d %d %s" % (width, height, cell, permille, seed, count, fnv1a(text)))


# ---- boxes and MaxBoxAcc of score maps ----


def random_map(side, blobs, noise, seed):
    """Blobs a r / (r + distance^2) in whole numbers plus noise, min-max normalised. Also up to two true boxes near blobs."""
    generator = Generator(seed)
    shapes = []
    for _ in range(blobs):
        cx, cy = generator.below(side), generator.below(side)
        radius = 1 + side // 16 + generator.below(side // 4)
        shapes.append((cx, cy, radius * radius, (200 + generator.below(800)) * 1000))
    values = [[0] * side for _ in range(side)]
    for y in range(side):
        for x in range(side):
            total = generator.below(noise) if noise else 0
            for cx, cy, square, height in shapes:
                total += height * square // (square + (x - cx) * (x - cx) + (y - cy) * (y - cy))
            values[y][x] = total
    truth = []
    for cx, cy, square, _ in shapes[:2]:
        half = 1 + side // 10 + generator.below(side // 4)
        dx, dy = generator.below(side // 6), generator.below(side // 6)
        x0, y0 = max(0, cx - half - dx), max(0, cy - half + dy - side // 12)
        truth.append((x0, y0, max(x0, min(side - 1, cx + half)), max(y0, min(side - 1, cy + half - dy))))
    whole = np.array(values, np.int64)
    low, high = whole.min(), whole.max()
    scores = (whole - low).astype(np.float64) / np.float64(high - low) if high > low else np.zeros(whole.shape)
    return scores, truth


def boxes_at(scores, tau, all_contours):
    height, width = scores.shape
    picture = (scores * 255).astype(np.uint8)
    _, binary = cv2.threshold(picture, int(tau * np.max(picture)), 255, cv2.THRESH_BINARY)
    contours, _ = cv2.findContours(binary, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    if len(contours) == 0:
        return [(0, 0, 0, 0)]
    if not all_contours:
        contours = [max(contours, key=cv2.contourArea)]
    boxes = []
    for contour in contours:
        x, y, w, h = cv2.boundingRect(contour)
        boxes.append((x, y, min(x + w, width - 1), min(y + h, height - 1)))
    return boxes


def iou(a, b):
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]) + 1)
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]) + 1)
    both = width * height
    return both / ((a[2] - a[0] + 1) * (a[3] - a[1] + 1) + (b[2] - b[0] + 1) * (b[3] - b[1] + 1) - both)


def boxes_text(boxes):
    return " ".join("%d,%d,%d,%d" % box for box in boxes)


# set name, side, maps, blobs, noise, step
SETS = [("smooth", 56, 40, 3, 0, 0.001), ("noisy", 56, 24, 2, 300000, 0.01), ("rough", 40, 24, 4, 60000, 0.001),
        ("single", 48, 24, 1, 0, 0.05), ("large", 224, 6, 3, 20000, 0.001), ("odd_step", 33, 16, 2, 0, 0.3)]


def maps_part(out):
    for number, (name, side, count, blobs, noise, step) in enumerate(SETS):
        taus = np.arange(0, 1, step)
        out.append("set %s %d %d %d %d %r" % (name, side, count, blobs, noise, step))
        hits_largest = np.zeros(len(taus))
        hits_any = np.zeros((3, len(taus)))
        for i in range(count):
            seed = 1000 * (number + 1) + i
            scores, truth = random_map(side, blobs, noise, seed)
            texts = []
            for t, tau in enumerate(taus):
                largest, every = boxes_at(scores, tau, False), boxes_at(scores, tau, True)
                texts.append(boxes_text(largest) + " | " + boxes_text(every) + "\n")
                hits_largest[t] += max(iou(box, target) for box in largest for target in truth) >= 0.5
                best = max(iou(box, target) for box in every for target in truth)
                for d, delta in enumerate((0.3, 0.5, 0.7)):
                    hits_any[d][t] += best >= delta
            few = "".join(texts[t] for t in range(0, len(taus), max(1, len(taus) // 8))) if name == "single" and i < 6 else ""
            out.append("map %d %s %s %d" % (seed, boxes_text(truth).replace(" ", ";"), fnv1a("".join(texts)), few.count("\n")))
            out.extend(few.splitlines())
        v1 = (hits_largest * 100.0 / float(count)).max()
        v2 = [(hits * 100.0 / float(count)).max() for hits in hits_any]
        out.append("result %.17g %.17g %.17g %.17g %.17g" % (v1, np.average(v2), v2[0], v2[1], v2[2]))


def resize_part(out):
    """cv2.resize of doubles; its weights are of single precision, so these agree to about 1e-7."""
    generator = Generator(77)
    for in_w, in_h, w, h in [(4, 5, 11, 9), (7, 7, 7, 7), (6, 3, 4, 2), (1, 4, 3, 6), (28, 28, 40, 31)]:
        values = np.array([[generator.below(1 << 20) / float(1 << 20) for _ in range(in_w)] for _ in range(in_h)])
        for name, how in (("bilinear", cv2.INTER_LINEAR), ("bicubic", cv2.INTER_CUBIC)):
            resized = cv2.resize(values, (w, h), interpolation=how).reshape(-1)
            shown = resized[:: max(1, len(resized) // 60)]
            out.append("resize %d %d %d %d %s %d" % (in_w, in_h, w, h, name, max(1, len(resized) // 60)))
            out.append(" ".join("%.9g" % v for v in shown))


def main():
    out = ["# OpenCV findContours(RETR_TREE, CHAIN_APPROX_SIMPLE): x y width height 2*area is_hole parent, and what builds on it"]
    contours_part(out)
    maps_part(out)
    resize_part(out)
    with open(sys.argv[1], "w") as file:
        file.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
