#include "acol/data/caltech256.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <numeric>
#include <system_error>
#include <utility>

#include "acol/data/listing.h"
#include "tensor/check.h"
#include "tensor/file.h"
#include "tensor/random.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

constexpr const char* split_name = "acol_split.txt";

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

// NNN.name
bool is_class_folder(std::string_view name) {
  return name.size() > 4 && all_digits(name.substr(0, 3)) && name[3] == '.';
}

// NNN_MMMM.jpg in the folder NNN.name
bool is_picture_of(std::string_view folder, std::string_view file) {
  return file.size() == 12 && file.substr(0, 3) == folder.substr(0, 3) && file[3] == '_' &&
         all_digits(file.substr(4, 4)) && (file.substr(8) == ".jpg" || file.substr(8) == ".JPG");
}

fs::path categories_in(const fs::path& root) {
  std::error_code error;
  const fs::path inner = root / "256_ObjectCategories";
  return fs::is_directory(inner, error) ? inner : root;
}

// Pictures of a class, sorted; what is none goes to `strays`.
std::vector<std::string> pictures_of(const fs::path& categories, const std::string& folder,
                                     std::vector<std::string>& strays) {
  std::vector<std::string> pictures;
  std::error_code error;
  for (fs::directory_iterator entry(categories / folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code dangling;
    if (is_picture_of(folder, name) && !entry->is_directory(dangling))
      pictures.push_back(folder + "/" + name);
    else if (name.front() != '.')
      strays.push_back(folder + "/" + name);
  }
  check(!error, "cannot read folder ", (categories / folder).string(), ": ", error.message());
  std::sort(pictures.begin(), pictures.end());
  return pictures;
}

// For each path whether it is train. `names` are the pictures of one class, sorted.
void draw(const std::vector<std::string>& names, const Caltech256Options& options, std::map<std::string, bool>& train) {
  const std::string folder = names.front().substr(0, names.front().find('/'));
  check(std::cmp_greater(names.size(), options.train_per_class), "data set, class ", folder, ": ", names.size(),
        " pictures; ", options.train_per_class, " for training leave none for val; give a smaller train_per_class");
  RandomStream random(options.seed, Purpose::split, static_cast<std::uint32_t>(std::stoi(folder.substr(0, 3))));
  std::vector<std::size_t> order(names.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = order.size() - 1; i > 0; --i)
    std::swap(order[i], order[static_cast<std::size_t>(random.below(static_cast<int>(i + 1)))]);
  for (std::size_t i = 0; i < order.size(); ++i) train[names[order[i]]] = std::cmp_less(i, options.train_per_class);
}

std::map<std::string, bool> read_split(const fs::path& file) {
  std::map<std::string, bool> train;
  std::size_t number = 0;
  for (const std::string& line : lines_of(file)) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const std::size_t space = line.find(' ');
    const std::string split = line.substr(0, space);
    const std::string path = space == std::string::npos ? "" : line.substr(space + 1);
    check((split == "train" || split == "val") && !path.empty(), file.string(), " line ", number,
          ": expected `train <path>` or `val <path>`, got \"", line, "\"");
    check(train.emplace(path, split == "train").second, file.string(), " line ", number, ": ", path, " occurs twice");
  }
  check(!train.empty(), file.string(), ": names no picture");
  return train;
}

struct Tree {
  Dataset dataset;                    // with all pictures
  std::map<std::string, bool> train;  // of those that are in the split
};

void note_strays(Dataset& dataset, const std::vector<std::string>& strays) {
  if (strays.empty()) return;
  dataset.notes.push_back(counted(strays.size(), "thing in the class folders is", "things in the class folders are") +
                          " no picture NNN_MMMM.jpg of the class; passed over: " + first_of(strays));
}

