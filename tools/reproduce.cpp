// acol reproduce: runs a recipe to its end and prints what comes out beside what was published.
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <optional>

#include "acol/data/layouts.h"
#include "acol/data/wsol_lists.h"
#include "acol/evaluate/guess_labels.h"
#include "command.h"
#include "progress.h"
#include "recipe_folder.h"
#include "recipe_time.h"
#include "reproduce_report.h"
#include "run_to_end.h"
#include "tensor/file.h"
#include "train_flags.h"

namespace acol {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

struct Options {
  std::string recipe;
  bool list = false, no_measure = false;
  DataOptions data;
  fs::path out, recipes;
  std::string splits;
  std::vector<std::string> labels;
  int epochs = 0, per_class = 0, classes = 0, micro_batch = -1, batch_size = 32;  // 0 or -1: as the recipe says
  RunOptions run;
  ComputeOptions compute;
  bool trial() const { return epochs > 0 || per_class > 0 || classes > 0; }
};

std::string layout_in_use(const DataOptions& data) {
  if (!data.metadata.empty()) return is_wsol_metadata(data.metadata) ? "wsol" : "list";
  return layout_of(data.data, data.layout).name;
}

RecipeSplits splits_of(const Options& options, const Recipe& recipe) {
  if (const std::size_t comma = options.splits.find(','); comma != std::string::npos)
    return {options.splits.substr(0, comma), options.splits.substr(comma + 1)};
  const std::string layout = layout_in_use(options.data);
  const auto found = recipe.layouts.find(layout);
  if (found != recipe.layouts.end()) return found->second;
  std::string known;
  for (const auto& [name, splits] : recipe.layouts) known += (known.empty() ? "" : ", ") + name;
  fail("recipe ", recipe.name, " is for ", recipe.data, " in the layout ", known, "; ", options.data.data.string(),
       " has the layout ", layout, ": choose other data, or give --splits TRAIN,TEST");
}

struct Work {
  Recipe recipe;
  Dataset train, test;
  std::vector<std::string> differences;
};

std::string counted(const char* what, std::size_t here, std::int64_t published) {
  return message(here, " ", what, " where ", published, " are published");
}

// Opens the data and changes the recipe as the options say, keeping account of it.
Work prepared(const Options& options) {
  Work work{find_recipe(options.recipe, options.recipes), {}, {}, {}};
  Recipe& recipe = work.recipe;
  std::vector<std::string>& differences = work.differences;
  if (!options.trial()) check_weights_given(recipe, options.run.weights);

  const RecipeSplits splits = splits_of(options, recipe);
  work.train = open_data(options.data, splits.train);
  work.test = open_data(options.data, splits.test);
  check_same_classes(work.train, work.test);
  if (!options.splits.empty())
    differences.push_back("splits " + splits.train + " and " + splits.test + ", given by --splits");
  if (work.train.classes() != recipe.classes)
    differences.push_back(counted("classes", work.train.class_ids.size(), recipe.classes));
  if (options.classes > 0 || options.per_class > 0) {
    work.train = subset(work.train, options.per_class, options.classes);
    work.test = subset(work.test, options.per_class, options.classes);
    if (options.classes > 0) differences.push_back(message("trial: the first ", options.classes, " classes only"));
    if (options.per_class > 0)
      differences.push_back(message("trial: at most ", options.per_class, " pictures of each class in either split"));
  }
  const auto compare = [&](const char* what, const Dataset& data, std::int64_t published) {
    if (published > 0 && static_cast<std::int64_t>(data.samples.size()) != published)
      differences.push_back(counted(what, data.samples.size(), published));
  };
  compare("pictures to train on", work.train, recipe.train_pictures);
  compare("pictures to test on", work.test, recipe.test_pictures);

  if (recipe.needs_weights && options.run.weights.empty())
    differences.push_back("trial: random weights where the recipe starts from " + recipe.weights_file);
  else if (recipe.needs_weights && options.run.weights.filename() != recipe.weights_file)
    differences.push_back("weights " + options.run.weights.string() + " where the recipe has " + recipe.weights_file);
  else if (!recipe.needs_weights && !options.run.weights.empty())
    differences.push_back("weights " + options.run.weights.string() + " where the recipe has random ones");
  if (recipe.weights_preprocessing != WeightsPreprocessing::torchvision)
    use_preprocessing(recipe.weights_preprocessing, recipe.train.preprocessing);

  TrainConfig& config = recipe.train;
  config.network.classes = work.train.classes();
  if (options.epochs > 0 && options.epochs != config.epochs) {
    differences.push_back(message("trial: ", options.epochs, options.epochs == 1 ? " epoch" : " epochs",
                                  " where the recipe has ", config.epochs));
    config.epochs = options.epochs;
    std::erase_if(config.decay_epochs, [&](int epoch) { return epoch >= options.epochs; });
    config.warmup_epochs = std::min<double>(config.warmup_epochs, options.epochs);
  }
  if (options.micro_batch >= 0 && options.micro_batch != config.micro_batch) {
    differences.push_back(message("batches in parts of ", options.micro_batch, " pictures: rounding differs"));
    config.micro_batch = options.micro_batch;
  }
  validate(config);
  return work;
}

// Files with classes of another classifier, by protocol.
std::map<std::string, fs::path> label_files(const Options& options, const Recipe& recipe) {
  std::map<std::string, fs::path> files;
  for (const std::string& text : options.labels) {
    const std::size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    const auto takes = [&](const RecipeProtocol& protocol) { return protocol.name == name && protocol.foreign_labels; };
    if (equals == std::string::npos || std::none_of(recipe.protocols.begin(), recipe.protocols.end(), takes))
      throw UsageError("--labels " + text + ": expected PROTOCOL=FILE with a protocol of " + recipe.name +
                       " that takes its classes from elsewhere");
    files[name] = text.substr(equals + 1);
  }
  return files;
}

// Why a protocol cannot be measured; empty: it can.
std::string obstacle(const RecipeProtocol& protocol, const Dataset& test, const fs::path& labels) {
  if (protocol.foreign_labels && labels.empty())
    return "it takes its classes from another classifier; give --labels " + protocol.name + "=FILE";
  const auto masked = [](const Sample& sample) { return !sample.masks.empty(); };
  if (protocol.pxap && std::none_of(test.samples.begin(), test.samples.end(), masked))
    return "it needs masks, and no picture has one; give --metadata and --mask-root";
  return "";
}

ProtocolResult measured(const RecipeProtocol& protocol, const Work& work, const Options& options, const fs::path& file,
                        const fs::path& labels, const Json& run_settings) {
  if (const std::string why_not = obstacle(protocol, work.test, labels); !why_not.empty()) return {{}, {}, why_not};
  EvaluateOptions how = protocol.options;
  how.pxap = protocol.pxap;
  how.workers = options.compute.workers;
  how.batch_size = options.batch_size;
  if (!labels.empty()) how.guess_labels = read_guess_labels(labels, work.test);
  if (protocol.tune_threshold) how.curve_thresholds = threshold_range(0.01, 1, 0.01);
  Json settings;
  settings["run"] = run_settings;
  settings["protocol"] = Json::parse(protocol.settings);
  settings["labels"] = labels.string();
  const fs::path kept = options.out / ("evaluation-" + protocol.name + ".json");
  const Json json = evaluated_once(kept, settings, file, work.test, how, protocol.name);
  return {json.at("evaluation"), json.at("centre_box"), ""};
}

Json settings_of(const Options& options, const Work& work) {
  Json json;
  json["recipe"] = work.recipe.name;
  json["config"] = Json::parse(to_json(work.recipe.train));
  json["data"] = data_flags(options.data);
  json["splits"] = work.train.split + "," + work.test.split;
  json["weights"] = options.run.weights.string();
  json["per_class"] = options.per_class;
  json["state"] = work.recipe.best_state ? "best" : "last";
  return json;
}

int run_recipe(Options& options) {
  options.run.workers = options.compute.workers;
  const Work work = prepared(options);
  const Recipe& recipe = work.recipe;
  const auto labels = label_files(options, recipe);
  options.run.weights_preprocessing = recipe.weights_preprocessing;
  prepare_output_folder(options.out);
  const Json settings = settings_of(options, work);
  hold_settings(options.out / "settings.json", settings);
  say(recipe.name + ": " + recipe.title);
  if (options.trial()) say("TRIAL AT SMALL SCALE, no reproduction of the recipe:");
  for (const std::string& difference : work.differences) say("  " + difference);

  options.run.out = options.out / "run";
  fs::path file =
      run_to_end(recipe.train, work.train, recipe.best_state ? &work.test : nullptr, options.run, recipe.name);
  if (recipe.best_state) file = options.run.out / "best.safetensors";

  ReproduceReport report{recipe, options.trial(), work.differences, file.string(), "", {}};
  report.data = message("Data: ", options.data.data.string(), " (", work.train.layout, "), ", work.train.classes(),
                        " classes, ", work.train.samples.size(), " pictures to train on (", work.train.split, "), ",
                        work.test.samples.size(), " to test on (", work.test.split, ").");
  for (const RecipeProtocol& protocol : recipe.protocols) {
    const auto found = labels.find(protocol.name);
    const fs::path from = found == labels.end() ? fs::path() : found->second;
    report.results.push_back(measured(protocol, work, options, file, from, settings));
  }
  write_file_atomically(options.out / "results.json", json_text(reproduce_json(report)));
  write_file_atomically(options.out / "results.md", reproduce_markdown(report));
  std::cout << reproduce_text(report);
  if (recipe.sweep) {
    std::string values;
    for (const std::string& value : recipe.sweep->values) values += (values.empty() ? "" : ",") + value;
    std::cout << "\nThe recipe has a sweep of --" << recipe.sweep->flag << " over " << values
              << ": acol sweep --recipe " << options.recipe << " --cam ...\n";
  }
  std::cout << "\nNotes on the recipe and all figures are in " << (options.out / "results.md").string() << ".\n";
  return exit_done;
}

int list_recipes(const Options& options) {
  std::vector<TableRow> rows{{"recipe", "pictures", "epochs", "training", "testing", "published"}};
  RecipeTimer timer;
  const fs::path folder = options.recipes.empty() ? recipe_folder() : options.recipes;
  const std::vector<Recipe> recipes = read_recipes(folder);
  std::int64_t done = 0;
  Progress progress("measure");
  for (const Recipe& recipe : recipes) {
    std::string published;
    for (const RecipeProtocol& protocol : recipe.protocols)
      for (const PublishedFigure& figure : protocol.published)
        if (figure.value && published.empty())
          published = figure_kind(figure.figure).name + " " + number_text(*figure.value) + " [" + figure.source + "]";
    TableRow row{recipe.name, std::to_string(recipe.train_pictures), std::to_string(recipe.train.epochs), "-",
                 "-",         published.empty() ? "none" : published};
    if (!options.no_measure) {
      const RecipeTime time = timer.time(recipe);
      row[3] = long_duration_text(time.train);
      row[4] = time.test_known ? long_duration_text(time.test) : "-";
      progress.update(++done, static_cast<std::int64_t>(recipes.size()));
    }
    rows.push_back(row);
  }
  std::cout << plain_table(rows, {.last = true});
  if (!options.no_measure)
    std::cout
        << "\nTimes are those of this machine as it is now: a few steps and passes of each network, times the "
           "published numbers\nof pictures. Reading pictures and the sweep over box thresholds are not in them.\n";
  std::cout << "\nRun one: acol reproduce RECIPE --data DIR --out DIR [--weights FILE]; a trial in minutes: with "
               "--epochs, --per-class,\n--classes. The files are in "
            << folder.string() << ".\n";
  return exit_done;
}

int run_reproduce(Options& options) {
  options.compute.use();
  return options.list ? list_recipes(options) : run_recipe(options);
}

}  // namespace

