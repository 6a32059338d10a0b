// NumPy's file format for one array, so that maps can be looked at and evaluated by other programs.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "acol/evaluate/score_map.h"

namespace acol {

// The bytes of a .npy file: version 1.0, '<f8', C order, shape (height, width); the data start at a multiple of 64.
std::string encode_npy(const ScoreMap& map);

// Written beside and renamed. The folder must exist. Error if the path is not writable.
void write_npy(const std::filesystem::path& path, const ScoreMap& map);

// Reads a 2-D array of float16, float32 or float64, of either byte order, in C or Fortran order, format versions 1
// to 3. Error, naming the path: not a .npy file, cut short, another type or number of axes, trailing bytes, more than
// max_pixels (image.h).
ScoreMap read_npy(const std::filesystem::path& path);
ScoreMap decode_npy(std::string_view bytes, const std::string& name);

}  // namespace acol
