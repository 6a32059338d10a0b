#include "acol/data/ilsvrc_lists.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>

#include "acol/data/box_filter.h"
#include "acol/data/list_text.h"
#include "acol/data/listing.h"
#include "tensor/check.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

// The next word up to a blank, cut off the front of `rest`; empty at the end.
std::string_view next_word(std::string_view& rest) {
  const std::size_t first = std::min(rest.find_first_not_of(" \t"), rest.size());
  const std::size_t end = std::min(rest.find_first_of(" \t", first), rest.size());
  const std::string_view word = rest.substr(first, end - first);
  rest.remove_prefix(end);
  return word;
}

// Lines can be long; a message shows their beginning.
std::string shown(std::string_view line) {
  return line.size() <= 80 ? std::string(line) : std::string(line.substr(0, 80)) + "..";
}

void add_synset(std::map<std::string, Synset>& synsets, std::string_view wnid, Synset synset, const fs::path& file,
                std::size_t number) {
  check(is_wnid(wnid), file.string(), " line ", number, ": expected a WordNet id like n01440764 first, got \"", wnid,
        "\"");
  check(is_utf8(synset.name), file.string(), " line ", number, ": the name of ", wnid, " is not UTF-8");
  if (synset.name.empty()) synset.name = wnid;
  check(synsets.emplace(wnid, std::move(synset)).second, file.string(), " line ", number, ": ", wnid, " occurs twice");
}

}  // namespace

bool is_wnid(std::string_view text) {
  return text.size() == 9 && text.front() == 'n' &&
         std::all_of(text.begin() + 1, text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

int validation_number(std::string_view name) {
  constexpr std::string_view prefix = "ILSVRC2012_val_";
  int number = 0;
  if (name.substr(0, prefix.size()) != prefix || !parse_int(name.substr(prefix.size()), number)) return 0;
  return std::max(number, 0);
}

std::map<std::string, Synset> read_synset_mapping(const fs::path& file) {
  std::map<std::string, Synset> synsets;
  each_line(read_file(file), [&](std::string_view line, std::size_t number) {
    std::string_view rest = line;
    const std::string_view wnid = next_word(rest);
    add_synset(synsets, wnid, {std::string(trimmed(fields_of(rest, ',')[0])), 0}, file, number);
  });
  check(!synsets.empty(), file.string(), ": names no class");
  return synsets;
}

std::map<std::string, Synset> read_map_clsloc(const fs::path& file) {
  std::map<std::string, Synset> synsets;
  std::unordered_set<int> ids;
  each_line(read_file(file), [&](std::string_view line, std::size_t number) {
    std::string_view rest = line;
    const std::string_view wnid = next_word(rest), id_text = next_word(rest);
    int id = 0;
    check(parse_int(id_text, id) && id >= 1, file.string(), " line ", number,
          ": expected `WNID number name`, the number from 1, got \"", shown(line), "\"");
    check(ids.insert(id).second, file.string(), " line ", number, ": number ", id, " occurs twice");
    std::string name(trimmed(rest));
    std::replace(name.begin(), name.end(), '_', ' ');
    add_synset(synsets, wnid, {std::move(name), id}, file, number);
  });
  check(!synsets.empty(), file.string(), ": names no class");
  return synsets;
}

void read_solution(const fs::path& file,
                   const std::function<void(std::size_t, std::string_view, const std::vector<NamedBox>&)>& use) {
  std::vector<NamedBox> boxes;
  bool header = true;
  each_line(read_file(file), [&](std::string_view line, std::size_t number) {
    if (header) {
      check(trimmed(line) == "ImageId,PredictionString", file.string(), " line ", number,
            ": expected the header ImageId,PredictionString, got \"", shown(line), "\"");
      header = false;
      return;
    }
    const std::size_t comma = line.find(',');
    std::string_view rest = comma == std::string_view::npos ? std::string_view{} : line.substr(comma + 1);
    boxes.clear();
    bool good = comma != 0 && !trimmed(rest).empty();
    while (good && !trimmed(rest).empty()) {
      const std::string_view wnid = next_word(rest);
      Box box;
      good = is_wnid(wnid);
      for (int* corner : {&box.x0, &box.y0, &box.x1, &box.y1})
        good = good && parse_int(next_word(rest), *corner) && *corner >= -largest_coordinate &&
               *corner <= largest_coordinate;
      boxes.push_back({std::string(wnid), box});
    }
    check(good, file.string(), " line ", number,
          ": expected an image, a comma, and groups of WNID xmin ymin xmax ymax, got \"", shown(line), "\"");
    use(number, line.substr(0, comma), boxes);
  });
  check(!header, file.string(), ": the file is empty");
}

std::map<std::string, std::string, std::less<>> read_validation_labels(const fs::path& file,
                                                                       const std::map<std::string, Synset>& synsets) {
  const std::string file_name = file.filename().string();
  const bool wnid_lines = file_name == "imagenet_2012_validation_synset_labels.txt";
  const bool id_lines = file_name.find("validation_ground_truth") != std::string::npos;

  std::vector<std::string> by_order;  // WNID by label
  std::map<int, std::string> by_id;   // WNID by ILSVRC id
  for (const auto& [wnid, synset] : synsets) {
    by_order.push_back(wnid);
    if (synset.ilsvrc_id > 0) by_id[synset.ilsvrc_id] = wnid;
  }
  check(!id_lines || !by_id.empty(), file.string(),
        ": holds ILSVRC ids, and the map_clsloc.txt that tells what they mean is missing; put it beside this file");

  std::map<std::string, std::string, std::less<>> labels;
  std::size_t count = 0;
  each_line(read_file(file), [&](std::string_view line, std::size_t number) {
    std::string name, wnid;
    int value = 0;
    if (wnid_lines || id_lines) {
      std::array<char, 48> text{};
      std::snprintf(text.data(), text.size(), "ILSVRC2012_val_%08zu", ++count);
      name = text.data();
      if (wnid_lines)
        wnid = trimmed(line);
      else if (parse_int(trimmed(line), value) && by_id.count(value))
        wnid = by_id.at(value);
    } else {
      const std::string_view content = trimmed(line);
      const std::size_t cut = std::min(content.find_last_of(" \t,"), content.size());
      const std::string_view label = content.substr(std::min(cut + 1, content.size()));
      name = fs::path(trimmed(content.substr(0, cut))).stem().string();
      if (is_wnid(label))
        wnid = label;
      else if (parse_int(label, value) && value >= 0 && static_cast<std::size_t>(value) < by_order.size())
        wnid = by_order[static_cast<std::size_t>(value)];
    }
    check(!name.empty() && is_wnid(wnid), file.string(), " line ", number, ": expected ",
          wnid_lines ? "a WordNet id"
          : id_lines ? "an ILSVRC id of map_clsloc.txt"
                     : "a picture and its class (a WordNet id, or a number from 0 that is below the number of classes)",
          ", got \"", shown(line), "\"");
    check(labels.emplace(name, wnid).second, file.string(), " line ", number, ": ", name, " occurs twice");
  });
  return labels;
}

std::unordered_set<int> read_blacklist(const fs::path& file) {
  std::unordered_set<int> numbers;
  each_line(read_file(file), [&](std::string_view line, std::size_t number) {
    int value = 0;
    check(parse_int(trimmed(line), value) && value >= 1 && value <= 50'000, file.string(), " line ", number,
          ": expected the number of a validation picture, 1 to 50000, got \"", shown(line), "\"");
    check(numbers.insert(value).second, file.string(), " line ", number, ": ", value, " occurs twice");
  });
  return numbers;
}

}  // namespace acol
