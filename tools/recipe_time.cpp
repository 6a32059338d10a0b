#include "recipe_time.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>

#include "acol/evaluate/class_maps.h"
#include "acol/train/model.h"
#include "acol/train/step.h"
#include "bench.h"
#include "command.h"
#include "interrupt.h"

namespace acol {

namespace {

// Multiply-adds of a part of a batch: enough that its time says something, little enough that it takes seconds.
constexpr double work_of_part = 150e9;

double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The lesser of two runs after one that warms up: whatever else the machine does only adds.
double repeated(const std::function<void()>& body) {
  double best = std::numeric_limits<double>::infinity();
  for (int run = 0; run < 3; ++run) {
    stop_if_interrupted();
    const double seconds = seconds_of(body);
    if (run > 0) best = std::min(best, seconds);
  }
  return best;
}

}  // namespace

const PictureTimes& RecipeTimer::measured(const Recipe& recipe) {
  const TrainConfig& config = recipe.train;
  const NetworkConfig& net = config.network;
  const int side = config.preprocessing.crop;
  BenchOptions bench;
  bench.network = net;
  bench.size = side;
  const double work = static_cast<double>(Network(net).multiply_adds(side, side));
  bench.batch_size = std::clamp(static_cast<int>(work_of_part / work), 1, config.batch_size);
  const std::string key = message(name_of(net.method), " ", net.arch, " ", net.width, " ", net.map_stride, " ", side,
                                  " ", bench.batch_size);
  if (const auto found = known_.find(key); found != known_.end()) return found->second;

  Model model = bench_model(bench);
  Network& network = *model.network;
  const Tensor images = bench_images(bench);
  const std::vector<int> labels = bench_labels(bench);
  const double pictures = bench.batch_size;

  PictureTimes times;
  {
    network.set_training(true);
    TrainConfig step_config = config;
    step_config.micro_batch = 0;
    Sgd optimizer(parameter_groups(network, config), SgdOptions{config.momentum, config.nesterov});
    // With a rate of next to nothing, so that random pictures spoil no weight.
    const StepInput input{.images = images, .labels = labels, .rate = 1e-12, .use_branch_b = network.has_branch_b()};
    times.train = repeated([&] { train_step(network, optimizer, step_config, MemoryMode::plain, input); }) / pictures;
  }
  network.set_training(false);
  PassA a;
  times.pass_a = repeated([&] { a = forward_a(network, images); }) / pictures;
  times.maps = repeated([&] { class_maps(network, a, labels); }) / pictures;
  return known_[key] = times;
}

RecipeTime RecipeTimer::time(const Recipe& recipe) {
  const PictureTimes& times = measured(recipe);
  const auto train = static_cast<double>(recipe.train_pictures), test = static_cast<double>(recipe.test_pictures);
  RecipeTime result;
  result.train = recipe.train.epochs * train * times.train;
  if (recipe.best_state) result.train += recipe.train.epochs * test * (times.pass_a + times.maps);
  for (const RecipeProtocol& protocol : recipe.protocols) {
    double passes = times.pass_a + times.maps;  // the maps of the true class serve all guesses (evaluate.h)
    if (protocol.options.ten_crop != TenCrop::none) passes += 10 * times.pass_a;
    result.test += test * passes;
  }
  result.test_known = recipe.test_pictures > 0;
  return result;
}

std::string long_duration_text(double seconds) {
  constexpr double day = 86400;
  if (seconds < day) return duration_text(seconds);
  if (seconds < 365 * day) return fixed_text(seconds / day, seconds < 10 * day ? 1 : 0) + " days";
  return fixed_text(seconds / (365.25 * day), 1) + " years";
}

}  // namespace acol
