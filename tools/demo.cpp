// acol demo: the whole way on drawn pictures. Draws a data set, trains CAM and ACoL on it, measures both, shows the
// maps.
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>

#include "acol/data/synthetic.h"
#include "command.h"
#include "demo_report.h"
#include "evaluation_table.h"
#include "interrupt.h"
#include "progress.h"
#include "run_to_end.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

struct Options {
  fs::path out = "acol-demo";
  std::uint64_t seed = 1;
  int seeds = 1;
  bool quick = false;
  ComputeOptions compute;
};

constexpr double box_threshold = 0.2;

SyntheticOptions demo_data(const Options& options) {
  SyntheticOptions set;
  set.seed = options.seed;
  if (options.quick) {
    set.classes = 3;
    set.train = 16;
    set.val = 8;
    set.size = 48;
  }
  return set;
}

// The same for both methods but for the method.
TrainConfig demo_recipe(const Options& options, Method method, std::uint64_t seed, int classes) {
  TrainConfig config = preset_config(Preset::scratch);
  config.network.method = method;
  config.network.arch = "vgg11_bn";
  config.network.width = options.quick ? 0.0625 : 0.125;
  config.network.map_stride = 8;
  config.network.classes = classes;
  // No cutting: the test input is the whole picture, and objects of the training's size are recognised best.
  config.preprocessing.resize = config.preprocessing.crop = options.quick ? 48 : 96;
  config.epochs = options.quick ? 2 : 4;
  config.batch_size = options.quick ? 8 : 25;
  config.seed = seed;
  return config;
}

Evaluation measured(const fs::path& file, const Dataset& val, const std::string& name, int workers) {
  const Model model = load_model(file);
  Progress progress("evaluate " + name);
  EvaluateOptions how;
  how.workers = workers;
  how.box_threshold = box_threshold;
  how.progress = progress.callback();
  how.stop_requested = interrupted;
  return evaluate(*model.network, model.config.preprocessing, val, how);
}

ProbeResult probed(const fs::path& file, const Dataset& val, int workers) {
  const Model model = load_model(file);
  ProbeOptions how;
  how.workers = workers;
  how.stop_requested = interrupted;
  return probe(*model.network, model.config.preprocessing, val, how);
}

std::string settings_text(const Options& options, const SyntheticOptions& set, const TrainConfig& config) {
  return message("Program: acol " ACOL_VERSION ".\nData: ", set.classes, " classes, ", set.train, " training and ",
                 set.val, " validation pictures each, ", set.size, "x", set.size, " pixels, drawn from seed ", set.seed,
                 ".\nNetwork: ", config.network.arch, ", width ", number_text(config.network.width), ", map stride ",
                 config.network.map_stride, ", erase threshold ", number_text(config.network.erase_threshold),
                 "; from random weights.\nRecipe, the same for CAM and ACoL: preset ", name_of(config.preset), ", ",
                 config.epochs, " epochs, batches of ", config.batch_size, ", resize ", config.preprocessing.resize,
                 ", crop ", config.preprocessing.crop, ", rate ", number_text(config.rate), ", seed",
                 options.seeds == 1 ? " " : message("s ", options.seed, " to "),
                 options.seed + static_cast<std::uint64_t>(options.seeds) - 1,
                 "; the last state is measured.\nBoxes: largest component of what has ", number_text(box_threshold),
                 " of a map's maximum.\n");
}

// The summary of a demo that was finished in this folder with these settings, or nothing.
std::optional<std::string> finished_summary(const fs::path& out, const std::string& settings) {
  for (const char* file : {"results.md", "maps.png"})
    if (!fs::exists(out / file)) return std::nullopt;
  const auto json = finished_json(out / "results.json", settings);
  return json.is_null() ? std::nullopt : std::optional(json.value("summary", ""));
}

int run_demo(const Options& options) {
  options.compute.use();
  const auto start = std::chrono::steady_clock::now();
  prepare_output_folder(options.out);
  const int workers = options.compute.workers;
  const SyntheticOptions set = demo_data(options);
  DemoReport report;
  report.classes = set.classes;
  report.settings = settings_text(options, set, demo_recipe(options, Method::acol, options.seed, set.classes));
  const std::string where_to_look = "\nLook at " + (options.out / "maps.png").string() + " (heat maps) and " +
                                    (options.out / "results.md").string() + " (all figures).";
  if (const auto summary = finished_summary(options.out, report.settings)) {
    say("finished before with the same settings; remove " + options.out.string() + " to start anew");
    std::cout << *summary << where_to_look << "\n";
    return exit_done;
  }
  const fs::path data_folder = options.out / "data";
  {
    Progress progress("draw");
    write_synthetic(data_folder, set, [&](int done, int total) {
      stop_if_interrupted();
      progress.update(done, total);
    });
  }
  say(message("data: ", set.classes, " classes, ", set.classes * (set.train + set.val), " pictures in ",
              data_folder.string()));
  const Dataset data = open_data(data_folder, "train", "folder"), val = open_data(data_folder, "val", "folder");

  for (int i = 0; i < options.seeds; ++i) {
    DemoResult result;
    result.seed = options.seed + static_cast<std::uint64_t>(i);
    const fs::path folder = options.out / message("seed-", result.seed);
    const std::string of_seed = options.seeds > 1 ? message(", seed ", result.seed) : "";
    const auto model = [&](Method method) {
      const TrainConfig config = demo_recipe(options, method, result.seed, report.classes);
      const std::string name = (method == Method::cam ? "CAM" : "ACoL") + of_seed;
      RunOptions run;
      run.out = folder / name_of(method);
      run.workers = workers;
      run.save_every = 20;
      return run_to_end(config, data, &val, run, name);
    };
    const fs::path cam = model(Method::cam), acol = model(Method::acol);
    result.cam = measured(cam, val, "CAM" + of_seed, workers);
    result.acol = measured(acol, val, "ACoL" + of_seed, workers);
    result.probe = probed(acol, val, workers);
    report.results.push_back(result);
    if (i == 0)
      write_png(options.out / "maps.png", contact_sheet(val, Localizer(cam), Localizer(acol), 8, box_threshold));
  }
  report.centre = centre_baseline(report.results.front().cam.truth_on_grid);
  write_file_atomically(options.out / "results.json", demo_json(report));
  write_file_atomically(options.out / "results.md", demo_markdown(report));

  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  std::cout << demo_summary(report) << where_to_look << " This took " << duration_text(elapsed.count()) << ".\n";
  return exit_done;
}

}  // namespace

Command add_demo(CLI::App& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* app =
      program.add_subcommand("demo", "draw pictures, train CAM and ACoL on them, compare: the whole way in minutes");
  app->add_option("--out", options->out, "folder to write")->capture_default_str()->type_name("DIR");
  app->add_option("--seed", options->seed, "of the pictures and of the first training")
      ->capture_default_str()
      ->check(at_least(0));
  app->add_option("--seeds", options->seeds, "trainings of each method, with as many seeds; figures are means")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  app->add_flag("--quick", options->quick, "fewer and smaller pictures, two epochs: shows the steps, learns nothing");
  add_compute_options(*app, options->compute);
  app->footer("Safe to run again: what is finished is used, what is unfinished goes on.");
  return {app, [options] { return run_demo(*options); }};
}

}  // namespace acol
