// Tiny ImageNet as Stanford's CS231n gives it out, whole or with fewer classes:
//
//     wnids.txt                    a class (WordNet id) a line: line number = label
//     words.txt                    `wnid<TAB>name, other name, ...`: the first name is taken
//     train/<wnid>/images/*.JPEG   train/<wnid>/<wnid>_boxes.txt: `file<TAB>x0<TAB>y0<TAB>x1<TAB>y1`
//     val/images/*.JPEG            val/val_annotations.txt: `file<TAB>wnid<TAB>x0<TAB>y0<TAB>x1<TAB>y1`
//
// Corners are inclusive, in pixels of the 64x64 pictures, and taken as they are. Some boxes are degenerate (x1 <= x0 or
// y1 <= y0; about 0.4 %): such a picture stays, for classification, but its box is dropped, so that it does not count
// in localization; a note tells how many.
//
// Samples: train sorted by class and file name, val in the order of its annotations.
#pragma once

#include "acol/data/dataset.h"

namespace acol {

// True if root has a wnids.txt.
bool is_tiny_imagenet_layout(const std::filesystem::path& root);

// split: "train", "val" or "all"; "test" has no labels and is an Error. Further Errors: an empty wnids.txt or one that
// names a class twice, a class without pictures in train, a damaged line, a val picture of an unknown class. Pictures
// without a line and lines without a picture are counted in notes.
Dataset open_tiny_imagenet(const std::filesystem::path& root, const std::string& split);

}  // namespace acol