// with_split false: a split is read where there is a file, but not drawn.
Tree read_tree(const fs::path& root, const Caltech256Options& options, bool with_split) {
  check(options.train_per_class >= 1, "data set ", root.string(), ": train_per_class is ", options.train_per_class,
        "; give at least 1");
  Tree tree;
  Dataset& dataset = tree.dataset;
  dataset.layout = "caltech256";
  dataset.root = categories_in(root);

  std::vector<std::string> strays;
  std::vector<std::vector<std::string>> names;  // by class
  std::size_t clutter = 0;
  for (const std::string& folder : folders_in(dataset.root)) {
    if (!is_class_folder(folder)) continue;
    std::vector<std::string> pictures = pictures_of(dataset.root, folder, strays);
    check(!pictures.empty(), "data set ", dataset.root.string(), ": class folder ", folder,
          " has no pictures NNN_MMMM.jpg; was the archive unpacked to its end?");
    if (folder.substr(4) == "clutter" && !options.clutter) {
      clutter = pictures.size();
      continue;
    }
    check(is_utf8(folder), "data set ", dataset.root.string(), ": the name of the class folder \"", folder,
          "\" is not UTF-8, and a model could not store it; rename the folder");
    for (const std::string& picture : pictures) dataset.samples.push_back({.id = picture, .label = dataset.classes()});
    dataset.class_ids.push_back(folder);
    dataset.class_names.push_back(folder.substr(4));
    names.push_back(std::move(pictures));
  }
  check(dataset.classes() > 0, "data set ", dataset.root.string(),
        ": not Caltech-256; expected folders NNN.name with pictures NNN_MMMM.jpg");
  if (clutter > 0)
    dataset.notes.push_back("257.clutter left out (" + counted(clutter, "picture", "pictures") + "): it is no object");
  std::sort(strays.begin(), strays.end());
  note_strays(dataset, strays);

  for (const fs::path& folder : {root, dataset.root}) {
    const fs::path file = folder / split_name;
    if (!tree.train.empty() || !is_there(file)) continue;
    tree.train = read_split(file);
    dataset.notes.push_back("the split is that of " + file.string());
  }
  if (tree.train.empty() && with_split) {
    for (const std::vector<std::string>& pictures : names) draw(pictures, options, tree.train);
    dataset.notes.push_back("the split was drawn: " + std::to_string(options.train_per_class) +
                            " pictures a class for training, seed " + std::to_string(options.seed));
  }
  return tree;
}

}  // namespace

bool is_caltech256_layout(const fs::path& root) {
  std::error_code error;
  if (fs::is_directory(root / "256_ObjectCategories", error)) return true;
  for (const std::string& folder : folders_in(root)) {
    if (!is_class_folder(folder)) continue;
    // One class folder tells: CUB's are called the same, but their pictures are not.
    for (fs::directory_iterator entry(root / folder, error), end; !error && entry != end; entry.increment(error))
      if (is_picture_of(folder, entry->path().filename().string())) return true;
    return false;
  }
  return false;
}

Dataset open_caltech256(const fs::path& root, const std::string& split, const Caltech256Options& options) {
  check(split == "train" || split == "val" || split == "test" || split == "all", "data set ", root.string(),
        ": Caltech-256 has train, val (or test, the same) and all, not \"", split, "\"");
  auto [dataset, train] = read_tree(root, options, split != "all");
  dataset.split = split;
  if (train.empty()) return dataset;  // all, and no list that leaves any out
  std::vector<Sample> kept;
  std::size_t not_listed = 0;
  for (Sample& sample : dataset.samples) {
    const auto found = train.find(sample.id);
    if (found == train.end()) {
      ++not_listed;
      continue;
    }
    if (split == "all" || found->second == (split == "train")) kept.push_back(std::move(sample));
  }
  // Lines about clutter are no stray lines: the file may have been written with it.
  const auto listed = std::count_if(train.begin(), train.end(), [&](const auto& line) {
    return options.clutter || line.first.substr(0, 12) != "257.clutter/";
  });
  const std::size_t found = dataset.samples.size() - not_listed;
  if (not_listed > 0)
    dataset.notes.push_back(counted(not_listed, "picture is", "pictures are") + " not in " + split_name + "; left out");
  if (std::cmp_greater(listed, found))
    dataset.notes.push_back(counted(static_cast<std::size_t>(listed) - found, "line", "lines") + " of " + split_name +
                            " without a picture; passed over");
  check(!kept.empty(), "data set ", root.string(), ": no picture in split \"", split, "\"");
  dataset.samples = std::move(kept);
  return dataset;
}

std::string write_caltech256_split(const fs::path& root, const Caltech256Options& options, const fs::path& file) {
  const auto [dataset, train] = read_tree(root, options, true);
  std::string text = "# Caltech-256: " + dataset.notes.back() + "\n";
  for (const auto& [path, is_train] : train) text += (is_train ? "train " : "val ") + path + "\n";
  write_file_atomically(file, text);
  return dataset.notes.back();
}

}  // namespace acol
