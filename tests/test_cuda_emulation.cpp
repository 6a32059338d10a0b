// The emulated card (tests/cuda_emulation/) against what is known without it: small kernels give the results of plain
// loops, and instructions spread matrices as the PTX manual says. Compiled with the emulation's headers.
#include <cuda_runtime.h>
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "cuda/launch.cuh"
#include "cuda/ptx.cuh"
#include "on_card.h"
#include "tensor/bf16.h"
#include "tensor/random.h"

using namespace acol;
using namespace acol::cuda;
using namespace acol::testing;

namespace {

constexpr unsigned all_lanes = 0xffffffffU;
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

__global__ void add(int count, const float* a, const float* b, float* sum) {
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < static_cast<unsigned>(count);
       i += gridDim.x * blockDim.x)
    sum[i] = a[i] + b[i];
}

__global__ void sum_block(const float* x, float* sum) {
  Sums& sums = shared<Sums>();
  sums.at[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) sums.at[threadIdx.x] += sums.at[threadIdx.x + half];
    __syncthreads();
  }
  sum[threadIdx.x] = sums.at[0];
}

struct Tile {
  float at[32][33];
};
__global__ void transpose(int rows, int columns, const float* x, float* y) {
  Tile& tile = dynamic_shared<Tile>();
  const int x0 = static_cast<int>(blockIdx.x * 32), y0 = static_cast<int>(blockIdx.y * 32);
  const int column = static_cast<int>(threadIdx.x), line = static_cast<int>(threadIdx.y);
  for (int i = line; i < 32; i += 8)
    if (y0 + i < rows && x0 + column < columns) tile.at[i][column] = x[(y0 + i) * columns + x0 + column];
  __syncthreads();
  for (int i = line; i < 32; i += 8)
    if (x0 + i < columns && y0 + column < rows) y[(x0 + i) * rows + y0 + column] = tile.at[column][i];
}

template <class T>
__global__ void sum_warp(const T* x, T* sum) {
  T value = x[threadIdx.x];
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(all_lanes, value, step);
  sum[threadIdx.x] = value;
}

__global__ void shuffles(const float* x, float* y) {
  const float value = x[threadIdx.x];
  y[threadIdx.x] = __shfl_sync(all_lanes, value, 5);
  y[64 + threadIdx.x] = __shfl_up_sync(all_lanes, value, 3);
  y[128 + threadIdx.x] = __shfl_down_sync(all_lanes, value, 3, 8);
  const unsigned lane = threadIdx.x % 32;
  float half = 0;
  if (lane < 16) half = __shfl_sync(0xffffU, value, 15);
  y[192 + threadIdx.x] = half;
}

__global__ void votes(int* y) {
  const unsigned lane = threadIdx.x % 32;
  y[threadIdx.x] = static_cast<int>(__ballot_sync(all_lanes, lane % 3 == 0));
  y[64 + threadIdx.x] = __any_sync(all_lanes, threadIdx.x == 40) + 2 * __all_sync(all_lanes, threadIdx.x < 32);
  y[128 + threadIdx.x] = __syncthreads_count(threadIdx.x < 10) + 100 * __syncthreads_or(threadIdx.x == 63) +
                         1000 * __syncthreads_and(threadIdx.x != 63);
}

}  // namespace

TEST_CASE("a grid of threads: every element once") {
  for (const unsigned blocks : {1U, 3U, 40U}) {
    const OnCard<float> a(numbers(1000)), b(numbers(1000, 2)), sum(numbers(1000));
    launch("add", add, {dim3(blocks), dim3(64)}, 1000, a.data(), b.data(), sum.data());
    CHECK(sum.read() == numbers(1000, 3));
  }
  launch("add", add, {dim3(0), dim3(64)}, 0, nullptr, nullptr, nullptr);
}

TEST_CASE("barriers and shared memory: sums of a block, a transposed matrix") {
  for (const std::size_t count : {32U, 256U, 1024U})
    for (const auto& result : in_each_order(sum_block, numbers(count)))
      CHECK(result == std::vector<float>(count, static_cast<float>(count * (count - 1) / 2)));

  const int rows = 70, columns = 45;
  const OnCard<float> x(numbers(rows * columns)), y(numbers(rows * columns));
  launch("transpose", transpose, {dim3(2, 3), dim3(32, 8), sizeof(Tile)}, rows, columns, x.data(), y.data());
  const std::vector<float> result = y.read();
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < columns; ++j)
      REQUIRE(result[static_cast<std::size_t>(j * rows + i)] == static_cast<float>(i * columns + j));
}

