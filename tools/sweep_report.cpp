#include "sweep_report.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "acol/report/overlay.h"
#include "acol/report/plot.h"
#include "command.h"

namespace acol {

using Json = nlohmann::ordered_json;

namespace {

struct Shown {
  const char* key;
  const char* name;
};
constexpr Shown table_figures[] = {
    {"top1_cls_err", "class error"}, {"top1_loc_err", "loc error"}, {"top5_loc_err", "loc error, top-5"},
    {"gt_known_loc", "GT-known"},    {"max_box_acc", "MaxBoxAcc"},  {"max_box_acc_v2", "MaxBoxAccV2"},
};
constexpr Shown localization[] = {
    {"gt_known_loc", "GT-known"}, {"max_box_acc", "MaxBoxAcc"}, {"max_box_acc_v2", "MaxBoxAccV2"}};
constexpr Shown errors[] = {
    {"top1_loc_err", "top-1 loc"}, {"top5_loc_err", "top-5 loc"}, {"top1_cls_err", "top-1 class"}};

// NaN where there is none.
double figure(const Json& json, const char* key) {
  const bool there = json.is_object() && json.contains(key) && json.at(key).is_number();
  return there ? json.at(key).get<double>() : std::numeric_limits<double>::quiet_NaN();
}

std::string cell(const Json& json, const char* key) {
  const double value = figure(json, key);
  return std::isfinite(value) ? fixed_text(value, 1) : "-";
}

TableRow row(const std::string& name, const Json& json) {
  TableRow cells{name};
  for (const Shown& shown : table_figures) cells.push_back(cell(json, shown.key));
  return cells;
}

// The numbers of a list, or nothing if one is none: then it is a list of choices.
std::vector<double> numbers_of(const std::vector<std::string>& texts) {
  std::vector<double> numbers;
  for (const std::string& text : texts) {
    double value = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (fault != std::errc() || end != text.data() + text.size()) return {};
    numbers.push_back(value);
  }
  return numbers;
}

Plot empty_panel(const SweepReport& report, const std::string& title) {
  Plot plot;
  plot.title = title;
  plot.y_label = "percent";
  plot.x_label = report.varied[0].flag;
  if (numbers_of(report.varied[0].values).empty()) plot.x_names = report.varied[0].values;
  return plot;
}

// A figure over the first flag, of the runs whose other flags have these places in their lists.
PlotSeries series(const SweepReport& report, const std::vector<std::size_t>& others, const char* key) {
  const std::vector<double> numbers = numbers_of(report.varied[0].values);
  std::map<double, double> points;  // lines go from left to right
  for (const SweepRun& run : report.runs) {
    if (!std::equal(others.begin(), others.end(), run.choice.begin() + 1, run.choice.end())) continue;
    const std::size_t place = run.choice[0];
    points[numbers.empty() ? double(place) : numbers[place]] = figure(run.evaluation, key);
  }
  PlotSeries line;
  for (const auto& [x, y] : points) {
    line.x.push_back(x);
    line.y.push_back(y);
  }
  return line;
}

bool drawable(const PlotSeries& line) {
  return std::any_of(line.y.begin(), line.y.end(), [](double y) { return std::isfinite(y); });
}

void add_reference(Plot& plot, const std::string& name, double y, const Rgb& colour) {
  if (std::isfinite(y)) plot.references.push_back({name, y, colour});
}

// One flag: several figures in a panel.
Plot figures_panel(const SweepReport& report, const std::string& title, const Shown* first, const Shown* last) {
  Plot plot = empty_panel(report, title);
  for (const Shown* shown = first; shown != last; ++shown) {
    PlotSeries line = series(report, {}, shown->key);
    line.name = shown->name;
    line.colour = plot_colour(static_cast<int>(shown - first));
    if (drawable(line)) plot.series.push_back(line);
  }
  if (report.cams.size() == 1)
    for (const Shown* shown = first; shown != last; ++shown)
      add_reference(plot, std::string("CAM, ") + shown->name, figure(report.cams[0].evaluation, shown->key),
                    plot_colour(static_cast<int>(shown - first)));
  return plot;
}

// Several flags: one figure, a line for each setting of the others.
Plot settings_panel(const SweepReport& report, const Shown& shown) {
  Plot plot = empty_panel(report, shown.name);
  std::set<std::vector<std::size_t>> seen;
  for (const SweepRun& run : report.runs) {
    const std::vector<std::size_t> others(run.choice.begin() + 1, run.choice.end());
    if (!seen.insert(others).second) continue;
    PlotSeries line = series(report, others, shown.key);
    for (std::size_t i = 1; i < report.varied.size(); ++i)
      line.name += (i > 1 ? ", " : "") + report.varied[i].flag + " " + run.values[i];
    line.colour = plot_colour(static_cast<int>(seen.size()) - 1);
    if (drawable(line)) plot.series.push_back(line);
  }
  if (report.cams.size() == 1) add_reference(plot, "CAM", figure(report.cams[0].evaluation, shown.key), plot_colour(6));
  return plot;
}

}  // namespace

VariedFlag parse_varied(const std::string& text) {
  const auto wrong = [&](const std::string& why) {
    throw UsageError("--vary " + text + ": " + why + "; expected FLAG=VALUE,VALUE...");
  };
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) wrong("no flag with values");
  VariedFlag varied{text.substr(0, equals), {}};
  if (varied.flag.starts_with("--")) varied.flag.erase(0, 2);
  for (std::size_t begin = equals + 1;;) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string value = text.substr(begin, end - begin);
    if (value.empty()) wrong("an empty value");
    if (value.find('/') != std::string::npos) wrong("a value with a '/'");
    for (const std::string& other : varied.values)
      if (other == value) wrong(value + " is there twice");
    varied.values.push_back(value);
    if (end == text.size()) break;
    begin = end + 1;
  }
  return varied;
}

