// acol info: what this program and this machine are; or what a model file is; or how its convolutions are computed.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "command.h"
#include "network_layers.h"
#include "tensor/cpu/conv2d_plan.h"
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
  bool plan = false;
  NetworkConfig network;  // of --plan without a file
  int size = 224;
  int batch_size = 8;
  CLI::Option* batch_given = nullptr;
  ComputeOptions compute;
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

// The card in words, or why there is none.
std::string cuda_card() {
  try {
    return cuda_backend().memory->describe();
  } catch (const Error& error) {
    const std::string text = error.what(), start = "--device cuda: ";
    return "no: " + (text.starts_with(start) ? text.substr(start.size()) : text);
  }
}

void print_program() {
  line("version", ACOL_VERSION);
  line("build", compiler() + ", " + ACOL_BUILD_TYPE);
  line("SIMD levels", levels_of_build());
  line("CUDA", cuda_card());
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

// What trained the file: its network, the side of its pictures, and as many at once as a training step takes.
void use_settings_of_file(Options& options) {
  const TrainConfig config = read_model_card(options.file).config;
  options.network = config.network;
  options.size = config.preprocessing.crop;
  if (!*options.batch_given) options.batch_size = config.micro_batch > 0 ? config.micro_batch : config.batch_size;
}

void print_plan(const Options& options) {
  const NetworkConfig& net = options.network;
  std::cout << name_of(net.method) << ", " << net.arch << ", width " << number_text(net.width) << ", map stride "
            << net.map_stride << ", " << net.classes << " classes, pictures of " << options.size << "x" << options.size
            << "\n\n";
  std::cout << std::left;
  const auto row = [](const auto& layer, const auto& shape, const auto& batch, const auto& pass, const auto& plan) {
    std::cout << std::setw(9) << layer << std::setw(27) << shape << std::setw(7) << batch << std::setw(18) << pass
              << plan << "\n";
  };
  row("layer", "", "batch", "pass", "plan");
  const std::vector<ConvLayer> layers = conv_layers(net, options.batch_size, options.size);
  for (const ConvLayer& layer : layers)
    for (const ConvPass pass : {ConvPass::forward, ConvPass::backward_data, ConvPass::backward_weights}) {
      // Nobody wants the gradient of the pictures.
      if (pass == ConvPass::backward_data && &layer == &layers.front()) continue;
      row(layer.name, shape_text(layer.geometry), layer.geometry.batch, name_of(pass),
          describe(conv2d_plan(layer.geometry, pass)));
    }
  std::cout << "\nThe plan is a rule of the shape and of nothing else, so results repeat bit for bit on any machine of "
               "the same SIMD level.\n";
}

// Settings of a network mean nothing without --plan, and a file brings its own.
void add_plan_options(CLI::App& app, Options& options, CLI::Option* file) {
  CLI::Option* plan = app.add_flag("--plan", options.plan,
                                   "how each convolution is computed: of FILE's network, or of the one chosen by the "
                                   "options below, as acol bench has them");
  for (CLI::Option* option : add_network_options(app, options.network, options.size))
    option->needs(plan)->excludes(file);
  options.batch_given = app.add_option("--batch-size", options.batch_size,
                                       "pictures at once; with FILE, as many as a step of its training has")
                            ->capture_default_str()
                            ->check(at_least(1))
                            ->needs(plan);
}

}  // namespace

Command add_info(CLI::App& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("info", "what this program and machine are, or what a model file is");
  CLI::Option* file = app->add_option("FILE", options->file, "model, as acol train writes it")->type_name("FILE");
  add_plan_options(*app, *options, file);
  add_threads_option(*app, options->compute);
  return {app, [options] {
            options->compute.use();
            if (options->plan && !options->file.empty()) use_settings_of_file(*options);
            if (options->plan)
              print_plan(*options);
            else if (options->file.empty())
              print_program();
            else
              print_model(options->file);
            return exit_done;
          }};
}

}  // namespace acol
