// SGD against a plain loop in double, and gradient clipping.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "layers/optimizer.h"
#include "tensor/device.h"
#include "tensor/random.h"
#ifdef ACOL_EMULATED_CARD
#include "tests/cuda_emulation/machine.h"
#endif

using namespace acol;

namespace {

NamedParameter parameter(const std::string& name, const std::vector<double>& values, DType dtype = DType::float64) {
  return {name, Variable(Tensor::from({static_cast<int>(values.size())}, values).to(dtype), true)};
}

void set_gradient(const NamedParameter& p, const std::vector<double>& values) {
  Variable variable = p.variable;
  for (std::size_t i = 0; i < values.size(); ++i) variable.grad_or_zeros().set(static_cast<std::int64_t>(i), values[i]);
}

std::vector<double> random_values(std::size_t count, std::uint32_t a, std::uint32_t b = 0) {
  RandomStream stream(5, Purpose::test, a, b);
  std::vector<double> values(count);
  for (double& value : values) value = static_cast<double>(stream.uniform(-1, 1));
  return values;
}

// One parameter as the test's own loop moves it.
struct Plain {
  std::vector<double> w, v;

  void step(const std::vector<double>& dw, double rate, double momentum, double decay, bool nesterov, double scale) {
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double g = scale * dw[i] + decay * w[i];
      v[i] = momentum * v[i] + g;
      w[i] -= rate * (nesterov ? g + momentum * v[i] : v[i]);
    }
  }
};

double worst_difference(const Tensor& got, const std::vector<double>& want) {
  double worst = got.count() == static_cast<std::int64_t>(want.size()) ? 0 : INFINITY;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double difference = std::abs(got.at(static_cast<std::int64_t>(i)) - want[i]);
    worst = std::isnan(difference) ? INFINITY : std::max(worst, difference);
  }
  return worst;
}

}  // namespace

TEST_CASE("sgd: one by one in any order is a step") {
  const auto make = [] {
    std::vector<NamedParameter> all;
    for (std::uint32_t i = 0; i < 4; ++i)
      all.push_back(parameter("p" + std::to_string(i), random_values(5 + i, i), DType::float32));
    return all;
  };
  const std::vector<NamedParameter> whole = make(), single = make();
  const auto groups = [](const std::vector<NamedParameter>& p) {
    return std::vector<ParameterGroup>{{"slow", {p[0], p[1]}, 1, 0.1}, {"fast", {p[2], p[3]}, 10, 0.01}};
  };
  Sgd at_once(groups(whole)), one_by_one(groups(single));
  for (std::uint32_t step = 0; step < 3; ++step) {
    for (std::size_t i = 0; i < 3; ++i)  // the last has no gradient
      for (const auto* p : {&whole[i], &single[i]})
        set_gradient(*p, random_values(5 + i, static_cast<std::uint32_t>(i), step + 1));
    at_once.step(0.1, 0.5);
    for (const std::size_t i : {2u, 0u, 3u, 1u}) one_by_one.step_one(single[i].variable, 0.1, 0.5);
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(whole[i].variable.value().to_vector() == single[i].variable.value().to_vector());
      CHECK(at_once.velocities()[i].second.to_vector() == one_by_one.velocities()[i].second.to_vector());
    }
  }
  const NamedParameter stranger = parameter("stranger", {1});
  CHECK_THROWS_AS(one_by_one.step_one(stranger.variable, 0.1), Error);
  CHECK_THROWS_AS(one_by_one.step_one(single[0].variable, -1), Error);
  CHECK_THROWS_AS(one_by_one.step_one(single[0].variable, 1, NAN), Error);
  CHECK(squared_gradient(single[3].variable) == 0);
}

TEST_CASE("squared_gradient: the bits that the norm adds up") {
  for (const DType dtype : {DType::float32, DType::float64}) {
    std::vector<NamedParameter> all;
    double sum = 0;
    for (const std::size_t count : {3, 40000, 1, 5000}) {
      all.push_back(parameter(message("p", count), random_values(count, 1), dtype));
      set_gradient(all.back(), random_values(count, 2));
    }
    for (const NamedParameter& p : all) sum += squared_gradient(p.variable);
    CHECK(gradient_norm(all) == std::sqrt(sum));
  }
}

