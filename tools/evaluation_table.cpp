#include "evaluation_table.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "acol/evaluate/error_split.h"
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

namespace {

// A line of the table: its name, its figure, and the interval of that figure.
struct Line {
  std::string name;
  std::function<std::optional<double>(const Evaluation&)> figure;
  std::function<std::optional<Interval>(const Intervals&)> interval;
  std::function<std::optional<double>(const CentreBaseline&)> baseline;
  std::function<std::optional<double>(const CentreBaseline&)> whole_picture;
  bool error_kind = false;
};

std::function<std::optional<Interval>(const Intervals&)> share(Rate rate) {
  return [rate](const Intervals& all) { return all.of(rate); };
}
std::function<std::optional<Interval>(const Intervals&)> error(Rate rate) {
  return [rate](const Intervals& all) -> std::optional<Interval> {
    const std::optional<Interval>& right = all.of(rate);
    return right ? std::optional(error_interval(*right)) : std::nullopt;
  };
}

std::vector<Line> make_lines() {
  std::vector<Line> lines;
  const auto add = [&](std::string name, auto figure, decltype(Line::interval) interval = nullptr,
                       decltype(Line::baseline) baseline = nullptr) {
    lines.push_back({std::move(name), std::move(figure), std::move(interval), std::move(baseline), nullptr});
  };
  add(
      "classification error, top-1", [](const Evaluation& e) { return std::optional(e.top1_cls_err); },
      error(Rate::top1_cls));
  add(
      "classification error, top-5", [](const Evaluation& e) { return std::optional(e.top5_cls_err); },
      error(Rate::top5_cls));
  add(
      "localization error, top-1", [](const Evaluation& e) { return e.top1_loc_err; }, error(Rate::top1_loc));
  for (int f = 0; f < localization_faults; ++f) {
    const auto fault = static_cast<LocalizationFault>(f);
    const Rate rate = rate_of(fault);
    add(
        std::string("  ") + text_of(fault), [rate](const Evaluation& e) { return e.rates.percent(rate); }, share(rate));
    lines.back().error_kind = true;
  }
  add(
      "localization error, top-5", [](const Evaluation& e) { return e.top5_loc_err; }, error(Rate::top5_loc));
  add(
      "localization error, star list", [](const Evaluation& e) { return e.star_loc_err; }, error(Rate::star_loc));
  add(
      "  without blacklist, top-1", [](const Evaluation& e) { return e.top1_loc_err_listed; },
      error(Rate::top1_loc_listed));
  add(
      "  without blacklist, top-5", [](const Evaluation& e) { return e.top5_loc_err_listed; },
      error(Rate::top5_loc_listed));
  add(
      "  without blacklist, star list", [](const Evaluation& e) { return e.star_loc_err_listed; },
      error(Rate::star_loc_listed));
  add(
      "GT-known localization", [](const Evaluation& e) { return e.gt_known_loc; }, share(Rate::gt_known),
      [](const CentreBaseline& b) { return std::optional(b.gt_known_centred); });
  lines.back().whole_picture = [](const CentreBaseline& b) { return std::optional(b.gt_known_whole); };
  add(
      "CorLoc, mean of the classes",
      [](const Evaluation& e) {  // with equally many pictures a class it says the same as the line above
        const bool differs = e.corloc && std::abs(*e.corloc - e.gt_known_loc.value_or(0)) > 1e-6;
        return differs ? e.corloc : std::nullopt;
      },
      [](const Intervals& all) { return all.corloc; });
  add(
      "MaxBoxAcc", [](const Evaluation& e) { return e.max_box_acc; }, share(Rate::max_box_acc),
      [](const CentreBaseline& b) { return std::optional(b.max_box_acc); });
  add(
      "MaxBoxAccV2", [](const Evaluation& e) { return e.max_box_acc_v2; },
      [](const Intervals& all) { return all.max_box_acc_v2; },
      [](const CentreBaseline& b) { return std::optional(b.max_box_acc_v2); });
  add("PxAP", [](const Evaluation& e) { return e.pxap; });
  add("object shown by map A", [](const Evaluation& e) { return e.coverage_a; });
  add("object shown by map B", [](const Evaluation& e) { return e.coverage_b; });
  add("object shown by fused map", [](const Evaluation& e) { return e.coverage_fused; });
  add("map A on the object", [](const Evaluation& e) { return e.precision_a; });
  add("map B on the object", [](const Evaluation& e) { return e.precision_b; });
  add("fused map on the object", [](const Evaluation& e) { return e.precision_fused; });
  return lines;
}

const std::vector<Line>& lines() {
  static const std::vector<Line> all = make_lines();
  return all;
}

}  // namespace

