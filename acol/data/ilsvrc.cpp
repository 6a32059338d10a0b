#include "acol/data/ilsvrc.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <system_error>
#include <unordered_map>

#include "acol/data/box_filter.h"
#include "acol/data/ilsvrc_lists.h"
#include "acol/data/ilsvrc_tree.h"
#include "acol/data/listing.h"
#include "acol/data/voc_xml.h"
#include "tensor/check.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

// What all steps of reading one split work on.
struct Reader {
  IlsvrcTree tree;
  Dataset dataset;
  std::map<std::string, Synset> synsets;        // of a mapping; empty if there is none
  std::unordered_map<std::string, int> labels;  // by WNID
  BoxFilter filter;
  std::size_t no_picture = 0, no_label = 0;

  std::string where() const { return "data set " + dataset.root.string(); }
};

struct Found {
  std::uint32_t sample = 0;
  std::uint32_t first = 0, count = 0;  // its boxes
};

// All that is annotated for the pictures of one split.
struct Annotated {
  std::vector<Found> pictures;
  std::vector<NamedBox> boxes;

  void add(std::size_t sample, const std::vector<NamedBox>& more) {
    pictures.push_back({static_cast<std::uint32_t>(sample), static_cast<std::uint32_t>(boxes.size()),
                        static_cast<std::uint32_t>(more.size())});
    boxes.insert(boxes.end(), more.begin(), more.end());
  }
};

std::string_view stem_of(std::string_view id) {
  id.remove_prefix(id.rfind('/') + 1);
  return id.substr(0, id.rfind('.'));
}

void add_pictures(Reader& reader, const std::string& prefix, int label) {
  for (const std::string& picture : pictures_in(reader.dataset.root / prefix))
    reader.dataset.samples.push_back({.id = prefix + picture, .label = label});
}

void set_classes(Reader& reader, const std::set<std::string>& wnids, const char* source) {
  for (const std::string& wnid : wnids) {
    reader.labels[wnid] = reader.dataset.classes();
    const auto known = reader.synsets.find(wnid);
    reader.dataset.class_ids.push_back(wnid);
    reader.dataset.class_names.push_back(known == reader.synsets.end() ? wnid : known->second.name);
  }
  if (source != nullptr)
    reader.dataset.notes.push_back("no LOC_synset_mapping.txt: the " +
                                   counted(wnids.size(), "class is that", "classes are those") + " of " + source +
                                   ", called by their WordNet ids");
}

std::set<std::string> wnid_folders(const fs::path& folder) {
  std::set<std::string> wnids;
  for (const std::string& name : folders_in(folder))
    if (is_wnid(name)) wnids.insert(name);
  return wnids;
}

// From the mapping or the folders; where there are neither, the boxes tell later.
void read_classes(Reader& reader) {
  // The development kit alone has ILSVRC ids, which its ground truth needs.
  const fs::path mapping = reader.tree.find({"LOC_synset_mapping.txt"}), clsloc = reader.tree.find({"map_clsloc.txt"});
  if (!clsloc.empty()) reader.synsets = read_map_clsloc(clsloc);
  if (!mapping.empty()) {
    std::map<std::string, Synset> synsets = read_synset_mapping(mapping);
    for (auto& [wnid, synset] : synsets)
      if (const auto known = reader.synsets.find(wnid); known != reader.synsets.end())
        synset.ilsvrc_id = known->second.ilsvrc_id;
    reader.synsets = std::move(synsets);
  }
  std::set<std::string> wnids;
  for (const auto& [wnid, synset] : reader.synsets) wnids.insert(wnid);
  if (!wnids.empty()) return set_classes(reader, wnids, nullptr);
  for (const char* split : {"train", "val"}) {
    wnids = wnid_folders(reader.dataset.root / split);
    if (!wnids.empty()) return set_classes(reader, wnids, message("the folders of ", split, "/").c_str());
  }
}

int label_of_folder(const Reader& reader, const std::string& split, const std::string& wnid) {
  const auto label = reader.labels.find(wnid);
  check(label != reader.labels.end(), reader.where(), ": ", split, "/", wnid, " is not among the ",
        reader.dataset.classes(), " classes; remove the folder, or the mapping is of another set");
  return label->second;
}

void list_folders(Reader& reader, const std::string& split) {
  for (const std::string& wnid : wnid_folders(reader.dataset.root / split))
    add_pictures(reader, split + "/" + wnid + "/", label_of_folder(reader, split, wnid));
}

