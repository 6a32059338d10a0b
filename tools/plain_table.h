// Tables of text, one line a thing.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace acol {

using TableRow = std::vector<std::string>;

inline bool left_column(const std::vector<TableRow>& rows, std::size_t column, bool last_left) {
  return column == 0 || (last_left && column + 1 == rows[0].size());
}

// rows[0] is the head; all have as many cells. The first column is set to the left, the others to the right, or, with
// last_left, all but the last.
inline std::string plain_table(const std::vector<TableRow>& rows, bool last_left = false) {
  std::vector<std::size_t> widths(rows.at(0).size());
  for (const TableRow& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const TableRow& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - row[i].size(), ' ');
      line += (i == 0 ? "" : "  ") + (left_column(rows, i, last_left) ? row[i] + space : space + row[i]);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

inline std::string markdown_rows(const std::vector<TableRow>& rows, bool last_left = false) {
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    text += "|";
    for (const std::string& cell : rows[r]) text += " " + cell + " |";
    text += "\n";
    if (r > 0) continue;
    text += "|";
    for (std::size_t i = 0; i < rows[r].size(); ++i) text += left_column(rows, i, last_left) ? "---|" : "---:|";
    text += "\n";
  }
  return text;
}

}  // namespace acol
