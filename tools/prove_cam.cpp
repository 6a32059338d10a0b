// acol prove-cam: the two ways to compute CAM give the same maps and logits (ACoL, section 3.1), measured.
#include <algorithm>
#include <array>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <limits>
#include <memory>
#include <utility>

#include "acol/data/image.h"
#include "acol/data/transform.h"
#include "autograd/ops.h"
#include "command.h"
#include "interrupt.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

struct Options {
  fs::path model, image;
  ComputeOptions compute;
};

struct Difference {
  double largest = 0;   // of |a - b|
  double relative = 0;  // that, as a share of the largest |a|
};

Difference difference(const Tensor& left, const Tensor& right) {
  const Tensor a = left.to_host(), b = right.to_host();
  check(a.shape() == b.shape(), "prove-cam: shapes ", a.shape().str(), " and ", b.shape().str());
  Difference result;
  double magnitude = 0;
  for (std::int64_t i = 0; i < a.count(); ++i) {
    const double gap = std::abs(a.at(i) - b.at(i));
    // A NaN is a difference.
    result.largest = std::isnan(gap) ? std::numeric_limits<double>::infinity() : std::max(result.largest, gap);
    magnitude = std::max(magnitude, std::abs(a.at(i)));
  }
  result.relative = magnitude > 0 ? result.largest / magnitude : result.largest;
  return result;
}

Variable absolute(const Variable& x) {
  Tensor value = x.value().clone();
  value.change_on_host([](Tensor& host) {
    for (std::int64_t i = 0; i < host.count(); ++i) host.set(i, std::abs(host.at(i)));
  });
  return Variable(value);
}

struct Comparison {
  Difference maps, logits;
  // What rounding can explain. Both forms add the same products w f in another order: C of them and a bias for a value
  // of the map, P Q such values for a logit. A sum of n terms computed in any order is within (n - 1) u sum |terms| of
  // the true one, in first order of the unit roundoff u (N. Higham, "Accuracy and Stability of Numerical Algorithms",
  // section 4.2); the products and the division add a few u more. Twice that, since two sums are compared.
  double bound = 0;
  bool finite() const { return std::isfinite(maps.largest + logits.largest + bound); }
  bool holds() const { return finite() && maps.largest <= bound && logits.largest <= bound; }
};

// `features`: what the last layer of branch A sees, (1, P, Q, C).
Comparison compare(const Tensor& features, Conv2d& last, DType dtype) {
  stop_if_interrupted();
  last.convert(dtype);
  const Variable hidden(features.to(dtype));
  const CamResult convolution = cam_by_convolution(hidden, last);
  const CamResult fully_connected = cam_by_fully_connected(hidden, last);

  const Tensor magnitudes = conv2d(absolute(hidden), absolute(last.weight()), absolute(last.bias()))
                                .value();  // sum |w f| + |b| at each place
  double largest = 0;
  for (std::int64_t i = 0; i < magnitudes.count(); ++i) largest = std::max(largest, magnitudes.at(i));
  const Shape& shape = hidden.shape();
  const double terms = static_cast<double>(shape[3]) + 1 + static_cast<double>(shape[1]) * shape[2] + 3;
  const double unit = dtype == DType::float64 ? 0x1p-53 : 0x1p-24;
  return {difference(convolution.maps.value(), fully_connected.maps.value()),
          difference(convolution.logits.value(), fully_connected.logits.value()), 2 * terms * unit * largest};
}

int run_prove_cam(const Options& options) {
  options.compute.use();
  const Model model = load_model(options.model);
  const int side = model.config.preprocessing.crop;
  Tensor input = Tensor::empty_on_host({1, side, side, 3});
  test_input(read_image(options.image), model.config.preprocessing, input.f32());

  // The two forms part only after the last features, so these are computed once.
  const NoGrad no_grad;
  const Variable smoothed = model.network->features(Variable(input.to_device()));
  stop_if_interrupted();
  ClassifierHead& head = model.network->head_a();
  const Tensor features = head.hidden(smoothed).value();
  const std::array results{std::pair{"float32", compare(features, head.last(), DType::float32)},
                           std::pair{"float64", compare(features, head.last(), DType::float64)}};
  for (const auto& [name, result] : results)
    check(result.finite(), "prove-cam: the maps of ", options.model.string(), " on ", options.image.string(),
          " are not finite in ", name, ": the weights are damaged, or training diverged");

  std::cout << "CAM in two forms on branch A of " << options.model.string() << " and " << options.image.string() << "\n"
            << "  1x1 convolution:  map = w f + b at each place, logit = mean of the map\n"
            << "  fully connected:  logit = w mean(f) + b, then map = w f + b with the layer's weights\n"
            << "They are equal because a mean of sums is the sum of the means; only the order of additions differs.\n\n"
            << "                     maps                    logits              rounding\n"
            << "           largest   relative      largest   relative      explains up to\n";
  bool holds = true;
  for (const auto& [name, result] : results) {
    holds = holds && result.holds();
    std::cout << std::left << std::setw(8) << name << std::right << std::scientific << std::setprecision(2) << "  "
              << result.maps.largest << "   " << result.maps.relative << "     " << result.logits.largest << "   "
              << result.logits.relative << "            " << result.bound << (result.holds() ? "" : "   EXCEEDED")
              << "\n";
  }
  std::cout << "\n" << (holds ? "The two are the same up to rounding.\n" : "The two differ by more than rounding.\n");
  return holds ? exit_done : exit_failure;
}

}  // namespace

Command add_prove_cam(CLI::App& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* app =
      program.add_subcommand("prove-cam", "show that the two forms of CAM are one, with the measured difference");
  app->add_option("--model", options->model, "model, as acol train writes it")->required()->type_name("FILE");
  app->add_option("IMAGE", options->image, "picture")->required()->type_name("FILE");
  add_threads_option(*app, options->compute);
  add_device_options(*app, options->compute);
  app->footer(
      "Computes what the last layer of branch A sees, then maps and logits from it both ways, in float32 and in\n"
      "float64. Exit status 1 if they differ by more than rounding explains, or are not finite.");
  return {app, [options] { return run_prove_cam(*options); }};
}

}  // namespace acol
