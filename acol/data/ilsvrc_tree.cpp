#include "acol/data/ilsvrc_tree.h"

#include <system_error>

#include "acol/data/ilsvrc.h"
#include "acol/data/ilsvrc_lists.h"
#include "acol/data/listing.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

}  // namespace

fs::path IlsvrcTree::find(const std::vector<std::string>& names) const {
  for (const std::string& name : names)
    for (const fs::path& place : places)
      if (is_there(place / name)) return place / name;
  return {};
}

std::vector<std::string> names_by_year(const std::string& before, const std::string& after) {
  std::vector<std::string> names;
  for (int year = 2012; year <= 2017; ++year) names.push_back(before + std::to_string(year) + after);
  return names;
}

IlsvrcTree ilsvrc_tree(const fs::path& given) {
  fs::path root = fs::absolute(given).lexically_normal();
  if (!root.has_filename()) root = root.parent_path();  // "data/" is "data"
  const auto is_kaggle = [](const fs::path& folder) {
    return is_folder(folder / "Data" / "CLS-LOC") || is_folder(folder / "Annotations" / "CLS-LOC");
  };
  IlsvrcTree tree;
  tree.pictures = given;
  fs::path base;  // the folder ILSVRC of Kaggle's tree, if this is one
  for (const fs::path& folder : {root / "ILSVRC", root, root.parent_path(), root.parent_path().parent_path()}) {
    const bool below = folder == root / "ILSVRC" || folder == root;
    // Above, only for a root that is the tree's Data/ or Data/CLS-LOC/.
    if (!is_kaggle(folder) || !(below || root == folder / "Data" || root == folder / "Data" / "CLS-LOC")) continue;
    tree.kaggle = true;
    base = folder;
    if (is_folder(folder / "Data" / "CLS-LOC")) tree.pictures = folder / "Data" / "CLS-LOC";
    break;
  }
  if (!tree.kaggle && (is_folder(root / "CLS-LOC" / "train") || is_folder(root / "CLS-LOC" / "val"))) {
    tree.kaggle = true;
    tree.pictures = given / "CLS-LOC";
  }
  std::vector<fs::path> roots{given};
  if (!base.empty() && base != root) roots.push_back(base);
  if (!base.empty() && base.parent_path() != root) roots.push_back(base.parent_path());
  for (const fs::path& folder : roots) {
    tree.places.insert(tree.places.end(), {folder, folder / "val", folder / "devkit" / "data"});
    for (const char* tail : {"_devkit", "_devkit_t12"})
      for (const std::string& kit : names_by_year("ILSVRC", tail)) tree.places.push_back(folder / kit / "data");
    for (const char* boxes : {"Annotations/CLS-LOC", "Annotations", "bbox"}) tree.boxes.push_back(folder / boxes);
  }
  return tree;
}

bool is_ilsvrc_layout(const fs::path& root) {
  if (ilsvrc_tree(root).kaggle) return true;
  for (const char* list : {"LOC_synset_mapping.txt", "LOC_val_solution.csv", "LOC_train_solution.csv"})
    if (is_there(root / list)) return true;
  // With boxes.csv or masks it is a set of folder.h, whatever its classes and pictures are called.
  for (const char* folder_layout : {"val/boxes.csv", "val_masks"})
    if (is_there(root / folder_layout)) return false;
  // Until something tells; of 50,000 pictures the first does.
  const auto holds = [](const fs::path& folder, auto tells) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
      if (tells(entry->path())) return true;
    return false;
  };
  const auto is_picture = [](const fs::path& path) { return validation_number(path.stem().string()) > 0; };
  return holds(root / "val", [&](const fs::path& path) {
    return is_wnid(path.filename().string()) ? holds(path, is_picture) : is_picture(path);
  });
}

}  // namespace acol