const std::vector<std::string>& evaluation_lines() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Line& line : lines()) list.push_back(line.name);
    return list;
  }();
  return names;
}

Column column(const std::string& name, const Evaluation& evaluation, bool with_errors) {
  Column result{name, {}};
  for (const Line& line : lines()) {
    const bool shown = with_errors || !line.error_kind;
    result.figures.push_back(shown ? line.figure(evaluation) : std::nullopt);
    if (evaluation.intervals)
      result.intervals.push_back(shown && line.interval ? line.interval(*evaluation.intervals) : std::nullopt);
  }
  return result;
}

Column column(const std::string& name, const CentreBaseline& baseline) {
  Column result{name, {}};
  for (const Line& line : lines()) result.figures.push_back(line.baseline ? line.baseline(baseline) : std::nullopt);
  return result;
}

Column whole_picture_column(const CentreBaseline& baseline) {
  Column result{"whole picture", {}};
  for (const Line& line : lines())
    result.figures.push_back(line.whole_picture ? line.whole_picture(baseline) : std::nullopt);
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

std::string interval_text(const std::optional<Interval>& interval) {
  return interval ? fixed_text(interval->low, 1) + " to " + fixed_text(interval->high, 1) : "-";
}

// Head line and lines as cells of text.
std::vector<std::vector<std::string>> cells(const std::vector<Column>& columns) {
  std::vector<std::vector<std::string>> rows{{"percent"}};
  for (const Column& one : columns) {
    rows[0].push_back(one.name);
    if (!one.intervals.empty()) rows[0].push_back("interval");
  }
  for (std::size_t line = 0; line < evaluation_lines().size(); ++line) {
    const auto has = [line](const Column& one) { return one.figures[line].has_value(); };
    if (std::none_of(columns.begin(), columns.end(), has)) continue;
    rows.push_back({evaluation_lines()[line]});
    for (const Column& one : columns) {
      rows.back().push_back(has(one) ? fixed_text(*one.figures[line], 1) : "-");
      if (!one.intervals.empty()) rows.back().push_back(has(one) ? interval_text(one.intervals[line]) : "-");
    }
  }
  return rows;
}

std::string padded(const std::string& text, std::size_t width, bool left) {
  const std::string space(width - std::min(width, text.size()), ' ');
  return left ? text + space : space + text;
}

// A field of a CSV file: in quotes where it would be read as something else otherwise.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv_number(const std::optional<double>& figure) { return figure ? number_text(*figure) : ""; }

}  // namespace

std::string per_class_csv(const Evaluation& evaluation, const Dataset& data) {
  const RateTable& rates = evaluation.rates;
  std::string text =
      "class_id,class_name,n,n_with_box,top1_cls_err,top5_cls_err,top1_loc_err,top5_loc_err,gt_known_loc";
  for (int f = 0; f < localization_faults; ++f) text += std::string(",") + name_of(static_cast<LocalizationFault>(f));
  text += "\n";
  for (int label = 0; label < data.classes(); ++label) {
    const auto k = static_cast<std::size_t>(label);
    text += csv_field(data.class_ids[k]) + "," + csv_field(data.class_names[k]) + "," +
            std::to_string(rates.counted(Rate::top1_cls, label)) + "," +
            std::to_string(rates.counted(Rate::gt_known, label));
    for (const Rate rate : {Rate::top1_cls, Rate::top5_cls, Rate::top1_loc, Rate::top5_loc}) {
      const std::optional<double> right = rates.percent(rate, label);
      text += "," + csv_number(right ? std::optional(100 - *right) : std::nullopt);
    }
    text += "," + csv_number(rates.percent(Rate::gt_known, label));
    for (int f = 0; f < localization_faults; ++f)
      text += "," + csv_number(rates.percent(rate_of(static_cast<LocalizationFault>(f)), label));
    text += "\n";
  }
  return text;
}

std::string text_table(const std::vector<Column>& columns) {
  const auto rows = cells(columns);
  std::vector<std::size_t> widths(rows[0].size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows) {
    std::string line = padded(row[0], widths[0], true);
    for (std::size_t i = 1; i < row.size(); ++i)  // a baseline has few figures: nothing reads better than many dashes
      line += "  " + padded(row[i] == "-" ? "" : row[i], std::max<std::size_t>(widths[i], 6), false);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
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
