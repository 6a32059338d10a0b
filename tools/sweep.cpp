// acol sweep: the same training again and again with other values of some flags, and what comes out beside each other.
#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <set>

#include "acol/report/overlay.h"
#include "acol/train/recipe.h"
#include "command.h"
#include "recipe_folder.h"
#include "run_to_end.h"
#include "sweep_report.h"
#include "tensor/file.h"
#include "train_flags.h"
#include "weights_flag.h"

namespace acol {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

struct Options {
  explicit Options(CLI::App& app) : flags(app) {}
  TrainFlags flags;
  DataOptions data;
  fs::path out;
  std::string split = "val", recipe, box_rule;
  std::vector<std::string> vary;
  bool cam = false, best = false;
  RunOptions run;
  ComputeOptions compute;
};

// recipe: or null.
TrainConfig base_config(const Options& options, const Recipe* recipe) {
  TrainConfig config;
  if (recipe != nullptr)
    config = options.flags.applied_to(recipe->train);
  else
    config = options.flags.config(options.run.weights.empty() ? Preset::scratch : Preset::paper);
  if (options.run.weights_preprocessing != WeightsPreprocessing::torchvision)
    use_preprocessing(options.run.weights_preprocessing, config.preprocessing);
  return config;
}

// `config` with a flag of acol train set, checked as on its command line.
TrainConfig with_flag(const TrainConfig& config, const std::string& flag, const std::string& value) {
  CLI::App app("", "vary");
  const TrainFlags flags(app);
  flags.given("--" + flag);  // or there is none
  try {
    app.parse(std::vector<std::string>{"--" + flag + "=" + value});
  } catch (const CLI::ParseError& error) {
    throw UsageError("--vary " + flag + "=" + value + ": " + error.what());
  }
  return flags.applied_to(config);
}

std::vector<VariedFlag> varied_flags(const Options& options, const Recipe* recipe) {
  std::vector<VariedFlag> varied;
  std::set<std::string> names;
  for (const std::string& text : options.vary) {
    varied.push_back(parse_varied(text));
    const std::string& flag = varied.back().flag;
    if (!names.insert(flag).second) throw UsageError("--vary " + flag + " is there twice");
    if (flag == "preset") throw UsageError("--vary preset: it sets many flags; vary those");
    if (options.flags.given("--" + flag)) throw UsageError("--" + flag + " is both given and varied");
  }
  if (varied.empty() && recipe != nullptr && recipe->sweep)
    varied.push_back({recipe->sweep->flag, recipe->sweep->values});
  if (varied.empty()) throw UsageError("nothing to vary: give --vary FLAG=VALUE,VALUE...");
  return varied;
}

// Every combination, the last flag changing fastest.
std::vector<SweepRun> combinations(const TrainConfig& base, const std::vector<VariedFlag>& varied) {
  std::vector<SweepRun> runs{SweepRun{.name = "", .values = {}, .choice = {}, .config = base}};
  for (const VariedFlag& flag : varied) {
    std::vector<SweepRun> longer;
    for (const SweepRun& run : runs)
      for (std::size_t i = 0; i < flag.values.size(); ++i) {
        SweepRun next = run;
        next.name += (next.name.empty() ? "" : ",") + flag.flag + "-" + flag.values[i];
        next.values.push_back(flag.values[i]);
        next.choice.push_back(i);
        next.config = with_flag(run.config, flag.flag, flag.values[i]);
        longer.push_back(next);
      }
    runs = longer;
  }
  return runs;
}

// The CAM runs beside: each run without the second branch. Runs that differ in erasing alone share one.
std::vector<SweepRun> cams_beside(std::vector<SweepRun>& runs) {
  std::vector<SweepRun> cams;
  std::set<std::string> configs;
  const TrainConfig plain;
  for (SweepRun& run : runs) {
    SweepRun cam{.name = "", .values = {}, .choice = {}, .config = run.config};
    cam.config.network.method = Method::cam;
    cam.config.network.erase_threshold = plain.network.erase_threshold;
    cam.config.erase_after = plain.erase_after;
    cam.config.erase_label = plain.erase_label;
    if (configs.insert(to_json(cam.config)).second) {
      cam.name = cams.empty() ? "cam" : message("cam-", cams.size() + 1);
      cams.push_back(cam);
    }
    for (const SweepRun& made : cams)
      if (to_json(made.config) == to_json(cam.config)) run.beside = made.name;
  }
  return cams;
}

EvaluateOptions evaluate_options(const Options& options) {
  EvaluateOptions how;
  how.workers = options.compute.workers;
  if (!options.box_rule.empty()) {
    try {
      how.box_rule = parse_box_rule(options.box_rule);
    } catch (const Error& error) {
      throw UsageError(std::string("--box-rule: ") + error.what());
    }
  }
  return how;
}

Json settings_of(const Options& options, const SweepReport& report) {
  Json json;
  json["data"] = data_flags(options.data);
  json["split"] = options.split;
  json["weights"] = options.run.weights.string();
  json["state"] = options.best ? "best" : "last";
  json["box_rule"] = options.box_rule.empty() ? name_of(BoxRule{}) : options.box_rule;
  json["config"] = Json::parse(to_json(report.runs[0].config));
  for (const VariedFlag& flag : report.varied) {
    std::string key = flag.flag;
    std::replace(key.begin(), key.end(), '-', '_');
    json["config"].erase(key);  // takes several values
  }
  return json;
}

std::string settings_text(const Options& options, const SweepReport& report, const Dataset& data, const Dataset& val) {
  const TrainConfig& config = report.runs[0].config;
  std::set<std::string> names;
  std::string varied, fixed = message("preset ", name_of(config.preset));
  for (const VariedFlag& flag : report.varied) {
    names.insert(flag.flag);
    varied += (varied.empty() ? "" : "; ") + flag.flag + " ";
    for (std::size_t i = 0; i < flag.values.size(); ++i) varied += (i == 0 ? "" : ", ") + flag.values[i];
  }
  const auto add = [&](const std::string& flag, const std::string& value) {
    if (names.count(flag) == 0) fixed += ", " + flag + " " + value;
  };
  add("arch", config.network.arch);
  add("width", number_text(config.network.width));
  add("map-stride", std::to_string(config.network.map_stride));
  add("erase-threshold", number_text(config.network.erase_threshold));
  add("resize", std::to_string(config.preprocessing.resize));
  add("crop", std::to_string(config.preprocessing.crop));
  add("epochs", std::to_string(config.epochs));
  add("batch-size", std::to_string(config.batch_size));
  add("lr", number_text(config.rate));
  add("seed", std::to_string(config.seed));
  return message("Varied: ", varied, ".\nThe same in all: ", fixed, "; ",
                 options.run.weights.empty() ? "from random weights" : "from " + options.run.weights.string(),
                 ".\nData: ", options.data.data.string(), ", ", data.classes(), " classes, ", data.samples.size(),
                 " pictures to train on, ", val.samples.size(), " to measure on (", options.split, ").\nMeasured: the ",
                 options.best ? "state with the lowest validation error" : "last state", "; boxes by ",
                 name_of(evaluate_options(options).box_rule.value_or(BoxRule{})),
                 ". One training each: differences of ", "a point or so are what another seed may give.\n");
}

// Trains and measures one run, or takes what is there.
void finish(SweepRun& run, const Options& options, const Dataset& data, const Dataset& val, Json& centre_box) {
  run.config.network.classes = data.classes();
  RunOptions how = options.run;
  how.out = options.out / run.name;
  fs::path file = run_to_end(run.config, data, options.best ? &val : nullptr, how, run.name);
  if (options.best) file = how.out / "best.safetensors";

  Json settings;
  settings["config"] = Json::parse(to_json(run.config));
  settings["state"] = options.best ? "best" : "last";
  settings["split"] = options.split;
  settings["box_rule"] = options.box_rule;
  const fs::path kept = how.out / "evaluation.json";
  const Json json = evaluated_once(kept, settings, file, val, evaluate_options(options), run.name);
  run.evaluation = json.at("evaluation");
  centre_box = json.at("centre_box");
}

int run_sweep(Options& options) {
  options.compute.use();
  options.run.workers = options.compute.workers;
  evaluate_options(options);  // a wrong rule is found before the work
  std::optional<Recipe> recipe;
  if (!options.recipe.empty()) {
    recipe = find_recipe(options.recipe);
    check_weights_given(*recipe, options.run.weights);
    options.run.weights_preprocessing = recipe->weights_preprocessing;
  }
  SweepReport report;
  report.varied = varied_flags(options, recipe ? &*recipe : nullptr);
  report.runs = combinations(base_config(options, recipe ? &*recipe : nullptr), report.varied);
  if (options.cam) report.cams = cams_beside(report.runs);

  const Dataset data = open_data(options.data, "train"), val = open_data(options.data, options.split);
  check_same_classes(data, val);
  prepare_output_folder(options.out);
  report.settings_json = settings_of(options, report);
  hold_settings(options.out / "settings.json", report.settings_json);
  report.settings = settings_text(options, report, data, val);

  const std::size_t total = report.cams.size() + report.runs.size();
  std::size_t number = 0;
  for (std::vector<SweepRun>* list : {&report.cams, &report.runs})
    for (SweepRun& run : *list) {
      say(message("run ", ++number, " of ", total, ": ", run.name));
      finish(run, options, data, val, report.centre_box);
    }

  write_file_atomically(options.out / "results.json", json_text(sweep_json(report)));
  write_file_atomically(options.out / "results.md", sweep_markdown(report));
  write_png(options.out / "results.png", sweep_plot(report));
  std::cout << report.settings << "\n"
            << plain_table(sweep_rows(report)) << "\nLook at " << (options.out / "results.png").string() << ".\n";
  return exit_done;
}

}  // namespace

