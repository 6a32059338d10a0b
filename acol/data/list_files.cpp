#include "acol/data/list_files.h"

#include <algorithm>
#include <fstream>
#include <system_error>
#include <unordered_set>

#include "acol/data/list_text.h"
#include "acol/data/listing.h"
#include "tensor/check.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

struct Line {
  std::string path;
  int label = 0;
};

// False if the line is of none of the three forms.
bool parse_line(std::string_view text, Line& line) {
  std::string_view path, label;
  if (const std::size_t semicolon = text.rfind(';'); semicolon != std::string_view::npos) {
    path = text.substr(0, semicolon);
    label = text.substr(semicolon + 1);
  } else {
    std::vector<std::string_view> words;
    for (std::size_t at = 0; (at = text.find_first_not_of(" \t", at)) != std::string_view::npos;) {
      const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
      words.push_back(text.substr(at, end - at));
      at = end;
    }
    int number = 0;
    const bool numbered = words.size() == 3 && parse_int(words[0], number) && !parse_int(words[1], number);
    if (words.size() != 2 && !numbered) return false;
    path = words[words.size() - 2];
    label = words.back();
  }
  if (!parse_int(label, line.label) || line.label < 0 || line.label >= max_classes || !is_inner_path(path))
    return false;
  line.path = path;
  if (line.path.find('.') == std::string::npos) line.path += ".jpg";
  return true;
}

// Where the pictures are, as a prefix of their ids: "images/".
std::string find_prefix(Dataset& dataset, const fs::path& list, const std::string& split, const std::string& first) {
  const std::vector<std::string> prefixes{split + "/", split == "test" ? "val/" : "test/", "images/", ""};
  for (const std::string& prefix : prefixes) {
    if (split == "train" && prefix == "test/") continue;
    if (is_there(dataset.root / (prefix + first))) return prefix;
  }
  dataset.notes.push_back(message(list.string(), ": its first picture, ", first, ", is not in ", dataset.root.string(),
                                  ", nor in ", split, "/ or images/ there"));
  return "";
}

void read_list(Dataset& dataset, const fs::path& list, const std::string& split, std::vector<std::string>* faults) {
  std::unordered_set<std::string> seen;
  std::string prefix;
  each_line(read_file(list), [&](std::string_view text, std::size_t number) {
    Line line;
    std::string fault;
    if (!parse_line(text, line))
      fault = message("expected `path label`, `path;label` or `number path label` with one label from 0, got \"", text,
                      "\"");
    else if (!seen.insert(line.path).second)
      fault = line.path + " occurs twice";
    if (!fault.empty()) {
      fault = message(list.string(), " line ", number, ": ", fault);
      if (faults == nullptr) throw Error(fault);
      return faults->push_back(fault);
    }
    if (seen.size() == 1) prefix = find_prefix(dataset, list, split, line.path);
    dataset.samples.push_back({.id = prefix + line.path, .label = line.label});
  });
  check(!seen.empty(), list.string(), ": names no picture");
}

// The labels of all lists there are, for ids that are the same whichever is used.
std::vector<std::string> class_ids_in(const fs::path& root, bool& ilsvrc_order) {
  std::vector<LabelFolders> lists;
  for (const char* split : {"train", "test", "val"}) {
    const fs::path list = list_file(root, split);
    if (list.empty()) continue;
    lists.emplace_back();
    each_line(read_file(list), [&](std::string_view text, std::size_t) {
      Line line;
      if (!parse_line(text, line)) return;
      lists.back().add(line.path, line.label);
      ilsvrc_order |= line.label == 489 && line.path.ends_with("ILSVRC2012_val_00000001.JPEG");
    });
  }
  return class_ids_of(lists);
}

}  // namespace

// Where there is one for test only, it is the one for val, and the other way round.
fs::path list_file(const fs::path& root, const std::string& split) {
  const std::string other = split == "val" ? "test" : split == "test" ? "val" : split;
  for (const std::string& name : {split, other})
    for (const char* folder : {"", "datalist", "list"})
      for (const char* ending : {"_list.txt", ".txt"}) {
        std::error_code error;
        const fs::path list = root / folder / (name + ending);
        if (fs::is_regular_file(list, error)) return list;
      }
  return {};
}

bool is_list_layout(const fs::path& root) {
  for (const char* split : {"train", "val"}) {  // val: or test
    const fs::path list = list_file(root, split);
    if (list.empty()) continue;
    std::ifstream in(list, std::ios::binary);
    std::string text;
    while (text.empty() && std::getline(in, text))
      if (text.ends_with('\r')) text.pop_back();
    Line line;
    if (text.size() < 4096 && parse_line(text, line) && is_picture_name(line.path)) return true;
  }
  return false;
}

Dataset open_list_files(const fs::path& root, const std::string& split, const fs::path& image_root,
                        std::vector<std::string>* faults) {
  check(split == "train" || split == "val" || split == "test" || split == "all", "lists in ", root.string(),
        ": there are train, val, test and all, not \"", split, "\"");
  Dataset dataset;
  dataset.layout = "list";
  dataset.root = image_root.empty() ? root : image_root;
  dataset.split = split;
  for (const std::string& one : split == "all" ? std::vector<std::string>{"train", "val"} : std::vector{split}) {
    const fs::path list = list_file(root, one);
    check(!list.empty() || split == "all", "lists in ", root.string(), ": no ", one, "_list.txt or ", one,
          ".txt, nor in datalist/ or list/");
    if (!list.empty()) read_list(dataset, list, one, faults);
  }
  check(!dataset.samples.empty(), "lists in ", root.string(),
        ": no list (train_list.txt, val_list.txt, train.txt, ...), nor in datalist/ or list/");

  bool ilsvrc_order = false;
  dataset.class_ids = class_ids_in(root, ilsvrc_order);
  if (ilsvrc_order && dataset.class_ids.front() == "0") {
    for (std::size_t label = 0; label < dataset.class_ids.size(); ++label)
      dataset.class_ids[label] = std::to_string(label + 1);
    dataset.notes.push_back(
        "labels are in the order of ILSVRC's own ids, as in xiaomengyc/ACoL, not of sorted WordNet ids: class ids are "
        "1 to " +
        dataset.class_ids.back());
  }
  dataset.class_names = dataset.class_ids;
  return dataset;
}

}  // namespace acol
