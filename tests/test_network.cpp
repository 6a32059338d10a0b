// The whole network: its gradient by central differences, what the erase lets through, the two forms of CAM, folding,
// dropout and initialisation.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "acol/network/network.h"
#include "acol/train/trainer.h"
#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "layers/activation.h"
#include "tests/golden_file.h"
#include "tests/small_network.h"

using namespace acol;
using namespace acol::testing;

namespace {

// The network's loss as a function of all its parameters, compared with central differences at a few elements of each.
void check_whole_gradient(const NetworkConfig& config, std::uint32_t seed) {
  INFO(config.arch, " ", std::string(name_of(config.method)), " stride ", config.map_stride);
  Network network(config);
  randomise(network, seed);
  network.convert(DType::float64);
  const Tensor images = pictures(seed);

  // The mask must be the same for the moved weights, or the loss jumps: no heat near the threshold.
  if (network.has_branch_b()) {
    const NoGrad no_grad;
    const Tensor heat = normalized_map(network.branch_a(network.features(Variable(images))).maps.value(), labels);
    std::int64_t erased = 0;
    for (std::int64_t i = 0; i < heat.count(); ++i) {
      CHECK(std::abs(heat.at(i) - config.erase_threshold) > 1e-3);
      erased += heat.at(i) >= config.erase_threshold;
    }
    CHECK(erased >= 2);
    CHECK(erased < heat.count());
  }

  std::vector<Variable> parameters;
  for (const NamedParameter& parameter : network.parameters()) parameters.push_back(parameter.variable);
  const auto loss = [&](const std::vector<Variable>&) { return losses_of(network, images).total; };
  const GradcheckResult result = gradcheck(loss, parameters, 1e-6, 6);
  INFO(result.where);
  CHECK(result.worst_error <= 1e-8);  // rounding: 1e-16 x loss / step = 1e-10; curvature: step^2

  for (const NamedParameter& parameter : network.parameters()) {
    const bool before_norm =
        config.arch.ends_with("_bn") && parameter.name.starts_with("features.") && parameter.name.ends_with(".bias");
    INFO(parameter.name);
    if (!before_norm) CHECK(distance(parameter.variable.grad()) > 1e-3);
  }
}

}  // namespace

TEST_CASE("the gradient of the whole network is that of central differences") {
  check_whole_gradient(small_config(), 1);
  check_whole_gradient(small_config("vgg11_bn"), 22);
  NetworkConfig coarse = small_config("vgg13");
  coarse.map_stride = 16;
  check_whole_gradient(coarse, 3);
  check_whole_gradient(small_config("vgg11", Method::cam), 4);
}

TEST_CASE("the loss of B sends no gradient through the mask into classifier A") {
  Network network(small_config());
  randomise(network, 6);
  network.convert(DType::float64);
  StepLosses losses = losses_of(network, pictures());
  losses.loss_b.backward();
  for (const NamedParameter& parameter : network.parameters()) {
    INFO(parameter.name);
    if (parameter.name.starts_with("classifier_a."))
      CHECK_FALSE(parameter.variable.grad().defined());
    else
      CHECK(distance(parameter.variable.grad()) > 1e-4);
  }
  // And rightly so: a small change of A leaves B's loss as it was, to the bit.
  Tensor& bias = parameter_of(network, "classifier_a.0.bias").value();
  bias.set(0, bias.at(0) + 1e-6);
  const StepLosses moved = losses_of(network, pictures());
  CHECK(moved.loss_a.value().at(0) != losses.loss_a.value().at(0));
  CHECK(same_bits(moved.loss_b.value(), losses.loss_b.value()));
}

TEST_CASE("nothing of branch B's gradient reaches an erased pixel, and all of it the others") {
  Network network(small_config());
  randomise(network, 7);
  network.convert(DType::float64);
  Variable features(random_tensor({2, 5, 4, 12}, 8), true);
  Tensor heat = Tensor::zeros({2, 5, 4}, DType::float64);
  for (const std::int64_t pixel : {0, 7, 13, 39}) heat.set(pixel, 0.6);  // the threshold itself is erased
  heat.set(8, 0.6 - 1e-12);                                              // just below it is not
  Variable loss = softmax_cross_entropy(network.branch_b(features, heat).logits, labels);
  loss.backward();
  for (std::int64_t pixel = 0; pixel < 40; ++pixel) {
    INFO("pixel ", pixel);
    double sum = 0;
    for (int c = 0; c < 12; ++c) sum += std::abs(features.grad().at(pixel * 12 + c));
    CHECK((sum > 0) == (heat.at(pixel) < 0.6));
  }
  NetworkConfig cam = small_config("vgg11", Method::cam);
  CHECK_THROWS_AS(Network(cam).branch_b(features, heat), Error);
}

