#include "demo_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "acol/data/resize.h"
#include "acol/report/overlay.h"
#include "command.h"
#include "evaluation_table.h"
#include "interrupt.h"
#include "plain_table.h"

namespace acol {

namespace {

constexpr int panel_side = 192;  // pixels of the shorter side of a panel

// Enlarged without smoothing, so that the pixels the network saw stay visible.
Image enlarged(const Image& image, int factor) {
  Image result{image.width * factor, image.height * factor, {}};
  result.rgb.resize(static_cast<std::size_t>(result.width) * static_cast<std::size_t>(result.height) * 3);
  std::size_t to = 0;
  for (int y = 0; y < result.height; ++y)
    for (int x = 0; x < result.width; ++x)
      for (std::size_t channel = 0; channel < 3; ++channel) {
        const auto from = static_cast<std::size_t>(y / factor) * static_cast<std::size_t>(image.width) +
                          static_cast<std::size_t>(x / factor);
        result.rgb[to++] = image.rgb[from * 3 + channel];
      }
  return result;
}

Box enlarged(const Box& box, int factor) {
  return {box.x0 * factor, box.y0 * factor, (box.x1 + 1) * factor - 1, (box.y1 + 1) * factor - 1};
}

std::vector<Sample> one_of_each_class_in_turn(const Dataset& data, int count) {
  std::vector<std::vector<Sample>> by_class(data.class_ids.size());
  for (const Sample& sample : data.samples) by_class[static_cast<std::size_t>(sample.label)].push_back(sample);
  std::vector<Sample> chosen;
  for (std::size_t turn = 0; turn < data.samples.size(); ++turn)
    for (const auto& samples : by_class)
      if (turn < samples.size() && static_cast<int>(chosen.size()) < count) chosen.push_back(samples[turn]);
  return chosen;
}

}  // namespace

Image contact_sheet(const Dataset& val, const Localizer& cam, const Localizer& acol, int rows, double box_threshold) {
  std::vector<Image> sheet;
  for (const Sample& sample : one_of_each_class_in_turn(val, rows)) {
    stop_if_interrupted();
    const Image image = read_image(val.path(sample));
    const int factor = std::max(1, panel_side / std::min(image.width, image.height));
    const Image large = enlarged(image, factor);
    const auto boxes_on = [&](Image picture) {
      for (const Box& box : sample.boxes) draw_box(picture, enlarged(box, factor), palette::white, 1);
      return picture;
    };
    const auto panel = [&](const std::string& name, const ScoreMap& map) {
      const Box box = box_of_map(map, image.width, image.height, box_threshold);
      Image picture = boxes_on(overlay(large, map));
      draw_box(picture, enlarged(box, factor), palette::green, 2);
      return captioned(picture, name + " IoU " + fixed_text(best_iou(box, sample.boxes), 2), 2);
    };
    const Localization of_cam = cam.localize(image, 1, box_threshold).front();
    const Localization of_acol = acol.localize(image, 1, box_threshold).front();
    const auto mark = [&](const Localization& found) { return found.label == sample.label ? std::string() : "? "; };
    sheet.push_back(
        side_by_side({captioned(boxes_on(large), val.class_names[static_cast<std::size_t>(sample.label)], 2),
                      panel(mark(of_cam) + "CAM", of_cam.maps.a), panel(mark(of_acol) + "A", of_acol.maps.a),
                      panel("B", of_acol.maps.b), panel("fused", of_acol.maps.fused)}));
  }
  return stacked(sheet);
}

namespace {

std::vector<Column> columns_of(const DemoReport& report) {
  std::vector<Column> cam, acol;
  for (const DemoResult& result : report.results) {
    cam.push_back(column("CAM", result.cam));
    acol.push_back(column("ACoL", result.acol));
  }
  std::vector<Column> columns{mean_column("CAM", cam), mean_column("ACoL", acol)};
  if (report.centre) columns.push_back(column("centre box", *report.centre));
  return columns;
}

using Figure = std::optional<double> Evaluation::*;

double mean(const DemoReport& report, Evaluation DemoResult::*method, Figure figure) {
  double sum = 0;
  for (const DemoResult& result : report.results) sum += (result.*method.*figure).value_or(0);
  return sum / static_cast<double>(report.results.size());
}

// " (more in 3 of 3 seeds)", if there are several.
std::string wins(const DemoReport& report, Figure figure) {
  if (report.results.size() == 1) return "";
  int count = 0;
  for (const DemoResult& result : report.results)
    count += (result.acol.*figure).value_or(0) > (result.cam.*figure).value_or(0);
  return message(" (ACoL's more in ", count, " of ", report.results.size(), " seeds)");
}

std::string count_text(const DemoReport& report) {
  return report.results.size() == 1 ? "one seed" : message("mean of ", report.results.size(), " seeds");
}

std::string finding(const DemoReport& report) {
  const auto percent = [&](Evaluation DemoResult::*method, Figure figure) {
    return fixed_text(mean(report, method, figure), 1) + " %";
  };
  const Figure coverage = &Evaluation::coverage_fused, found = &Evaluation::gt_known_loc;
  return message("ACoL's fused maps show ", percent(&DemoResult::acol, coverage), " of the object, CAM's maps ",
                 percent(&DemoResult::cam, coverage), wins(report, coverage),
                 ".\nWith the true class known, ACoL's box is right on ", percent(&DemoResult::acol, found),
                 " of the pictures, CAM's on ", percent(&DemoResult::cam, found), wins(report, found), ".\n");
}

}  // namespace

std::string demo_summary(const DemoReport& report) { return text_table(columns_of(report)) + "\n" + finding(report); }

std::string demo_markdown(const DemoReport& report) {
  std::string text = "# CAM and ACoL on the synthetic set\n\n" + report.settings + "\n## Figures (" +
                     count_text(report) + ")\n\n" + markdown_table(columns_of(report)) + "\n" + finding(report) +
                     "\n\n";
  text +=
      "Localization errors use the model's own answers; GT-known, MaxBoxAcc and the lines about maps are told the "
      "true\n"
      "class. \"Object shown\" is the share of the object's pixels where the map has at least the box threshold times "
      "its\n"
      "maximum; \"on the object\" the share of such pixels that lie on the object. Centre box: the best centred "
      "square, which\n"
      "looks at nothing.\n\n";
  text += "## Each seed\n\n";
  const auto cell = [](const std::optional<double>& value) { return value ? fixed_text(*value, 1) : std::string("-"); };
  std::vector<TableRow> figures{
      {"seed", "GT-known, CAM", "ACoL", "MaxBoxAccV2, CAM", "ACoL", "object shown, CAM", "ACoL"}};
  for (const DemoResult& r : report.results)
    figures.push_back({std::to_string(r.seed), cell(r.cam.gt_known_loc), cell(r.acol.gt_known_loc),
                       cell(r.cam.max_box_acc_v2), cell(r.acol.max_box_acc_v2), cell(r.cam.coverage_fused),
                       cell(r.acol.coverage_fused)});
  text += markdown_rows(figures);
  text +=
      "\n## Does branch B read the label off the hole?\n\nPercent of the validation pictures (`acol probe`); chance "
      "is " +
      fixed_text(100.0 / report.classes, 1) + ".\n\n";
  std::vector<TableRow> probes{{"seed", "A right", "B right, hole by true label", "by A's answer", "by a wrong label",
                                "B follows the wrong label"}};
  for (const DemoResult& r : report.results)
    probes.push_back({std::to_string(r.seed), cell(r.probe.a_acc), cell(r.probe.b_acc_truth),
                      cell(r.probe.b_acc_predicted), cell(r.probe.b_acc_wrong), cell(r.probe.b_follows_wrong)});
  text += markdown_rows(probes);
  text +=
      "\n## Pictures\n\n`maps.png`, for the first seed: a picture with its true box (white), then the maps of CAM, of "
      "ACoL's branches A and\n"
      "B, and A and B fused, each with the box it gives (green) and that box's overlap with the true one. A question "
      "mark: the\n"
      "model answered another class, and the map is that class's.\n\n![maps](maps.png)\n";
  return text;
}

std::string demo_json(const DemoReport& report) {
  using Json = nlohmann::ordered_json;
  Json json;
  json["settings"] = report.settings;
  json["summary"] = demo_summary(report);
  json["classes"] = report.classes;
  json["seeds"] = Json::array();
  for (const DemoResult& result : report.results) {
    Json one;
    one["seed"] = result.seed;
    one["cam"] = Json::parse(to_json(result.cam));
    one["acol"] = Json::parse(to_json(result.acol));
    one["probe"] = Json::parse(to_json(result.probe, report.classes));
    json["seeds"].push_back(one);
  }
  json["centre_box"] = report.centre ? to_json(*report.centre) : Json();
  return json.dump(2) + "\n";
}

}  // namespace acol