TEST_CASE("a warp: shuffles of 32 and 64 bits, votes") {
  const OnCard<float> floats(numbers(64));
  launch("sum_warp", sum_warp<float>, {dim3(1), dim3(64)}, floats.data(), floats.data());
  CHECK(floats.read()[31] == 496);
  CHECK(floats.read()[32] == 1520);
  std::vector<double> halves(32);
  std::vector<std::int64_t> large(32, std::int64_t{1} << 40);
  for (std::size_t i = 0; i < 32; ++i) halves[i] = 1 + 0x1p-45 * static_cast<double>(i);
  const OnCard<double> doubles(halves);
  launch("sum_warp", sum_warp<double>, {dim3(1), dim3(32)}, doubles.data(), doubles.data());
  CHECK(doubles.read()[7] == 32 + 496 * 0x1p-45);
  const OnCard<std::int64_t> integers(large);
  launch("sum_warp", sum_warp<std::int64_t>, {dim3(1), dim3(32)}, integers.data(), integers.data());
  CHECK(integers.read()[7] == std::int64_t{1} << 45);

  const OnCard<float> x(numbers(64)), y(numbers(256));
  launch("shuffles", shuffles, {dim3(1), dim3(64)}, x.data(), y.data());
  const std::vector<float> result = y.read();
  for (std::size_t i = 0; i < 64; ++i) {
    const std::size_t warp = i / 32 * 32, lane = i % 32;
    CHECK(result[i] == static_cast<float>(warp + 5));
    CHECK(result[64 + i] == static_cast<float>(lane < 3 ? i : i - 3));
    CHECK(result[128 + i] == static_cast<float>(lane % 8 < 5 ? i + 3 : i));
    CHECK(result[192 + i] == static_cast<float>(lane < 16 ? warp + 15 : 0));
  }

  const OnCard<int> ballots(std::vector<int>(192));
  launch("votes", votes, {dim3(1), dim3(64)}, ballots.data());
  const std::vector<int> counts = ballots.read();
  CHECK(counts[50] == 0x49249249);
  CHECK(counts[64] == 2);
  CHECK(counts[64 + 32] == 1);
  CHECK(counts[128] == 110);
}

// ---------------------------------------------------------------------------------------------------------------------
// Tensor cores. A, 16 x depth; B, depth x 8; sums, 16 x 8; row by row. Where a lane's numbers lie is written as the
// manual has it: by the number i of the element in the fragment.

namespace {

template <int depth>
struct Matrices {
  float a[16][depth], b[depth][8], sums[16][8];
};

float rounded_to_bf16(float x) { return Bf16(x); }
unsigned pack_bf16(float low, float high) { return Bf16(low).bits | static_cast<unsigned>(Bf16(high).bits) << 16; }

__global__ void multiply_bf16(Matrices<16>* m) {
  const int lane = static_cast<int>(threadIdx.x), group = lane >> 2, member = lane % 4;
  unsigned a[4], b[2];
  float sums[4];
  const auto a_row = [&](int i) { return i < 2 || (i >= 4 && i < 6) ? group : group + 8; };
  const auto a_column = [&](int i) { return member * 2 + (i & 1) + (i < 4 ? 0 : 8); };
  const auto b_row = [&](int i) { return member * 2 + (i & 1) + (i < 2 ? 0 : 8); };
  const auto sum_row = [&](int i) { return i < 2 ? group : group + 8; };
  for (int i = 0; i < 8; i += 2) a[i / 2] = pack_bf16(m->a[a_row(i)][a_column(i)], m->a[a_row(i + 1)][a_column(i + 1)]);
  for (int i = 0; i < 4; i += 2) b[i / 2] = pack_bf16(m->b[b_row(i)][group], m->b[b_row(i + 1)][group]);
  for (int i = 0; i < 4; ++i) sums[i] = m->sums[sum_row(i)][member * 2 + (i & 1)];
  multiply_add_bf16(sums, a, b);
  for (int i = 0; i < 4; ++i) m->sums[sum_row(i)][member * 2 + (i & 1)] = sums[i];
}

__global__ void multiply_tf32(Matrices<8>* m) {
  const int lane = static_cast<int>(threadIdx.x), group = lane >> 2, member = lane % 4;
  unsigned a[4], b[2];
  float sums[4];
  for (int i = 0; i < 4; ++i) a[i] = to_tf32(m->a[i == 0 || i == 2 ? group : group + 8][i < 2 ? member : member + 4]);
  for (int i = 0; i < 2; ++i) b[i] = to_tf32(m->b[i == 0 ? member : member + 4][group]);
  const auto sum_row = [&](int i) { return i < 2 ? group : group + 8; };
  for (int i = 0; i < 4; ++i) sums[i] = m->sums[sum_row(i)][member * 2 + (i & 1)];
  for (unsigned& word : a) word |= 0x1fffU;  // does not count
  multiply_add_tf32(sums, a, b);
  for (int i = 0; i < 4; ++i) m->sums[sum_row(i)][member * 2 + (i & 1)] = sums[i];
}

// A from rows, B from rows (transposed) and from columns, by load_matrices; the product must be the plain one.
struct Halves {
  alignas(16) std::uint16_t a[16][16], b[16][8], b_columns[8][16];
};
__global__ void multiply_loaded(Matrices<16>* m, bool from_columns) {
  Halves& halves = shared<Halves>();
  const int lane = static_cast<int>(threadIdx.x);
  const auto half = [](float x) { return Bf16(x).bits; };
  for (int i = lane; i < 256; i += 32) halves.a[i / 16][i % 16] = half(m->a[i / 16][i % 16]);
  for (int i = lane; i < 128; i += 32)
    halves.b[i / 8][i % 8] = halves.b_columns[i % 8][i / 8] = half(m->b[i / 8][i % 8]);
  __syncwarp();
  unsigned a[4], b[4];
  float sums[4] = {};
  load_matrices_x4(a, &halves.a[lane % 16][lane / 16 * 8]);
  if (from_columns)  // twice the same two matrices
    load_matrices_x4(b, &halves.b_columns[lane % 8][lane / 8 % 2 * 8]);
  else
    load_matrices_x4_transposed(b, &halves.b[lane % 16][0]);
  multiply_add_bf16(sums, a, {b[0], b[1]});
  for (int i = 0; i < 4; ++i) m->sums[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2] = sums[i];
}

struct Rows {
  alignas(16) std::uint16_t at[32][8];
};
__global__ void load_and_store(unsigned* y) {
  Rows& rows = shared<Rows>();
  const unsigned lane = threadIdx.x;
  for (unsigned column = 0; column < 8; ++column) rows.at[lane][column] = static_cast<std::uint16_t>(lane * 8 + column);
  __syncwarp();
  unsigned plain[4], transposed[4];
  load_matrices_x4(plain, rows.at[lane]);
  load_matrices_x4_transposed(transposed, rows.at[lane]);
  for (unsigned i = 0; i < 4; ++i) {
    y[i * 32 + lane] = plain[i];
    y[128 + i * 32 + lane] = transposed[i];
  }
}

template <int depth>
Matrices<depth> random_matrices(std::uint32_t number) {
  RandomStream random(7, Purpose::test, number, 0);
  Matrices<depth> m{};
  for (auto& row : m.a)
    for (float& x : row) x = random.uniform(-1, 1);
  for (auto& row : m.b)
    for (float& x : row) x = random.uniform(-1, 1);
  for (auto& row : m.sums)
    for (float& x : row) x = random.uniform(-1, 1);
  return m;
}

// The plain product. `rounded` is what becomes of a number of A or B.
template <int depth, class Rounded>
void check_product(const Matrices<depth>& before, const Matrices<depth>& after, const Rounded& rounded) {
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column) {
      double sum = before.sums[row][column];
      for (int k = 0; k < depth; ++k)
        sum += static_cast<double>(rounded(before.a[row][k])) * static_cast<double>(rounded(before.b[k][column]));
      REQUIRE(std::abs(after.sums[row][column] - sum) <= 1e-6 * depth);
    }
}

}  // namespace

