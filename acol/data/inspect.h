// Looks for everything that is wrong with a data set, before hours are spent on it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "acol/data/dataset.h"

namespace acol {

// One kind of problem with all its cases, in the order of the samples.
struct Finding {
  bool fatal = false;              // results would be wrong, or a picture is left out; else worth knowing
  std::string what;                // "pictures that are not there"
  std::vector<std::string> cases;  // one that is empty: it is about the whole set
};

enum class InspectDepth {
  lists,    // the pictures are not looked for
  headers,  // each is there and has a header of a picture; its size
  decode,   // and can be decoded whole
};

struct InspectOptions {
  InspectDepth depth = InspectDepth::headers;
  bool same_content = false;  // find pictures with the same bytes; reads every file
  std::function<void(std::int64_t done, std::int64_t total)> progress{};
  std::function<bool()> stop_requested{};  // then inspect() throws an Error "stopped"
};

struct Inspection {
  std::vector<std::size_t> a_class;  // samples, by label
  std::size_t with_box = 0, boxes = 0, with_mask = 0, masks = 0;
  // Of the pictures that were read.
  std::size_t read = 0, grey = 0, cmyk = 0;
  std::map<std::string, std::size_t> formats;                        // "JPEG" ...
  int min_width = 0, min_height = 0, max_width = 0, max_height = 0;  // each side by itself
  std::vector<Finding> findings;                                     // fatal ones first
};

// Works on all threads. Fatal: a picture or mask that is not there or cannot be read, a size that contradicts the
// lists, a box with x1 < x0, y1 < y0 or wholly outside its picture, a picture twice under the same label, a known set
// (by its layout and classes) of another length than published. Notes: what the reader noted, a box partly outside, the
// same box twice, pictures without a box where others have one, classes without a picture, an EXIF orientation, a file
// that is named like another format, something else in a class folder, a part of a known set. Where not one picture is
// there, that is one case, not a million.
Inspection inspect(const Dataset& dataset, const InspectOptions& options = {});

// Pictures of two splits of one set that are in both: fatal if one of them is for training.
Finding shared_pictures(const Dataset& a, const Dataset& b);

}  // namespace acol
