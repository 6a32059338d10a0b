// Which .npy file is the map of which picture.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "acol/data/dataset.h"

namespace acol {

// The image id with .npy for its ending: where this program writes a picture's map.
std::filesystem::path map_path(const std::filesystem::path& folder, const std::string& image_id);

// Finds each sample's map in a folder: `<image id>.npy`, which wsolevaluation's program reads, or the image id with
// .npy for its ending, which its documentation and this program write. The first counts where both are there.
class MapFiles {
 public:
  // One look at the file system for each picture, here. Error: no such folder; one file that would be the map of two
  // pictures (a.jpg and a.png with a.npy).
  MapFiles(const std::filesystem::path& folder, const Dataset& data);

  bool has(std::size_t sample) const { return form_[sample] != Form::missing; }
  std::filesystem::path path(std::size_t sample) const { return path(sample, form_[sample]); }

 private:
  enum class Form : std::uint8_t { missing, appended, replaced };
  std::filesystem::path path(std::size_t sample, Form form) const;

  std::filesystem::path folder_;
  const Dataset& data_;
  std::vector<Form> form_;  // of each sample
};

}  // namespace acol
