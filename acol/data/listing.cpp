#include "acol/data/listing.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>
#include <system_error>

#include "tensor/check.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

template <class Keep>
std::vector<std::string> names_in(const fs::path& folder, Keep keep) {
  std::vector<std::string> names;
  if (std::error_code missing; !fs::is_directory(folder, missing)) return names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.front() != '.' && keep(*entry)) names.push_back(name);
  }
  check(!error, "cannot read folder ", folder.string(), ": ", error.message());
  std::sort(names.begin(), names.end());
  return names;
}

bool is_picture(const fs::directory_entry& entry) {
  std::error_code dangling;
  return is_picture_name(entry.path()) && !entry.is_directory(dangling);
}

}  // namespace

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool is_picture_name(const fs::path& name) {
  std::string extension = name.extension().string();
  for (char& letter : extension) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  constexpr std::array known{".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".pnm"};
  return std::find(known.begin(), known.end(), extension) != known.end();
}

std::vector<std::string> folders_in(const fs::path& folder) {
  return names_in(folder, [](const fs::directory_entry& entry) {
    std::error_code dangling;
    return entry.is_directory(dangling);
  });
}

std::vector<std::string> pictures_in(const fs::path& folder) { return names_in(folder, is_picture); }

std::vector<std::string> others_in(const fs::path& folder) {
  return names_in(folder, [](const fs::directory_entry& entry) { return !is_picture(entry); });
}

std::vector<std::string> lines_of(const fs::path& file) {
  const std::string text = read_file(file);
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    if (!lines.back().empty() && lines.back().back() == '\r') lines.back().pop_back();
    at = end + 1;
  }
  return lines;
}

std::vector<std::string_view> fields_of(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  for (std::size_t at = 0; at <= line.size();) {
    const std::size_t end = std::min(line.find(separator, at), line.size());
    fields.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return fields;
}

bool parse_box(const std::vector<std::string_view>& fields, std::size_t first, Box& box) {
  if (fields.size() < first + 4) return false;
  std::size_t at = first;
  for (int* corner : {&box.x0, &box.y0, &box.x1, &box.y1}) {
    const std::string_view field = fields[at++];
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), *corner);
    if (error != std::errc{} || end != field.data() + field.size()) return false;
  }
  return true;
}

bool is_utf8(const std::string& text) {
  try {
    nlohmann::json(text).dump();
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

std::string first_of(const std::vector<std::string>& names) {
  std::string list;
  for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 4); ++i) list += (i > 0 ? ", " : "") + names[i];
  return list + (names.size() > 4 ? ", .." : "");
}

std::string counted(std::size_t count, const std::string& one, const std::string& many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

}  // namespace acol
