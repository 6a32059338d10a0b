// A data set as a list: which pictures, which classes, which boxes. No picture is opened here.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "acol/data/box.h"

namespace acol {

struct Sample {
  std::string id{};          // path relative to the data set's root, with '/'
  int label = 0;             // index into class_ids and class_names
  std::vector<Box> boxes{};  // in pixels of the stored picture; may be empty
  // Paths relative to mask_root of grey pictures. The object is where one of `masks` is > 127; where `ignore_mask` is
  // > 127 and no object is, a pixel counts for nothing (OpenImages). Empty: none.
  std::vector<std::string> masks{};
  std::string ignore_mask{};
  int width = 0, height = 0;  // of the stored picture where the lists tell it; 0: not known before it is opened
  bool blacklisted = false;   // ILSVRC: left out of the localization error by the official evaluation
};

struct Dataset {
  std::string layout;                    // a name of layouts.h
  std::filesystem::path root;            // of the pictures
  std::filesystem::path mask_root;       // of the masks; empty: root
  std::string split;                     // as asked for
  std::vector<std::string> class_ids;    // folder name or WNID; each occurs once
  std::vector<std::string> class_names;  // for people; two classes may share a name
  std::vector<Sample> samples;
  std::vector<std::string> notes;  // a line each: what was odd, and how it was handled
  bool cut_boxes = false;          // boxes may reach beyond their picture, see true_boxes()
  bool apply_exif = false;         // turn pictures as their EXIF data say (image.h); for photographs of your own

  int classes() const { return static_cast<int>(class_ids.size()); }
  std::filesystem::path path(const Sample& sample) const { return root / sample.id; }
  std::filesystem::path mask_path(const std::string& mask) const {
    return (mask_root.empty() ? root : mask_root) / mask;
  }
  bool has_boxes() const;  // at least one sample has a box
  // The boxes of a sample whose picture is width x height: where the lists that they come from cannot know that
  // (CUB-200-2011), cut to it as wsolevaluation cuts them.
  std::vector<Box> true_boxes(const Sample& sample, int width, int height) const;
};

// Reads the list of a split: "train", "val", "all" (train, then val), and what else the layout has.
// layout: a name of layouts.h, or "auto": the first of them that recognises the files.
// The order of the samples is a function of the files alone, not of the file system. Long lists are kept between runs
// and read again only when a folder or a list has changed (index_cache.h).
// Error: no such folder, empty folder, no known layout (says what was looked for), no such split, a class without
// pictures, a damaged list (with its line). Odd but harmless things become notes.
Dataset open_dataset(const std::filesystem::path& root, const std::string& split, const std::string& layout = "auto");

// Whether there is a "val" to open, for those who can do without. Errors about the root and the layout as above.
bool has_validation(const std::filesystem::path& root, const std::string& layout = "auto");

// A copy with the first `per_class` samples of each of the first `classes` classes, in their order; 0 means all. For
// quick experiments. Error: a negative number, more classes than there are.
Dataset subset(const Dataset& dataset, int per_class, int classes = 0);

}  // namespace acol
