#include "evaluation_table.h"

#include <algorithm>
#include <array>
#include <utility>

#include "command.h"

namespace acol {

nlohmann::ordered_json to_json(const CentreBaseline& baseline) {
  nlohmann::ordered_json json;
  json["gt_known_loc"] = baseline.gt_known_centred;
  json["gt_known_loc_whole_picture"] = baseline.gt_known_whole;
  json["best_size"] = baseline.best_size;
  json["max_box_acc"] = baseline.max_box_acc;
  json["max_box_acc_v2"] = baseline.max_box_acc_v2;
  return json;
}

const std::vector<std::string>& evaluation_lines() {
  static const std::vector<std::string> lines{"classification error, top-1",
                                              "classification error, top-5",
                                              "localization error, top-1",
                                              "localization error, top-5",
                                              "GT-known localization",
                                              "MaxBoxAcc",
                                              "MaxBoxAccV2",
                                              "object shown by map A",
                                              "object shown by map B",
                                              "object shown by fused map",
                                              "map A on the object",
                                              "map B on the object",
                                              "fused map on the object"};
  return lines;
}

Column column(const std::string& name, const Evaluation& e) {
  return {
      name,
      {e.top1_cls_err, e.top5_cls_err, e.top1_loc_err, e.top5_loc_err, e.gt_known_loc, e.max_box_acc, e.max_box_acc_v2,
       e.coverage_a, e.coverage_b, e.coverage_fused, e.precision_a, e.precision_b, e.precision_fused}};
}

Column column(const std::string& name, const CentreBaseline& baseline) {
  Column result{name, std::vector<std::optional<double>>(evaluation_lines().size())};
  result.figures[4] = baseline.gt_known_centred;
  result.figures[5] = baseline.max_box_acc;
  result.figures[6] = baseline.max_box_acc_v2;
  return result;
}

Column mean_column(const std::string& name, const std::vector<Column>& columns) {
  Column result{name, {}};
  for (std::size_t line = 0; line < evaluation_lines().size(); ++line) {
    std::optional<double> sum = 0;
    for (const Column& one : columns) {
      const std::optional<double>& figure = one.figures[line];
      sum = sum && figure ? std::optional(*sum + *figure) : std::nullopt;
    }
    result.figures.push_back(sum ? std::optional(*sum / static_cast<double>(columns.size())) : std::nullopt);
  }
  return result;
}

namespace {

// Head line and lines as cells of text.
std::vector<std::vector<std::string>> cells(const std::vector<Column>& columns) {
  std::vector<std::vector<std::string>> rows{{"percent"}};
  for (const Column& one : columns) rows[0].push_back(one.name);
  for (std::size_t line = 0; line < evaluation_lines().size(); ++line) {
    const auto has = [line](const Column& one) { return one.figures[line].has_value(); };
    if (std::none_of(columns.begin(), columns.end(), has)) continue;
    rows.push_back({evaluation_lines()[line]});
    for (const Column& one : columns) rows.back().push_back(has(one) ? fixed_text(*one.figures[line], 1) : "-");
  }
  return rows;
}

std::string padded(const std::string& text, std::size_t width, bool left) {
  const std::string space(width - std::min(width, text.size()), ' ');
  return left ? text + space : space + text;
}

}  // namespace

std::string text_table(const std::vector<Column>& columns) {
  const auto rows = cells(columns);
  std::vector<std::size_t> widths(rows[0].size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows) {
    text += padded(row[0], widths[0], true);
    for (std::size_t i = 1; i < row.size(); ++i)
      text += "  " + padded(row[i], std::max<std::size_t>(widths[i], 6), false);
    text += "\n";
  }
  return text;
}

std::string markdown_table(const std::vector<Column>& columns) {
  const auto rows = cells(columns);
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    text += "|";
    for (const std::string& cell : rows[r]) text += " " + cell + " |";
    text += "\n";
    if (r > 0) continue;
    text += "|---|";
    for (std::size_t i = 1; i < rows[r].size(); ++i) text += "---:|";
    text += "\n";
  }
  return text;
}

}  // namespace acol
