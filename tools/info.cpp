// acol info: what this program and this machine are; or what a model file is.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "command.h"
#include "tensor/simd/level.h"
#include "tensor/threads.h"

#ifndef ACOL_BUILD_TYPE
#define ACOL_BUILD_TYPE "unknown"
#endif

namespace acol {

namespace fs = std::filesystem;

namespace {

struct Options {
  fs::path file;
  ThreadOptions threads;
};

void line(const std::string& name, const std::string& value) {
  std::cout << std::left << std::setw(18) << name << value << "\n";
}

std::string compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#elif defined(__GNUC__)
  return "GCC " __VERSION__;
#else
  return "unknown compiler";
#endif
}

std::string levels_of_build() {
#if defined(__x86_64__)
  return "scalar avx2 avx512";
#else
  return "scalar";
#endif
}

void print_program() {
  line("version", ACOL_VERSION);
  line("build", compiler() + ", " + ACOL_BUILD_TYPE);
  line("SIMD levels", levels_of_build());
  line("CUDA", "no: this version has no CUDA code");
  line("CPU", cpu_name());
  std::string usable;
  for (const SimdLevel level : {SimdLevel::scalar, SimdLevel::avx2, SimdLevel::avx512})
    if (simd_supported(level)) usable += (usable.empty() ? "" : " ") + std::string(simd_name(level));
  const char* wish = std::getenv("ACOL_SIMD");
  line("level in use", std::string(simd_name(simd_in_use())) + " (this CPU runs: " + usable + ")" +
                           (wish != nullptr && *wish != '\0' ? ", as ACOL_SIMD says" : ""));
  line("threads", std::to_string(threads_in_use()) + " of " + std::to_string(std::thread::hardware_concurrency()));
}

// 45,080,336
std::string grouped(std::int64_t value) {
  std::string text = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

std::string class_list(const Model& model) {
  constexpr std::size_t shown = 20;
  std::string text = std::to_string(model.class_ids.size()) + ": ";
  for (std::size_t i = 0; i < std::min(shown, model.class_ids.size()); ++i) {
    text += (i ? ", " : "") + model.class_names[i];
    if (model.class_ids[i] != model.class_names[i]) text += " (" + model.class_ids[i] + ")";
  }
  return model.class_ids.size() > shown ? text + ", ..." : text;
}

std::string numbers(const std::array<float, 3>& values) {
  std::string text;
  for (const float value : values) text += (text.empty() ? "" : " ") + fixed_text(static_cast<double>(value), 3);
  return text;
}

void print_training(const Model& model) {
  const TrainConfig& c = model.config;
  line("trained by",
       message("preset ", name_of(c.preset), ", ", c.epochs, " epochs, batches of ", c.batch_size, ", seed ", c.seed));
  line("", message("rate ", number_text(c.rate), " (biases x", number_text(c.bias_rate_factor), ", heads x",
                   number_text(c.head_rate_factor), "), ", schedule_kind_name(c.schedule), ", warm-up ",
                   number_text(c.warmup_epochs), " epochs, momentum ", number_text(c.momentum),
                   c.nesterov ? " (Nesterov)" : "", ", weight decay ", number_text(c.weight_decay), ", clip ",
                   c.clip_norm > 0 ? number_text(c.clip_norm) : "none"));
  if (c.network.method == Method::acol)
    line("", message("hole by the ", name_of(c.erase_label), " label, B from epoch ", std::int64_t{c.erase_after} + 1,
                     " on"));
  const auto training = nlohmann::ordered_json::parse(model.training, nullptr, false);
  if (!training.is_object() || training.empty()) return;
  std::string text;
  for (const auto& [key, value] : training.items()) {
    if (value.is_null()) continue;
    text += (text.empty() ? "" : ", ") + key + " " +
            (value.is_number_float() ? fixed_text(value.get<double>(), 3)
             : value.is_string()     ? value.get<std::string>()
                                     : value.dump());
  }
  line("stands at", text);
}

void print_model(const fs::path& path) {
  const Model model = read_model_card(path);
  const NetworkConfig& net = model.config.network;
  const Preprocessing& how = model.config.preprocessing;
  Network network(net);
  const NoGrad no_grad;
  line("file", path.string());
  line("method", name_of(net.method));
  std::string architecture = message(net.arch, ", width ", number_text(net.width), ", map stride ", net.map_stride);
  if (net.dropout > 0) architecture += ", dropout " + number_text(net.dropout);
  line("architecture", architecture);
  if (net.method == Method::acol) line("erase threshold", number_text(net.erase_threshold));
  line("CAM form", net.cam_form == CamForm::convolution ? "1x1 convolution, then mean" : "mean, then fully connected");
  line("classes", class_list(model));
  line("preprocessing",
       message("resize ", how.resize, " (", name_of(how.resize_mode), "), crop ", how.crop,
               how.flip ? ", mirrored" : "", "; RGB mean ", numbers(how.mean), ", std ", numbers(how.std)));
  line("parameters", grouped(parameter_count(network)));
  const int side = (how.crop + net.map_stride - 1) / net.map_stride;
  line("map size", message(side, "x", side, " for a ", how.crop, "x", how.crop, " picture"));
  line("multiply-adds",
       fixed_text(static_cast<double>(network.multiply_adds(how.crop, how.crop)) / 1e9, 3) + " G a picture");
  print_training(model);
}

}  // namespace

Command add_info(CLI::App& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("info", "what this program and machine are, or what a model file is");
  app->add_option("FILE", options->file, "model, as acol train writes it")->type_name("FILE");
  add_threads_option(*app, options->threads);
  return {app, [options] {
            options->threads.use();
            if (options->file.empty())
              print_program();
            else
              print_model(options->file);
            return exit_done;
          }};
}

}  // namespace acol