#ifdef ACOL_EMULATED_CARD
TEST_CASE("sgd: on a card, a step over all parameters is one launch, and their norm two") {
  if (device_in_use() != Device::cuda) return;
  const auto launches_of = [](const auto& body) {
    const std::size_t before = cuda::emulation::machine.launches;
    body();
    return cuda::emulation::machine.launches - before;
  };
  std::vector<ParameterGroup> groups{{"first", {}, 1, 0.1}, {"second", {}, 2, 0}};
  std::vector<NamedParameter> all;  // as many as VGG16-ACoL has
  for (std::uint32_t i = 0; i < 38; ++i) {
    all.push_back(parameter(message("p", i), random_values(i == 5 ? 9000 : 1 + 3 * i, i), DType::float32));
    groups[i % 2].parameters.push_back(all.back());
  }
  Sgd sgd(groups);
  CHECK(launches_of([&] { sgd.step(0.1); }) == 0);  // no gradients
  CHECK(launches_of([&] { gradient_norm(all); }) == 0);
  for (const NamedParameter& p : all)
    set_gradient(p, random_values(static_cast<std::size_t>(p.variable.value().count()), 7));
  CHECK(launches_of([&] { sgd.step(0.1); }) == 1);
  CHECK(launches_of([&] { gradient_norm(all); }) == 2);
  CHECK(launches_of([&] { sgd.step_one(all[5].variable, 0.1); }) == 1);
}
#endif

TEST_CASE("sgd: two steps by hand") {
  for (const bool nesterov : {false, true}) {
    const NamedParameter p = parameter("w", {1.0});
    Sgd sgd({{"all", {p}, 2, 0.5}}, {0.5, nesterov});
    set_gradient(p, {3});
    sgd.step(0.1);  // g = 3 + 0.5 = 3.5, v = 3.5, rate 0.2
    const double first = nesterov ? 1 - 0.2 * (3.5 + 0.5 * 3.5) : 1 - 0.2 * 3.5;
    CHECK(p.variable.value().at(0) == doctest::Approx(first).epsilon(1e-15));
    sgd.step(0.05, 0.5);  // g = 1.5 + 0.5 w, v = 1.75 + g, rate 0.1
    const double g = 1.5 + 0.5 * first, v = 1.75 + g;
    CHECK(p.variable.value().at(0) == doctest::Approx(first - 0.1 * (nesterov ? g + 0.5 * v : v)).epsilon(1e-15));
    CHECK(sgd.velocities()[0].second.at(0) == doctest::Approx(v).epsilon(1e-15));
  }
}

TEST_CASE("sgd: ten steps of two groups equal a plain loop in double") {
  // Three parameters, in sizes that leave vector tails; the last gets no gradient in steps 0, 3, 6, 9.
  const std::size_t sizes[] = {1, 37, 1000};
  const double factors[] = {1, 1, 2}, decays[] = {0.01, 0.01, 0};
  for (const DType dtype : {DType::float64, DType::float32})
    for (const double momentum : {0.0, 0.9})
      for (const bool nesterov : {false, true}) {
        CAPTURE(momentum);
        CAPTURE(nesterov);
        std::vector<NamedParameter> p;
        std::vector<Plain> plain;
        for (std::uint32_t i = 0; i < 3; ++i) {
          const auto values = random_values(sizes[i], i);
          p.push_back(parameter(message("p", i), values, dtype));
          plain.push_back({values, std::vector<double>(values.size(), 0.0)});
        }
        Sgd sgd({{"first", {p[0], p[1]}, 1, 0.01}, {"second", {p[2]}, 2, 0}}, {momentum, nesterov});
        for (std::uint32_t step = 0; step < 10; ++step) {
          sgd.clear_gradients();
          const double rate = 0.05 / (step + 1), scale = step % 2 ? 0.5 : 1.0;
          for (std::uint32_t i = 0; i < 3; ++i) {
            if (i == 2 && step % 3 == 0) continue;
            const auto gradient = random_values(sizes[i], 10 + i, step);
            set_gradient(p[i], gradient);
            plain[i].step(gradient, rate * factors[i], momentum, decays[i], nesterov, scale);
          }
          sgd.step(rate, scale);
        }
        // |w| < 4 and |v| < 10. In double a few hundred roundings of 2^-53; in float about 4 roundings of 2^-24 a step
        // on w and on rate v, ten steps.
        const double tolerance = dtype == DType::float64 ? 1e-14 : 40 * 0x1p-24 * 4;
        for (std::size_t i = 0; i < 3; ++i) {
          CHECK(worst_difference(p[i].variable.value(), plain[i].w) <= tolerance);
          CHECK(worst_difference(sgd.velocities()[i].second, plain[i].v) <= 3 * tolerance);
        }
      }
}

TEST_CASE("sgd: no gradient, no move, not even by decay or velocity") {
  const NamedParameter p = parameter("w", {1.0});
  Sgd sgd({{"all", {p}, 1, 0.1}}, {});
  sgd.step(0.1);
  CHECK(p.variable.value().at(0) == 1);
  set_gradient(p, {1});
  sgd.step(0.1);
  const double moved = p.variable.value().at(0), velocity = sgd.velocities()[0].second.at(0);
  CHECK(moved < 1);
  sgd.clear_gradients();
  sgd.step(0.1);
  CHECK(p.variable.value().at(0) == moved);
  CHECK(sgd.velocities()[0].second.at(0) == velocity);
}