// Boxes and classes of the split's pictures, which are the samples from `first` on. False: there are none anywhere.
bool read_annotations(Reader& reader, const std::string& split, std::size_t first, Annotated& annotated) {
  std::vector<Sample>& samples = reader.dataset.samples;
  std::unordered_map<std::string_view, std::size_t> by_stem;
  by_stem.reserve(samples.size() - first);
  for (std::size_t i = first; i < samples.size(); ++i) by_stem.emplace(stem_of(samples[i].id), i);

  if (const fs::path csv = reader.tree.find({"LOC_" + split + "_solution.csv"}); !csv.empty()) {
    std::vector<bool> seen(samples.size() - first);
    read_solution(csv, [&](std::size_t line, std::string_view image, const std::vector<NamedBox>& boxes) {
      const auto sample = by_stem.find(image);
      if (sample == by_stem.end()) {
        ++reader.no_picture;
        return;
      }
      check(!seen[sample->second - first], csv.string(), " line ", line, ": ", image, " occurs twice");
      seen[sample->second - first] = true;
      annotated.add(sample->second, boxes);
    });
    return true;
  }

  std::size_t files = 0;
  std::vector<NamedBox> boxes;
  const auto read_folder = [&](const fs::path& folder) {
    for (const std::string& name : annotations_in(folder)) {
      ++files;
      const auto sample = by_stem.find(name);
      if (sample == by_stem.end()) {
        ++reader.no_picture;
        continue;
      }
      VocAnnotation annotation = read_voc_xml(folder / (name + ".xml"), 0);
      samples[sample->second].width = annotation.width;
      samples[sample->second].height = annotation.height;
      boxes.clear();
      for (VocObject& object : annotation.objects) boxes.push_back({std::move(object.name), object.box});
      annotated.add(sample->second, boxes);
    }
  };
  std::vector<fs::path> folders = reader.tree.boxes;
  if (split == "val") folders.push_back(reader.dataset.root);  // beside the pictures
  for (const fs::path& folder : folders) {
    read_folder(folder / split);
    for (const std::string& wnid : wnid_folders(folder / split)) read_folder(folder / split / wnid);
    if (files > 0) return true;
  }
  return false;
}

// Gives each picture its boxes, and its label if it has none yet: that of its first box with a known class.
void apply(Reader& reader, const Annotated& annotated) {
  for (const Found& found : annotated.pictures) {
    Sample& sample = reader.dataset.samples[found.sample];
    const auto begin = annotated.boxes.begin() + found.first, end = begin + found.count;
    for (auto named = begin; named != end && sample.label < 0; ++named)
      if (const auto label = reader.labels.find(named->name); label != reader.labels.end())
        sample.label = label->second;
    if (sample.label < 0) continue;
    const std::string& wnid = reader.dataset.class_ids[static_cast<std::size_t>(sample.label)];
    for (auto named = begin; named != end; ++named) {
      if (is_wnid(named->name) && named->name != wnid)
        ++reader.filter.foreign;
      else
        reader.filter.add(sample, named->box);
    }
  }
}

void read_train(Reader& reader) {
  Dataset& dataset = reader.dataset;
  list_folders(reader, "train");
  check(!dataset.samples.empty(), reader.where(), ": no pictures in train/<WNID>/ (WNID: n and eight digits)");
  std::vector<bool> has_pictures(dataset.class_ids.size());
  for (const Sample& sample : dataset.samples) has_pictures[static_cast<std::size_t>(sample.label)] = true;
  if (const auto none = std::count(has_pictures.begin(), has_pictures.end(), false); none > 0)
    dataset.notes.push_back(counted(static_cast<std::size_t>(none), "class has", "classes have") +
                            " no pictures in train/, the first is " +
                            dataset.class_ids[static_cast<std::size_t>(
                                std::find(has_pictures.begin(), has_pictures.end(), false) - has_pictures.begin())]);

  Annotated annotated;
  if (read_annotations(reader, "train", 0, annotated))
    apply(reader, annotated);
  else
    dataset.notes.push_back("no boxes for train (no LOC_train_solution.csv, no XML files in Annotations/)");
}

// The pictures of a set without val/, as the CSV has them.
void list_solution(Reader& reader) {
  const fs::path csv = reader.tree.find({"LOC_val_solution.csv"});
  if (csv.empty()) return;
  std::set<std::string> images;
  read_solution(csv, [&](std::size_t, std::string_view image, const auto&) { images.emplace(image); });
  for (const std::string& image : images)
    reader.dataset.samples.push_back({.id = "val/" + image + ".JPEG", .label = -1});
  reader.dataset.notes.push_back((reader.dataset.root / "val").string() + " is missing: pictures are those of " +
                                 csv.string() + " and cannot be opened");
}

std::string label_lists() {
  return "LOC_val_solution.csv, XML files in Annotations/ or bbox/, imagenet_2012_validation_synset_labels.txt, "
         "ILSVRC20xx_validation_ground_truth.txt, val_labels.txt and val.txt";
}

