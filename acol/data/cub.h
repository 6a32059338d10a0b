// CUB-200-2011 (Wah et al., Caltech CNS-TR-2011-001), as its archive unpacks:
//
//     images.txt               `id path`             path under images/; 11,788 lines
//     image_class_labels.txt   `id class`            from 1; label = class - 1
//     train_test_split.txt     `id 1|0`              1: train (5,994), 0: test (5,794)
//     bounding_boxes.txt       `id x y width height` one box a picture; may be absent
//     classes.txt              `class name`          001.Black_footed_Albatross: 200 lines, in order from 1
//     images/                  may be absent: who only scores maps needs the lists alone
//
// Boxes: values are whole numbers written as floats, and 73 have x = 0, so pixels count from 0. As in wsolevaluation
// (its CUB metadata), x0 = x, y0 = y, x1 = x + width, y1 = y + height: one pixel wider than `width` says, corners
// inclusive. wsolevaluation then cuts x1 and y1 to W - 1 and H - 1, which changes 30 of the 11,788 boxes. The lists do
// not tell the sizes, so that is left to who opens the picture: Dataset::true_boxes().
//
// Ids of samples are the paths of images.txt, as in wsolevaluation, so Dataset::root is images/. Samples are in the
// order of images.txt. Class ids are those of classes.txt, names for people have no number and spaces for underscores.
#pragma once

#include "acol/data/dataset.h"

namespace acol {

// True if root, or CUB_200_2011/ in it, has images.txt, image_class_labels.txt and train_test_split.txt.
bool is_cub_layout(const std::filesystem::path& root);

// split: "train", "test" ("val" is the same: the set has no other), or "all" (both, in the order of images.txt).
// Error, with file and line: a line that is not as above, an id or a path twice, an id that images.txt lacks, a class
// that classes.txt lacks, a path that leads out of images/, a negative or endless coordinate; a picture without its
// line in a list. Boxes without width or height are dropped, with a note.
Dataset open_cub(const std::filesystem::path& root, const std::string& split);

}  // namespace acol
