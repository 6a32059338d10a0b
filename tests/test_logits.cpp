// A training step takes the means before the last convolution and makes no maps of all classes; evaluation makes the
// maps and takes their means. The two are held together here, number by number.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "acol/evaluate/class_maps.h"
#include "acol/network/network.h"
#include "acol/train/trainer.h"
#include "autograd/ops.h"
#include "layers/activation.h"
#include "tests/compare.h"
#include "tests/golden_file.h"
#include "tests/small_network.h"

using namespace acol;
using namespace acol::testing;

namespace {

// Both branches of a training step, with the maps of all classes or, as training has it, without.
struct Branches {
  Variable logits_a, logits_b;  // B's undefined for a network without it
  Tensor map, heat;             // (N, P, Q): what cuts the hole, before and after min-max

  // Backward gives gradients to all that the logits depend on.
  Variable sum() const { return logits_b.defined() ? add(logits_a, logits_b) : logits_a; }
};

// Channel labels[n] of image n.
Tensor channels_of(const Tensor& maps, const std::vector<int>& labels) {
  const Shape& s = maps.shape();
  Tensor map = Tensor::empty({s[0], s[1], s[2]}, maps.dtype());
  const std::int64_t pixels = std::int64_t{s[1]} * s[2];
  for (std::int64_t i = 0; i < map.count(); ++i)
    map.set(i, maps.at(i * s[3] + labels.at(static_cast<std::size_t>(i / pixels))));
  return map;
}

Branches with_maps(Network& network, const Tensor& images, const std::vector<int>& truth, EraseLabel erase_label) {
  const Variable features = network.features(Variable(images));
  const Network::Branch a = network.branch_a(features);
  const std::vector<int> holes = erase_label == EraseLabel::truth ? truth : answers(a.logits.value());
  Branches result{a.logits, {}, channels_of(a.maps.value(), holes), normalized_map(a.maps.value(), holes)};
  if (network.has_branch_b()) result.logits_b = network.branch_b(features, result.heat).logits;
  return result;
}

Branches without_maps(Network& network, const Tensor& images, const std::vector<int>& truth, EraseLabel erase_label) {
  const Variable features = network.features(Variable(images));
  const Variable hidden = network.hidden_a(features), logits = network.logits_a(hidden);
  const std::vector<int> holes = erase_label == EraseLabel::truth ? truth : answers(logits.value());
  const Tensor map = network.map_a(hidden.value(), holes);
  Branches result{logits, {}, map, normalized_map(map)};
  if (network.has_branch_b()) result.logits_b = network.logits_b(features, result.heat);
  return result;
}

// The gradients of all parameters after backward() from `y`.
std::vector<Tensor> gradients_of(const Network& network, Variable y) {
  std::vector<Tensor> result;
  for (NamedParameter& parameter : network.parameters()) parameter.variable.clear_grad();
  y.backward(random_tensor(y.shape(), 77, y.dtype()));
  for (NamedParameter& parameter : network.parameters()) result.push_back(parameter.variable.grad_or_zeros().clone());
  return result;
}

struct Form {
  std::string arch;
  Method method;
  CamForm cam_form;
  EraseLabel erase_label;
  int classes;
};

void check_folded(const Form& form, DType dtype) {
  const std::string name = message(
      form.arch, " ", name_of(form.method), " ", name_of(form.cam_form), ", ", form.classes, " classes, erase by ",
      form.erase_label == EraseLabel::truth ? "truth" : "answer", dtype == DType::float64 ? ", double" : ", float");
  CAPTURE(name);
  // Relative in the L2 norm. The two part at the last layer: 24 terms a sum and 6 pixels a mean, in another order. Then
  // both go the same 10 layers back: sums of 9 x 24 terms and Winograd's transforms (32 roundings), at last the sum of
  // a weight's gradient over 2 x 22 x 17 pixels. Twice, since both err. In double the same gives 4e-15 and 4e-14; what
  // is below is rounder, and holds for batch norm's differences, too.
  const bool is_double = dtype == DType::float64;
  const double forward = is_double ? 1e-13 : float_error(2 * (24 + 6), 1);
  const double backward = is_double ? 1e-12 : float_error(2 * (10 * (9 * 24 + 32) + 2 * 22 * 17), 1);

  NetworkConfig config = small_config(form.arch, form.method);
  config.cam_form = form.cam_form;
  config.classes = form.classes;
  config.dropout = 0.3;
  Network network(config);
  randomise(network, 12);
  network.convert(dtype);
  set_dropout_draw(network, 4, 2);
  const Tensor images = pictures(1, dtype);
  // The wrong ones, where there are any, so that it matters which label erases.
  std::vector<int> truth;
  {
    const NoGrad no_grad;
    for (const int answer : answers(network.forward(Variable(images)).value()))
      truth.push_back((answer + 1) % form.classes);
  }

  const auto expected = [&] { return with_maps(network, images, truth, form.erase_label); };
  const Branches want = expected(), got = without_maps(network, images, truth, form.erase_label);
  CHECK(relative_distance(got.logits_a.value(), want.logits_a.value()) <= forward);
  CHECK(relative_distance(got.map, want.map) <= forward);
  // Min-max divides by the map's range, which is smaller than its magnitude: at most ten times here.
  CHECK(relative_distance(got.heat, want.heat) <= 10 * forward);
  for (std::int64_t i = 0; i < want.heat.count(); ++i) CHECK(std::abs(want.heat.at(i) - config.erase_threshold) > 1e-3);
  if (network.has_branch_b()) CHECK(relative_distance(got.logits_b.value(), want.logits_b.value()) <= forward);

  const auto compare = [&](const Variable& folded, const Variable& unfolded, bool all_zero) {
    const std::vector<Tensor> left = gradients_of(network, folded), right = gradients_of(network, unfolded);
    const std::vector<NamedParameter> parameters = network.parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const std::string& parameter = parameters[i].name;
      CAPTURE(parameter);
      const double size = distance(right[i]);
      // A bias has a weight in front of it. Its gradient is a sum that may cancel (before batch norm it always does),
      // to be measured by the terms in it, of which the weight's gradient tells the size.
      const double terms = parameter.ends_with(".bias") ? std::max(size, distance(right[i - 1])) : size;
      CHECK((terms > 1e-4) == !all_zero);
      CHECK(distance(left[i], right[i]) <= backward * terms);
    }
  };
  compare(got.sum(), want.sum(), false);

