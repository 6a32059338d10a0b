// The program `acol`: reads the command line, runs one subcommand, turns every error into one line on stderr.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <new>
#include <vector>

#include "command.h"
#include "interrupt.h"
#include "tensor/simd/level.h"

namespace acol {

namespace {

// "acol: ..." on one line, whatever the message looks like.
int complain(std::string text, int status) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  say("acol: " + text);
  return status;
}

// Results that could not be written (a full disk, a closed pipe) are a failure too.
int flush_results(int status) {
  std::cout.flush();
  if (!std::cout) return complain("cannot write to standard output", exit_failure);
  return status;
}

int run(const Command& command) {
  try {
    simd_in_use();  // an unknown or unsupported ACOL_SIMD is reported before anything is done
  } catch (const Error& error) {
    return complain(error.what(), exit_usage);
  }
  try {
    return flush_results(command.run());
  } catch (const Interrupted& stop) {
    return complain(stop.what(), exit_interrupted);
  } catch (const UsageError& error) {
    return complain(std::string(error.what()) + " (see acol " + command.app->get_name() + " --help)", exit_usage);
  } catch (const std::bad_alloc&) {
    return complain("out of memory", exit_failure);
  } catch (const std::exception& error) {
    // The library ends a long computation with an Error when its stop_requested() says so.
    return interrupted() ? complain("stopped", exit_interrupted) : complain(error.what(), exit_failure);
  }
}

// Threads of OpenMP that wait for work burn their core for a while before they sleep. Where others need it, be it our
// own threads that read pictures or another program, that makes training several times slower. How long they burn is
// read from the environment before main() begins, so the program starts itself once more with a short time set. Who
// sets either variable decides; where restarting fails, it is only slower.
void restart_with_short_waits(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  ::setenv("GOMP_SPINCOUNT", "1000", 1);
  // By its path: started as /proc/self/exe, the process would be called "exe" in ps and top.
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) ::execv(self.c_str(), argv);
}

int main_program(int argc, char** argv) {
  CLI::App program(
      "Weakly supervised object localization: finds objects, though it was trained with class labels only.\n"
      "CAM (Zhou et al., CVPR 2016) and ACoL (Zhang et al., CVPR 2018).",
      "acol");
  program.set_version_flag("--version", "acol " ACOL_VERSION);
  program.get_formatter()->column_width(34);
  program.require_subcommand(1);
  program.footer(
      "Results go to stdout, progress and errors to stderr. Exit status: 0 done, 1 failure, 2 wrong use, 130 stopped "
      "by\n"
      "Ctrl-C. ACOL_SIMD=scalar|avx2|avx512 forces the vector instructions to use.");
  const std::vector<Command> commands{
      add_synth(program), add_train(program), add_eval(program),    add_localize(program), add_prove_cam(program),
      add_probe(program), add_demo(program),  add_info(program),    add_bench(program),    add_data(program),
      add_score(program), add_sweep(program), add_weights(program), add_reproduce(program)};
  const auto chosen = [&]() -> const Command* {
    for (const Command& command : commands)
      if (command.app->parsed()) return &command;
    return nullptr;
  };

  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      program.exit(error);
      return flush_results(exit_done);
    }
    const Command* command = chosen();
    const std::string help = command ? "acol " + command->app->get_name() + " --help" : "acol --help";
    return complain(std::string(error.what()) + " (see " + help + ")", exit_usage);
  }
  return run(*chosen());
}

}  // namespace

}  // namespace acol

int main(int argc, char** argv) {
  acol::restart_with_short_waits(argv);
  acol::install_interrupt_handler();
  try {
    return acol::main_program(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "acol: " << error.what() << "\n";
    return acol::exit_failure;
  }
}
