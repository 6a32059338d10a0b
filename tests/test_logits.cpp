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
#include "tests/golden_file.h"
#include "tests/small_network.h"

using namespace acol;
using namespace acol::testing;

namespace {

// Both branches of a training step, with the maps of all classes or, as training has it, without.
struct Branches {
  Variable logits_a, logits_b;  // B's undefined for a network without it
  Tensor heat;

  // Backward gives gradients to all that the logits depend on.
  Variable sum() const { return logits_b.defined() ? add(logits_a, logits_b) : logits_a; }
};

Branches branches_of(Network& network, const Tensor& images, const std::vector<int>& truth, EraseLabel erase_label,
                     bool with_maps) {
  const Variable features = network.features(Variable(images));
  Branches result;
  Tensor maps, hidden;
  if (with_maps) {
    const Network::Branch a = network.branch_a(features);
    result.logits_a = a.logits;
    maps = a.maps.value();
  } else {
    const Variable seen = network.hidden_a(features);
    result.logits_a = network.logits_a(seen);
    hidden = seen.value();
  }
  const std::vector<int> holes = erase_label == EraseLabel::truth ? truth : acol::answers(result.logits_a.value());
  result.heat = with_maps ? normalized_map(maps, holes) : normalized_map(network.map_a(hidden, holes));
  if (network.has_branch_b())
    result.logits_b =
        with_maps ? network.branch_b(features, result.heat).logits : network.logits_b(features, result.heat);
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
  // Roundings are a random walk. The two part at the last layer: 24 terms a sum and 6 pixels a mean, in another order;
  // then both go the same 10 layers back, whose longest sums are the weights' gradients over 2 x 22 x 17 pixels. In
  // double the same gives 9e-16 and 1.4e-14; what is below is rounder, and holds for batch norm's differences, too.
  const bool is_double = dtype == DType::float64;
  const double forward = is_double ? 1e-13 : std::sqrt(2 * (24.0 + 6)) * 0x1p-24;
  const double backward = is_double ? 1e-12 : std::sqrt(2 * 10.0 * 2 * 22 * 17) * 0x1p-24;

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

  const auto run = [&](bool with_maps) { return branches_of(network, images, truth, form.erase_label, with_maps); };
  const Branches want = run(true), got = run(false);
  CHECK(relative_distance(got.logits_a.value(), want.logits_a.value()) <= forward);
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
  const Branches again = run(true);
  const bool certain = form.classes == 1;
  const auto check_loss = [&](const Variable& loss, const Variable& logits) {
    const Tensor expected = softmax_cross_entropy(logits, truth).value();
    CHECK(distance(loss.value(), expected) <= forward * distance(expected));
    CHECK((distance(expected) > 0.1) == !certain);
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