  // And so the losses of a step. One class is certain, whatever the logits: no loss, no gradient.
  const StepLosses losses = forward_losses(network, images, truth, form.erase_label, network.has_branch_b());
  const Branches again = expected();
  const bool certain = form.classes == 1;
  const auto check_loss = [&](const Variable& loss, const Variable& logits) {
    const Tensor by_maps = softmax_cross_entropy(logits, truth).value();
    CHECK(distance(loss.value(), by_maps) <= forward * distance(by_maps));
    CHECK((distance(by_maps) > 0.1) == !certain);
  };
  CHECK(relative_distance(losses.logits_a, want.logits_a.value()) <= forward);
  check_loss(losses.loss_a, again.logits_a);
  Variable total = softmax_cross_entropy(again.logits_a, truth);
  if (network.has_branch_b()) {
    check_loss(losses.loss_b, again.logits_b);
    total = add(total, softmax_cross_entropy(again.logits_b, truth));
  }
  compare(losses.total, total, certain);
}

}  // namespace

TEST_CASE("training without maps has the logits, losses, heats and gradients of training with them") {
  struct Case {
    const char* arch;
    DType dtype;
  };
  // Not batch norm in float: its gradient is a difference, which leaves fewer digits than are computed with.
  for (const Case& one : {Case{"vgg11", DType::float64}, {"vgg11", DType::float32}, {"vgg11_bn", DType::float64}})
    for (const CamForm cam_form : {CamForm::convolution, CamForm::fully_connected})
      for (const int classes : {4, 1}) {
        for (const EraseLabel erase_label : {EraseLabel::truth, EraseLabel::predicted})
          check_folded({one.arch, Method::acol, cam_form, erase_label, classes}, one.dtype);
        check_folded({one.arch, Method::cam, cam_form, EraseLabel::truth, classes}, one.dtype);
      }
}