TEST_CASE("a constant map erases nothing and makes no NaN") {
  for (const double threshold : {0.6, 0.0}) {
    INFO("threshold ", threshold);
    NetworkConfig config = small_config();
    config.erase_threshold = threshold;
    Network network(config);
    randomise(network, 9);
    network.convert(DType::float64);
    parameter_of(network, "classifier_a.4.weight").value().fill(0);
    StepLosses losses = losses_of(network, pictures());
    CHECK(std::isfinite(losses.loss_a.value().at(0)));
    CHECK(std::isfinite(losses.loss_b.value().at(0)));
    losses.total.backward();
    for (const NamedParameter& parameter : network.parameters()) {
      INFO(parameter.name);
      CHECK(distance(parameter.variable.grad()) < 1e6);  // NaN is not
    }
    // Threshold 0 erases all by definition; B then answers the same for every picture.
    const NoGrad no_grad;
    const Variable features = network.features(Variable(pictures()));
    const Tensor none = Tensor::zeros({2, 3, 3}, DType::float64);
    const Tensor logits = network.branch_b(features, none).logits.value();
    CHECK((std::abs(logits.at(0) - logits.at(4)) > 1e-6) == (threshold > 0));
  }
}

TEST_CASE("erasing by A's answer cuts another hole than erasing by the label") {
  Network network(small_config());
  randomise(network, 10);
  network.convert(DType::float64);
  const Tensor logits = losses_of(network, pictures()).logits_a;
  std::vector<int> answers, others;
  for (int n = 0; n < 2; ++n) {
    int best = 0;
    for (int k = 1; k < 4; ++k)
      if (logits.at(n * 4 + k) > logits.at(n * 4 + best)) best = k;
    answers.push_back(best);
    others.push_back((best + 1) % 4);
  }
  const auto loss_b = [&](const std::vector<int>& truth, EraseLabel erase_label) {
    return forward_losses(network, pictures(), truth, erase_label, true).loss_b.value();
  };
  CHECK(same_bits(loss_b(answers, EraseLabel::truth), loss_b(answers, EraseLabel::predicted)));
  CHECK_FALSE(same_bits(loss_b(others, EraseLabel::truth), loss_b(others, EraseLabel::predicted)));
}

TEST_CASE("both forms of CAM give the same maps, logits and gradients") {
  NetworkConfig config = small_config();
  Network convolution(config);
  config.cam_form = CamForm::fully_connected;
  Network connected(config);
  for (Network* network : {&convolution, &connected}) {
    randomise(*network, 11);
    network->convert(DType::float64);
  }
  const Network::Branch a = convolution.branch_a(convolution.features(Variable(pictures())));
  const Network::Branch b = connected.branch_a(connected.features(Variable(pictures())));
  CHECK(same_bits(a.maps.value(), b.maps.value()));
  CHECK(relative_distance(a.logits.value(), b.logits.value()) <= 1e-14);
  CHECK(distance(a.logits.value()) > 0.1);
  // The second form's two steps: means through a linear layer, whose weights then weigh the features.
  softmax_cross_entropy(a.logits, labels).backward();
  softmax_cross_entropy(b.logits, labels).backward();
  const std::vector<NamedParameter> first = convolution.parameters(), second = connected.parameters();
  for (std::size_t i = 0; i < first.size(); ++i) {
    INFO(first[i].name);
    if (first[i].name.starts_with("classifier_b.")) continue;
    CHECK(relative_distance(first[i].variable.grad(), second[i].variable.grad()) <= 1e-12);
  }
}

TEST_CASE("the network with batch norm folded in is the same function") {
  // In float32 the rounding of 11 layers of at most 216 terms: sqrt(11 x 216) 2^-24 = 3e-6, relative in the L2 norm.
  for (const auto& [this_dtype, tolerance] : {std::pair{DType::float64, 1e-13}, std::pair{DType::float32, 3e-6}}) {
    const DType dtype = this_dtype;  // a lambda needs it, and Clang 14 captures no binding
    Network network(small_config("vgg11_bn"));
    randomise(network, 14);
    network.convert(dtype);
    CHECK_THROWS_AS(network.fold_batch_norm(), Error);  // in training mode
    network.set_training(false);
    const NoGrad no_grad;
    const auto maps = [&] {
      const Variable features = network.features(Variable(pictures(1, dtype)));
      const Tensor heat = Tensor::zeros({2, 3, 3}, dtype);
      return std::pair{network.branch_a(features).maps.value(), network.branch_b(features, heat).maps.value()};
    };
    const auto before = maps();
    network.fold_batch_norm();
    CHECK(network.buffers().empty());
    const auto after = maps();
    CHECK(relative_distance(after.first, before.first) <= tolerance);
    CHECK(relative_distance(after.second, before.second) <= tolerance);
    CHECK_FALSE(same_bits(after.first, before.first));
  }
}

