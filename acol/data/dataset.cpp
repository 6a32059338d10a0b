#include "acol/data/dataset.h"

#include <algorithm>

#include "acol/data/index_cache.h"
#include "acol/data/layouts.h"
#include "tensor/check.h"

namespace acol {

namespace fs = std::filesystem;

bool Dataset::has_boxes() const {
  return std::any_of(samples.begin(), samples.end(), [](const Sample& sample) { return !sample.boxes.empty(); });
}

std::vector<Box> Dataset::true_boxes(const Sample& sample, int width, int height) const {
  std::vector<Box> boxes = sample.boxes;
  if (cut_boxes)
    for (Box& box : boxes) box = clipped_box(box, width, height);
  return boxes;
}

Dataset open_dataset(const fs::path& root, const std::string& split, const std::string& layout) {
  // A split becomes part of a path; it must not lead out of the root.
  check(!split.empty() && split.front() != '.' && split.find('/') == std::string::npos, "data set split \"", split,
        "\": give train, val, all or the name of a folder in ", root.string());
  const Layout& chosen = layout_of(root, layout);
  const auto open = [&] { return chosen.open(root, split); };
  if (chosen.sources == nullptr) return open();
  return cached_index(IndexCache::from_environment(), chosen.name, root, split, chosen.sources(root), open);
}

bool has_validation(const fs::path& root, const std::string& layout) {
  const std::vector<std::string> splits = layout_of(root, layout).splits(root);
  return std::find(splits.begin(), splits.end(), "val") != splits.end();
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
