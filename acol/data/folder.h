// The layout of torchvision's ImageFolder, with boxes and masks beside it:
//
//     root/<split>/<class>/*.jpg ...        pictures: jpg jpeg png bmp ppm pgm pnm in any case; hidden
//                                           files, other files and folders inside a class are passed over
//                                           (`acol data` lists those that are not hidden)
//     root/<split>/boxes.csv                optional; lines `class/file,x0,y0,x1,y1`: inclusive corners in
//                                           pixels of the stored picture, origin 0; several lines a picture
//                                           allowed, '#' comments
//     root/<split>_masks/<class>/<stem>.png optional; grey, the object is > 127
//
// A root that holds the class folders directly is one split, called "train" or "all".
//
// Classes and samples are sorted by name, bytewise. Label numbers come from train/ where it exists: a class folder of
// another split that train/ lacks is an Error, a class that has no pictures in that split is a note.
#pragma once

#include "acol/data/dataset.h"

namespace acol {

// True if a folder in root holds pictures or folders.
bool is_folder_layout(const std::filesystem::path& root);

// See open_dataset. Further Errors: a class folder of train/ without pictures, or whose name is not UTF-8; a line
// of boxes.csv that is not as above, or whose box is not 0 <= x0 <= x1, 0 <= y0 <= y1. Lines for pictures that are not
// there are counted in a note.
Dataset open_folder(const std::filesystem::path& root, const std::string& split);

}  // namespace acol
