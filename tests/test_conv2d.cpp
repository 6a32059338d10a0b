// Convolution: every table against the reference in double.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tests/conv2d_passes.h"

using namespace acol;
using namespace acol::testing;

namespace {

// Where the reference is not finite, no fast table may be. Where it is, they agree, unless `may_spoil`.
template <class Run>
void check_spoiled(const Run& run, const Tolerance& tolerance, const std::vector<bool>& may_spoil) {
  const KernelOutput want = run(reference_kernels<double>())[0];
  REQUIRE(want.count() == static_cast<std::int64_t>(may_spoil.size()));
  REQUIRE(std::find(may_spoil.begin(), may_spoil.end(), false) != may_spoil.end());
  Outputs results;
  for_each_cpu_table(
      [&](const std::string& table, const Kernels<float>& kernels) {
        INFO(table);
        results.push_back(run(kernels)[0]);
        const KernelOutput& got = results.back();
        CHECK(got.guards_intact());
        std::int64_t hidden = 0, wrong = 0;
        for (std::int64_t i = 0; i < want.count(); ++i) {
          const auto at = static_cast<std::size_t>(i);
          if (!std::isfinite(want[i]))
            hidden += std::isfinite(got[i]);
          else if (!may_spoil[at])
            wrong += !(std::abs(got[i] - want[i]) <= tolerance[at]);
        }
        CHECK(hidden == 0);
        CHECK(wrong == 0);
        if (results.size() % 2 == 0) CHECK(got.same_bits(results[results.size() - 2]));
      },
      {1, 3});
}

}  // namespace

TEST_CASE("conv2d: a sum done by hand") {
  // One channel, 2x3 image, 2x2 filter, padding 1 on the left and right only.
  const Conv2dGeometry g{1, 2, 3, 1, 1, 2, 2, 1, 1, 0, 1, 1, 1};
  const float x[] = {1, 2, 3, 4, 5, 6}, w[] = {1, 10, 100, 1000}, bias[] = {0.5f};
  float y[4];
  reference::conv2d_forward(g, x, w, bias, false, y);
  CHECK(y[0] == 4010.5f);
  CHECK(y[1] == 1 + 20 + 400 + 5000 + 0.5f);
  CHECK(y[2] == 2 + 30 + 500 + 6000 + 0.5f);
  CHECK(y[3] == 3 + 600 + 0.5f);

  const float dy[] = {1, 0, 0, 2};
  float dx[] = {0, 0, 0, 0, 0, 7}, dw[] = {0, 0, 0, 0}, db[] = {1};
  reference::conv2d_backward_data<float>(g, dy, nullptr, w, nullptr, dx);
  CHECK(dx[0] == 10);
  CHECK(dx[2] == 2);
  CHECK(dx[3] == 1000);
  CHECK(dx[5] == 207);
  reference::conv2d_backward_weights<float>(g, dy, nullptr, x, dw, db);
  CHECK(dw[0] == 6);
  CHECK(dw[1] == 1);
  CHECK(dw[2] == 12);
  CHECK(dw[3] == 4);
  CHECK(db[0] == 4);
}

// Before the others: a NaN that stays behind in the kernels' own memory would come up in them.
TEST_CASE("conv2d: a NaN or an infinity reaches the outputs that read it; summed directly, no other") {
  const Conv2dGeometry g{2, 7, 6, 5, 9, 3, 3, 1, 2, 1, 1, 1, 1};
  for (const ConvPass pass : passes) REQUIRE(tile_side(g, pass) == 0);
  Numbers numbers(g, test_stream(3));
  Numbers tame = numbers;
  numbers.x[37] = NAN;
  numbers.x[250] = INFINITY;
  for (const bool relu : {false, true}) {
    const auto run = [&]<class T>(const Kernels<T>& k) { return forward(k, g, numbers, true, relu); };
    check_tables("forward with NaN", run, {forward_tolerance(g, tame, true)});
    const auto y = forward(reference_kernels<float>(), g, numbers, true, relu);
    int nans = 0;
    for (std::int64_t i = 0; i < y[0].count(); ++i) nans += std::isnan(y[0][i]);
    CHECK(nans >= 4 * g.out_c);
  }

  numbers.dy[11] = NAN;
  const auto run = [&]<class T>(const Kernels<T>& k) { return backward_data(k, g, numbers, false); };
  check_tables("backward data with NaN", run, {backward_data_tolerance(g, tame)});
}

