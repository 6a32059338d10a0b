#include "command.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "acol/data/layouts.h"
#include "acol/data/list_files.h"
#include "acol/data/wsol_lists.h"
#include "progress.h"
#include "tensor/threads.h"

namespace acol {

namespace fs = std::filesystem;

CLI::Validator number(const std::string& range, std::function<bool(double)> allowed) {
  return CLI::Validator(
      [range, allowed = std::move(allowed)](std::string& text) -> std::string {
        char* end = nullptr;
        const double value = std::strtod(text.c_str(), &end);
        if (end == text.c_str() || *end != '\0') return "expected a number, got '" + text + "'";
        return allowed(value) ? "" : "must be " + range + ", got " + text;
      },
      range);
}

CLI::Validator at_least(int lowest) {
  return number(">= " + std::to_string(lowest), [lowest](double value) { return value >= lowest; });
}

void ComputeOptions::use() const {
  if (threads > 0) use_threads(threads);
  if (device != "cuda" && precision != "fp32")
    throw UsageError("--precision " + precision + " is for --device cuda; on " + device + " all is fp32");
  use_device(parse_device(device));
  use_precision(parse_precision(precision));
}

void add_threads_option(CLI::App& app, ComputeOptions& options) {
  app.add_option("--threads", options.threads, "threads that compute; 0: one a core. Results do not depend on it")
      ->capture_default_str()
      ->check(number("in [0, 4096]", [](double n) { return n >= 0 && n <= 4096; }));
}

void add_device_options(CLI::App& app, ComputeOptions& options) {
  app.add_option("--device", options.device,
                 "where the network runs: cpu, cuda (an NVIDIA card) or reference (plain loops, very slow)")
      ->capture_default_str()
      ->check(CLI::IsMember({"cpu", "cuda", "reference"}));
  app.add_option(
         "--precision", options.precision,
         "with --device cuda, what convolutions round factors to: fp32 (as exact as the CPU), tf32 (11 bits) or "
         "bf16 (8 bits, fastest, and activations are kept so, in half the memory); sums, weights and all that is "
         "saved stay float32")
      ->capture_default_str()
      ->check(CLI::IsMember({"fp32", "tf32", "bf16"}));
}

void add_compute_options(CLI::App& app, ComputeOptions& options) {
  add_threads_option(app, options);
  add_device_options(app, options);
  app.add_option("--workers", options.workers, "threads that read pictures ahead; 0: none")
      ->capture_default_str()
      ->check(number("in [0, 256]", [](double n) { return n >= 0 && n <= 256; }));
}

namespace {

Dataset said(Dataset data) {
  for (const std::string& note : data.notes) say("note: " + note);
  return data;
}

}  // namespace

Dataset open_quietly(const DataOptions& options, const std::string& split, std::vector<std::string>* faults) {
  const fs::path& lists = options.metadata.empty() ? options.data : options.metadata;
  const auto is = [&](const char* name, bool (*looks_so)(const fs::path&)) {
    return options.layout == name || (options.layout == "auto" && looks_so(lists));
  };
  Dataset data;
  // With faults, where the reader can go on after one.
  if (is("wsol", is_wsol_metadata) && (faults != nullptr || !options.metadata.empty())) {
    data = open_wsol_lists(lists, split, options.image_root, options.mask_root, faults);
  } else if (!options.metadata.empty()) {
    check(is("list", is_list_layout), "lists ", lists.string(),
          ": neither those of wsolevaluation (<split>/image_ids.txt) nor train_list.txt, val_list.txt, ...");
    data = open_list_files(lists, split, options.image_root, faults);
  } else if (faults != nullptr && layout_of(lists, options.layout).name == std::string("list")) {
    data = open_list_files(lists, split, {}, faults);
  } else {
    data = open_dataset(lists, split, options.layout);
  }
  data.apply_exif = options.exif;
  return data;
}

Dataset open_data(const DataOptions& options, const std::string& split) { return said(open_quietly(options, split)); }

Dataset open_data(const fs::path& root, const std::string& split, const std::string& layout) {
  return said(open_dataset(root, split, layout));
}

bool has_validation(const DataOptions& options) {
  return has_validation(options.metadata.empty() ? options.data : options.metadata, options.layout);
}

std::string data_flags(const DataOptions& options) {
  std::string flags;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) flags += (flags.empty() ? "" : " ") + std::string(name) + " " + value;
  };
  add("--metadata", options.metadata.string());
  if (options.metadata.empty()) add("--data", options.data.string());
  add("--image-root", options.image_root.string());
  add("--mask-root", options.mask_root.string());
  if (options.layout != "auto") add("--dataset", options.layout);
  return flags + (options.exif ? " --exif" : "");
}

