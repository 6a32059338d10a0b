#include "acol/data/voc_xml.h"

#include <algorithm>
#include <cmath>
#include <pugixml.hpp>
#include <string_view>
#include <system_error>

#include "acol/data/box_filter.h"
#include "acol/data/list_text.h"
#include "acol/data/listing.h"
#include "tensor/check.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

// For messages, which have one line.
std::string_view first_line(std::string_view text) {
  text = trimmed(text);
  return text.substr(0, text.find_first_of("\r\n"));
}

bool parse_pixels(std::string_view text, double& value) {
  return parse_number(trimmed(text), value) && std::abs(value) <= largest_coordinate;
}

int coordinate(const pugi::xml_node& box, const char* name, int origin, const fs::path& file, std::size_t object) {
  double value = 0;
  check(parse_pixels(box.child_value(name), value), file.string(), ": object ", object, ": expected a number in <",
        name, ">, got \"", first_line(box.child_value(name)), "\"; correct the file or remove it");
  return static_cast<int>(std::lround(value)) - origin;
}

int side(const pugi::xml_node& size, const char* name) {
  double value = 0;
  return parse_pixels(size.child_value(name), value) && value >= 1 ? static_cast<int>(value) : 0;
}

}  // namespace

VocAnnotation read_voc_xml(const fs::path& file, int origin) {
  const std::string text = read_file(file);
  pugi::xml_document document;
  const pugi::xml_parse_result result = document.load_buffer(text.data(), text.size());
  if (!result) {
    const auto end = text.begin() + std::clamp<std::ptrdiff_t>(result.offset, 0, std::ssize(text));
    fail(file.string(), " line ", 1 + std::count(text.begin(), end, '\n'), ": not XML: ", result.description(),
         "; correct the file or remove it");
  }
  const pugi::xml_node root = document.child("annotation");
  check(root, file.string(), ": expected <annotation>, got <", document.document_element().name(),
        ">; is this an annotation of Pascal VOC or ILSVRC?");

  VocAnnotation annotation;
  annotation.name = file.stem().string();
  annotation.width = side(root.child("size"), "width");
  annotation.height = side(root.child("size"), "height");
  std::size_t number = 0;
  for (const pugi::xml_node& object : root.children("object")) {
    ++number;
    const std::string name(trimmed(object.child_value("name")));
    check(!name.empty() && is_utf8(name), file.string(), ": object ", number, ": expected a name in UTF-8 in <name>");
    check(object.child("bndbox"), file.string(), ": object ", number, " (", first_line(name), ") has no <bndbox>");
    for (const pugi::xml_node& box : object.children("bndbox")) {
      const auto at = [&](const char* corner) { return coordinate(box, corner, origin, file, number); };
      annotation.objects.push_back({name, {at("xmin"), at("ymin"), at("xmax"), at("ymax")}});
    }
  }
  return annotation;
}

std::vector<std::string> annotations_in(const fs::path& folder) {
  std::vector<std::string> names;
  if (std::error_code missing; !fs::is_directory(folder, missing)) return names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const fs::path& path = entry->path();
    if (path.extension() == ".xml" && path.filename().string().front() != '.') names.push_back(path.stem().string());
  }
  check(!error, "cannot read folder ", folder.string(), ": ", error.message());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace acol