TEST_CASE("conv2d: by Winograd's method it may also spoil the outputs of the tiles that read it, and no other") {
  if (device_in_use() == Device::cuda) return;  // a method of the CPU
  int methods_seen[5] = {};
  for (const Conv2dGeometry& g : {Conv2dGeometry{2, 6, 5, 5, 9, 3, 3, 1, 1, 1, 1, 1, 1},
                                  Conv2dGeometry{2, 15, 14, 17, 33, 3, 3, 1, 1, 0, 2, 1, 1}}) {
    const Numbers tame(g, test_stream(4));
    for (const float bad : {NAN, INFINITY, -INFINITY, 3e38f}) {  // 3e38: the transform overflows, the sum does not
      INFO(message(describe(g), " ", bad));
      Numbers numbers = tame;
      for (Floats* const values : {&numbers.x, &numbers.dy}) (*values)[37] = (*values)[values->size() - 60] = bad;
      for (const bool relu : {false, true}) {
        const auto run = [&]<class T>(const Kernels<T>& k) { return forward(k, g, numbers, true, relu); };
        const Picture x{numbers.x, g.batch, g.in_h, g.in_w, g.in_c};
        check_spoiled(
            run, forward_tolerance(g, tame, true),
            tile_reads(bad, x, tile_side(g, ConvPass::forward), g.pad_h, g.pad_w, g.out_h(), g.out_w(), g.out_c));
        ++methods_seen[tile_side(g, ConvPass::forward)];
      }
      const auto run = [&]<class T>(const Kernels<T>& k) { return backward_data(k, g, numbers, false); };
      const Picture dy{numbers.dy, g.batch, g.out_h(), g.out_w(), g.out_c};
      check_spoiled(
          run, backward_data_tolerance(g, tame),
          tile_reads(bad, dy, tile_side(g, ConvPass::backward_data), 2 - g.pad_h, 2 - g.pad_w, g.in_h, g.in_w, g.in_c));
      ++methods_seen[tile_side(g, ConvPass::backward_data)];

      // In the weights' gradient: all taps of the channel that it is in.
      std::vector<bool> taps(tame.dw.size());
      for (std::size_t i = 0; i < taps.size(); ++i) {
        const std::size_t c = i % static_cast<std::size_t>(g.in_c);
        taps[i] =
            c == 37 % static_cast<std::size_t>(g.in_c) || c == (tame.x.size() - 60) % static_cast<std::size_t>(g.in_c);
      }
      numbers.dy = tame.dy;
      const auto run_weights = [&]<class T>(const Kernels<T>& k) {
        return Outputs{backward_weights(k, g, numbers, false, true)[0]};
      };
      check_spoiled(run_weights, backward_weights_tolerances(g, tame, false)[0], taps);
      ++methods_seen[tile_side(g, ConvPass::backward_weights)];
    }
  }
  CHECK(methods_seen[0] == 0);
  CHECK(methods_seen[2] > 0);
  CHECK(methods_seen[4] > 0);
}