TEST_CASE("sgd: restored velocities go on to the same bits") {
  const auto train = [](bool interrupted) {
    NamedParameter p = parameter("w", random_values(100, 1), DType::float32);
    auto sgd = std::make_unique<Sgd>(std::vector<ParameterGroup>{{"all", {p}, 1, 0.01}});
    for (std::uint32_t step = 0; step < 6; ++step) {
      if (interrupted && step == 3) {
        const Tensor saved = sgd->velocities()[0].second.clone();
        sgd = std::make_unique<Sgd>(std::vector<ParameterGroup>{{"all", {p}, 1, 0.01}});
        REQUIRE(sgd->velocities()[0].first == "w");
        sgd->velocities()[0].second.copy_from(saved);
      }
      set_gradient(p, random_values(100, 2, step));
      sgd->step(0.1);
    }
    return p.variable.value().to_vector();
  };
  CHECK(train(true) == train(false));
}

TEST_CASE("sgd: settings out of range") {
  const NamedParameter p = parameter("w", {1.0});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto make = [&](double factor, double decay, double momentum) {
    Sgd({{"g", {p}, factor, decay}}, {momentum, true});
  };
  CHECK_NOTHROW(make(1, 0, 0));
  CHECK_THROWS_AS(make(-1, 0, 0), Error);
  CHECK_THROWS_AS(make(nan, 0, 0), Error);
  CHECK_THROWS_AS(make(1, -1, 0), Error);
  CHECK_THROWS_AS(make(1, INFINITY, 0), Error);
  CHECK_THROWS_AS(make(1, 0, 1), Error);
  CHECK_THROWS_AS(make(1, 0, nan), Error);
  CHECK_THROWS_AS(Sgd({{"g", {p, p}}}), Error);
  CHECK_THROWS_AS(Sgd({{"g", {p}}, {"h", {{"other name", p.variable}}}}), Error);
  CHECK_THROWS_AS(Sgd({{"g", {p, parameter("w", {2.0})}}}), Error);  // other variable, same name
  CHECK_THROWS_AS(Sgd({{"g", {{"undefined", Variable()}}}}), Error);
  CHECK_THROWS_AS(Sgd({{"g", {{"constant", Variable(Tensor::zeros({1}))}}}}), Error);
  Sgd sgd({{"g", {p}}});
  CHECK_THROWS_AS(sgd.step(-0.1), Error);
  CHECK_THROWS_AS(sgd.step(nan), Error);
  CHECK_THROWS_AS(sgd.step(0.1, nan), Error);
  CHECK(p.variable.value().at(0) == 1);
}

TEST_CASE("gradient_norm") {
  for (const DType dtype : {DType::float64, DType::float32}) {
    const NamedParameter a = parameter("a", {0, 0}, dtype), b = parameter("b", {0, 0, 0}, dtype);
    CHECK(gradient_norm({}) == 0);
    CHECK(gradient_norm({a, b}) == 0);
    set_gradient(a, {3, 0});
    CHECK(gradient_norm({a, b}) == 3);
    set_gradient(b, {0, -4, 12});
    CHECK(gradient_norm({a, b}) == 13);
    set_gradient(a, {1e30, 0});  // its square is no float32
    CHECK(gradient_norm({a, b}) == doctest::Approx(1e30).epsilon(1e-7));
    set_gradient(a, {NAN, 0});
    CHECK(std::isnan(gradient_norm({a, b})));
  }
  const NamedParameter single = parameter("a", {0, 0}, DType::float32), twice = parameter("b", {0, 0}, DType::float64);
  set_gradient(single, {3, 0});
  set_gradient(twice, {0, 4});
  CHECK(gradient_norm({single, twice}) == 5);
}

TEST_CASE("clip_factor") {
  CHECK(clip_factor(0, 1) == 1);
  CHECK(clip_factor(0.5, 1) == 1);
  CHECK(clip_factor(4, 1) == 1 / (4 + 1e-6));
  CHECK(clip_factor(1, 1) == 1 / (1 + 1e-6));  // PyTorch's, too
  CHECK(clip_factor(1e300, 5) == 5 / 1e300);
  CHECK(clip_factor(7, INFINITY) == 1);
  CHECK_THROWS_AS(clip_factor(1, 0), Error);
  CHECK_THROWS_AS(clip_factor(1, -1), Error);
  CHECK_THROWS_AS(clip_factor(1, NAN), Error);
  CHECK_THROWS_AS(clip_factor(NAN, 1), Error);
  CHECK_THROWS_AS(clip_factor(INFINITY, 1), Error);
}