TEST_CASE("dropout acts in training alone, as a function of seed and step, and differs by layer") {
  NetworkConfig config = small_config();
  Network plain(config);
  config.dropout = 0.5;
  config.erase_threshold = 1;
  Network network(config);
  for (Network* each : {&plain, &network}) randomise(*each, 15);
  const Variable images(pictures(1, DType::float32));
  const NoGrad no_grad;
  CHECK_THROWS_AS(network.forward(images), Error);  // no step was set
  const auto logits = [&](std::uint64_t seed, std::uint32_t step) {
    set_dropout_draw(network, seed, step);
    return network.forward(images).value();
  };
  CHECK(same_bits(logits(1, 5), logits(1, 5)));
  CHECK_FALSE(same_bits(logits(1, 5), logits(1, 6)));
  CHECK_FALSE(same_bits(logits(1, 5), logits(2, 5)));

  // With A's weights and nothing erased, B differs only by what it drops.
  for (const char* layer : {"0", "2", "4"})
    for (const char* kind : {".weight", ".bias"}) {
      const std::string name = std::string(layer) + kind;
      parameter_of(network, "classifier_b." + name)
          .value()
          .copy_from(parameter_of(network, "classifier_a." + name).value());
    }
  const Variable features = network.features(images);
  const Tensor heat = Tensor::zeros({2, 3, 3});
  CHECK_FALSE(same_bits(network.branch_a(features).maps.value(), network.branch_b(features, heat).maps.value()));
  network.set_training(false);
  CHECK(same_bits(network.branch_a(features).maps.value(), network.branch_b(features, heat).maps.value()));
  CHECK(same_bits(network.forward(images).value(), plain.forward(images).value()));
}

TEST_CASE("the two dropouts of a classifier draw apart") {
  NetworkConfig config = small_config();
  config.dropout = 0.5;
  Network network(config);
  network.convert(DType::float64);  // the plain loops, which give whole numbers exactly
  // The first convolution makes ones, the second hands them on: what is left passed both dropouts.
  parameter_of(network, "classifier_a.0.weight").value().fill(0);
  parameter_of(network, "classifier_a.0.bias").value().fill(1);
  Tensor identity = parameter_of(network, "classifier_a.2.weight").value();  // (24, 3, 3, 24)
  identity.fill(0);
  for (int c = 0; c < 24; ++c) identity.set((c * 9 + 4) * 24 + c, 1);
  set_dropout_draw(network, 3, 1);
  const NoGrad no_grad;
  const Tensor hidden = network.head_a().hidden(Variable(Tensor::zeros({2, 5, 5, 12}, DType::float64))).value();
  double kept = 0;
  for (std::int64_t i = 0; i < hidden.count(); ++i) {
    CHECK((hidden.at(i) == 0 || hidden.at(i) == 4));
    kept += hidden.at(i) == 4;
  }
  // A quarter of 1200, with a deviation of 15; a half if both drew alike.
  CHECK(std::abs(kept - 300) <= 75);
}

TEST_CASE("initialisation repeats by seed, and layers draw apart") {
  NetworkConfig config = small_config("vgg16_bn");
  config.width = 1.0 / 8;
  Network network(config), again(config), other(config);
  network.initialise(Initialiser::he, 1);
  again.initialise(Initialiser::he, 1);
  other.initialise(Initialiser::he, 2);
  const std::vector<NamedParameter> parameters = network.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::string& name = parameters[i].name;
    const Tensor& w = parameters[i].variable.value();
    INFO(name);
    CHECK(same_bits(w, again.parameters()[i].variable.value()));
    if (w.shape().rank() != 4) {
      CHECK(same_bits(w, Tensor::full(w.shape(), name.ends_with(".weight") ? 1 : 0)));
      continue;
    }
    CHECK_FALSE(same_bits(w, other.parameters()[i].variable.value()));
    for (std::size_t j = 0; j < i; ++j)
      if (parameters[j].variable.shape() == w.shape()) CHECK_FALSE(same_bits(parameters[j].variable.value(), w));
    // Deviation sqrt(2 / fan in); of n normal draws it is known to 1 / sqrt(2 n). Five of these.
    const double want = std::sqrt(2.0 / (w.count() / w.shape()[0])), n = static_cast<double>(w.count());
    CHECK(std::abs(distance(w) / std::sqrt(n) / want - 1) <= 5 / std::sqrt(2 * n));
  }
  network.initialise(Initialiser::xavier, 1);
  const Tensor w = parameter_of(network, "classifier_b.2.weight").value();
  const double bound = std::sqrt(6.0 / (9 * 128 + 9 * 128));
  double largest = 0;
  for (std::int64_t i = 0; i < w.count(); ++i) largest = std::max(largest, std::abs(w.at(i)));
  CHECK(largest <= bound);
  CHECK(largest > 0.999 * bound);
}