TEST_CASE("conv2d: chosen shapes") {
  //  N   H   W   C   O  R  S  stride  pad  dilation
  const Conv2dGeometry cases[] = {
      {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1},      // the smallest
      {1, 1, 1, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1},      // the window is larger than the image
      {2, 1, 1, 33, 17, 1, 1, 1, 1, 0, 0, 1, 1},    // a linear layer
      {3, 1, 1, 64, 64, 1, 1, 1, 1, 0, 0, 1, 1},    //
      {1, 7, 7, 64, 31, 1, 1, 1, 1, 0, 0, 1, 1},    // 1x1
      {2, 13, 14, 16, 15, 1, 1, 2, 2, 0, 0, 1, 1},  // pixels that no output reads
      {1, 15, 15, 3, 64, 3, 3, 1, 1, 1, 1, 1, 1},   // VGG's first
      {1, 14, 14, 64, 33, 3, 3, 1, 1, 1, 1, 1, 1},  // VGG's middle: k = 576, three depth blocks
      {2, 13, 15, 17, 16, 3, 3, 1, 1, 1, 1, 1, 1},  //
      {3, 5, 3, 15, 1, 3, 3, 1, 1, 1, 1, 1, 1},     // one output channel
      {1, 15, 13, 1, 31, 3, 3, 2, 2, 1, 1, 1, 1},   // stride 2
      {2, 14, 13, 3, 17, 3, 3, 2, 1, 1, 0, 1, 1},   // unequal stride and padding
      {1, 13, 14, 16, 3, 3, 3, 3, 3, 0, 0, 1, 1},   // stride = filter
      {2, 14, 14, 5, 7, 2, 2, 2, 2, 0, 0, 1, 1},    // even filter
      {1, 15, 14, 4, 9, 2, 2, 3, 3, 1, 0, 1, 1},    // stride > filter: gaps
      {1, 13, 13, 3, 15, 3, 3, 1, 1, 2, 2, 2, 2},   // dilated, same size
      {2, 15, 14, 16, 5, 3, 3, 2, 1, 3, 2, 3, 2},   // all unequal
      {1, 7, 5, 17, 33, 5, 5, 1, 1, 2, 2, 1, 1},    //
      {2, 13, 7, 3, 16, 5, 5, 2, 3, 0, 3, 1, 1},    //
      {1, 15, 15, 3, 31, 7, 7, 2, 2, 3, 3, 1, 1},   // a ResNet's first
      {1, 7, 7, 15, 17, 7, 7, 1, 1, 0, 0, 1, 1},    // the filter is the image: a fully connected layer
      {2, 5, 13, 8, 8, 1, 3, 1, 1, 0, 1, 1, 1},     // flat filters
      {2, 13, 5, 8, 8, 3, 1, 1, 2, 1, 0, 2, 1},     //
      {1, 3, 2, 2, 2, 3, 3, 1, 1, 3, 3, 1, 1},      // windows that see padding alone
      {3, 2, 3, 31, 64, 2, 2, 1, 1, 1, 1, 1, 1},    //
      {1, 10, 28, 3, 64, 3, 3, 1, 1, 1, 1, 1, 1},   // few channels, by rows: nothing is cut
      {2, 270, 8, 1, 5, 3, 3, 1, 1, 1, 1, 1, 1},    // long slices of the weight gradient
      {1, 23, 29, 3, 39, 7, 7, 2, 2, 3, 3, 1, 1},   // a filter in parts
      {2, 19, 17, 4, 33, 3, 5, 3, 2, 4, 3, 3, 1},   // all unequal
      {1, 2, 3, 2, 17, 1, 3, 1, 1, 3, 9, 1, 1},     // rows of padding alone
  };
  std::uint32_t number = 0;
  for (const Conv2dGeometry& g : cases) check_all(g, number++);
  const auto rows = [](const auto& g) { return conv2d_plan(g, ConvPass::forward).method == ConvMethod::rows; };
  CHECK(std::count_if(std::begin(cases), std::end(cases), rows) >= 5);
}

TEST_CASE("conv2d: drawn shapes") {
  RandomStream random = test_stream(2);
  const auto one_of = [&](std::initializer_list<int> values) {
    return values.begin()[random.below(static_cast<int>(values.size()))];
  };
  const int filters[][2] = {{1, 1}, {3, 3}, {5, 5}, {7, 7}, {1, 3}, {2, 2}};
  for (std::uint32_t number = 100; number < 140;) {
    Conv2dGeometry g;
    g.batch = 1 + random.below(3);
    g.in_h = one_of({1, 2, 3, 5, 7, 13, 14, 15});
    g.in_w = one_of({1, 2, 3, 5, 7, 13, 14, 15});
    g.in_c = one_of({1, 3, 15, 16, 17, 31, 33, 64});
    g.out_c = one_of({1, 3, 15, 16, 17, 31, 33, 64});
    const int* filter = filters[random.below(6)];
    g.filter_h = filter[0], g.filter_w = filter[1];
    g.stride_h = 1 + random.below(3), g.stride_w = 1 + random.below(3);
    g.pad_h = random.below(4), g.pad_w = random.below(4);
    g.dilation_h = 1 + random.below(3), g.dilation_w = 1 + random.below(3);
    if (g.y_shape().count() == 0 || g.macs() > 2'000'000) continue;
    check_all(g, number++, {1, 3});
  }
}

