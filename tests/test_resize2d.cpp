// Resizing of maps: every table against the reference in double.
#include <doctest/doctest.h>

#include <cmath>

#include "tensor/reference.h"
#include "tests/compare.h"

using namespace acol;
using namespace acol::testing;

namespace {

std::int64_t x_count(const ResizeGeometry& g) { return std::int64_t{g.batch} * g.in_h * g.in_w * g.channels; }
std::int64_t y_count(const ResizeGeometry& g) { return std::int64_t{g.batch} * g.out_h * g.out_w * g.channels; }

}  // namespace

TEST_CASE("resize: up, down, and to the same size") {
  //  N  H   W   C  to H  to W
  const ResizeGeometry shapes[] = {
      {1, 1, 1, 1, 1, 1},        //
      {2, 1, 1, 3, 4, 5},        // one pixel spreads
      {1, 4, 5, 3, 1, 1},        // all into one
      {1, 14, 14, 1, 224, 224},  // a map to the image
      {2, 7, 7, 5, 28, 14},      //
      {1, 28, 28, 17, 14, 7},    //
      {3, 5, 13, 33, 13, 5},     // up along one axis, down along the other
      {1, 2, 3, 2, 7, 11},       // fewer pixels than the bicubic kernel has taps
      {2, 9, 8, 16, 9, 8},       // the same
      {1, 31, 17, 4, 7, 3},      // down by more than the kernel is wide: pixels that no output reads
      {2, 30, 30, 64, 41, 37},   // several chunks of work
  };
  std::uint32_t number = 0;
  for (ResizeGeometry g : shapes)
    for (const Interpolation interpolation : {Interpolation::bilinear, Interpolation::bicubic}) {
      g.interpolation = interpolation;
      RandomStream random = test_stream(60, number++);
      const Floats x = uniform(random, x_count(g)), dy = uniform(random, y_count(g)),
                   before = uniform(random, x_count(g));
      const std::string text = message(g.in_h, "x", g.in_w, " to ", g.out_h, "x", g.out_w, " of ", g.channels,
                                       interpolation == Interpolation::bicubic ? " bicubic" : " bilinear");

      // Weights are differences of numbers near 1, so each may be off by a rounding of 1: hence |weight| + 1.
      const int C = g.channels;
      Buffer<double> forward_size(Floats(static_cast<std::size_t>(y_count(g)), 0.0f)), backward_size(absolute(before));
      const reference::Array4 Y{forward_size.data(), g.out_h, g.out_w, C}, DX{backward_size.data(), g.in_h, g.in_w, C};
      const reference::Array4 X{x.data(), g.in_h, g.in_w, C}, DY{dy.data(), g.out_h, g.out_w, C};
      reference::for_each_tap(g, [&](int n, int p, int q, int h, int w, double weight) {
        for (int c = 0; c < C; ++c) {
          Y(n, p, q, c) += (std::abs(weight) + 1) * std::abs(X(n, h, w, c));
          DX(n, h, w, c) += (std::abs(weight) + 1) * std::abs(DY(n, p, q, c));
        }
      });
      check_tables("resize forward " + text,
                   [&]<class T>(const Kernels<T>& k) {
                     const Buffer<T> input(x);
                     Buffer<T> y(y_count(g));
                     k.resize_forward(g, input.data(), y.data());
                     return Outputs{y};
                   },
                   {float_errors(1, forward_size)});
      check_tables("resize backward " + text,
                   [&]<class T>(const Kernels<T>& k) {
                     const Buffer<T> gradient(dy);
                     Buffer<T> dx(before);
                     k.resize_backward(g, gradient.data(), dx.data());
                     return Outputs{dx};
                   },
                   {float_errors(1, backward_size)});
    }
}

TEST_CASE("resize: known values") {
  // Two pixels to four: centres at -0.25, 0.25, 0.75, 1.25 of the source.
  const double x[] = {0, 1};
  double y[4];
  reference::resize_forward(ResizeGeometry{1, 1, 2, 1, 1, 4, Interpolation::bilinear}, x, y);
  CHECK(y[0] == 0);
  CHECK(y[1] == 0.25);
  CHECK(y[2] == 0.75);
  CHECK(y[3] == 1);
  // Keys' kernel at a = -0.75: k(0.25) = 0.87890625, k(0.75) = 0.26171875, k(1.25) = -0.10546875, k(1.75) =
  // -0.03515625.
  reference::resize_forward(ResizeGeometry{1, 1, 2, 1, 1, 4, Interpolation::bicubic}, x, y);
  CHECK(y[0] == doctest::Approx(-0.10546875).epsilon(1e-14));
  CHECK(y[1] == doctest::Approx(0.26171875 - 0.03515625).epsilon(1e-14));
  CHECK(y[2] == doctest::Approx(0.87890625 - 0.10546875).epsilon(1e-14));
}

TEST_CASE("resize: the same size copies, a constant stays") {
  for (const Interpolation interpolation : {Interpolation::bilinear, Interpolation::bicubic}) {
    RandomStream random = test_stream(61);
    const Floats x = uniform(random, 5 * 6 * 3);
    const auto check_one = [&](const std::string& table, const Kernels<float>& kernels) {
      INFO(table);
      Buffer<float> same(5 * 6 * 3);
      kernels.resize_forward({1, 5, 6, 3, 5, 6, interpolation}, x.data(), same.data());
      CHECK(std::equal(x.begin(), x.end(), same.data()));

      const Floats sevens(4 * 4, 7.0f);
      Buffer<float> larger(9 * 11);
      kernels.resize_forward({1, 4, 4, 1, 9, 11, interpolation}, sevens.data(), larger.data());
      for (std::int64_t i = 0; i < larger.count(); ++i) CHECK(std::abs(larger[i] - 7) <= 1e-5f);
    };
    check_one("reference", reference_kernels<float>());
    for_each_cpu_table(check_one);
  }
}
