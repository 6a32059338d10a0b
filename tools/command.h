// What the subcommands of the program `acol` share. Each has its own file with one function add_NAME().
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "acol/data/dataset.h"
#include "acol/train/model.h"
#include "tensor/check.h"

#ifndef ACOL_VERSION
#define ACOL_VERSION "unknown"
#endif

namespace acol {

// A subcommand: its options, and what it does once they are parsed. Returns the exit status.
struct Command {
  CLI::App* app = nullptr;
  std::function<int()> run;
};

Command add_synth(CLI::App& program);
Command add_train(CLI::App& program);
Command add_eval(CLI::App& program);
Command add_localize(CLI::App& program);
Command add_prove_cam(CLI::App& program);
Command add_probe(CLI::App& program);
Command add_demo(CLI::App& program);
Command add_info(CLI::App& program);
Command add_bench(CLI::App& program);
Command add_data(CLI::App& program);
Command add_reproduce(CLI::App& program);
Command add_score(CLI::App& program);
Command add_sweep(CLI::App& program);
Command add_weights(CLI::App& program);

enum ExitStatus { exit_done = 0, exit_failure = 1, exit_usage = 2, exit_interrupted = 130 };

// The program was called in a way that cannot work: exit status 2. Other errors are 1.
class UsageError : public Error {
 public:
  using Error::Error;
};

// Checks the number typed for an option; `range` says in the help and in the error what is allowed. NaN never passes.
CLI::Validator number(const std::string& range, std::function<bool(double)> allowed);
CLI::Validator at_least(int lowest);

// --threads, --workers, --device and --precision. The first two change no result.
struct ComputeOptions {
  int threads = 0;  // 0: all
  int workers = 2;
  std::string device = "cpu", precision = "fp32";
  // Before the first tensor is made. Error: the device cannot be used, or not with that precision.
  void use() const;
};
void add_threads_option(CLI::App& app, ComputeOptions& options);
void add_device_options(CLI::App& app, ComputeOptions& options);   // --device and --precision
void add_compute_options(CLI::App& app, ComputeOptions& options);  // all

// Which data: a folder, or lists with the pictures elsewhere.
struct DataOptions {
  std::filesystem::path data;                             // with `metadata`: the same as it
  std::filesystem::path metadata, image_root, mask_root;  // lists of wsolevaluation (wsol_lists.h) or of list_files.h
  std::string layout = "auto";
  bool exif = false;
};
// --data or --metadata with --image-root and --mask-root, --dataset, --exif. One of the first two has to be given.
// positional: "acol data DIR" is the same as "acol data --data DIR".
void add_data_options(CLI::App& app, DataOptions& options, bool positional = false);
CLI::Option* add_layout_option(CLI::App& app, std::string& layout);

// A data set and the notes on it, which go to stderr.
Dataset open_data(const DataOptions& options, const std::string& split);
Dataset open_data(const std::filesystem::path& root, const std::string& split, const std::string& layout);
// The same without a word. faults: see wsol_lists.h.
Dataset open_quietly(const DataOptions& options, const std::string& split, std::vector<std::string>* faults = nullptr);
// Whether there is a "val" to open.
bool has_validation(const DataOptions& options);
// "--data DIR", or what else was given, to be typed again.
std::string data_flags(const DataOptions& options);

// Error naming the first class that differs: labels would mean something else for the data than for the model. Lists
// that know classes by number only (0, 1, ...) fit any model with as many classes, which is said on stderr.
void check_same_classes(const Model& model, const std::string& model_path, const Dataset& data);
// The same for two splits of a data set.
void check_same_classes(const Dataset& one, const Dataset& other);

// A model measured on a split of a data set: what eval and probe have in common.
struct MeasureOptions : DataOptions {
  std::filesystem::path model, out;
  std::string split = "val";
  int batch_size = 32;
  ComputeOptions compute;
};
// --model, --split, --out, --batch-size, --threads, --workers, and those of add_data_options.
void add_measure_options(CLI::App& app, MeasureOptions& options);
// Sets the threads, reads both, and fails before the work if they do not fit or `out` cannot be written.
struct Measured {
  Model model;
  Dataset data;
};
Measured open_measured(const MeasureOptions& options);

// Makes the folders above the file and sees that a file can be written there, before the work that it is to hold.
void prepare_output_file(const std::filesystem::path& path);
// The same for a folder to write into.
void prepare_output_folder(const std::filesystem::path& path);

// "AMD EPYC ...", as /proc/cpuinfo has it.
std::string cpu_name();

// A line on stderr, above the progress line if there is one.
void say(const std::string& line);

// "0.0312", as short as possible such that reading it gives the same number.
std::string number_text(double value);
// With so many digits behind the point.
std::string fixed_text(double value, int digits);
// "35 s", "4 min 10 s", "1 h 05 min"
std::string duration_text(double seconds);

}  // namespace acol
