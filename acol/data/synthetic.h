// A data set drawn by code, made to show what ACoL is about: everything is known exactly, and it is small.
//
// Every picture holds one object on clutter: a plain body, and at one end a small emblem whose shape and colours are
// those of the class. The emblem alone tells the class, so a classifier trained on labels needs nothing else, and CAM
// marks little more. The box is around the whole object. What is left when the emblem is erased still tells something:
// the body's pattern (stripes along or across, dots, blotches) and its tint are, each, the class's own in three of four
// pictures and a random class's in the others. That is what a second branch can find.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "acol/data/box.h"
#include "acol/data/image.h"

namespace acol {

inline constexpr int max_synthetic_classes = 12;

struct SyntheticOptions {
  int classes = 6;            // 2..12
  int train = 150, val = 30;  // pictures a class, train >= 1, at most 99,999
  int size = 96;              // pixels a side, 32..1024
  std::uint64_t seed = 1;
  friend bool operator==(const SyntheticOptions&, const SyntheticOptions&) = default;
};

// Error if a number is out of its range.
void validate(const SyntheticOptions& options);

struct SyntheticImage {
  Image image;
  int label = 0;
  Box box;                         // of the mask, inclusive
  std::vector<std::uint8_t> mask;  // size * size, 255 on the object (body and emblem), else 0
};

// For people and for folder names: "ring", "cross", ...
std::string synthetic_class_name(int label);

// One picture, a function of (classes, size, seed), split, label and index alone; between machines, up to the last bits
// of their sin and pow. split: 0 train, 1 val; index: 0..99999. Error: anything out of range.
SyntheticImage draw_synthetic(const SyntheticOptions& options, int split, int label, int index);

// Writes the set into `out` in the layout of folder.h: train/, val/, boxes.csv, train_masks/, val_masks/, PNG files,
// and synthetic.json, which holds the options. `progress` (may be empty) is told the pictures done and their total. A
// folder that holds the finished set of the same options is left as it is, quickly; an unfinished one is drawn again.
// Error: options out of range, not writable, any other folder that is not empty.
void write_synthetic(const std::filesystem::path& out, const SyntheticOptions& options,
                     const std::function<void(int done, int total)>& progress);

}  // namespace acol
