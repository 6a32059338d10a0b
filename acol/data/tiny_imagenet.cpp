#include "acol/data/tiny_imagenet.h"

#include <algorithm>
#include <set>
#include <system_error>
#include <unordered_map>

#include "acol/data/listing.h"
#include "tensor/check.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

struct Counts {
  std::size_t degenerate = 0;  // boxes
  std::size_t no_line = 0;     // pictures without a line
  std::size_t no_picture = 0;  // lines without a picture
};

void read_classes(Dataset& dataset, std::unordered_map<std::string, int>& labels) {
  const fs::path wnids = dataset.root / "wnids.txt";
  for (const std::string& line : lines_of(wnids)) {
    if (line.empty()) continue;
    check(is_utf8(line), wnids.string(), ": class ", line, " is not UTF-8");
    check(labels.emplace(line, dataset.classes()).second, wnids.string(), ": class ", line, " occurs twice");
    dataset.class_ids.push_back(line);
  }
  check(!labels.empty(), wnids.string(), ": names no class");

  dataset.class_names = dataset.class_ids;
  const fs::path words = dataset.root / "words.txt";
  std::error_code error;
  if (!fs::exists(words, error)) {
    dataset.notes.push_back(words.string() + " is missing: classes are called by their WordNet ids");
    return;
  }
  for (const std::string& line : lines_of(words)) {
    const std::vector<std::string_view> fields = fields_of(line, '\t');
    const auto found = labels.find(std::string(fields[0]));
    if (found == labels.end() || fields.size() < 2 || fields[1].empty()) continue;
    const std::string name(fields_of(fields[1], ',')[0]);
    check(is_utf8(name), words.string(), ": the name of class ", found->first, " is not UTF-8");
    dataset.class_names[static_cast<std::size_t>(found->second)] = name;
  }
}

// The box that starts at field `first`; a degenerate one is counted and not kept.
void add_box(Sample& sample, const std::vector<std::string_view>& fields, std::size_t first, const std::string& where,
             Counts& counts) {
  Box box;
  check(fields.size() == first + 4 && parse_box(fields, first, box) && std::min({box.x0, box.y0, box.x1, box.y1}) >= 0,
        where, ": expected ", first == 1 ? "" : "a class and ",
        "x0, y0, x1, y1 after the file name, separated by tabs, none of them negative");
  if (box.x1 <= box.x0 || box.y1 <= box.y0)
    ++counts.degenerate;
  else
    sample.boxes.push_back(box);
}

void read_train(Dataset& dataset, Counts& counts) {
  for (int label = 0; label < dataset.classes(); ++label) {
    const std::string& wnid = dataset.class_ids[static_cast<std::size_t>(label)];
    const std::string prefix = "train/" + wnid + "/images/";
    const std::vector<std::string> pictures = pictures_in(dataset.root / prefix);
    check(!pictures.empty(), "data set ", dataset.root.string(), ": class ", wnid, " of wnids.txt has no pictures in ",
          prefix);

    const std::size_t first = dataset.samples.size();
    std::unordered_map<std::string, std::size_t> by_name;
    for (const std::string& picture : pictures) {
      by_name[picture] = dataset.samples.size();
      dataset.samples.push_back({.id = prefix + picture, .label = label});
    }

    const fs::path list = dataset.root / "train" / wnid / (wnid + "_boxes.txt");
    std::vector<bool> listed(pictures.size());
    std::size_t number = 0;
    std::error_code error;
    for (const std::string& line : fs::exists(list, error) ? lines_of(list) : std::vector<std::string>{}) {
      ++number;
      if (line.empty()) continue;
      const std::vector<std::string_view> fields = fields_of(line, '\t');
      const auto found = by_name.find(std::string(fields[0]));
      Sample unknown;
      add_box(found == by_name.end() ? unknown : dataset.samples[found->second], fields, 1,
              message(list.string(), " line ", number), counts);
      if (found == by_name.end())
        ++counts.no_picture;
      else
        listed[found->second - first] = true;
    }
    for (const bool has_line : listed) counts.no_line += !has_line;
  }
}

void read_val(Dataset& dataset, const std::unordered_map<std::string, int>& labels, Counts& counts) {
  const fs::path list = dataset.root / "val" / "val_annotations.txt";
  const std::vector<std::string> pictures = pictures_in(dataset.root / "val" / "images");
  std::set<std::string> left(pictures.begin(), pictures.end());
  const std::size_t first = dataset.samples.size();
  std::size_t number = 0;
  for (const std::string& line : lines_of(list)) {
    ++number;
    if (line.empty()) continue;
    const std::vector<std::string_view> fields = fields_of(line, '\t');
    Sample sample;
    add_box(sample, fields, 2, message(list.string(), " line ", number), counts);
    const auto label = labels.find(std::string(fields[1]));
    check(label != labels.end(), list.string(), " line ", number, ": class ", fields[1], " is not in wnids.txt");
    if (left.erase(std::string(fields[0])) == 0) {  // not there, or listed before
      ++counts.no_picture;
      continue;
    }
    sample.id = "val/images/" + std::string(fields[0]);
    sample.label = label->second;
    dataset.samples.push_back(sample);
  }
  counts.no_line += left.size();  // their class is unknown
  check(dataset.samples.size() > first, "data set ", dataset.root.string(),
        ": no picture of val_annotations.txt is in val/images");
}

}  // namespace

bool is_tiny_imagenet_layout(const fs::path& root) {
  std::error_code error;
  return fs::exists(root / "wnids.txt", error);
}

Dataset open_tiny_imagenet(const fs::path& root, const std::string& split) {
  check(split == "train" || split == "val" || split == "all", "data set ", root.string(),
        ": Tiny ImageNet has train, val and all", split == "test" ? " (its test pictures have no labels)" : "",
        ", not \"", split, "\"");
  Dataset dataset;
  dataset.layout = "tiny-imagenet";
  dataset.root = root;
  dataset.split = split;
  std::unordered_map<std::string, int> labels;
  read_classes(dataset, labels);

  Counts counts;
  if (split != "val") read_train(dataset, counts);
  if (split != "train") read_val(dataset, labels, counts);
  if (counts.degenerate > 0)
    dataset.notes.push_back(counted(counts.degenerate, "degenerate box", "degenerate boxes") +
                            " dropped (x1 <= x0 or y1 <= y0); the pictures stay, without a box");
  if (counts.no_line > 0)
    dataset.notes.push_back(counted(counts.no_line, "picture has", "pictures have") +
                            " no line in the lists (train: kept without a box; val: left out)");
  if (counts.no_picture > 0)
    dataset.notes.push_back(counted(counts.no_picture, "line of the lists names a picture that is",
                                    "lines of the lists name pictures that are") +
                            " not there or named before; passed over");
  return dataset;
}

}  // namespace acol
