// acol eval: classification and localization error of a model on a data set.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "acol/evaluate/evaluate.h"
#include "acol/evaluate/guess_labels.h"
#include "acol/evaluate/max_box_acc.h"
#include "command.h"
#include "evaluation_table.h"
#include "interrupt.h"
#include "progress.h"
#include "tensor/file.h"

namespace acol {

namespace {

struct Options : MeasureOptions {
  bool no_sweep = false, errors = false;
  std::string box_rule, normalise, input = "warp", erase_test_label = "truth";
  std::filesystem::path labels, per_class, curve, threshold_from;
  double curve_step = 0.05;
  int resamples = 0;
  std::uint64_t seed = 1;
  bool threshold_given = false;
  EvaluateOptions evaluate;
};

// Reads what was typed; an Error here is about an option.
template <class Parse>
auto parsed(const std::string& flag, const Parse& parse) {
  try {
    return parse();
  } catch (const Error& error) {
    throw UsageError(flag + ": " + error.what());
  }
}

void use_input(const std::string& name, EvaluateOptions& evaluate) {
  if (name == "ten-crop")
    evaluate.ten_crop = TenCrop::official;
  else if (name == "ten-crop-cam")
    evaluate.ten_crop = TenCrop::cam;
  else
    evaluate.input = parse_test_input(name);
}

// The box rule, with its threshold from wherever it was given.
BoxRule chosen_rule(const Options& options) {
  const std::string& text = options.box_rule;
  BoxRule rule = parsed("--box-rule", [&] { return text.empty() ? BoxRule{} : parse_box_rule(text); });
  const bool has_own = text.find(':') != std::string::npos;
  if (options.threshold_given || text.empty()) {
    if (has_own || !rule.has_threshold())
      throw UsageError("--box-threshold: --box-rule " + text + " says already what is cut");
    rule.threshold = options.evaluate.box_threshold;
  }
  if (options.threshold_from.empty()) return rule;
  if (!rule.has_threshold()) throw UsageError("--threshold-from: the box rule " + text + " has no threshold to choose");
  if (has_own && text.find('/') == std::string::npos)  // pas:.35/80 has to be given one beside its percentile
    throw UsageError("--threshold-from: --box-rule " + text + " says already what is cut");
  const ThresholdCurve curve = read_threshold_curve(options.threshold_from);
  check(curve.rule == rule_text(rule), options.threshold_from.string(), ": the curve is of the box rule ", curve.rule,
        ", not of ", rule_text(rule), "; give --box-rule ", curve.rule, " or another curve");
  rule.threshold = curve.best().threshold;
  return rule;
}

void prepare(Options& options) {
  EvaluateOptions& evaluate = options.evaluate;
  evaluate.workers = options.compute.workers;
  evaluate.batch_size = options.batch_size;
  evaluate.max_box_acc = !options.no_sweep;
  evaluate.stop_requested = interrupted;
  evaluate.box_rule = chosen_rule(options);
  if (!options.normalise.empty())
    evaluate.normalisation = parsed("--normalise", [&] { return parse_normalisation(options.normalise); });
  if (options.erase_test_label == "predicted") evaluate.erase_test_label = EraseTestLabel::predicted;
  use_input(options.input, evaluate);
  if (options.resamples > 0) evaluate.bootstrap = {.resamples = options.resamples, .seed = options.seed};
  if (!options.curve.empty()) {
    if (!evaluate.box_rule->has_threshold())
      throw UsageError("--curve: the box rule " + options.box_rule + " has no threshold to vary");
    evaluate.curve_thresholds = threshold_range(options.curve_step, 1, options.curve_step);
    for (double& threshold : evaluate.curve_thresholds) threshold = rounded_threshold(threshold);
  }
  for (const auto& file : {options.per_class, options.curve})
    if (!file.empty()) prepare_output_file(file);
  if (!evaluate.maps_dir.empty()) prepare_output_folder(evaluate.maps_dir);
}

// What makes the figures what they are, on the line below the title.
std::string protocol_text(const Options& options) {
  std::string text = "Boxes: " + name_of(*options.evaluate.box_rule);
  if (!options.threshold_from.empty()) text += " (threshold from " + options.threshold_from.string() + ")";
  if (!options.normalise.empty()) text += ", maps normalised by " + name_of(*options.evaluate.normalisation);
  text += options.evaluate.input == TestInput::warp ? ", whole pictures"
                                                    : ", " + std::string(name_of(options.evaluate.input)) + " crops";
  if (options.evaluate.clip_truth) text += ", true boxes cut to the crop";
  if (options.evaluate.erase_test_label == EraseTestLabel::predicted) text += ", holes cut by the predicted class";
  text += ". Classes: ";
  if (!options.labels.empty())
    text += options.labels.string();
  else
    text += options.evaluate.ten_crop == TenCrop::none       ? "branch A"
            : options.evaluate.ten_crop == TenCrop::official ? "branch A, mean logits of ten crops"
                                                             : "branch A, mean probabilities of ten crops";
  if (options.evaluate.bootstrap)
    text += ". Intervals: 95 %, " + std::to_string(options.resamples) + " bootstrap resamples";
  return text + ".";
}

std::string curve_text(const Evaluation& result) {
  const ThresholdCurve::Point best = result.gt_known_curve->best();
  return message("\nBest box threshold by GT-known: ", number_text(best.threshold), " (", fixed_text(best.percent, 1),
                 " %; top-1 localization error there ", fixed_text(100 - result.top1_loc_curve->at(best.threshold), 1),
                 "). It was chosen on these very pictures: report it on others, by --threshold-from.\n");
}

void write_json(const std::filesystem::path& path, const nlohmann::ordered_json& json) {
  // A path need not be UTF-8; JSON has to be.
  write_file_atomically(path, json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

nlohmann::ordered_json protocol_json(const Options& options) {
  const auto text_or_null = [](const std::string& text) {
    return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(text);
  };
  nlohmann::ordered_json json;
  json["input"] = options.input;
  json["box_rule"] = name_of(*options.evaluate.box_rule);
  json["threshold_from"] = text_or_null(options.threshold_from.string());
  json["normalise"] = options.evaluate.normalisation ? text_or_null(name_of(*options.evaluate.normalisation))
                                                     : nlohmann::ordered_json();
  json["erase_test_label"] = options.erase_test_label;
  json["clip_truth"] = options.evaluate.clip_truth;
  json["labels"] = text_or_null(options.labels.string());
  if (options.evaluate.bootstrap)
    json["bootstrap"] = {{"resamples", options.resamples},
                         {"confidence", options.evaluate.bootstrap->confidence},
                         {"seed", options.seed}};
  return json;
}

int run_eval(Options& options) {
  prepare(options);
  const auto [model, data] = open_measured(options);
  if (!options.labels.empty()) options.evaluate.guess_labels = read_guess_labels(options.labels, data);

  Evaluation result;
  {
    Progress progress("evaluate");
    options.evaluate.progress = progress.callback();
    result = evaluate(*model.network, model.config.preprocessing, data, options.evaluate);
  }
  for (const std::string& warning : result.warnings) say("skipped: " + warning);

  std::vector<Column> columns{column(name_of(model.config.network.method), result, options.errors)};
  std::optional<CentreBaseline> baseline;
  if (result.images_with_box > 0) baseline = centre_baseline(result.truth_on_grid, 0.001, options.evaluate.map_side);
  if (baseline) {
    columns.push_back(column("centre box", *baseline));
    columns.push_back(whole_picture_column(*baseline));
  }
  for (std::size_t c = 1; c < columns.size(); ++c)  // a baseline stands beside a figure, not alone
    for (std::size_t line = 0; line < columns[c].figures.size(); ++line)
      if (!columns[0].figures[line]) columns[c].figures[line].reset();
  std::cout << options.model.string() << " on " << result.images << " pictures of " << options.data.string() << " ("
            << options.split << "), " << result.images_with_box << " with a box";
  if (result.blacklisted > 0) std::cout << ", " << result.blacklisted << " of them blacklisted";
  if (result.skipped > 0) std::cout << ", " << result.skipped << " unreadable";
  std::cout << "\n" << protocol_text(options) << "\n\n" << text_table(columns);
  if (result.gt_known_curve) std::cout << curve_text(result);

  if (!options.per_class.empty()) write_file_atomically(options.per_class, per_class_csv(result, data));
  if (!options.curve.empty()) {
    check(result.gt_known_curve.has_value(), "--curve: no picture of ", options.data.string(), " (", options.split,
          ") has a box");
    auto json = nlohmann::ordered_json::parse(to_json(*result.gt_known_curve));
    json["top1_loc_percent"] = result.top1_loc_curve->percent;
    write_json(options.curve, json);
  }
  if (!options.out.empty()) {
    auto json = nlohmann::ordered_json::parse(to_json(result));
    json["centre_box"] = baseline ? to_json(*baseline) : nlohmann::ordered_json();
    json["model"] = options.model.string();
    json["data"] = options.data.string();
    json["split"] = options.split;
    json["box_threshold"] = options.evaluate.box_threshold;
    json["protocol"] = protocol_json(options);
    write_json(options.out, json);
  }
  return exit_done;
}

void add_protocol_options(CLI::App& app, Options& options) {
  app.add_option("--input", options.input,
                 "what the network sees. warp: all, warped to the crop's size. centre: the middle of\n"
                 "a picture with its shorter side resized (official code). centre-warp: the middle\n"
                 "of a warped one (ACoL_pytorch). ten-crop, ten-crop-cam: warp for the boxes, ten\n"
                 "crops for the classes; their logits are averaged (official) or probabilities (CAM)")
      ->capture_default_str()
      ->check(CLI::IsMember({"warp", "centre", "centre-warp", "ten-crop", "ten-crop-cam"}));
  app.add_option("--box-rule", options.box_rule,
                 "how a map becomes a box, NAME or NAME:THRESHOLD: cam-paper (default), gradcam,\n"
                 "union, largest-box-area, largest-contour, adl, pas, wsol, dt-box")
      ->type_name("RULE");
  CLI::Option* threshold = app.add_option("--box-threshold", options.evaluate.box_threshold,
                                          "a box holds what has this share of a map's maximum")
                               ->capture_default_str()
                               ->check(number("in (0, 1]", [](double share) { return share > 0 && share <= 1; }))
                               ->each([&options](const std::string&) { options.threshold_given = true; });
  app.add_option("--normalise", options.normalise,
                 "what is done to a resized map, for boxes and for MaxBoxAcc: min-max, max, pas[:P]\n"
                 "or ivr[:P]; default: what the box rule's program does, min-max for MaxBoxAcc")
      ->type_name("HOW");
  app.add_option("--erase-test-label", options.erase_test_label,
                 "the class that cuts branch B's hole: truth, the class whose map is read; or\n"
                 "predicted, A's best")
      ->capture_default_str()
      ->check(CLI::IsMember({"truth", "predicted"}));
  app.add_flag("--clip-truth", options.evaluate.clip_truth,
               "compare with what the crop holds of the true boxes (ACoL_pytorch)");
  app.add_option("--labels", options.labels,
                 "classes from another classifier: a line a picture, 'image id,class[,class...]'")
      ->type_name("FILE");
  app.add_option("--threshold-from", options.threshold_from, "the best box threshold of a file that --curve wrote")
      ->type_name("FILE")
      ->excludes(threshold);
}

void add_report_options(CLI::App& app, Options& options) {
  app.add_option("--ci", options.resamples, "95 % confidence intervals, from this many bootstrap resamples")
      ->type_name("N")
      ->check(number("in [1, 1000000]", [](double n) { return n >= 1 && n <= 1e6; }));
  app.add_option("--seed", options.seed, "of the resamples")->capture_default_str()->check(at_least(0));
  app.add_flag("--errors", options.errors, "split the top-1 localization error by its kinds");
  app.add_option("--per-class", options.per_class, "write the figures of each class there, as CSV")->type_name("FILE");
  app.add_option("--curve", options.curve, "write localization at every box threshold there, as JSON")
      ->type_name("FILE");
  app.add_option("--curve-step", options.curve_step, "between its thresholds")
      ->capture_default_str()
      ->check(number("in [0.001, 0.5]", [](double step) { return step >= 0.001 && step <= 0.5; }));
  app.add_option("--maps", options.evaluate.maps_dir,
                 "write the true class's map of each picture there (.npy, in [0, 1])")
      ->type_name("DIR");
  app.add_option("--map-side", options.evaluate.map_side, "side of those maps and of MaxBoxAcc's grid, pixels")
      ->capture_default_str()
      ->check(number("in [1, 4096]", [](double side) { return side >= 1 && side <= 4096; }));
  app.add_flag("--no-sweep", options.no_sweep, "without MaxBoxAcc and MaxBoxAccV2, which take most of the time");
}

}  // namespace

Command add_eval(CLI::App& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("eval", "measure a model: classification and localization error");
  add_measure_options(*app, *options);
  add_protocol_options(*app, *options);
  add_report_options(*app, *options);
  app->footer(
      "Figures are percent. GT-known, MaxBoxAcc and V2 are told the true class; the others use the model's own\n"
      "answers, for the hole of branch B too. \"Object shown\": share of the object's pixels that a map marks;\n"
      "\"on the object\": share of the marked pixels that lie on it. Centre box: the best centred square, which\n"
      "looks at nothing; whole picture: that as the box.");
  return {app, [options] { return run_eval(*options); }};
}

}  // namespace acol
