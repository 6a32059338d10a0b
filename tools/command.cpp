#include "command.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>

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

void ThreadOptions::use() const {
  if (threads > 0) use_threads(threads);
}

void add_threads_option(CLI::App& app, ThreadOptions& options) {
  app.add_option("--threads", options.threads, "threads that compute; 0: one a core. Results do not depend on it")
      ->capture_default_str()
      ->check(number("in [0, 4096]", [](double n) { return n >= 0 && n <= 4096; }));
}

void add_thread_options(CLI::App& app, ThreadOptions& options) {
  add_threads_option(app, options);
  app.add_option("--workers", options.workers, "threads that read pictures ahead; 0: none")
      ->capture_default_str()
      ->check(number("in [0, 256]", [](double n) { return n >= 0 && n <= 256; }));
}

Dataset open_data(const fs::path& root, const std::string& split, const std::string& layout) {
  Dataset data = open_dataset(root, split, layout);
  for (const std::string& note : data.notes) say("note: " + note);
  return data;
}

CLI::Option* add_layout_option(CLI::App& app, std::string& layout) {
  return app.add_option("--dataset", layout, "layout of the data; auto looks at the files")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "folder", "tiny-imagenet"}));
}

void check_same_classes(const Model& model, const std::string& model_path, const Dataset& data) {
  const std::size_t of_model = model.class_ids.size(), of_data = data.class_ids.size();
  check(of_model == of_data, model_path, " knows ", of_model, " classes, ", data.root.string(), " has ", of_data,
        ": use the data set that the model was trained for");
  for (std::size_t i = 0; i < of_model; ++i)
    check(model.class_ids[i] == data.class_ids[i], model_path, " has '", model.class_ids[i], "' as class ", i, ", ",
          data.root.string(), " has '", data.class_ids[i], "': use the data set that the model was trained for");
}

void add_measure_options(CLI::App& app, MeasureOptions& options) {
  app.add_option("--model", options.model, "model, as acol train writes it")->required()->type_name("FILE");
  app.add_option("--data", options.data, "folder of the data set")->required()->type_name("DIR");
  app.add_option("--split", options.split, "train, val, all, or another folder of the data set")->capture_default_str();
  app.add_option("--out", options.out, "write the figures there, as JSON")->type_name("FILE");
  app.add_option("--batch-size", options.batch_size, "pictures at once")->capture_default_str()->check(at_least(1));
  add_layout_option(app, options.layout);
  add_thread_options(app, options.threads);
}

Measured open_measured(const MeasureOptions& options) {
  options.threads.use();
  Measured measured{load_model(options.model), open_data(options.data, options.split, options.layout)};
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
