// What the readers of data set layouts share: folders in a fixed order, lists of text.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "acol/data/box.h"

namespace acol {

bool is_there(const std::filesystem::path& path);  // a file or folder; false where one may not look

// Names, sorted bytewise, hidden ones left out. Links are followed. Empty if there is no such folder.
std::vector<std::string> folders_in(const std::filesystem::path& folder);
std::vector<std::string> pictures_in(const std::filesystem::path& folder);  // by ending, see folder.h
std::vector<std::string> others_in(const std::filesystem::path& folder);    // what is not of pictures_in
bool is_picture_name(const std::filesystem::path& name);                    // that rule

// The lines of a text file without their ends (LF or CRLF). Error if it cannot be read.
std::vector<std::string> lines_of(const std::filesystem::path& file);

// Cut at each separator: "a,,b" has three fields.
std::vector<std::string_view> fields_of(std::string_view line, char separator);

// Four whole numbers, x0 y0 x1 y1; false if a field is anything else.
bool parse_box(const std::vector<std::string_view>& fields, std::size_t first, Box& box);

// Model files hold the names of classes as JSON, which has to be UTF-8.
bool is_utf8(const std::string& text);

// "a, b, c, d, ..": the first four. For notes.
std::string first_of(const std::vector<std::string>& names);

// "3 boxes", "1 box": for notes.
std::string counted(std::size_t count, const std::string& one, const std::string& many);

}  // namespace acol
