// What the readers of other programs' lists share: lines with their numbers, and class ids out of paths.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace acol {

// Calls `use` for each line that is not empty, without its end (LF or CRLF; the last may have none). Lines count from
// 1, empty ones too.
void each_line(std::string_view text, const std::function<void(std::string_view line, std::size_t number)>& use);

// Without blanks and line ends on either side.
std::string_view trimmed(std::string_view text);

// The whole text is one whole number, or one number.
bool parse_int(std::string_view text, int& value);
bool parse_number(std::string_view text, double& value);

// A path that stays under its root: not empty, not absolute, no "..". Maps are written by these names.
bool is_inner_path(std::string_view path);

// Larger labels are a slip of the list: a table with a row for each label is made.
inline constexpr int max_classes = 1 << 20;

// Class ids for lists that know numbers only: where each label has one folder of its own, the folder that holds its
// pictures ("001.Black_footed_Albatross/x.jpg", "train/n01440764/x.JPEG").
class LabelFolders {
 public:
  void add(std::string_view path, int label);
  int classes() const { return classes_; }  // largest label + 1
  // Label -> folder; empty if the folders do not tell the labels.
  std::vector<std::string> ids() const;

 private:
  int classes_ = 0;
  bool one_each_ = true;
  std::vector<std::string> folders_;
};

// Ids for all labels of several lists of one data set: from the first that tells them, else "0", "1", ... So the ids do
// not depend on which list is used, and a model trained with one knows the classes of another.
std::vector<std::string> class_ids_of(const std::vector<LabelFolders>& lists);

}  // namespace acol
