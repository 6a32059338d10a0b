// Tables of text, one line a thing.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace acol {

using TableRow = std::vector<std::string>;

// Columns that hold text and are set to the left; the others hold numbers and are set to the right.
struct TextColumns {
  std::size_t first = 1;  // so many at the left
  bool last = false;      // and the last one, too
  bool holds(std::size_t column, std::size_t columns) const {
    return column < first || (last && column + 1 == columns);
  }
};

// rows[0] is the head; all have as many cells.
inline std::string plain_table(const std::vector<TableRow>& rows, const TextColumns& text_columns = {}) {
  std::vector<std::size_t> widths(rows.at(0).size());
  for (const TableRow& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const TableRow& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - row[i].size(), ' ');
      line += (i == 0 ? "" : "  ") + (text_columns.holds(i, row.size()) ? row[i] + space : space + row[i]);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

inline std::string markdown_rows(const std::vector<TableRow>& rows, const TextColumns& text_columns = {}) {
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    text += "|";
    for (const std::string& cell : rows[r]) text += " " + cell + " |";
    text += "\n";
    if (r > 0) continue;
    text += "|";
    for (std::size_t i = 0; i < rows[r].size(); ++i) text += text_columns.holds(i, rows[r].size()) ? "---|" : "---:|";
    text += "\n";
  }
  return text;
}

}  // namespace acol
