// acol train: trains CAM or ACoL on a folder of pictures.
#include <iostream>
#include <memory>
#include <optional>

#include "acol/train/trainer.h"
#include "command.h"
#include "progress.h"
#include "run_to_end.h"
#include "train_flags.h"
#include "weights_flag.h"

namespace acol {

namespace {

struct Options {
  explicit Options(CLI::App& app) : flags(app) {}
  TrainFlags flags;
  DataOptions data;
  RunOptions run;
  ComputeOptions compute;
};

// The validation split, where the data have one. It only measures: which state is best, and the errors in the log.
std::optional<Dataset> open_validation(const DataOptions& data) {
  if (!has_validation(data)) {
    say("note: " + data.data.string() + " has no val split: the last state counts as the best");
    return std::nullopt;
  }
  return open_data(data, "val");
}

int run_train(Options& options) {
  if (options.run.resume && !options.run.weights.empty())
    throw UsageError("--weights and --resume: a run that goes on has its weights already");
  options.compute.use();
  options.run.workers = options.compute.workers;

  TrainConfig config = options.flags.config(options.run.weights.empty() ? Preset::scratch : Preset::paper);
  if (options.run.weights_preprocessing != WeightsPreprocessing::torchvision)
    use_preprocessing(options.run.weights_preprocessing, config.preprocessing);
  if (options.run.resume) {
    config = run_config(options.run.out);
    options.flags.check_against(config);
  } else if (config.preset == Preset::paper && options.run.weights.empty()) {
    say("note: preset paper is for fine-tuning, and there are no --weights: from random weights it may not learn at "
        "all");
  }
  const Dataset data = open_data(options.data, "train");
  const std::optional<Dataset> val = open_validation(options.data);

  TrainResult result;
  {
    Progress progress("train");
    result = train(config, data, val ? &*val : nullptr, options.run, shown_events(progress));
  }

  const std::string out = options.run.out.string();
  const std::string how_to_go_on = "acol train --resume " + data_flags(options.data) + " --out " + out;
  if (result.skipped_images > 0)
    say(message("note: ", result.skipped_images, " pictures could not be read and were left out"));
  switch (result.end) {
    case TrainEnd::stopped:
      say(message("acol: stopped after step ", result.step, ", saved in ", out,
                  "/last.safetensors; to go on: ", how_to_go_on));
      return exit_interrupted;
    case TrainEnd::limit:
      std::cout << out << ": step " << result.step << ", the limit; to go on: " << how_to_go_on << "\n";
      return exit_done;
    case TrainEnd::finished:
      break;
  }
  std::cout << out << ": finished at step " << result.step << "; the model is " << out << "/best.safetensors\n";
  return exit_done;
}

}  // namespace

Command add_train(CLI::App& program) {
  CLI::App* app = program.add_subcommand("train", "train on a folder of pictures; only class labels are used");
  const auto options = std::make_shared<Options>(*app);
  add_data_options(*app, options->data);
  app->add_option("--out", options->run.out, "folder of the run: config.json, log.jsonl, last and best.safetensors")
      ->required()
      ->type_name("DIR");
  CLI::Option* weights =
      app->add_option("--weights", options->run.weights,
                      "start from these, safetensors or .pth of torchvision, timm or an ACoL (acol weights FILE)")
          ->type_name("FILE");
  add_weights_preprocessing_option(*app, options->run.weights_preprocessing)->needs(weights);
  app->add_flag("--resume", options->run.resume, "go on from OUT/last.safetensors, with that run's settings");
  add_compute_options(*app, options->compute);
  add_run_options(*app, options->run);
  app->add_option("--log-every", options->run.log_every, "steps between two lines of log.jsonl")
      ->capture_default_str()
      ->check(at_least(1));
  app->add_option("--limit-steps", options->run.limit_steps, "end after so many steps of the whole run; 0: never")
      ->capture_default_str()
      ->check(at_least(0));
  return {app, [options] { return run_train(*options); }};
}

}  // namespace acol