void read_label_list(Reader& reader, std::size_t first) {
  std::vector<std::string> names{"imagenet_2012_validation_synset_labels.txt", "val_labels.txt", "val.txt"};
  for (const char* tail : {"_clsloc_validation_ground_truth.txt", "_validation_ground_truth.txt"})
    for (const std::string& name : names_by_year("ILSVRC", tail)) names.push_back(name);
  const fs::path list = reader.tree.find(names);
  check(!list.empty(), reader.where(),
        ": nothing tells the classes of the pictures in val/; looked for folders "
        "val/<WNID>/, ",
        label_lists());
  std::map<std::string, Synset> synsets = reader.synsets;
  if (synsets.empty())
    for (const std::string& wnid : reader.dataset.class_ids) synsets[wnid] = {};
  const auto wnids = read_validation_labels(list, synsets);
  if (reader.labels.empty()) {
    std::set<std::string> classes;
    for (const auto& [name, wnid] : wnids) classes.insert(wnid);
    set_classes(reader, classes, list.string().c_str());
  }
  for (std::size_t i = first; i < reader.dataset.samples.size(); ++i) {
    Sample& sample = reader.dataset.samples[i];
    const auto found = wnids.find(stem_of(sample.id));
    if (found == wnids.end()) continue;
    const auto label = reader.labels.find(found->second);
    check(label != reader.labels.end(), list.string(), ": ", found->second, ", the class of ", found->first,
          ", is not among the ", reader.dataset.classes(), " classes");
    sample.label = label->second;
  }
}

void set_blacklist(Reader& reader, std::size_t first) {
  const fs::path file = reader.tree.find(names_by_year("ILSVRC", "_clsloc_validation_blacklist.txt"));
  if (file.empty()) {
    reader.dataset.notes.push_back(
        "no ILSVRC20xx_clsloc_validation_blacklist.txt: no picture is left out of the localization error");
    return;
  }
  const std::unordered_set<int> numbers = read_blacklist(file);
  std::size_t count = 0;
  for (std::size_t i = first; i < reader.dataset.samples.size(); ++i) {
    Sample& sample = reader.dataset.samples[i];
    sample.blacklisted = numbers.count(validation_number(stem_of(sample.id))) > 0;
    count += sample.blacklisted;
  }
  reader.dataset.notes.push_back(counted(count, "picture is", "pictures are") +
                                 " left out of the official localization error: " + file.string());
}

void read_val(Reader& reader) {
  std::vector<Sample>& samples = reader.dataset.samples;
  const std::size_t first = samples.size();
  add_pictures(reader, "val/", -1);
  if (samples.size() == first) list_folders(reader, "val");
  if (samples.size() == first) list_solution(reader);
  check(samples.size() > first, reader.where(), ": no pictures in val/, neither flat nor in folders called by WNIDs");
  const bool in_folders = samples.back().label >= 0;

  Annotated annotated;
  const bool has_boxes = read_annotations(reader, "val", first, annotated);
  if (reader.labels.empty() && has_boxes) {
    std::set<std::string> wnids;
    for (const NamedBox& named : annotated.boxes)
      if (is_wnid(named.name)) wnids.insert(named.name);
    check(!wnids.empty(), reader.where(), ": no object of val/ is called by a WordNet id");
    set_classes(reader, wnids, "the boxes of val");
  }
  if (!has_boxes) {
    reader.dataset.notes.push_back("no boxes for val (no LOC_val_solution.csv, no XML files)");
    if (!in_folders) read_label_list(reader, first);
  }
  apply(reader, annotated);

  const auto unknown = std::remove_if(samples.begin() + static_cast<std::ptrdiff_t>(first), samples.end(),
                                      [](const Sample& sample) { return sample.label < 0; });
  reader.no_label = static_cast<std::size_t>(samples.end() - unknown);
  samples.erase(unknown, samples.end());
  check(samples.size() > first, reader.where(), ": no picture of val/ has a known class");
  set_blacklist(reader, first);
}

}  // namespace

Dataset open_ilsvrc(const fs::path& root, const std::string& split) {
  check(split == "train" || split == "val" || split == "all", "data set ", root.string(),
        ": ILSVRC has train, val and all", split == "test" ? " (its test pictures have no labels)" : "", ", not \"",
        split, "\"");
  Reader reader;
  reader.tree = ilsvrc_tree(root);
  Dataset& dataset = reader.dataset;
  dataset.layout = "ilsvrc";
  dataset.root = reader.tree.pictures;
  dataset.split = split;
  read_classes(reader);
  if (split != "val") read_train(reader);
  if (split != "train") read_val(reader);

  reader.filter.report(dataset);
  if (reader.no_label > 0)
    dataset.notes.push_back(counted(reader.no_label, "picture", "pictures") + " of val without a known class left out");
  if (reader.no_picture > 0)
    dataset.notes.push_back(
        counted(reader.no_picture, "annotation names a picture that is", "annotations name pictures that are") +
        " not there; passed over");
  return dataset;
}

}  // namespace acol
