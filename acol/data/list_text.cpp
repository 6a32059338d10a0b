#include "acol/data/list_text.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "acol/data/listing.h"

namespace acol {

namespace {

// "val2/12/3.jpeg" -> "12"
std::string_view folder_of(std::string_view path) {
  const std::size_t end = path.rfind('/');
  if (end == std::string_view::npos) return {};
  path = path.substr(0, end);
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

template <class Number>
bool parse_all(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

void each_line(std::string_view text, const std::function<void(std::string_view line, std::size_t number)>& use) {
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) use(line, number);
  }
}

std::string_view trimmed(std::string_view text) {
  constexpr const char* blank = " \t\r\n";
  const std::size_t first = std::min(text.find_first_not_of(blank), text.size());
  return text.substr(first, text.find_last_not_of(blank) + 1 - first);
}

bool parse_int(std::string_view text, int& value) { return parse_all(text, value); }
bool parse_number(std::string_view text, double& value) { return parse_all(text, value); }

bool is_inner_path(std::string_view path) {
  if (path.empty() || path.front() == '/') return false;
  const std::vector<std::string_view> parts = fields_of(path, '/');
  return std::find(parts.begin(), parts.end(), "..") == parts.end();
}

void LabelFolders::add(std::string_view path, int label) {
  classes_ = std::max(classes_, label + 1);
  if (!one_each_) return;
  const std::string_view folder = folder_of(path);
  const auto at = static_cast<std::size_t>(label);
  if (folders_.size() <= at) folders_.resize(at + 1);
  if (folders_[at].empty()) folders_[at] = folder;
  one_each_ = !folder.empty() && folders_[at] == folder;
}

std::vector<std::string> LabelFolders::ids() const {
  const std::set<std::string> distinct(folders_.begin(), folders_.end());
  const bool tell = one_each_ && distinct.size() == folders_.size() && distinct.count("") == 0 &&
                    std::all_of(distinct.begin(), distinct.end(), is_utf8);
  return tell ? folders_ : std::vector<std::string>{};
}

std::vector<std::string> class_ids_of(const std::vector<LabelFolders>& lists) {
  int classes = 0;
  for (const LabelFolders& list : lists) classes = std::max(classes, list.classes());
  for (const LabelFolders& list : lists)
    if (std::vector<std::string> ids = list.ids(); static_cast<int>(ids.size()) == classes) return ids;
  std::vector<std::string> numbers;
  for (int label = 0; label < classes; ++label) numbers.push_back(std::to_string(label));
  return numbers;
}

}  // namespace acol
