#include "acol/data/voc.h"

#include <algorithm>
#include <map>
#include <set>
#include <system_error>
#include <unordered_map>

#include "acol/data/box_filter.h"
#include "acol/data/listing.h"
#include "acol/data/voc_xml.h"
#include "tensor/check.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

using Annotations = std::map<std::string, VocAnnotation>;  // by name, sorted

Annotations read_annotations(const fs::path& folder) {
  Annotations annotations;
  for (const std::string& name : annotations_in(folder)) annotations[name] = read_voc_xml(folder / (name + ".xml"), 1);
  check(!annotations.empty(), "data set ", folder.string(), ": no XML files");
  return annotations;
}

std::map<std::string, int> read_classes(Dataset& dataset, const Annotations& annotations) {
  std::map<std::string, int> labels;
  const fs::path file = dataset.root / "classes.txt";
  if (is_there(file)) {
    std::size_t number = 0;
    for (const std::string& line : lines_of(file)) {
      ++number;
      if (line.empty()) continue;
      check(is_utf8(line), file.string(), " line ", number, ": the name is not UTF-8");
      check(labels.emplace(line, dataset.classes()).second, file.string(), " line ", number, ": class ", line,
            " occurs twice");
      dataset.class_ids.push_back(line);
    }
    check(!labels.empty(), file.string(), ": names no class");
  } else {
    std::set<std::string> names;
    for (const auto& [name, annotation] : annotations)
      for (const VocObject& object : annotation.objects) names.insert(object.name);
    check(!names.empty(), "data set ", dataset.root.string(), ": no XML file in Annotations/ has an object");
    for (const std::string& name : names) {
      labels[name] = dataset.classes();
      dataset.class_ids.push_back(name);
    }
  }
  dataset.class_names = dataset.class_ids;
  return labels;
}

// The names of a split, in the order of its list.
std::vector<std::string> read_split(const fs::path& root, const std::string& split, const Annotations& annotations) {
  const fs::path lists = root / "ImageSets" / "Main";
  const fs::path file = lists / (split + ".txt");
  std::vector<std::string> names;
  if (split == "all" || (split == "train" && !is_there(lists))) {
    for (const auto& [name, annotation] : annotations) names.push_back(name);
    return names;
  }
  check(is_there(file), "data set ", root.string(), ": no split \"", split, "\" (no file ", file.string(), ")");
  std::set<std::string> seen;
  std::size_t number = 0;
  for (const std::string& line : lines_of(file)) {
    ++number;
    const std::size_t first = line.find_first_not_of(" \t");
    if (first == std::string::npos) continue;
    const std::string name = line.substr(first, line.find_first_of(" \t", first) - first);
    check(annotations.count(name) > 0, file.string(), " line ", number, ": there is no Annotations/", name, ".xml");
    check(seen.insert(name).second, file.string(), " line ", number, ": ", name, " occurs twice");
    names.push_back(name);
  }
  check(!names.empty(), file.string(), ": names no picture");
  return names;
}

}  // namespace

bool is_voc_layout(const fs::path& root) {
  std::error_code error;
  return fs::is_directory(root / "JPEGImages", error) && fs::is_directory(root / "Annotations", error);
}

Dataset open_voc(const fs::path& root, const std::string& split) {
  Dataset dataset;
  dataset.layout = "voc";
  dataset.root = root;
  dataset.split = split;
  const Annotations annotations = read_annotations(root / "Annotations");
  const std::map<std::string, int> labels = read_classes(dataset, annotations);

  std::unordered_map<std::string, std::string> pictures;  // stem -> file, of one listing
  for (const std::string& file : pictures_in(root / "JPEGImages")) pictures.emplace(fs::path(file).stem(), file);

  BoxFilter filter;
  std::size_t empty = 0, no_picture = 0, several = 0;
  for (const std::string& name : read_split(root, split, annotations)) {
    const VocAnnotation& annotation = annotations.at(name);
    const auto picture = pictures.find(name);
    if (picture == pictures.end()) {
      ++no_picture;
      continue;
    }
    std::map<int, Sample> by_label;
    for (const VocObject& object : annotation.objects) {
      const auto label = labels.find(object.name);
      check(label != labels.end(), (root / "Annotations" / (name + ".xml")).string(), ": class \"", object.name,
            "\" is not in classes.txt");
      Sample& sample = by_label[label->second];
      sample.id = "JPEGImages/" + picture->second;
      sample.label = label->second;
      sample.width = annotation.width;
      sample.height = annotation.height;
      filter.add(sample, object.box, annotation.width, annotation.height);
    }
    empty += by_label.empty();
    several += by_label.size() > 1;
    for (auto& [label, sample] : by_label) dataset.samples.push_back(std::move(sample));
  }
  filter.report(dataset);
  if (several > 0)
    dataset.notes.push_back(counted(several, "picture shows", "pictures show") +
                            " objects of several classes: a sample for each class, with its boxes");
  if (empty > 0)
    dataset.notes.push_back(counted(empty, "picture has", "pictures have") + " no object in its XML file; left out");
  if (no_picture > 0)
    dataset.notes.push_back(counted(no_picture, "XML file has", "XML files have") +
                            " no picture in JPEGImages/; passed over");
  check(!dataset.samples.empty(), "data set ", root.string(), ": no picture with an object in split \"", split, "\"");
  return dataset;
}

}  // namespace acol
