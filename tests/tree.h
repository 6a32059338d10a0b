// Small trees in the layouts of data sets, made by tests, and what is asked about them. Readers of lists open no
// picture, so any text will do for one.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

#include "acol/data/dataset.h"
#include "tests/error_of.h"
#include "tests/program.h"

namespace acol::testing {

// A file with the folders above it.
inline void put(const std::filesystem::path& path, const std::string& text = "x") {
  std::filesystem::create_directories(path.parent_path());
  write(path, text);
}

struct Tree {
  TemporaryFolder folder;

  const std::filesystem::path& root() const { return folder.path(); }
  void file(const std::string& name, const std::string& text = "x") const { put(root() / name, text); }
  void files(std::initializer_list<const char*> names) const {
    for (const char* name : names) file(name);
  }
  // Runs `action` while a file has other content.
  template <class Action>
  auto with(const std::string& name, const std::string& text, Action action) const {
    const bool was_there = std::filesystem::exists(root() / name);
    const std::string before = was_there ? text_of_file(root() / name) : "";
    file(name, text);
    const auto result = action();
    was_there ? file(name, before) : static_cast<void>(std::filesystem::remove(root() / name));
    return result;
  }
};

// "id=label" for each sample.
inline std::vector<std::string> ids(const Dataset& dataset) {
  std::vector<std::string> list;
  for (const Sample& sample : dataset.samples) list.push_back(sample.id + "=" + std::to_string(sample.label));
  return list;
}

// How many notes contain `part`.
inline int notes_with(const Dataset& dataset, const std::string& part) {
  int count = 0;
  for (const std::string& note : dataset.notes) count += contains(note, part);
  return count;
}

using Strings = std::vector<std::string>;
using Boxes = std::vector<Box>;

// An annotation as Pascal VOC and ILSVRC have it; objects: name and the text of the four corners.
struct XmlObject {
  std::string name, xmin, ymin, xmax, ymax;
};
inline std::string xml(const std::string& size, const std::vector<XmlObject>& objects) {
  std::string text = "<annotation>\n\t<folder>val</folder>\n\t<filename>%s</filename>\n" + size;
  for (const XmlObject& object : objects)
    text += "\t<object>\n\t\t<name>" + object.name +
            "</name>\n\t\t<pose>Unspecified</pose>\n\t\t<bndbox>\n\t\t\t<xmin>" + object.xmin +
            "</xmin>\n\t\t\t<ymin>" + object.ymin + "</ymin>\n\t\t\t<xmax>" + object.xmax + "</xmax>\n\t\t\t<ymax>" +
            object.ymax + "</ymax>\n\t\t</bndbox>\n\t</object>\n";
  return text + "</annotation>\n";
}
inline std::string xml_size(int width, int height) {
  return "\t<size>\n\t\t<width>" + std::to_string(width) + "</width>\n\t\t<height>" + std::to_string(height) +
         "</height>\n\t\t<depth>3</depth>\n\t</size>\n";
}

// $ACOL_SHARED_DATA or ../shared/data beside the project.
inline std::filesystem::path shared_data() {
  const char* shared = std::getenv("ACOL_SHARED_DATA");
  return shared ? std::filesystem::path(shared) : std::filesystem::path(ACOL_SOURCE_DIR) / "../shared/data";
}

}  // namespace acol::testing
