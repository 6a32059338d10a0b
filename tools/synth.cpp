// acol synth: writes the synthetic data set.
#include <iostream>
#include <memory>

#include "acol/data/synthetic.h"
#include "command.h"
#include "interrupt.h"
#include "progress.h"

namespace acol {

Command add_synth(CLI::App& program) {
  struct Options {
    std::filesystem::path out;
    SyntheticOptions set;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("synth", "draw a small data set with known boxes and masks");
  app->add_option("--out", options->out, "folder to write")->required()->type_name("DIR");
  app->add_option("--classes", options->set.classes, "number of classes")
      ->capture_default_str()
      ->check(CLI::Range(2, max_synthetic_classes));
  app->add_option("--train", options->set.train, "training pictures a class")
      ->capture_default_str()
      ->check(CLI::Range(1, 99999));
  app->add_option("--val", options->set.val, "validation pictures a class")
      ->capture_default_str()
      ->check(CLI::Range(0, 99999));
  app->add_option("--size", options->set.size, "side of the pictures, pixels")
      ->capture_default_str()
      ->check(CLI::Range(32, 1024));
  app->add_option("--seed", options->set.seed, "another seed draws other pictures")
      ->capture_default_str()
      ->check(at_least(0));

  return {app, [options] {
            {
              Progress progress("draw");
              write_synthetic(options->out, options->set, [&](int done, int total) {
                stop_if_interrupted();
                progress.update(done, total);
              });
            }
            const SyntheticOptions& set = options->set;
            std::cout << options->out.string() << ": " << set.classes << " classes, " << set.classes * set.train
                      << " training and " << set.classes * set.val << " validation pictures of " << set.size << "x"
                      << set.size << " pixels\n";
            return exit_done;
          }};
}

}  // namespace acol