TEST_CASE("conv2d: shapes that reach every block of the matrix product") {
  check_all({2, 17, 17, 360, 40, 1, 1, 1, 1, 0, 0, 1, 1}, 200);  // several blocks of rows
  // B larger than it is kept; more than 512 columns
  check_all({1, 2, 2, 512, 1030, 3, 3, 1, 1, 1, 1, 1, 1}, 201, {1, 3});
  check_all({2, 48, 47, 27, 16, 1, 1, 1, 1, 0, 0, 1, 1}, 202);          // the sliced weight gradient
  const Conv2dGeometry g{1, 28, 28, 4608, 15, 1, 1, 1, 1, 0, 0, 1, 1};  // the same for the weight gradient
  check_backward_weights(g, Numbers(g, test_stream(1, 203)), true, true, {1, 3});
}

TEST_CASE("conv2d: 3x3 filters, around the edges of tiles and vectors") {
  const int sizes[] = {1, 2, 3, 5, 7, 13, 14, 15, 28}, channels[] = {1, 3, 15, 16, 17, 31, 33, 200};
  std::uint32_t number = 300;
  for (int i = 0; i < 9; ++i)
    for (int j = 0; j < 8; ++j, ++number) {
      Conv2dGeometry g;
      g.filter_h = g.filter_w = 3;
      g.batch = 1 + (i + j) % 2;
      g.in_h = sizes[i], g.in_w = sizes[(2 * i + j) % 9];
      g.in_c = channels[j], g.out_c = channels[(3 * j + i) % 8];
      g.pad_h = (i + j) % 4, g.pad_w = (i + j / 2) % 4;
      if (g.out_h() == 0) g.pad_h = 3 - g.pad_h;
      if (g.out_w() == 0) g.pad_w = 3 - g.pad_w;
      if (g.macs() > 2'000'000) g.batch = 1, g.out_c = channels[(3 * j + i) % 4];
      check_all(g, number, {1, 3});
    }
}

TEST_CASE("conv2d: shapes that reach every way to work by Winograd's method") {
  const Conv2dGeometry cases[] = {
      {1, 82, 79, 5, 130, 3, 3, 1, 1, 1, 1, 1, 1},   // forward in tiles of each thread's own, two blocks of outputs
      {1, 82, 79, 6, 7, 3, 3, 1, 1, 1, 1, 1, 1},     // the same, few outputs; a weight gradient in slices
      {1, 52, 50, 9, 70, 3, 3, 1, 1, 1, 1, 1, 1},    // shared tiles, many and two blocks of outputs
      {1, 12, 11, 260, 17, 3, 3, 1, 1, 1, 1, 1, 1},  // two blocks of inputs
      {1, 12, 11, 20, 260, 3, 3, 1, 1, 1, 1, 1, 1},  // the same for backward data and for the weight gradient
      {1, 6, 6, 65, 66, 3, 3, 1, 1, 1, 1, 1, 1},     // F(2x2,3x3)
      {2, 17, 17, 40, 40, 3, 3, 1, 1, 1, 1, 1, 1},   //
  };
  std::uint32_t number = 400;
  int private_tiles = 0, shared_tiles = 0, side2 = 0, output_blocks = 0, input_blocks = 0, slices = 0;
  for (const Conv2dGeometry& g : cases) {
    for (const ConvPass pass : passes) {
      const ConvPlan plan = conv2d_plan(g, pass);
      REQUIRE(plan.method != ConvMethod::direct);
      const bool to_input = pass == ConvPass::backward_data, weights = pass == ConvPass::backward_weights;
      private_tiles += !weights && !plan.shared, shared_tiles += plan.shared;
      side2 += plan.method == ConvMethod::winograd2;
      output_blocks += plan.outputs < (to_input ? g.in_c : g.out_c);
      input_blocks += plan.inputs < (to_input ? g.out_c : g.in_c);
      slices += plan.slices > 1;
    }
    check_all(g, number++, {1, 2, 3});
  }
  for (const int seen : {private_tiles, shared_tiles, side2, output_blocks, input_blocks, slices}) CHECK(seen > 0);
}

