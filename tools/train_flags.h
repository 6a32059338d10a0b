// The settings of a training as flags: one entry a field of TrainConfig, from which the flag, its text in --help,
// the table of the presets and the comparison with a resumed run are all made.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "acol/train/config.h"
#include "acol/train/trainer.h"

namespace acol {

class TrainFlags {
 public:
  // Adds the flags to `app`, and the table of both presets below its --help.
  explicit TrainFlags(CLI::App& app);
  TrainFlags(const TrainFlags&) = delete;
  TrainFlags& operator=(const TrainFlags&) = delete;

  // The preset (of --preset, else `fallback`) with the fields whose flags were given put on top. UsageError if the
  // result is not a valid configuration.
  TrainConfig config(Preset fallback) const;

  // The same on top of other settings than a preset's. UsageError: --preset was given.
  TrainConfig applied_to(const TrainConfig& base) const;

  // Whether this flag ("--lr") was given. UsageError naming the flag if there is none of that name.
  bool given(const std::string& flag) const;

  // UsageError naming the first flag that was given and says something else than the run that is to go on.
  void check_against(const TrainConfig& run) const;

 private:
  struct Field {
    std::string flag;
    CLI::Option* option;
    std::function<void(TrainConfig&)> apply;              // copies what was typed
    std::function<std::string(const TrainConfig&)> text;  // for people and for comparing
  };

  // `get` gives the field of a TrainConfig. Flags of truth values are written "--name,!--no-name".
  template <class Get>
  CLI::Option* add(CLI::App& app, const std::string& flag, const std::string& help, Get get);
  std::string preset_table() const;
  TrainConfig with_given(TrainConfig config) const;

  TrainConfig given_;  // only the fields whose option was given mean something
  std::vector<Field> fields_;
};

// --memory
void add_memory_option(CLI::App& app, MemoryMode& memory);
// What every command that trains has besides, and what changes no weights: --memory, --cache-mb, --save-every.
void add_run_options(CLI::App& app, RunOptions& run);

}  // namespace acol