void add_data_options(CLI::App& app, DataOptions& options, bool positional) {
  CLI::Option* data =
      app.add_option(positional ? "--data,DIR" : "--data", options.data, "folder of the data set")->type_name("DIR");
  CLI::Option* metadata =
      app.add_option("--metadata", options.metadata,
                     "instead: lists, of wsolevaluation or `path label`, with the pictures elsewhere")
          ->type_name("DIR")
          ->excludes(data);
  app.add_option("--image-root", options.image_root, "with --metadata: where the paths of the lists begin")
      ->type_name("DIR")
      ->needs(metadata);
  app.add_option("--mask-root", options.mask_root, "with --metadata: the same for masks")
      ->type_name("DIR")
      ->needs(metadata);
  add_layout_option(app, options.layout);
  app.add_flag("--exif", options.exif,
               "turn pictures as their EXIF data say; boxes of the published sets are for pictures as stored");
  app.parse_complete_callback([&options] {
    if (options.data.empty() && options.metadata.empty()) throw CLI::RequiredError("--data");
    if (options.data.empty()) options.data = options.metadata;
  });
}

CLI::Option* add_layout_option(CLI::App& app, std::string& layout) {
  std::vector<std::string> names{"auto"};
  for (const Layout& one : layouts()) names.emplace_back(one.name);
  return app.add_option("--dataset", layout, "layout of the data; auto looks at the files")
      ->capture_default_str()
      ->check(CLI::IsMember(names));
}

namespace {

bool are_numbers(const std::vector<std::string>& ids) {
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (ids[i] != std::to_string(i)) return false;
  return true;
}

}  // namespace

void check_same_classes(const Model& model, const std::string& model_path, const Dataset& data) {
  const std::size_t of_model = model.class_ids.size(), of_data = data.class_ids.size();
  check(of_model == of_data, model_path, " knows ", of_model, " classes, ", data.root.string(), " has ", of_data,
        ": use the data set that the model was trained for");
  if (are_numbers(data.class_ids) && !are_numbers(model.class_ids)) {
    say(message("note: the lists know classes by number only; taken to be in the order of ", model_path));
    return;
  }
  for (std::size_t i = 0; i < of_model; ++i)
    check(model.class_ids[i] == data.class_ids[i], model_path, " has '", model.class_ids[i], "' as class ", i, ", ",
          data.root.string(), " has '", data.class_ids[i], "': use the data set that the model was trained for");
}

void check_same_classes(const Dataset& one, const Dataset& other) {
  check(one.class_ids == other.class_ids, one.root.string(), ": the splits ", one.split, " and ", other.split,
        " have different classes");
}

void add_measure_options(CLI::App& app, MeasureOptions& options) {
  app.add_option("--model", options.model, "model, as acol train writes it")->required()->type_name("FILE");
  add_data_options(app, options);
  app.add_option("--split", options.split, "train, val, test, all: what the data set has")->capture_default_str();
  app.add_option("--out", options.out, "write the figures there, as JSON")->type_name("FILE");
  app.add_option("--batch-size", options.batch_size, "pictures at once")->capture_default_str()->check(at_least(1));
  add_compute_options(app, options.compute);
}

Measured open_measured(const MeasureOptions& options) {
  options.compute.use();
  Measured measured{load_model(options.model), open_data(options, options.split)};
  check_same_classes(measured.model, options.model.string(), measured.data);
  if (!options.out.empty()) prepare_output_file(options.out);
  return measured;
}

void prepare_output_file(const fs::path& path) {
  std::error_code error;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
  check(!error, "cannot write ", path.string(), ": no folder ", path.parent_path().string(), ": ", error.message());
  check(!fs::is_directory(path, error), "cannot write ", path.string(), ": it is a folder");
  const fs::path trial = path.string() + ".partial";
  const bool writable = static_cast<bool>(std::ofstream(trial, std::ios::app));
  check(writable, "cannot write ", path.string(), ": the folder does not take a file");
  fs::remove(trial, error);
}

void prepare_output_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  check(!error, "cannot make the folder ", path.string(), ": ", error.message());
  prepare_output_file(path / "acol-trial");
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string text; std::getline(file, text);)
    if (text.starts_with("model name"))
      if (const auto colon = text.find(": "); colon != std::string::npos) return text.substr(colon + 2);
  return "unknown (no model name in /proc/cpuinfo)";
}

void say(const std::string& line) { Progress::say(line); }

std::string number_text(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::general).ptr;
  return {text, end};
}

std::string fixed_text(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<long long>(std::max(0.0, seconds) + 0.5);
  char text[64];
  if (whole < 60)
    std::snprintf(text, sizeof text, "%lld s", whole);
  else if (whole < 3600)
    std::snprintf(text, sizeof text, "%lld min %02lld s", whole / 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%lld h %02lld min", whole / 3600, whole % 3600 / 60);
  return text;
}

}  // namespace acol