Command add_reproduce(CLI::App& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("reproduce", "run a row of the published tables, and compare");
  app->add_option("RECIPE", options->recipe, "a recipe's file, or the name of one of --list");
  app->add_flag("--list", options->list, "show all recipes, and how long each would take here");
  app->add_flag("--no-measure", options->no_measure, "with --list: no times, which take about a minute to measure");
  app->add_option("--recipes", options->recipes, "where recipes are, in place of those that come with the program")
      ->type_name("DIR");
  add_data_options(*app, options->data);
  app->add_option("--out", options->out, "folder to write: the run, evaluations, results.json and results.md")
      ->type_name("DIR");
  app->add_option("--weights", options->run.weights, "the weights that the recipe starts from")->type_name("FILE");
  app->add_option("--labels", options->labels,
                  "classes from another classifier for a protocol that wants them, as acol eval --labels")
      ->type_name("PROTOCOL=FILE");
  app->add_option("--splits", options->splits, "splits to train and to test on, for data in another layout")
      ->type_name("TRAIN,TEST")
      ->check(CLI::Validator(
          [](std::string& text) {
            const std::size_t comma = text.find(',');
            const bool two = comma != std::string::npos && comma > 0 && comma + 1 < text.size();
            return two ? std::string() : "expected two names with a comma between, got '" + text + "'";
          },
          ""));
  const std::string trial = "A trial at small scale, which is no reproduction";
  app->add_option("--epochs", options->epochs, "so many epochs")->check(at_least(1))->group(trial);
  app->add_option("--per-class", options->per_class, "at most so many pictures of each class, in either split")
      ->check(at_least(1))
      ->group(trial);
  app->add_option("--classes", options->classes, "the first so many classes")->check(at_least(2))->group(trial);
  app->add_option("--micro-batch", options->micro_batch,
                  "pictures in the network at a time, to save memory; 0: the whole batch")
      ->check(at_least(0));
  options->run.save_every = 100;
  add_run_options(*app, options->run);
  app->add_option("--batch-size", options->batch_size, "pictures at once in measuring; changes no figure")
      ->capture_default_str()
      ->check(at_least(1));
  add_compute_options(*app, options->compute);
  app->footer(
      "The same command goes on where it was stopped, and takes what is finished. A published number has a source:\n"
      "F found in public material, D derived from such a number by arithmetic, X measured.");
  // In place of add_data_options' own: --list needs no data.
  app->parse_complete_callback([options] {
    if (options->list) return;
    if (options->recipe.empty()) throw CLI::RequiredError("RECIPE");
    if (options->data.data.empty() && options->data.metadata.empty()) throw CLI::RequiredError("--data");
    if (options->out.empty()) throw CLI::RequiredError("--out");
    if (options->data.data.empty()) options->data.data = options->data.metadata;
  });
  return {app, [options] { return run_reproduce(*options); }};
}

}  // namespace acol
