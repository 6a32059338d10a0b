#include "acol/evaluate/guess_labels.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <unordered_map>

#include "acol/data/listing.h"
#include "tensor/check.h"

namespace acol {

namespace {

constexpr int ambiguous = -1;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Sample by id, and by id without ending where only one sample has it.
std::unordered_map<std::string, int> samples_by_id(const Dataset& data) {
  std::unordered_map<std::string, int> samples;
  for (std::size_t i = 0; i < data.samples.size(); ++i) {
    const std::string stem = std::filesystem::path(data.samples[i].id).replace_extension().generic_string();
    if (const auto [entry, is_new] = samples.try_emplace(stem, static_cast<int>(i)); !is_new) entry->second = ambiguous;
  }
  for (std::size_t i = 0; i < data.samples.size(); ++i) samples[data.samples[i].id] = static_cast<int>(i);
  return samples;
}

int class_of(const std::string& name, const std::unordered_map<std::string, int>& classes) {
  if (const auto known = classes.find(name); known != classes.end()) return known->second;
  int number = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  const bool is_number = error == std::errc() && end == name.data() + name.size();
  return is_number && number >= 0 && number < static_cast<int>(classes.size()) ? number : -1;
}

}  // namespace

std::vector<std::vector<int>> read_guess_labels(const std::filesystem::path& path, const Dataset& data) {
  const std::unordered_map<std::string, int> samples = samples_by_id(data);
  std::unordered_map<std::string, int> classes;
  for (int k = 0; k < data.classes(); ++k) classes.emplace(data.class_ids[static_cast<std::size_t>(k)], k);

  std::vector<std::vector<int>> labels(data.samples.size());
  std::vector<std::int64_t> line_of(data.samples.size(), 0);
  std::int64_t number = 0;
  for (const std::string& line : lines_of(path)) {
    ++number;
    if (trimmed(line).empty()) continue;
    std::vector<std::string_view> fields = fields_of(line, ',');
    for (std::string_view& field : fields) field = trimmed(field);
    const auto known = samples.find(std::string(fields[0]));
    if (known == samples.end()) continue;
    check(known->second != ambiguous, path.string(), ":", number, ": several pictures are called ", fields[0],
          " but for their ending; give the ending, too");
    const auto sample = static_cast<std::size_t>(known->second);
    check(line_of[sample] == 0, path.string(), ":", number, ": ", fields[0], " was already given on line ",
          line_of[sample]);
    line_of[sample] = number;
    check(fields.size() > 1 && !fields[1].empty(), path.string(), ":", number,
          ": expected 'image id,class[,class...]', got '", trimmed(line), "'");
    for (std::size_t i = 1; i < fields.size(); ++i) {
      const int label = class_of(std::string(fields[i]), classes);
      check(label >= 0, path.string(), ":", number, ": '", fields[i],
            "' is neither a class id of the data nor a number ", "below ", data.classes());
      std::vector<int>& list = labels[sample];
      check(std::find(list.begin(), list.end(), label) == list.end(), path.string(), ":", number, ": class '",
            fields[i], "' is given twice");
      list.push_back(label);
    }
  }

  const auto missing = std::count(line_of.begin(), line_of.end(), 0);
  if (missing > 0) {
    const auto first = static_cast<std::size_t>(std::find(line_of.begin(), line_of.end(), 0) - line_of.begin());
    fail(path.string(), ": no line for ", missing, " of ", data.samples.size(), " pictures, the first is ",
         data.samples[first].id);
  }
  return labels;
}

}  // namespace acol
