#include "acol/data/published_sizes.h"

#include <string_view>

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
  // Its first class, where sets of as many classes are in use; not compared with ids that are numbers.
  std::string_view first_class = {};
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
    {"wsol", "train", 200, 5'994, 0, "CUB", "001.Black_footed_Albatross"},
    {"wsol", "val", 200, 1'000, 0, "CUB", "001.Black_footed_Albatross"},
    {"wsol", "test", 200, 5'794, 0, "CUB", "001.Black_footed_Albatross"},
    {"wsol", "train", 100, 29'819, 0, "OpenImages"},
    {"wsol", "val", 100, 2'500, 0, "OpenImages"},
    {"wsol", "test", 100, 5'000, 0, "OpenImages"},
};

// Its splits are drawn, so all its pictures are counted, once: with train.
void compare_caltech256(const Dataset& dataset, const std::function<void(bool fatal, const std::string& what)>& say) {
  constexpr int classes = 256;
  constexpr std::size_t pictures = 30'607;  // with 257.clutter
  if (dataset.split != "train" && dataset.split != "all") return;
  const bool with_clutter = !dataset.class_ids.empty() && dataset.class_ids.back() == "257.clutter";
  const int objects = dataset.classes() - with_clutter;
  if (objects < classes)
    return say(false, message("a part of Caltech-256: ", objects, " of its ", classes, " classes"));
  const auto count = [&](const std::string& id) { return pictures_in(dataset.root / id).size(); };
  std::size_t all = with_clutter ? 0 : count("257.clutter");
  if (dataset.split == "all")
    all += dataset.samples.size();
  else
    for (const std::string& id : dataset.class_ids) all += count(id);
  if (all != pictures) say(true, message(all, " pictures with 257.clutter, Caltech-256 has ", pictures));
}

}  // namespace

void compare_with_published(const Dataset& dataset, std::size_t boxes,
                            const std::function<void(bool fatal, const std::string& what)>& say) {
  const std::size_t pictures = dataset.samples.size();
  if (dataset.layout == "caltech256") return compare_caltech256(dataset, say);
  for (const Published& known : table) {
    if (dataset.layout != known.layout || dataset.split != known.split) continue;
    if (dataset.classes() != known.classes) {
      // Lists of wsolevaluation are of several sets, and may be of none of them.
      const bool is_part = dataset.layout != std::string("wsol") && dataset.classes() < known.classes;
      if (is_part)
        say(false, message("a part of ", known.set, ": ", dataset.classes(), " of its ", known.classes, " classes"));
      continue;
    }
    if (!known.first_class.empty() && dataset.class_ids.front() != known.first_class &&
        dataset.class_ids.front() != "0")
      continue;
    if (pictures != known.pictures)
      say(true, message(pictures, " pictures, ", known.set, " has ", known.pictures, " in ", known.split));
    if (known.boxes != 0 && boxes != known.boxes)
      say(true, message(boxes, " boxes, ", known.set, " has ", known.boxes, " in ", known.split));
  }
}

}  // namespace acol
