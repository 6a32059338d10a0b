// Caltech-256 (Griffin, Holub, Perona, Caltech CNS-TR-2007-001), as its archive unpacks:
//
//     256_ObjectCategories/<NNN>.<name>/<NNN>_<MMMM>.jpg     NNN = 001 .. 257; 30,607 pictures; no boxes
//
// root may be that folder or the one that holds it. Class 257.clutter is no object: left out unless asked for, with a
// note. Whatever else lies in a class folder (056.dog/greg/, 198.spider/RENAME2) is passed over, with a note.
//
// The set has no official split. Papers draw N pictures a class for training (15, 30, 45 or 60) and test on the rest;
// the default here is 30. The draw for a class is a shuffle of its sorted names by RandomStream(seed, Purpose::split,
// NNN), of which the first N are train: it depends on no other class. Where root, or 256_ObjectCategories/, has a file
// acol_split.txt, the split is read from there instead, and train_per_class and seed count for nothing.
//
//     acol_split.txt      `train <path>` or `val <path>` a line, path from 256_ObjectCategories/ on; '#' comments
//
// Samples are sorted by class and file name. Ids start at the class folder, so Dataset::root is 256_ObjectCategories/.
#pragma once

#include <cstdint>

#include "acol/data/dataset.h"

namespace acol {

struct Caltech256Options {
  int train_per_class = 30;
  std::uint64_t seed = 1;
  bool clutter = false;  // true: 257.clutter is the last class
};

// True if root holds 256_ObjectCategories/, or a class folder NNN.name with a picture NNN_MMMM.jpg.
bool is_caltech256_layout(const std::filesystem::path& root);

// split: "train", "val" ("test" is the same) or "all". Error: train_per_class below 1; a class without pictures, or
// with no picture left for val; in acol_split.txt, with its line: a line that is not as above, a path twice. Pictures
// that acol_split.txt lacks are left out, its lines without a picture passed over, both counted in notes.
Dataset open_caltech256(const std::filesystem::path& root, const std::string& split,
                        const Caltech256Options& options = {});

// Writes the split that open_caltech256 uses as an acol_split.txt. Put into the root, it fixes the split for good;
// published beside a result, it lets others repeat it. Returns how the split came about: drawn, or of a file that was
// there, which has to be removed before another is drawn.
std::string write_caltech256_split(const std::filesystem::path& root, const Caltech256Options& options,
                                   const std::filesystem::path& file);

}  // namespace acol
