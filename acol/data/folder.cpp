#include "acol/data/folder.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "acol/data/listing.h"
#include "tensor/check.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

constexpr const char* picture_endings = "jpg, jpeg, png, bmp, ppm, pgm, pnm";

// A split holds class folders. A class called "train" or "val" holds pictures and is none.
bool is_split(const fs::path& folder) { return !folders_in(folder).empty(); }

// The boxes of one split, into the samples from `first` on, which are that split's.
void read_boxes(Dataset& dataset, const fs::path& file, const std::string& prefix, std::size_t first) {
  if (!is_there(file)) return;
  std::unordered_map<std::string, Sample*> by_id;
  for (std::size_t i = first; i < dataset.samples.size(); ++i) by_id[dataset.samples[i].id] = &dataset.samples[i];

  std::size_t number = 0, strays = 0;
  for (const std::string& line : lines_of(file)) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    // The last four fields are numbers; what is before them is the name, commas and all.
    const std::vector<std::string_view> fields = fields_of(line, ',');
    Box box;
    check(fields.size() >= 5 && parse_box(fields, fields.size() - 4, box) && box.x0 >= 0 && box.y0 >= 0 &&
              box.x0 <= box.x1 && box.y0 <= box.y1,
          file.string(), " line ", number,
          ": expected class/file,x0,y0,x1,y1 with 0 <= x0 <= x1 and 0 <= y0 <= y1, got \"", line, "\"");
    const auto name_end = static_cast<std::size_t>(fields[fields.size() - 4].data() - line.data()) - 1;
    const auto found = by_id.find(prefix + line.substr(0, name_end));
    if (found == by_id.end())
      ++strays;
    else
      found->second->boxes.push_back(box);
  }
  if (strays > 0)
    dataset.notes.push_back(file.string() + ": " +
                            counted(strays, "line names a picture that is", "lines name pictures that are") +
                            " not there; passed over");
}

// `name` is the split's folder; empty if root holds the class folders itself.
void read_split(Dataset& dataset, const std::string& name) {
  const fs::path folder = dataset.root / name;
  const std::string prefix = name.empty() ? "" : name + "/";
  const std::size_t first = dataset.samples.size();
  std::vector<bool> has_pictures(dataset.class_ids.size());

  for (const std::string& id : folders_in(folder)) {
    const auto found = std::lower_bound(dataset.class_ids.begin(), dataset.class_ids.end(), id);
    check(found != dataset.class_ids.end() && *found == id, "data set ", folder.string(), ": class \"", id,
          "\" is not among the ", dataset.class_ids.size(), " classes of train/");
    const auto label = found - dataset.class_ids.begin();

    std::set<std::string> masks;  // one listing instead of a look at each file
    if (!name.empty())
      for (const std::string& mask : pictures_in(dataset.root / (name + "_masks") / id)) masks.insert(mask);
    for (const std::string& picture : pictures_in(folder / id)) {
      has_pictures[static_cast<std::size_t>(label)] = true;
      const std::string mask = fs::path(picture).stem().string() + ".png";
      Sample sample;
      sample.id = prefix + id + "/" + picture;
      sample.label = static_cast<int>(label);
      if (masks.count(mask)) sample.masks = {name + "_masks/" + id + "/" + mask};
      dataset.samples.push_back(std::move(sample));
    }
  }
  check(dataset.samples.size() > first, "data set ", folder.string(), ": no pictures (", picture_endings,
        ") in its class folders");
  for (std::size_t label = 0; label < has_pictures.size(); ++label) {
    if (has_pictures[label]) continue;
    check(!name.empty() && name != "train", "data set ", folder.string(), ": class \"", dataset.class_ids[label],
          "\" has no pictures (", picture_endings, "); add some or remove its folder");
    dataset.notes.push_back(folder.string() + ": class \"" + dataset.class_ids[label] + "\" has no pictures");
  }
  read_boxes(dataset, folder / "boxes.csv", prefix, first);
}

}  // namespace

bool is_folder_layout(const fs::path& root) {
  const std::vector<std::string> folders = folders_in(root);
  return std::any_of(folders.begin(), folders.end(), [&](const std::string& name) {
    return is_split(root / name) || !pictures_in(root / name).empty();
  });
}

Dataset open_folder(const fs::path& root, const std::string& split) {
  Dataset dataset;
  dataset.layout = "folder";
  dataset.root = root;
  dataset.split = split;
  const bool has_train = is_split(root / "train"), has_val = is_split(root / "val");

  std::vector<std::string> names;
  if (split != "all") {
    if (is_split(root / split)) names = {split};
  } else {
    if (has_train) names.push_back("train");
    if (has_val) names.push_back("val");
  }
  if (names.empty()) {
    check(!has_train && !has_val, "data set ", root.string(), ": no split \"", split, "\" (no folder ",
          (root / split).string(), " with class folders)");
    check(
        split == "train" || split == "all", "data set ", root.string(), ": no split \"", split,
        "\": the folder holds class folders directly and is one split; ask for \"all\", or put the classes into train/ "
        "and val/");
    const std::vector<std::string> folders = folders_in(root);
    const auto holds = [&](const char* name) { return std::binary_search(folders.begin(), folders.end(), name); };
    check(!holds("train") || !holds("val"), "data set ", root.string(),
          ": expected class folders with pictures in train/ and val/, found none");
    names = {""};
  }

  dataset.class_ids = folders_in(root / (has_train ? "train" : names.front()));
  for (const std::string& id : dataset.class_ids)
    check(is_utf8(id), "data set ", root.string(), ": the name of the class folder \"", id,
          "\" is not UTF-8, and a model could not store it; rename the folder");
  dataset.class_names = dataset.class_ids;
  for (const std::string& name : names) read_split(dataset, name);
  return dataset;
}

}  // namespace acol
