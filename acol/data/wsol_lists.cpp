#include "acol/data/wsol_lists.h"

#include <algorithm>
#include <system_error>
#include <unordered_map>

#include "acol/data/list_text.h"
#include "acol/data/listing.h"
#include "tensor/check.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

using Fields = std::vector<std::string_view>;

bool is_split_folder(const fs::path& folder) {
  return is_there(folder / "image_ids.txt") && is_there(folder / "class_labels.txt");
}

// What precedes the last `count` fields: a path may hold commas.
std::string_view before_last(std::string_view line, const Fields& fields, std::size_t count) {
  if (fields.size() <= count) return {};
  return line.substr(0, static_cast<std::size_t>(fields[fields.size() - count].data() - line.data()) - 1);
}

// One split, list after list, into the samples of `dataset` from `first` on.
class SplitReader {
 public:
  SplitReader(Dataset& dataset, fs::path folder, std::string ids, std::vector<std::string>* faults)
      : dataset_(dataset), folder_(std::move(folder)), ids_(std::move(ids)), faults_(faults) {}

  void read() {
    read_ids();
    read_labels();
    read_sizes();
    read_localization();
  }

 private:
  // Throws, or keeps the fault for the user's list of all faults.
  template <class... Parts>
  void fault(const fs::path& list, std::size_t line, const Parts&... parts) {
    const std::string text = message(list.string(), " line ", line, ": ", parts...);
    if (faults_ == nullptr) throw Error(text);
    faults_->push_back(text);
  }

  // The text of a list that may be absent.
  std::string text_of(const fs::path& list) const { return is_there(list) ? read_file(list) : std::string(); }

  // The sample of a line, or nullptr for a picture that is not in image_ids.txt, which is counted.
  Sample* find(std::string_view id, const fs::path& list, std::size_t line) {
    const auto found = index_.find(id);
    if (found != index_.end()) return &dataset_.samples[found->second];
    if (strays_++ == 0) first_stray_ = message(list.filename().string(), " line ", line, ": ", id);
    return nullptr;
  }

  void read_ids() {
    const fs::path list = folder_ / ids_;
    ids_text_ = read_file(list);
    first_ = dataset_.samples.size();
    each_line(ids_text_, [&](std::string_view id, std::size_t line) {
      if (!is_inner_path(id))
        return fault(list, line, "expected a path under the folder of the pictures, got \"", id, "\"");
      if (!index_.emplace(id, dataset_.samples.size()).second) return fault(list, line, "\"", id, "\" occurs twice");
      dataset_.samples.push_back({.id = std::string(id), .label = -1});
    });
    check(dataset_.samples.size() > first_, list.string(), ": names no picture");
  }

  void read_labels() {
    const fs::path list = folder_ / "class_labels.txt";
    strays_ = 0;
    each_line(read_file(list), [&](std::string_view line, std::size_t number) {
      const Fields fields = fields_of(line, ',');
      int label = 0;
      if (fields.size() < 2 || !parse_int(fields.back(), label) || label < 0 || label >= max_classes)
        return fault(list, number, "expected path,label with a label from 0, got \"", line, "\"");
      Sample* sample = find(before_last(line, fields, 1), list, number);
      if (sample == nullptr) return;
      if (sample->label != -1 && sample->label != label)
        return fault(list, number, sample->id, " has label ", label, " here and ", sample->label, " before");
      sample->label = label;
    });
    // With a proxy list, the other pictures are left out on purpose.
    if (ids_ == "image_ids.txt") note_strays(list);

    // A picture without a label has no place in a data set.
    const auto begin = dataset_.samples.begin() + static_cast<std::ptrdiff_t>(first_);
    const auto labelled = [](const Sample& sample) { return sample.label >= 0; };
    const auto bad = std::find_if_not(begin, dataset_.samples.end(), labelled);
    if (bad == dataset_.samples.end()) return;
    const std::string text =
        message(list.string(), ": no label for \"", bad->id, "\" and ",
                std::count_if(bad + 1, dataset_.samples.end(), [&](const Sample& sample) { return !labelled(sample); }),
                " other pictures of ", ids_);
    if (faults_ == nullptr) throw Error(text);
    faults_->push_back(text);
    std::erase_if(dataset_.samples, [&](const Sample& sample) { return !labelled(sample); });
    index_.clear();
    for (std::size_t i = first_; i < dataset_.samples.size(); ++i) index_.emplace(dataset_.samples[i].id, i);
    check(dataset_.samples.size() > first_, list.string(), ": no picture of ", ids_, " has a label");
  }

