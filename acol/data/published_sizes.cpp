#include "acol/data/published_sizes.h"

#include "acol/data/listing.h"
#include "tensor/check.h"

namespace acol {

namespace {

struct Published {
  const char* layout;
  const char* split;
  int classes;
  std::size_t pictures;
  std::size_t boxes;  // 0: not compared
  const char* set;
};

// Tiny ImageNet: CS231n. ILSVRC: its development kit. CUB: its README. The last ones: counted in wsolevaluation's
// release of its metadata (ILSVRC val: ImageNetV2, threshold 0.7; CUB val: CUBV2).
constexpr Published table[]{
    {"tiny-imagenet", "train", 200, 100'000, 0, "Tiny ImageNet"},
    {"tiny-imagenet", "val", 200, 10'000, 0, "Tiny ImageNet"},
    {"ilsvrc", "train", 1000, 1'281'167, 0, "ILSVRC"},
    {"ilsvrc", "val", 1000, 50'000, 0, "ILSVRC"},
    {"cub", "train", 200, 5'994, 0, "CUB-200-2011"},
    {"cub", "val", 200, 5'794, 0, "CUB-200-2011"},
    {"cub", "test", 200, 5'794, 0, "CUB-200-2011"},
    {"cub", "all", 200, 11'788, 0, "CUB-200-2011"},
    {"wsol", "train", 1000, 1'281'167, 0, "ILSVRC"},
    {"wsol", "val", 1000, 10'000, 18'532, "ILSVRC"},
    {"wsol", "test", 1000, 50'000, 80'477, "ILSVRC"},
    {"wsol", "train", 200, 5'994, 0, "CUB"},
    {"wsol", "val", 200, 1'000, 0, "CUB"},
    {"wsol", "test", 200, 5'794, 0, "CUB"},
    {"wsol", "train", 100, 29'819, 0, "OpenImages"},
    {"wsol", "val", 100, 2'500, 0, "OpenImages"},
    {"wsol", "test", 100, 5'000, 0, "OpenImages"},
};

constexpr std::size_t caltech256_pictures = 30'607;  // with 257.clutter

}  // namespace

void compare_with_published(const Dataset& dataset, std::size_t boxes,
                            const std::function<void(bool fatal, const std::string& what)>& say) {
  const std::size_t pictures = dataset.samples.size();
  if (dataset.layout == "caltech256" && dataset.split == "all") {
    const bool with_clutter = !dataset.class_ids.empty() && dataset.class_ids.back() == "257.clutter";
    const std::size_t all = pictures + (with_clutter ? 0 : pictures_in(dataset.root / "257.clutter").size());
    if (all != caltech256_pictures)
      say(true, message(all, " pictures with 257.clutter, Caltech-256 has ", caltech256_pictures));
    return;
  }
  for (const Published& known : table) {
    if (dataset.layout != known.layout || dataset.split != known.split) continue;
    if (dataset.classes() != known.classes) {
      // Lists of wsolevaluation are of several sets, and may be of none of them.
      const bool is_part = dataset.layout != std::string("wsol") && dataset.classes() < known.classes;
      if (is_part)
        say(false, message("a part of ", known.set, ": ", dataset.classes(), " of its ", known.classes, " classes"));
      continue;
    }
    if (pictures != known.pictures)
      say(true, message(pictures, " pictures, ", known.set, " has ", known.pictures, " in ", known.split));
    if (known.boxes != 0 && boxes != known.boxes)
      say(true, message(boxes, " boxes, ", known.set, " has ", known.boxes, " in ", known.split));
  }
}

}  // namespace acol
