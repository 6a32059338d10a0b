// acol probe: does branch B read the label off the hole?
#include "acol/evaluate/probe.h"

#include <iomanip>
#include <iostream>
#include <memory>

#include "command.h"
#include "interrupt.h"
#include "progress.h"
#include "tensor/file.h"

namespace acol {

namespace {

struct Options : MeasureOptions {
  ProbeOptions probe;
};

int run_probe(Options& options) {
  options.probe.workers = options.compute.workers;
  options.probe.batch_size = options.batch_size;
  options.probe.stop_requested = interrupted;
  const auto [model, data] = open_measured(options);

  ProbeResult result;
  {
    Progress progress("probe");
    options.probe.progress = progress.callback();
    result = probe(*model.network, model.config.preprocessing, data, options.probe);
  }
  const int classes = data.classes();
  std::cout << options.model.string() << " on " << result.images << " pictures of " << options.data.string() << " ("
            << options.split << "), percent; chance is " << fixed_text(100.0 / classes, 1) << "\n\n";
  const auto line = [](const char* what, double value) {
    std::cout << std::left << std::setw(52) << what << std::right << std::setw(6) << fixed_text(value, 1) << "\n";
  };
  line("a_acc            A is right", result.a_acc);
  line("b_acc_truth      B is right, hole of the true label", result.b_acc_truth);
  line("b_acc_predicted  ... of A's answer", result.b_acc_predicted);
  line("b_acc_wrong      ... of a wrong label", result.b_acc_wrong);
  line("b_follows_wrong  and then B answers that wrong label", result.b_follows_wrong);
  if (!options.out.empty()) write_file_atomically(options.out, to_json(result, classes) + "\n");
  return exit_done;
}

}  // namespace

Command add_probe(CLI::App& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("probe", "measure whether branch B reads the label off the hole");
  add_measure_options(*app, *options);
  app->add_option("--seed", options->probe.seed, "draws the wrong labels")->capture_default_str()->check(at_least(0));
  app->footer(
      "In training the hole is cut where A's map of the true label is high. If B is much better with that hole than\n"
      "with the hole of A's answer, and follows the hole of a wrong label, then it looks at the hole's shape and\n"
      "not at what is left of the object.");
  return {app, [options] { return run_probe(*options); }};
}

}  // namespace acol