  void read_sizes() {
    const fs::path list = folder_ / "image_sizes.txt";
    strays_ = 0;
    std::size_t sized = 0;
    each_line(text_of(list), [&](std::string_view line, std::size_t number) {
      const Fields fields = fields_of(line, ',');
      int width = 0, height = 0;
      if (fields.size() < 3 || !parse_int(fields[fields.size() - 2], width) || !parse_int(fields.back(), height) ||
          width < 1 || height < 1)
        return fault(list, number, "expected path,width,height, got \"", line, "\"");
      Sample* sample = find(before_last(line, fields, 2), list, number);
      if (sample == nullptr) return;
      if (sample->width != 0 && (sample->width != width || sample->height != height))
        return fault(list, number, sample->id, " is ", width, "x", height, " here and ", sample->width, "x",
                     sample->height, " before");
      sized += sample->width == 0;
      sample->width = width;
      sample->height = height;
    });
    if (ids_ == "image_ids.txt") note_strays(list);
    note_missing(list, sized, "a size");
  }

  void read_localization() {
    const fs::path list = folder_ / "localization.txt";
    strays_ = 0;
    enum class Kind { none, boxes, masks } kind = Kind::none;
    each_line(text_of(list), [&](std::string_view line, std::size_t number) {
      const Fields fields = fields_of(line, ',');
      const Kind here = fields.size() == 3 ? Kind::masks : Kind::boxes;
      if (kind == Kind::none) kind = here;
      if (here != kind)
        fault(list, number, "expected ", kind == Kind::boxes ? "path,x0,y0,x1,y1" : "path,mask,ignore",
              " as before, got \"", line, "\"");
      else if (kind == Kind::boxes)
        add_box(list, line, number, fields);
      else
        add_mask(list, line, number, fields);
    });
    if (ids_ == "image_ids.txt") note_strays(list);
    std::size_t located = 0;
    for (std::size_t i = first_; i < dataset_.samples.size(); ++i)
      located += !dataset_.samples[i].boxes.empty() || !dataset_.samples[i].masks.empty();
    note_missing(list, located, kind == Kind::masks ? "a mask" : "a box");
  }

  void add_box(const fs::path& list, std::string_view line, std::size_t number, const Fields& fields) {
    Box box;
    if (fields.size() < 5 || !parse_box(fields, fields.size() - 4, box) || box.x0 < 0 || box.y0 < 0 ||
        box.x1 < box.x0 || box.y1 < box.y0)
      return fault(list, number, "expected path,x0,y0,x1,y1 with 0 <= x0 <= x1 and 0 <= y0 <= y1, got \"", line, "\"");
    if (Sample* sample = find(before_last(line, fields, 4), list, number)) sample->boxes.push_back(box);
  }

  void add_mask(const fs::path& list, std::string_view line, std::size_t number, const Fields& fields) {
    if (!is_inner_path(fields[1]) || (!fields[2].empty() && !is_inner_path(fields[2])))
      return fault(list, number, "expected path,mask,ignore with paths under the folder of the masks, got \"", line,
                   "\"");
    Sample* sample = find(fields[0], list, number);
    if (sample == nullptr) return;
    if (sample->masks.empty() == fields[2].empty())
      return fault(list, number, "the ignore mask belongs on the first line of ", sample->id, " and on no other");
    sample->masks.emplace_back(fields[1]);
    if (!fields[2].empty()) sample->ignore_mask = fields[2];
  }