TEST_CASE("conv2d: large numbers, and numbers below the smallest normal one") {
  const auto scaled = [](Floats values, float factor) {
    for (float& value : values) value *= factor;
    return values;
  };
  std::uint32_t number = 500;
  for (const Conv2dGeometry& g : {Conv2dGeometry{2, 13, 14, 17, 33, 3, 3, 1, 1, 1, 1, 1, 1},   // F(4x4,3x3)
                                  Conv2dGeometry{1, 6, 8, 33, 17, 3, 3, 1, 1, 1, 1, 1, 1},     // F(2x2,3x3)
                                  Conv2dGeometry{1, 7, 6, 17, 16, 3, 3, 2, 1, 1, 1, 1, 1},     // direct
                                  Conv2dGeometry{1, 9, 13, 3, 17, 3, 3, 1, 1, 1, 1, 1, 1}}) {  // rows
    const Numbers plain(g, test_stream(5, number++));
    // The factors of one side and of the other, and so of what is added to.
    for (const auto& factors : {std::array{1e30f, 1e-30f, 1.0f}, std::array{1e-30f, 1e30f, 1.0f},
                                std::array{1e-40f, 1e30f, 1e-10f}, std::array{1e30f, 1e-40f, 1e-10f}}) {
      const float a = factors[0], b = factors[1], c = factors[2];
      INFO(message(a, " times ", b));
      Numbers numbers = plain;
      numbers.bias = scaled(plain.bias, c), numbers.dx = scaled(plain.dx, c), numbers.dw = scaled(plain.dw, c);
      numbers.dx = as_activations(numbers.dx);
      numbers.x = as_activations(scaled(plain.x, a)), numbers.w = as_activations(scaled(plain.w, b));
      check_forward(g, numbers, true, false, {2});
      numbers.dy = as_activations(scaled(plain.dy, a));
      check_backward_data(g, numbers, false, false, {2});
      numbers.dy = as_activations(scaled(plain.dy, b));
      check_backward_weights(g, numbers, false, false, {2});
    }
  }
}

TEST_CASE("conv2d: beside bf16 activations, filters count as they are, or all of them rounded to bf16") {
  if (!bf16_is_checked()) return;
  for (const Conv2dGeometry& g : {Conv2dGeometry{1, 9, 8, 16, 24, 3, 3, 1, 1, 1, 1, 1, 1},  // suits tensor cores
                                  Conv2dGeometry{1, 7, 6, 5, 3, 3, 3, 1, 1, 1, 1, 1, 1}}) {
    RandomStream random = test_stream(7);
    Numbers numbers(g, test_stream(6));
    numbers.w = uniform_parameters(random, g.w_shape().count());
    Numbers rounded = numbers;
    rounded.w = as_activations(numbers.w);
    const auto check_pass = [&](const auto& run, const Tolerance& tolerance) {
      for (const bool aligned : {false, true}) {
        buffers_are_aligned = aligned;
        const KernelOutput got = run(kernels<Bf16>(), numbers)[0];
        buffers_are_aligned = false;
        const auto agrees_with = [&](const Numbers& those) {
          return mismatch(got, run(reference_kernels<double>(), those)[0], tolerance) == "";
        };
        CHECK(agrees_with(numbers) != agrees_with(rounded));
      }
    };
    check_pass([&]<class T>(const Kernels<T>& k, const Numbers& those) { return forward(k, g, those, true, false); },
               forward_tolerance(g, numbers, true));
    check_pass([&]<class T>(const Kernels<T>& k, const Numbers& those) { return backward_data(k, g, those, false); },
               backward_data_tolerance(g, numbers));
  }
}