std::vector<TableRow> sweep_rows(const SweepReport& report) {
  std::vector<TableRow> rows{{"percent"}};
  for (const Shown& shown : table_figures) rows[0].push_back(shown.name);
  for (const SweepRun& run : report.cams) rows.push_back(row(run.name, run.evaluation));
  for (const SweepRun& run : report.runs) rows.push_back(row(run.name, run.evaluation));
  if (report.centre_box.is_object()) {
    rows.push_back(row("centre box", report.centre_box));
    const Json whole{{"gt_known_loc", report.centre_box.at("gt_known_loc_whole_picture")}};
    rows.push_back(row("whole picture", whole));
  }
  return rows;
}

std::string sweep_markdown(const SweepReport& report) {
  return "# acol sweep\n\n" + report.settings + "\n" + markdown_rows(sweep_rows(report)) + "\n![plot](results.png)\n";
}

Json sweep_json(const SweepReport& report) {
  const auto run_json = [&](const SweepRun& run) {
    Json json;
    json["name"] = run.name;
    for (std::size_t i = 0; i < run.values.size(); ++i) json["values"][report.varied[i].flag] = run.values[i];
    if (!run.beside.empty()) json["cam"] = run.beside;
    json["config"] = Json::parse(to_json(run.config));
    json["evaluation"] = run.evaluation;
    return json;
  };
  Json json;
  json["settings"] = report.settings_json;
  json["runs"] = Json::array();
  for (const SweepRun& run : report.runs) json["runs"].push_back(run_json(run));
  json["cam"] = Json::array();
  for (const SweepRun& run : report.cams) json["cam"].push_back(run_json(run));
  json["centre_box"] = report.centre_box;
  return json;
}

Image sweep_plot(const SweepReport& report) {
  std::vector<Plot> plots;
  if (report.varied.size() == 1) {
    plots.push_back(
        figures_panel(report, "Localization: higher is better", std::begin(localization), std::end(localization)));
    plots.push_back(figures_panel(report, "Errors: lower is better", std::begin(errors), std::end(errors)));
    add_reference(plots[0], "centre box, V2", figure(report.centre_box, "max_box_acc_v2"), plot_colour(6));
  } else {
    plots.push_back(settings_panel(report, {"gt_known_loc", "GT-known localization"}));
    plots.push_back(settings_panel(report, {"max_box_acc_v2", "MaxBoxAccV2"}));
    plots.push_back(settings_panel(report, {"top1_cls_err", "Classification error"}));
  }
  std::vector<Image> panels;
  for (const Plot& plot : plots)
    if (!plot.series.empty()) panels.push_back(draw_plot(plot));
  return side_by_side(panels, 12);
}

}  // namespace acol
