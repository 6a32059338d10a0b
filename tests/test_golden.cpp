// The whole network against PyTorch: maps, losses, every gradient and ten training steps, from stored weights and
// pictures (tools/golden/make_torch_goldens.py, which also says how the seeds keep every comparison inside far from a
// tie).
#include <doctest/doctest.h>

#include "acol/train/model.h"
#include "acol/train/trainer.h"
#include "autograd/ops.h"
#include "layers/optimizer.h"
#include "tests/compare.h"
#include "tests/golden_file.h"

using namespace acol;
using namespace acol::testing;

namespace {

// The maker's settings.
constexpr double width = 3.0 / 128, rate = 2e-3;
constexpr int classes = 5, steps = 10;

struct Setting {
  std::string name;
  Method method;
  std::string arch;
};
const Setting settings[] = {{"vgg16_acol", Method::acol, "vgg16"},
                            {"vgg11_bn_acol", Method::acol, "vgg11_bn"},
                            {"vgg16_cam", Method::cam, "vgg16"}};

// How far results may be off, relative in the L2 norm.
//
// One layer sums `terms` products; its roundings are a random walk of sqrt(terms) roundings, and those of `layers`
// layers in a row add up the same way: sqrt(layers) sqrt(terms) rounding. Forward: at most 17 layers, whose longest
// sums have 9 x 24 terms. Gradients: back through them again, and at the end a sum over the 3 x 28 x 20 pixels.
// (PyTorch's own float32 is off by 4e-7 and 2e-6.) In float64 the same with 2^-53 gives 7e-15 and 3e-14; what is below
// is rounder.
struct Tolerances {
  double forward, gradient, rounding_unit;
};
Tolerances tolerances(DType dtype) {
  if (dtype == DType::float64) return {1e-13, 1e-12, 0x1p-53};
  return {std::sqrt(17.0 * 9 * 24) * rounding, std::sqrt(34.0 * 3 * 28 * 20) * rounding, rounding};
}

NetworkConfig network_config(const Setting& setting) {
  NetworkConfig config;
  config.method = setting.method;
  config.arch = setting.arch;
  config.width = width;
  config.classes = classes;
  return config;
}

// From the file, as a torchvision weight file.
std::unique_ptr<Network> network_from(const Setting& setting, const NetworkConfig& config, DType dtype) {
  auto network = std::make_unique<Network>(config);
  const WeightsReport report = load_pretrained(*network, golden_path(setting.name));
  CHECK(report.kept.empty());
  CHECK(report.loaded.size() == network->parameters().size() + network->buffers().size());
  network->convert(dtype);
  return network;
}

bool is_batch_normed_bias(const Setting& setting, const std::string& name, const Golden& golden) {
  if (!setting.arch.ends_with("_bn") || !name.starts_with("features.") || !name.ends_with(".bias")) return false;
  return golden[name.substr(0, name.size() - 4) + "weight"].shape().rank() == 4;
}

std::string weight_of(const std::string& bias) { return bias.substr(0, bias.size() - 4) + "weight"; }

void check_forward(const Setting& setting, const Golden& golden, const std::string& prefix, Network& network,
                   DType dtype) {
  INFO(prefix);
  const double tolerance = tolerances(dtype).forward;
  const NoGrad no_grad;
  const Variable features = network.features(Variable(golden["images"].to(dtype)));
  const Network::Branch a = network.branch_a(features);
  CHECK(relative_distance(a.maps.value(), golden[prefix + "maps_a"]) <= tolerance);
  const Tensor heat = normalized_map(a.maps.value(), golden.labels("labels"));
  // Min-max divides by the map's range, which is smaller than its magnitude: at most ten times here.
  CHECK(relative_distance(heat, golden[prefix + "heat"]) <= 10 * tolerance);
  if (setting.method == Method::cam) return;
  CHECK(relative_distance(network.branch_b(features, heat).maps.value(), golden[prefix + "maps_b"]) <= tolerance);
}

StepLosses losses_of(const Setting& setting, const Golden& golden, Network& network, DType dtype) {
  return forward_losses(network, golden["images"].to(dtype), golden.labels("labels"), EraseLabel::truth,
                        setting.method == Method::acol);
}

void check_gradients(const Setting& setting, const Golden& golden, Network& network, DType dtype) {
  const Tolerances allowed = tolerances(dtype);
  StepLosses losses = losses_of(setting, golden, network, dtype);
  CHECK(relative_distance(losses.logits_a, golden["logits_a"]) <= allowed.forward);
  CHECK(relative_distance(losses.loss_a.value(), golden["loss_a"]) <= allowed.forward);
  if (setting.method == Method::acol)
    CHECK(relative_distance(losses.loss_b.value(), golden["loss_b"]) <= allowed.forward);
  losses.total.backward();
  for (const NamedParameter& parameter : network.parameters()) {
    const std::string& name = parameter.name;
    INFO("gradient of ", name);
    // A bias in front of batch norm has no effect: its gradient is a sum that cancels to rounding errors, to be
    // measured by the terms in it, of which the weight's gradient tells the size.
    const bool cancels = is_batch_normed_bias(setting, name, golden);
    const Tensor want = golden.parameter("grad/" + name);
    const double scale = distance(cancels ? golden["grad/" + weight_of(name)] : want);
    CHECK(scale > 1e-4);
    CHECK(distance(parameter.variable.grad(), want) <= allowed.gradient * scale);
  }
}

void check_steps(const Setting& setting, const Golden& golden, Network& network, DType dtype) {
  const Golden after(setting.name + "_steps");
  const Tolerances allowed = tolerances(dtype);
  Sgd optimizer(parameter_groups(network, TrainConfig{}), {.momentum = 0.9, .nesterov = true});
  for (int step = 0; step < steps; ++step) {
    INFO("step ", step);
    optimizer.clear_gradients();
    StepLosses losses = losses_of(setting, golden, network, dtype);
    CHECK(std::abs(losses.loss_a.value().at(0) - after["losses_a"].at(step)) <= allowed.gradient);
    if (setting.method == Method::acol)
      CHECK(std::abs(losses.loss_b.value().at(0) - after["losses_b"].at(step)) <= allowed.gradient);
    losses.total.backward();
    optimizer.step(rate);
  }
  for (const NamedParameter& parameter : network.parameters()) {
    const std::string& name = parameter.name;
    INFO("after ten steps: ", name);
    // The change is made of gradients and is as exact as they are; besides, each step rounds the weight once.
    const std::string scale_name = is_batch_normed_bias(setting, name, golden) ? weight_of(name) : name;
    const double change = distance(after["after/" + scale_name], golden[scale_name]);
    CHECK(change > 1e-4);
    const Tensor want = after.parameter("after/" + name);
    const double rounded = steps * allowed.rounding_unit * distance(want);
    CHECK(distance(parameter.variable.value(), want) <= allowed.gradient * change + rounded);
  }
  for (const NamedBuffer& buffer : network.buffers()) {
    INFO("after ten steps: ", buffer.name);
    CHECK(relative_distance(buffer.tensor, after["after/" + buffer.name]) <= allowed.gradient);
    CHECK(relative_distance(golden[buffer.name], after["after/" + buffer.name]) > 0.01);
  }
}

void check_all(DType dtype) {
  for (const Setting& setting : settings) {
    INFO(setting.name);
    const Golden golden(setting.name);
    const auto network = network_from(setting, network_config(setting), dtype);
    if (!network->buffers().empty()) {
      network->set_training(false);
      check_forward(setting, golden, "eval_", *network, dtype);
      network->set_training(true);
    }
    check_gradients(setting, golden, *network, dtype);
    // A training pass moves the running statistics, so these start from fresh ones.
    check_forward(setting, golden, "", *network_from(setting, network_config(setting), dtype), dtype);
    check_steps(setting, golden, *network_from(setting, network_config(setting), dtype), dtype);
  }
  NetworkConfig coarse = network_config(settings[0]);
  coarse.map_stride = 16;
  const auto network = network_from(settings[0], coarse, dtype);
  check_forward(settings[0], Golden(settings[0].name), "stride16_", *network, dtype);
}

}  // namespace

TEST_CASE("the maker's margins still hold") {
  for (const Setting& setting : settings) CHECK(Golden(setting.name).about().at("safety").get<double>() > 10);
}

TEST_CASE("the network in float64 is PyTorch's") { check_all(DType::float64); }

TEST_CASE("the network in float32 is PyTorch's within rounding, on the reference kernels") {
  use_device(Device::reference);
  check_all(DType::float32);
  use_device(Device::cpu);
}

// One thread for most: threads change no bit (tests of the kernels), and on a busy machine they wait for each other.
TEST_CASE("the network in float32 is PyTorch's within rounding, on the fast kernels at every level") {
  const SimdLevel level_before = simd_in_use();
  const int threads_before = omp_get_max_threads();
  omp_set_num_threads(1);
  for (const SimdLevel level : supported_levels()) {
    INFO(std::string(simd_name(level)));
    use_simd(level);
    check_all(DType::float32);
  }
  use_simd(level_before);
  omp_set_num_threads(threads_before);
  const auto network = network_from(settings[0], network_config(settings[0]), DType::float32);
  check_gradients(settings[0], Golden(settings[0].name), *network, DType::float32);
}
