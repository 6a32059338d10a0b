#include "acol/evaluate/map_files.h"

#include <unordered_map>

#include "tensor/check.h"

namespace acol {

namespace fs = std::filesystem;

fs::path map_path(const fs::path& folder, const std::string& image_id) {
  return (folder / image_id).replace_extension(".npy");
}

MapFiles::MapFiles(const fs::path& folder, const Dataset& data)
    : folder_(folder), data_(data), form_(data.samples.size(), Form::missing) {
  std::error_code ignored;
  check(fs::is_directory(folder, ignored), folder.string(),
        ": no such folder; it should hold a .npy map for each picture (or say center or whole)");
  std::unordered_map<std::string, std::size_t> taken;
  for (std::size_t i = 0; i < form_.size(); ++i) {
    for (const Form form : {Form::appended, Form::replaced}) {
      const fs::path candidate = path(i, form);
      if (!fs::is_regular_file(candidate, ignored)) continue;
      const auto [entry, is_new] = taken.emplace(candidate.string(), i);
      check(is_new, candidate.string(), ": the map of ", data.samples[entry->second].id, " and of ", data.samples[i].id,
            "; name them <image id>.npy, with the picture's ending before .npy");
      form_[i] = form;
      break;
    }
  }
}

fs::path MapFiles::path(std::size_t sample, Form form) const {
  const std::string& id = data_.samples[sample].id;
  return form == Form::appended ? folder_ / (id + ".npy") : map_path(folder_, id);
}

}  // namespace acol
