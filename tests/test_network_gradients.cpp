// The gradients of a whole small ACoL, made of operations, against central differences in double.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/gradient_check.h"

using namespace acol;
using namespace acol::testing;

namespace {

// A small ACoL (Zhang et al. 2018, figure 2): trunk, head A, erase by A's map, head B, CE(A) + CE(B).
struct SmallAcol {
  static constexpr int classes = 3;
  std::vector<int> labels{2, 0};
  double threshold = 0.6;
  mutable Tensor mean, variance;

  // Input 0 is the batch, the others are parameters in order of use.
  static Variables drawn(std::uint32_t seed) {
    Draw draw(seed);
    Variables v{draw.uniform({2, 9, 8, 3}), draw.uniform({4, 3, 3, 3}), draw.uniform({4}, 0.5, 1.5),
                draw.uniform({4}),          draw.uniform({5, 3, 3, 4}), draw.uniform({5})};
    for (int head = 0; head < 2; ++head)
      for (const Shape& shape : {Shape{6, 3, 3, 5}, Shape{6}, Shape{classes, 1, 1, 6}, Shape{classes}})
        v.push_back(draw.uniform(shape));
    return v;
  }

  struct Result {
    Variable loss_a, loss_b;
    Tensor heat;
  };

  Result run(const Variables& v) const {
    Conv2dOptions plain, fused;
    plain.pad = fused.pad = {1, 1};
    fused.relu = true;
    mean = Tensor::zeros({4}, v[0].dtype());
    variance = Tensor::full({4}, 1, v[0].dtype());
    Variable y = relu(batch_norm(conv2d(v[0], v[1], {}, plain), v[2], v[3], mean, variance, {true, 0.1, 1e-3}));
    y = max_pool2d(y, {{3, 3}, {2, 2}, {1, 1}});
    y = conv2d(y, v[4], v[5], fused);
    const Variable features = avg_pool2d(y, {{3, 3}, {1, 1}, {1, 1}});
    const auto head = [&](const Variable& x, std::size_t first) {
      return conv2d(conv2d(x, v[first], v[first + 1], fused), v[first + 2], v[first + 3]);
    };
    const Variable maps_a = head(features, 6);
    Result result;
    result.heat = normalized_map(maps_a.value(), labels);
    const Variable maps_b = head(erase(features, result.heat, threshold), 10);
    result.loss_a = softmax_cross_entropy(global_avg_pool(maps_a), labels);
    result.loss_b = softmax_cross_entropy(global_avg_pool(maps_b), labels);
    return result;
  }

  Variable loss(const Variables& v) const {
    const Result result = run(v);
    return add(result.loss_a, result.loss_b);
  }
};

}  // namespace

TEST_CASE("a whole small ACoL") {
  const SmallAcol net;
  Variables v = SmallAcol::drawn(101);
  const Tensor heat = net.run(v).heat;
  int erased = 0;
  for (std::int64_t i = 0; i < heat.count(); ++i) {
    REQUIRE(std::abs(heat.at(i) - net.threshold) > 1e-3);
    erased += heat.at(i) >= net.threshold;
  }
  REQUIRE(erased >= 2);
  REQUIRE(erased < heat.count() / 2);
  check_gradients([&](const Variables& in) { return net.loss(in); }, v, 60);

  // Head A learns from its own loss alone: B's does not reach it through the mask.
  for (Variable& one : v) one.clear_grad();
  net.loss(v).backward();
  Variables both;
  for (const Variable& one : v) both.push_back(Variable(one.grad()));
  for (Variable& one : v) one.clear_grad();
  net.run(v).loss_a.backward();
  for (std::size_t i = 6; i < 10; ++i) CHECK(same_numbers(v[i].grad(), both[i].value()));
  for (std::size_t i = 10; i < 14; ++i) CHECK(!v[i].grad().defined());
  CHECK(!same_numbers(v[1].grad(), both[1].value()));  // the trunk learns from both
}

TEST_CASE("a whole small ACoL in float, on every device, has the gradients of the one in double") {
  const SmallAcol net;
  Variables v = SmallAcol::drawn(101);
  net.loss(v).backward();
  for (const Device device : {Device::reference, Device::cpu}) {
    use_device(device);
    Variables f;
    for (const Variable& one : v) f.push_back(Variable(one.value().to(DType::float32), true));
    net.loss(f).backward();
    for (std::size_t i = 0; i < v.size(); ++i) {
      double largest = 0, worst = 0;
      for (std::int64_t k = 0; k < v[i].value().count(); ++k) {
        largest = std::max(largest, std::abs(v[i].grad().at(k)));
        const double off = std::abs(f[i].grad().at(k) - v[i].grad().at(k));
        if (!(off <= worst)) worst = std::isnan(off) ? std::numeric_limits<double>::infinity() : off;
      }
      CAPTURE(i);
      CHECK(largest > 0);
      CHECK(worst <= 1e-5 * std::max(largest, 0.1));
    }
  }
  use_device(Device::cpu);
}