Command add_sweep(CLI::App& program) {
  CLI::App* app = program.add_subcommand("sweep", "train once for each value of a flag, and compare");
  const auto options = std::make_shared<Options>(*app);
  add_data_options(*app, options->data);
  app->add_option("--out", options->out,
                  "folder to write: a run each, results.json, .md and .png; the same command goes on there")
      ->required()
      ->type_name("DIR");
  app->add_option("--vary", options->vary,
                  "a flag of acol train and its values: erase-threshold=0.5,0.6. Several: every combination")
      ->type_name("FLAG=V,V...");
  app->add_flag("--cam", options->cam, "train CAM beside it, with the same settings");
  CLI::Option* recipe = app->add_option("--recipe", options->recipe,
                                        "training settings of a recipe (acol reproduce --list) in place of a "
                                        "preset's; varied is what it says, unless --vary is given")
                            ->type_name("RECIPE");
  CLI::Option* weights =
      app->add_option("--weights", options->run.weights, "start from these, as acol train")->type_name("FILE");
  add_weights_preprocessing_option(*app, options->run.weights_preprocessing)->needs(weights)->excludes(recipe);
  app->add_option("--split", options->split, "the split to measure on")->capture_default_str();
  app->add_option("--box-rule", options->box_rule, "how a map becomes a box, as acol eval; default cam-paper:0.2")
      ->type_name("RULE");
  app->add_flag("--best", options->best,
                "measure the state with the lowest error on that split; default: the last, which nobody chose");
  add_compute_options(*app, options->compute);
  add_run_options(*app, options->run);
  return {app, [options] { return run_sweep(*options); }};
}

}  // namespace acol
