// Single operations against PyTorch in float64: outputs and all gradients (tools/golden/make_torch_op_goldens.py).
#include <doctest/doctest.h>

#include <map>

#include "autograd/ops.h"
#include "tests/compare.h"
#include "tests/golden_file.h"

using namespace acol;
using namespace acol::testing;

namespace {

using Json = nlohmann::json;

Pair pair_of(const Json& json) { return {json.at(0).get<int>(), json.at(1).get<int>()}; }

struct Case {
  const Golden& golden;
  const Json& settings;
  DType dtype;
  std::map<std::string, Variable> inputs{};  // those used, by name

  Tensor stored(const std::string& key) const {
    const std::string name = settings.at("name").get<std::string>() + "/" + key;
    return (key == "w" || key == "dw" ? golden.filter(name) : golden[name]).to(dtype);
  }
  bool has(const std::string& key) const {
    return golden.file.tensors.count(settings.at("name").get<std::string>() + "/" + key) == 1;
  }
  Variable input(const std::string& key) {
    if (!has(key)) return {};
    return inputs[key] = Variable(stored(key), true);
  }
  // The gradients are not empty before the backward pass: it must add to them.
  void check_all(Variable y, double tolerance) {
    INFO(settings.dump(), std::string(dtype == DType::float64 ? " float64" : " float32"));
    CHECK(relative_distance(y.value(), stored("y")) <= tolerance);
    for (auto& [key, input] : inputs) input.grad_or_zeros().fill(0.5);
    y.backward(stored("dy"));
    for (auto& [this_key, input] : inputs) {
      const auto& key = this_key;  // a message is a lambda, and Clang 14 captures no binding
      INFO("gradient of ", key);
      Tensor want = stored("d" + key);
      for (std::int64_t i = 0; i < want.count(); ++i) want.set(i, want.at(i) + 0.5);
      CHECK(relative_distance(input.grad(), want) <= tolerance);
    }
  }
};

Variable run(Case& c) {
  const Json& s = c.settings;
  const std::string op = s.at("op");
  const Variable x = c.input("x");
  if (op == "conv2d")
    return conv2d(x, c.input("w"), c.input("b"),
                  {.stride = pair_of(s.at("stride")),
                   .pad = pair_of(s.at("pad")),
                   .dilation = pair_of(s.at("dilation")),
                   .relu = s.at("relu").get<bool>()});
  if (op == "max_pool2d" || op == "avg_pool2d") {
    const Pool2dOptions pool{pair_of(s.at("window")), pair_of(s.at("stride")), pair_of(s.at("pad"))};
    return op == "max_pool2d" ? max_pool2d(x, pool) : avg_pool2d(x, pool, s.at("count_padding").get<bool>());
  }
  if (op == "resize") {
    const Pair size = pair_of(s.at("size"));
    return resize(x, size[0], size[1], s.at("mode") == "bilinear" ? Interpolation::bilinear : Interpolation::bicubic);
  }
  if (op == "cross_entropy") return softmax_cross_entropy(x, s.at("labels").get<std::vector<int>>());
  fail("golden ops: unknown operation ", op);
}

// Relative error of a sum of `terms` rounded products, four deviations. The longest sums here are those of dw over the
// pixels of a batch, fewer than 100; batch norm chains three of them.
double float_tolerance() { return float_error(100, 1); }

void check_cases(DType dtype, double tolerance) {
  const Golden golden("ops");
  const Json cases = golden.about().at("cases");
  std::map<std::string, int> counts;
  for (const Json& settings : cases) {
    const std::string op = settings.at("op");
    ++counts[op];
    Case c{golden, settings, dtype};
    if (op != "batch_norm") {
      c.check_all(run(c), tolerance);
      continue;
    }
    const bool training = settings.at("training");
    Tensor mean = c.stored("mean"), variance = c.stored("variance");
    const Variable y =
        batch_norm(c.input("x"), c.input("gamma"), c.input("beta"), mean, variance, {.training = training});
    c.check_all(y, tolerance);
    CHECK(relative_distance(mean, c.stored("mean_after")) <= tolerance);
    CHECK(relative_distance(variance, c.stored("variance_after")) <= tolerance);
    CHECK((distance(variance, c.stored("variance")) > 1e-3) == training);
  }
  // Nothing was left out.
  CHECK(
      counts ==
      std::map<std::string, int>{
          {"avg_pool2d", 4}, {"batch_norm", 2}, {"conv2d", 6}, {"cross_entropy", 2}, {"max_pool2d", 3}, {"resize", 8}});
}

}  // namespace

TEST_CASE("every operation gives PyTorch's outputs and gradients in float64") { check_cases(DType::float64, 1e-13); }

TEST_CASE("and within rounding in float32, on every table") {
  use_device(Device::reference);
  check_cases(DType::float32, float_tolerance());
  use_device(Device::cpu);
  const SimdLevel before = simd_in_use();
  for (const SimdLevel level : supported_levels()) {
    INFO(std::string(simd_name(level)));
    use_simd(level);
    check_cases(DType::float32, float_tolerance());
  }
  use_simd(before);
}
