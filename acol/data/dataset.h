// A data set as a list: which pictures, which classes, which boxes. No picture is opened here.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "acol/data/box.h"

namespace acol {

struct Sample {
  std::string id;          // path relative to the data set's root, with '/'
  int label = 0;           // index into class_ids and class_names
  std::vector<Box> boxes;  // in pixels of the stored picture; may be empty
  std::string mask;        // path relative to the root (grey PNG, object > 127), or empty
};

struct Dataset {
  std::string layout;  // "folder" or "tiny-imagenet"
  std::filesystem::path root;
  std::string split;                     // as asked for
  std::vector<std::string> class_ids;    // folder name or WNID; each occurs once
  std::vector<std::string> class_names;  // for people; two classes may share a name
  std::vector<Sample> samples;
  std::vector<std::string> notes;  // a line each: what was odd, and how it was handled

  int classes() const { return static_cast<int>(class_ids.size()); }
  std::filesystem::path path(const Sample& sample) const { return root / sample.id; }
  std::filesystem::path mask_path(const Sample& sample) const { return root / sample.mask; }
  bool has_boxes() const;  // at least one sample has a box
};

// Reads the list of a split: "train", "val", another sub-folder's name, or "all" (train, then val).
// layout: "folder" (folder.h), "tiny-imagenet" (tiny_imagenet.h), or "auto": the second if there is a wnids.txt.
// The order of the samples is a function of the files alone, not of the file system.
// Error: no such folder, empty folder, no known layout (says what was looked for), no such split, a class without
// pictures, a damaged list (with its line). Odd but harmless things become notes.
Dataset open_dataset(const std::filesystem::path& root, const std::string& split, const std::string& layout = "auto");

// A copy with the first `per_class` samples of each of the first `classes` classes, in their order; 0 means all. For
// quick experiments. Error: a negative number, more classes than there are.
Dataset subset(const Dataset& dataset, int per_class, int classes = 0);

}  // namespace acol
