// Another classifier's answers, to be combined with our boxes: the paper's best row takes its boxes from ACoL and its
// classes from a stronger network.
#pragma once

#include <filesystem>
#include <vector>

#include "acol/data/dataset.h"

namespace acol {

// A text file with one line for each picture: `image id,class[,class...]`, the best class first. An image id is the
// sample's (its path below the data's root), with or without its ending. A class is a class id of the data set (folder
// name or WNID) or, where no class has that id, its number in label order, from 0. No header, no quotes: an id with a
// comma in it cannot be given. Spaces around a field, empty lines and lines of pictures that `data` lacks are ignored.
//
// For each sample of `data` its classes, best first. Five count at most; fewer are fewer guesses.
// Error naming file and line: no class on a line, an unknown class, a class twice on a line, a picture twice. Error
// naming the first of them: pictures of `data` that have no line.
std::vector<std::vector<int>> read_guess_labels(const std::filesystem::path& path, const Dataset& data);

}  // namespace acol
