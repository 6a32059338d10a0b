#include "reproduce_report.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "command.h"

namespace acol {

using Json = nlohmann::ordered_json;

namespace {

std::optional<double> ours(const ProtocolResult& result, const std::string& key) {
  const Json& json = result.evaluation;
  const bool there = json.is_object() && json.contains(key) && json.at(key).is_number();
  return there ? std::optional(json.at(key).get<double>()) : std::nullopt;
}

std::string number_or_dash(const std::optional<double>& value) { return value ? fixed_text(*value, 2) : "-"; }

// "+1.20 worse". Of a trial nothing is better or worse, nor where some published numbers, which have one digit behind
// the point, cannot tell.
std::string difference_text(const FigureKind& kind, double difference, bool trial) {
  const std::string number = (difference > 0 ? "+" : "") + fixed_text(difference, 2);
  if (trial || std::abs(difference) <= 0.05) return number;
  return number + ((difference < 0) == kind.lower_is_better ? " better" : " worse");
}

std::string source_text(const PublishedFigure& figure) {
  std::string text = figure.value ? "[" + figure.source + "] " + figure.from : "none: " + figure.why;
  return figure.note.empty() ? text : text + ". " + figure.note;
}

std::vector<TableRow> rows_of(const RecipeProtocol& protocol, const ProtocolResult& result, bool trial) {
  std::vector<TableRow> rows{{"percent", "ours", "published", "difference", "source"}};
  for (const PublishedFigure& figure : protocol.published) {
    const FigureKind& kind = figure_kind(figure.figure);
    const std::optional<double> mine = ours(result, figure.figure);
    rows.push_back({kind.name, number_or_dash(mine), number_or_dash(figure.value),
                    mine && figure.value ? difference_text(kind, *mine - *figure.value, trial) : "-",
                    source_text(figure)});
  }
  // What else is usually asked for.
  for (const char* key : {"top1_cls_err", "top1_loc_err", "gt_known_loc", "max_box_acc_v2"}) {
    const auto same = [&](const PublishedFigure& figure) { return figure.figure == key; };
    if (std::any_of(protocol.published.begin(), protocol.published.end(), same) || !ours(result, key)) continue;
    rows.push_back({figure_kind(key).name, number_or_dash(ours(result, key)), "-", "-", ""});
  }
  return rows;
}

constexpr TextColumns text_columns{.first = 1, .last = true};

std::string centre_line(const ProtocolResult& result) {
  if (!result.centre_box.is_object()) return "";
  const Json& box = result.centre_box;
  return message("Without looking at the pictures: centred square GT-known ",
                 fixed_text(box.at("gt_known_loc").get<double>(), 2), ", MaxBoxAccV2 ",
                 fixed_text(box.at("max_box_acc_v2").get<double>(), 2), "; whole picture GT-known ",
                 fixed_text(box.at("gt_known_loc_whole_picture").get<double>(), 2), ".\n");
}

constexpr const char* trial_note =
    "TRIAL AT SMALL SCALE: it shows that the recipe runs. Its figures must not be compared with the published ones.";

std::string list_of(const std::vector<std::string>& lines, const std::string& mark) {
  std::string text;
  for (const std::string& line : lines) text += mark + line + "\n";
  return text;
}

std::string differences_text(const ReproduceReport& report, const std::string& mark) {
  if (report.differences.empty()) return "Nothing that the recipe says was done differently.\n";
  return "Different from the recipe:\n" + list_of(report.differences, mark);
}

}  // namespace

std::string reproduce_text(const ReproduceReport& report) {
  const Recipe& recipe = report.recipe;
  std::string text = recipe.name + ": " + recipe.title + "\n" + report.data + "\n" +
                     (report.trial ? message(trial_note, "\n") : "") + differences_text(report, "  - ");
  for (std::size_t i = 0; i < recipe.protocols.size(); ++i) {
    const RecipeProtocol& protocol = recipe.protocols[i];
    const ProtocolResult& result = report.results[i];
    text += "\n" + protocol.name + ": " + protocol.title + "\n";
    if (!result.why_not.empty()) text += "  not measured: " + result.why_not + "\n";
    text += plain_table(rows_of(protocol, result, report.trial), text_columns) + centre_line(result);
  }
  return text;
}

std::string reproduce_markdown(const ReproduceReport& report) {
  const Recipe& recipe = report.recipe;
  std::string text = "# " + recipe.name + "\n\n" + recipe.title + ". " + recipe.table + ".\n\n";
  if (report.trial) text += message("**", trial_note, "**\n\n");
  text += report.data + "\n\n" + differences_text(report, "- ");
  for (std::size_t i = 0; i < recipe.protocols.size(); ++i) {
    const RecipeProtocol& protocol = recipe.protocols[i];
    const ProtocolResult& result = report.results[i];
    text += "\n## " + protocol.name + "\n\n" + protocol.title + ".\n\n";
    if (!result.why_not.empty()) text += "Not measured: " + result.why_not + "\n\n";
    text += markdown_rows(rows_of(protocol, result, report.trial), text_columns);
    if (const std::string line = centre_line(result); !line.empty()) text += "\n" + line;
    if (!protocol.notes.empty()) text += "\n" + list_of(protocol.notes, "- ");
  }
  text += "\n## What is known about this recipe\n\n" + list_of(recipe.notes, "- ") + list_of(recipe.data_notes, "- ") +
          list_of(recipe.weights_notes, "- ");
  return text + "\nSources: F found in public material, D derived from such a number, X measured.\n";
}

Json reproduce_json(const ReproduceReport& report) {
  const Recipe& recipe = report.recipe;
  Json json;
  json["recipe"] = recipe.name;
  json["title"] = recipe.title;
  json["table"] = recipe.table;
  json["trial"] = report.trial;
  json["differences"] = report.differences;
  json["data"] = report.data;
  json["model"] = report.model;
  json["config"] = Json::parse(to_json(recipe.train));
  json["protocols"] = Json::array();
  for (std::size_t i = 0; i < recipe.protocols.size(); ++i) {
    const RecipeProtocol& protocol = recipe.protocols[i];
    const ProtocolResult& result = report.results[i];
    Json one;
    one["name"] = protocol.name;
    one["title"] = protocol.title;
    if (!result.why_not.empty()) one["not_measured"] = result.why_not;
    one["figures"] = Json::array();
    for (const PublishedFigure& figure : protocol.published) {
      const std::optional<double> mine = ours(result, figure.figure);
      Json row;
      row["figure"] = figure.figure;
      row["ours"] = mine ? Json(*mine) : Json();
      row["published"] = figure.value ? Json(*figure.value) : Json();
      row["difference"] = mine && figure.value ? Json(*mine - *figure.value) : Json();
      row["better"] = figure_kind(figure.figure).lower_is_better ? "lower" : "higher";
      row["source"] = figure.value ? Json(figure.source) : Json();
      row["from"] = figure.value ? figure.from : figure.why;
      one["figures"].push_back(row);
    }
    one["evaluation"] = result.evaluation;
    one["centre_box"] = result.centre_box;
    json["protocols"].push_back(one);
  }
  return json;
}

}  // namespace acol