TEST_CASE("tensor cores multiply matrices that lie as the manual says") {
  Matrices<16> bf16 = random_matrices<16>(1);
  const OnCard<Matrices<16>> bf16_card({bf16});
  launch("multiply_bf16", multiply_bf16, {dim3(1), dim3(32)}, bf16_card.data());
  check_product(bf16, bf16_card.read()[0], rounded_to_bf16);

  const Matrices<8> tf32 = random_matrices<8>(2);
  const OnCard<Matrices<8>> tf32_card({tf32});
  launch("multiply_tf32", multiply_tf32, {dim3(1), dim3(32)}, tf32_card.data());
  check_product(tf32, tf32_card.read()[0], [](float x) { return __uint_as_float(to_tf32(x)); });

  for (auto& row : bf16.sums)
    for (float& x : row) x = 0;
  for (const bool from_columns : {false, true}) {
    launch("multiply_loaded", multiply_loaded, {dim3(1), dim3(32)}, bf16_card.data(), from_columns);
    check_product(bf16, bf16_card.read()[0], rounded_to_bf16);
  }
}

TEST_CASE("load_matrices gives each lane its numbers, plain and transposed") {
  const OnCard<unsigned> y(std::vector<unsigned>(256));
  launch("load_and_store", load_and_store, {dim3(1), dim3(32)}, y.data());
  const std::vector<unsigned> result = y.read();
  for (unsigned i = 0; i < 4; ++i)
    for (unsigned lane = 0; lane < 32; ++lane) {
      const unsigned first = i * 64 + lane / 4 * 8 + lane % 4 * 2, above = i * 64 + lane % 4 * 2 * 8 + lane / 4;
      CHECK(result[i * 32 + lane] == (first | (first + 1) << 16));
      CHECK(result[128 + i * 32 + lane] == (above | (above + 8) << 16));
    }
}

TEST_CASE("rounding to tf32") {
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(to_tf32(1.0F) == 0x3f800000U);
  CHECK(to_tf32(1 + 0x1p-11F) == 0x3f802000U);             // a tie goes up
  CHECK(to_tf32(-1 - 0x1p-11F) == 0xbf802000U);            // away from zero
  CHECK(to_tf32(1 + 0x1p-11F - 0x1p-23F) == 0x3f800000U);  // just below
  CHECK(to_tf32(-infinity) == 0xff800000U);
  CHECK(std::isnan(__uint_as_float(to_tf32(not_a_number))));
}
