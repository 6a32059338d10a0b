#include "acol/data/layouts.h"

#include <system_error>

#include "acol/data/caltech256.h"
#include "acol/data/cub.h"
#include "acol/data/folder.h"
#include "acol/data/ilsvrc.h"
#include "acol/data/ilsvrc_tree.h"
#include "acol/data/list_files.h"
#include "acol/data/listing.h"
#include "acol/data/tiny_imagenet.h"
#include "acol/data/voc.h"
#include "acol/data/wsol_lists.h"
#include "tensor/check.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

template <class There>
std::vector<std::string> those(const There& there, const std::vector<std::string>& names) {
  std::vector<std::string> found;
  for (const std::string& name : names)
    if (there(name)) found.push_back(name);
  return found;
}

std::vector<std::string> train_and_val(const fs::path&) { return {"train", "val"}; }

// A folder without folders is empty, or a class called so.
std::vector<std::string> folder_splits(const fs::path& root) {
  const auto splits =
      those([&](const std::string& name) { return !folders_in(root / name).empty(); }, {"train", "val", "test"});
  return splits.empty() ? std::vector<std::string>{"train"} : splits;  // class folders directly
}

std::vector<std::string> tiny_imagenet_splits(const fs::path& root) {
  return those([&](const std::string& name) { return !folders_in(root / name).empty(); }, {"train", "val"});
}

std::vector<std::string> voc_splits(const fs::path& root) {
  const fs::path lists = root / "ImageSets" / "Main";
  const auto splits =
      those([&](const std::string& name) { return is_there(lists / (name + ".txt")); }, {"train", "val", "test"});
  return splits.empty() ? std::vector<std::string>{"all"} : splits;
}

std::vector<std::string> wsol_splits(const fs::path& root) {
  if (is_there(root / "image_ids.txt")) return {fs::weakly_canonical(root).filename().string()};
  return those([&](const std::string& name) { return is_wsol_metadata(root / name); }, {"train", "val", "test"});
}

std::vector<std::string> list_splits(const fs::path& root) {
  std::vector<std::string> splits =
      those([&](const std::string& name) { return !list_file(root, name).empty(); }, {"train", "val"});
  if (list_file(root, "test") != list_file(root, "val")) splits.push_back("test");
  return splits;
}

std::vector<std::string> ilsvrc_splits(const fs::path& root) {
  const IlsvrcTree tree = ilsvrc_tree(root);
  return those(
      [&](const std::string& name) {
        return is_there(tree.pictures / name) || !tree.find({"LOC_" + name + "_solution.csv"}).empty();
      },
      {"train", "val"});
}

IndexSources all_below(const fs::path& root) { return {{root}, {}}; }

IndexSources ilsvrc_sources(const fs::path& root) {
  const IlsvrcTree tree = ilsvrc_tree(root);
  IndexSources sources{{tree.pictures}, tree.places};
  // With both CSV files the XML files are not read, and there are half a million to look at. One more CSV file, or one
  // less, is a change of a place.
  const auto has_csv = [&](const char* split) { return !tree.find({message("LOC_", split, "_solution.csv")}).empty(); };
  if (!has_csv("train") || !has_csv("val"))
    sources.trees.insert(sources.trees.end(), tree.boxes.begin(), tree.boxes.end());
  return sources;
}

Dataset open_wsol(const fs::path& root, const std::string& split) { return open_wsol_lists(root, split, {}, {}); }
Dataset open_list(const fs::path& root, const std::string& split) { return open_list_files(root, split); }
Dataset open_caltech(const fs::path& root, const std::string& split) { return open_caltech256(root, split); }

}  // namespace

const std::vector<Layout>& layouts() {
  // The more particular ones first: "folder" would take several of the others for classes.
  static const std::vector<Layout> table{
      {"tiny-imagenet", "Tiny ImageNet, whole or with fewer classes", "wnids.txt", is_tiny_imagenet_layout,
       open_tiny_imagenet, tiny_imagenet_splits, nullptr},
      {"cub", "CUB-200-2011", "images.txt with train_test_split.txt", is_cub_layout, open_cub, train_and_val, nullptr},
      {"wsol", "lists of wsolevaluation", "<split>/image_ids.txt", is_wsol_metadata, open_wsol, wsol_splits, nullptr},
      {"voc", "Pascal VOC's folders, with your own classes", "JPEGImages/ and Annotations/", is_voc_layout, open_voc,
       voc_splits, all_below},
      {"caltech256", "Caltech-256, split by a seed", "256_ObjectCategories/", is_caltech256_layout, open_caltech,
       train_and_val, nullptr},
      {"ilsvrc", "ILSVRC CLS-LOC (ImageNet), from Kaggle or image-net.org",
       "Data/CLS-LOC/, LOC_*.csv or val/ILSVRC2012_val_*", is_ilsvrc_layout, open_ilsvrc, ilsvrc_splits,
       ilsvrc_sources},
      {"list", "lists of `path label`, as code for ACoL has them", "train_list.txt, val_list.txt, train.txt, ...",
       is_list_layout, open_list, list_splits, nullptr},
      {"folder", "folders by class", "train/<class>/ and val/<class>/ or <class>/ with pictures", is_folder_layout,
       open_folder, folder_splits, all_below},
  };
  return table;
}

std::string layout_names() {
  std::string names;
  for (const Layout& layout : layouts()) names += (names.empty() ? "" : ", ") + std::string(layout.name);
  return names;
}

const Layout& layout_of(const fs::path& root, const std::string& name) {
  const Layout* chosen = nullptr;
  for (const Layout& layout : layouts())
    if (name == layout.name) chosen = &layout;
  check(chosen != nullptr || name == "auto", "data set layout \"", name, "\" is not known; use auto, ", layout_names());

  std::error_code error;
  check(fs::exists(root, error), "data set ", root.string(), ": no such folder");
  check(fs::is_directory(root, error), "data set ", root.string(), ": not a folder");
  const bool empty = fs::is_empty(root, error);
  check(!error, "data set ", root.string(), ": ", error.message());
  check(!empty, "data set ", root.string(), ": the folder is empty");
  if (chosen != nullptr) return *chosen;
  std::string looked_for;
  for (const Layout& layout : layouts()) {
    if (layout.is(root)) return layout;
    looked_for += message(looked_for.empty() ? "" : "; ", layout.known_by, " (", layout.name, ")");
  }
  fail("data set ", root.string(), ": no known layout; looked for ", looked_for);
}

}  // namespace acol
