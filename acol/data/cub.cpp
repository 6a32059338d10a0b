#include "acol/data/cub.h"

#include <algorithm>
#include <array>
#include <set>
#include <system_error>
#include <unordered_map>

#include "acol/data/box_filter.h"
#include "acol/data/list_text.h"
#include "acol/data/listing.h"
#include "tensor/check.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

// The folder with the lists; empty if there is none.
fs::path lists_in(const fs::path& root) {
  for (const fs::path& folder : {root, root / "CUB_200_2011"})
    if (is_there(folder / "images.txt") && is_there(folder / "image_class_labels.txt") &&
        is_there(folder / "train_test_split.txt"))
      return folder;
  return {};
}

// Calls use(id, fields after it, "file line 7") for each line that is not empty. An id comes once.
template <class Use>
void for_each_line(const fs::path& file, std::size_t fields_after_id, const char* expected, Use use) {
  std::set<int> seen;
  each_line(read_file(file), [&](std::string_view line, std::size_t number) {
    const std::string_view content = line.substr(0, line.find_last_not_of(" \t") + 1);
    if (content.empty()) return;
    std::vector<std::string_view> fields = fields_of(content, ' ');
    int id = 0;
    check(fields.size() == fields_after_id + 1 && parse_int(fields[0], id), file.string(), " line ", number,
          ": expected ", expected, ", got \"", line, "\"");
    check(seen.insert(id).second, file.string(), " line ", number, ": ", id, " occurs twice");
    fields.erase(fields.begin());
    use(id, fields, message(file.string(), " line ", number));
  });
}

struct Picture {
  int id = 0;
  Sample sample;
  bool train = false;
  bool labelled = false, placed = false, boxed = false;  // in each of the other lists
};

struct Lists {
  fs::path folder;
  std::vector<Picture> pictures;
  std::unordered_map<int, std::size_t> by_id;

  Picture& find(int id, const std::string& where) {
    const auto found = by_id.find(id);
    check(found != by_id.end(), where, ": picture ", id, " is not in images.txt");
    return pictures[found->second];
  }
  void expect_all(bool Picture::*flag, const char* file) const {
    for (const Picture& picture : pictures)
      check(picture.*flag, (folder / file).string(), ": no line for picture ", picture.id, " of images.txt (",
            picture.sample.id, ")");
  }
};

void read_pictures(Lists& lists) {
  std::set<std::string_view> paths;
  const fs::path file = lists.folder / "images.txt";
  for_each_line(file, 1, "`id path`", [&](int id, const auto& fields, const std::string& where) {
    check(is_inner_path(fields[0]), where, ": expected a path under images/, got \"", fields[0], "\"");
    lists.by_id[id] = lists.pictures.size();
    Picture picture;
    picture.id = id;
    picture.sample.id = fields[0];
    lists.pictures.push_back(std::move(picture));
  });
  check(!lists.pictures.empty(), file.string(), ": names no picture");
  for (const Picture& picture : lists.pictures)
    check(paths.insert(picture.sample.id).second, file.string(), ": ", picture.sample.id, " occurs twice");
}

void read_classes(const Lists& lists, Dataset& dataset) {
  const fs::path file = lists.folder / "classes.txt";
  std::set<std::string> seen;
  for_each_line(file, 1, "`class name`", [&](int number, const auto& fields, const std::string& where) {
    check(number == dataset.classes() + 1, where, ": expected class ", dataset.classes() + 1, ", got ", number);
    const std::string id(fields[0]);
    check(is_utf8(id), where, ": the name is not UTF-8");
    check(seen.insert(id).second, where, ": ", id, " occurs twice");
    std::string name = id.substr(id.find('.') == std::string::npos ? 0 : id.find('.') + 1);
    std::replace(name.begin(), name.end(), '_', ' ');
    dataset.class_ids.push_back(id);
    dataset.class_names.push_back(name.empty() ? id : name);
  });
  check(dataset.classes() > 0, file.string(), ": names no class");
}

void read_labels_and_split(Lists& lists, int classes) {
  for_each_line(lists.folder / "image_class_labels.txt", 1, "`id class`",
                [&](int id, const auto& fields, const std::string& where) {
                  Picture& picture = lists.find(id, where);
                  int number = 0;
                  check(parse_int(fields[0], number) && number >= 1 && number <= classes, where,
                        ": expected a class from 1 to ", classes, ", got \"", fields[0], "\"");
                  picture.sample.label = number - 1;
                  picture.labelled = true;
                });
  lists.expect_all(&Picture::labelled, "image_class_labels.txt");
  for_each_line(lists.folder / "train_test_split.txt", 1, "`id 1` (train) or `id 0` (test)",
                [&](int id, const auto& fields, const std::string& where) {
                  Picture& picture = lists.find(id, where);
                  check(fields[0] == "0" || fields[0] == "1", where, ": expected 1 (train) or 0 (test), got \"",
                        fields[0], "\"");
                  picture.train = fields[0] == "1";
                  picture.placed = true;
                });
  lists.expect_all(&Picture::placed, "train_test_split.txt");
}

// Drops are counted by `filter`.
void read_boxes(Lists& lists, Dataset& dataset, BoxFilter& filter) {
  const fs::path file = lists.folder / "bounding_boxes.txt";
  if (!is_there(file)) {
    dataset.notes.push_back(file.string() + " is missing: no picture has a box");
    return;
  }
  const char* expected = "`id x y width height`, none negative";
  for_each_line(file, 4, expected, [&](int id, const auto& fields, const std::string& where) {
    Picture& picture = lists.find(id, where);
    picture.boxed = true;
    std::array<double, 4> values{};
    for (std::size_t i = 0; i < 4; ++i)
      check(parse_number(fields[i], values[i]) && values[i] >= 0 && values[i] <= largest_coordinate / 2, where,
            ": expected ", expected, ", got \"", fields[i], "\"");
    const auto [x, y, width, height] = values;
    filter.add(picture.sample,
               {static_cast<int>(x), static_cast<int>(y), static_cast<int>(x + width), static_cast<int>(y + height)});
  });
  lists.expect_all(&Picture::boxed, "bounding_boxes.txt");
}

}  // namespace

bool is_cub_layout(const fs::path& root) { return !lists_in(root).empty(); }

Dataset open_cub(const fs::path& root, const std::string& split) {
  check(split == "train" || split == "val" || split == "test" || split == "all", "data set ", root.string(),
        ": CUB-200-2011 has train, test (or val, the same) and all, not \"", split, "\"");
  Lists lists;
  lists.folder = lists_in(root);
  check(!lists.folder.empty(), "data set ", root.string(),
        ": not CUB-200-2011; expected images.txt, image_class_labels.txt and train_test_split.txt in it");

  Dataset dataset;
  dataset.layout = "cub";
  dataset.cut_boxes = true;
  dataset.root = lists.folder / "images";
  dataset.split = split;
  if (std::error_code error; !fs::is_directory(dataset.root, error))
    dataset.notes.push_back(dataset.root.string() + " is missing: the lists are there, the pictures are not");
  read_classes(lists, dataset);
  read_pictures(lists);
  read_labels_and_split(lists, dataset.classes());
  BoxFilter filter;
  read_boxes(lists, dataset, filter);
  filter.report(dataset);

  for (Picture& picture : lists.pictures)
    if (split == "all" || picture.train == (split == "train")) dataset.samples.push_back(std::move(picture.sample));
  check(!dataset.samples.empty(), "data set ", root.string(), ": train_test_split.txt has no picture in split \"",
        split, "\"");
  return dataset;
}

}  // namespace acol
