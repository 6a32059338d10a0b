#include "acol/data/dataset.h"

#include <algorithm>
#include <system_error>

#include "acol/data/folder.h"
#include "acol/data/tiny_imagenet.h"
#include "tensor/check.h"

namespace acol {

namespace fs = std::filesystem;

bool Dataset::has_boxes() const {
  return std::any_of(samples.begin(), samples.end(), [](const Sample& sample) { return !sample.boxes.empty(); });
}

Dataset open_dataset(const fs::path& root, const std::string& split, const std::string& layout) {
  check(layout == "auto" || layout == "folder" || layout == "tiny-imagenet", "data set layout \"", layout,
        "\" is not known; use auto, folder or tiny-imagenet");
  // A split becomes part of a path; it must not lead out of the root.
  check(!split.empty() && split.front() != '.' && split.find('/') == std::string::npos, "data set split \"", split,
        "\": give train, val, all or the name of a folder in ", root.string());
  std::error_code error;
  check(fs::exists(root, error), "data set ", root.string(), ": no such folder");
  check(fs::is_directory(root, error), "data set ", root.string(), ": not a folder");
  const bool empty = fs::is_empty(root, error);
  check(!error, "data set ", root.string(), ": ", error.message());
  check(!empty, "data set ", root.string(), ": the folder is empty");

  if (layout == "tiny-imagenet" || (layout == "auto" && is_tiny_imagenet_layout(root)))
    return open_tiny_imagenet(root, split);
  check(
      layout == "folder" || is_folder_layout(root), "data set ", root.string(),
      ": no known layout; looked for wnids.txt (Tiny ImageNet), for train/<class>/ and val/<class>/ with pictures, and "
      "for <class>/ with pictures");
  return open_folder(root, split);
}

Dataset subset(const Dataset& dataset, int per_class, int classes) {
  check(per_class >= 0 && classes >= 0 && classes <= dataset.classes(), "subset: asked for ", classes, " classes of ",
        dataset.classes(), " and ", per_class, " pictures a class");
  if (classes == 0) classes = dataset.classes();
  Dataset part = dataset;
  part.class_ids.resize(static_cast<std::size_t>(classes));
  part.class_names.resize(static_cast<std::size_t>(classes));
  part.samples.clear();
  std::vector<int> taken(static_cast<std::size_t>(dataset.classes()));
  for (const Sample& sample : dataset.samples)
    if (sample.label < classes && (per_class == 0 || taken[static_cast<std::size_t>(sample.label)]++ < per_class))
      part.samples.push_back(sample);
  return part;
}

}  // namespace acol
