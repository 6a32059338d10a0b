// acol eval: classification and localization error of a model on a data set.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "acol/evaluate/evaluate.h"
#include "command.h"
#include "evaluation_table.h"
#include "interrupt.h"
#include "progress.h"
#include "tensor/file.h"

namespace acol {

namespace {

struct Options : MeasureOptions {
  bool no_sweep = false;
  EvaluateOptions evaluate;
};

int run_eval(Options& options) {
  options.evaluate.workers = options.threads.workers;
  options.evaluate.batch_size = options.batch_size;
  options.evaluate.max_box_acc = !options.no_sweep;
  options.evaluate.stop_requested = interrupted;
  const auto [model, data] = open_measured(options);
  if (!options.evaluate.maps_dir.empty()) prepare_output_folder(options.evaluate.maps_dir);

  Evaluation result;
  {
    Progress progress("evaluate");
    options.evaluate.progress = progress.callback();
    result = evaluate(*model.network, model.config.preprocessing, data, options.evaluate);
  }
  for (const std::string& warning : result.warnings) say("skipped: " + warning);

  std::vector<Column> columns{column(name_of(model.config.network.method), result)};
  std::optional<CentreBaseline> baseline;
  if (!options.no_sweep && result.images_with_box > 0)
    baseline = centre_baseline(result.truth_on_grid, 0.001, options.evaluate.map_side);
  if (baseline) columns.push_back(column("centre box", *baseline));
  std::cout << options.model.string() << " on " << result.images << " pictures of " << options.data.string() << " ("
            << options.split << "), " << result.images_with_box << " with a box";
  if (result.skipped > 0) std::cout << ", " << result.skipped << " unreadable";
  std::cout << "\n\n" << text_table(columns);

  if (!options.out.empty()) {
    auto json = nlohmann::ordered_json::parse(to_json(result));
    json["centre_box"] = baseline ? to_json(*baseline) : nlohmann::ordered_json();
    json["model"] = options.model.string();
    json["data"] = options.data.string();
    json["split"] = options.split;
    json["box_threshold"] = options.evaluate.box_threshold;
    // A path need not be UTF-8; JSON has to be.
    write_file_atomically(options.out, json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  return exit_done;
}

}  // namespace

Command add_eval(CLI::App& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("eval", "measure a model: classification and localization error");
  add_measure_options(*app, *options);
  app->add_option("--maps", options->evaluate.maps_dir,
                  "write the true class's map of each picture there (.npy, in [0, 1])")
      ->type_name("DIR");
  app->add_option("--map-side", options->evaluate.map_side, "side of those maps and of MaxBoxAcc's grid, pixels")
      ->capture_default_str()
      ->check(number("in [1, 4096]", [](double side) { return side >= 1 && side <= 4096; }));
  app->add_option("--box-threshold", options->evaluate.box_threshold,
                  "a box holds what has this share of a map's maximum")
      ->capture_default_str()
      ->check(number("in (0, 1]", [](double share) { return share > 0 && share <= 1; }));
  app->add_flag("--no-sweep", options->no_sweep, "without MaxBoxAcc and MaxBoxAccV2, which take most of the time");
  app->footer(
      "Figures are percent. GT-known, MaxBoxAcc and V2 are told the true class; the others use the model's own\n"
      "answers, for the hole of branch B too. \"Object shown\": share of the object's pixels that a map marks;\n"
      "\"on the object\": share of the marked pixels that lie on it. Centre box: the best centred square, which\n"
      "looks at nothing.");
  return {app, [options] { return run_eval(*options); }};
}

}  // namespace acol