  void note_strays(const fs::path& list) {
    if (strays_ > 0)
      dataset_.notes.push_back(message(list.string(), ": ",
                                       counted(strays_, "line names a picture", "lines name pictures"),
                                       " not in image_ids.txt; passed over (first: ", first_stray_, ")"));
  }

  // A list about no picture at all is one that the split does without.
  void note_missing(const fs::path& list, std::size_t have, const std::string& what) {
    const std::size_t all = dataset_.samples.size() - first_;
    if (have > 0 && have < all)
      dataset_.notes.push_back(
          message(list.string(), ": ", all - have, " of ", all, " pictures have no line with ", what));
  }

  Dataset& dataset_;
  const fs::path folder_;
  const std::string ids_;
  std::vector<std::string>* const faults_;
  std::string ids_text_;  // index_ looks into it
  std::size_t first_ = 0;
  std::unordered_map<std::string_view, std::size_t> index_;
  std::size_t strays_ = 0;
  std::string first_stray_;
};

LabelFolders read_label_folders(const fs::path& list) {
  LabelFolders found;
  if (!is_there(list)) return found;
  each_line(read_file(list), [&](std::string_view line, std::size_t) {
    const Fields fields = fields_of(line, ',');
    int label = 0;
    if (fields.size() >= 2 && parse_int(fields.back(), label) && label >= 0 && label < max_classes)
      found.add(before_last(line, fields, 1), label);
  });
  return found;
}

std::string names_of_splits(const fs::path& metadata) {
  std::string names;
  for (const std::string& name : folders_in(metadata))
    if (is_split_folder(metadata / name)) names += (names.empty() ? "" : ", ") + name;
  return names.empty() ? "none" : names;
}

}  // namespace

bool is_wsol_metadata(const fs::path& metadata) {
  if (is_split_folder(metadata)) return true;
  for (const char* split : {"train", "val", "test"})
    if (is_split_folder(metadata / split)) return true;
  return false;
}

Dataset open_wsol_lists(const fs::path& metadata, const std::string& split, const fs::path& image_root,
                        const fs::path& mask_root, std::vector<std::string>* faults) {
  std::error_code error;
  check(fs::is_directory(metadata, error), "lists of wsolevaluation ", metadata.string(), ": no such folder");
  Dataset dataset;
  dataset.layout = "wsol";
  dataset.root = image_root.empty() ? metadata : image_root;
  dataset.mask_root = mask_root;
  dataset.split = split;

  const bool proxy = split.ends_with("_proxy");
  const std::string name = proxy ? split.substr(0, split.size() - 6) : split;
  std::vector<fs::path> folders;
  fs::path parent = metadata;
  if (is_split_folder(metadata)) {
    const fs::path here = fs::weakly_canonical(metadata);
    const std::string own = here.filename().string();
    check(name.empty() || name == own || (own != "train" && own != "val" && own != "test"), "lists of wsolevaluation ",
          metadata.string(), ": this is the folder of the split ", own, "; asked for ", name);
    if (name.empty()) dataset.split = own;
    folders = {metadata};
    parent = here.parent_path();
  } else if (name == "all") {
    for (const char* one : {"train", "val", "test"})
      if (is_split_folder(metadata / one)) folders.push_back(metadata / one);
  } else if (!name.empty() && is_split_folder(metadata / name)) {
    folders = {metadata / name};
  }
  check(!folders.empty(), "lists of wsolevaluation ", metadata.string(), ": no split \"", name,
        "\" (no folder of this name with image_ids.txt and class_labels.txt); found: ", names_of_splits(metadata));

  for (const fs::path& folder : folders)
    SplitReader(dataset, folder, proxy ? "image_ids_proxy.txt" : "image_ids.txt", faults).read();
  folders.insert(folders.begin(), {parent / "train", parent / "test", parent / "val"});
  std::vector<LabelFolders> labels;
  for (const fs::path& folder : folders) labels.push_back(read_label_folders(folder / "class_labels.txt"));
  dataset.class_ids = dataset.class_names = class_ids_of(labels);
  return dataset;
}

}  // namespace acol
