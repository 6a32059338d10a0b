// Tensor-core instructions of a warp. A matrix lies spread over the registers of the 32 lanes; with
//   group = lane / 4 (0..7) and member = lane % 4 (0..3)
// the PTX manual ("Matrix Fragments for mma.m16n8k16 / m16n8k8", "ldmatrix") gives each lane:
//
//   bf16, a register holds two numbers, the lower half first:
//     A, 16 x 16  a[0]: row group,     columns 2 member, 2 member + 1
//                 a[1]: row group + 8, the same columns
//                 a[2]: row group,     columns 2 member + 8, 2 member + 9
//                 a[3]: row group + 8, the same columns as a[2]
//     B, 16 x 8   b[0]: rows 2 member, 2 member + 1,     column group
//                 b[1]: rows 2 member + 8, 2 member + 9, column group
//   tf32, a register holds one number, of which the lowest 13 bits do not count:
//     A, 16 x 8   a[0]: row group,     column member       a[1]: row group + 8, column member
//                 a[2]: row group,     column member + 4   a[3]: row group + 8, column member + 4
//     B, 8 x 8    b[0]: row member,     column group
//                 b[1]: row member + 4, column group
//   sums of both, 16 x 8
//                 sums[0], sums[1]: row group,     columns 2 member, 2 member + 1
//                 sums[2], sums[3]: row group + 8, the same columns
//   ldmatrix: lane 8 i + r gives the address of row r (16 bytes, eight numbers) of matrix i.
//                 fragment[i]: of matrix i, row group, columns 2 member, 2 member + 1;
//                 transposed:  of matrix i, rows 2 member, 2 member + 1, column group
#include <cmath>
#include <cstdint>
#include <cstring>

#include "cuda/ptx.cuh"

namespace acol::cuda::emulation {

namespace {

struct MatrixLoad {
  const void* row;
  unsigned* fragment;
};

template <bool Transposed>
void run_load(void* const (&lanes)[32]) {
  std::uint16_t matrices[4][8][8];
  for (int lane = 0; lane < 32; ++lane) {
    const void* const row = static_cast<const MatrixLoad*>(lanes[lane])->row;
    if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0)
      fail_here("load_matrices: the row of lane ", lane, " is not aligned to 16 bytes");
    std::memcpy(matrices[lane / 8][lane % 8], row, 16);
  }
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i) {
      const int group = lane / 4, member = lane % 4;
      const auto& m = matrices[i];
      const unsigned low = Transposed ? m[2 * member][group] : m[group][2 * member];
      const unsigned high = Transposed ? m[2 * member + 1][group] : m[group][2 * member + 1];
      static_cast<const MatrixLoad*>(lanes[lane])->fragment[i] = low | high << 16;
    }
}

struct Product {
  float* sums;
  const unsigned *a, *b;
};

// Rounded towards zero, as cards do to their sums: what relies on exact ones is seen.
float truncated(double x) {
  const float nearest = static_cast<float>(x);
  return std::abs(static_cast<double>(nearest)) > std::abs(x) ? std::nextafter(nearest, 0.0f) : nearest;
}

// sums += A B. The products are exact in float; they are added in double.
template <int Depth>
void multiply_add(const float (&a)[16][Depth], const float (&b)[Depth][8], void* const (&lanes)[32]) {
  double sums[16][8] = {};
  for (int row = 0; row < 16; ++row)
    for (int k = 0; k < Depth; ++k)
      for (int column = 0; column < 8; ++column) sums[row][column] += static_cast<double>(a[row][k] * b[k][column]);
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i) {
      float& sum = static_cast<const Product*>(lanes[lane])->sums[i];
      sum = truncated(sum + sums[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2]);
    }
}

void run_bf16(void* const (&lanes)[32]) {
  float a[16][16], b[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const auto& product = *static_cast<const Product*>(lanes[lane]);
    const int group = lane / 4, member = lane % 4;
    for (int half = 0; half < 2; ++half) {
      const auto number = [&](unsigned pair) { return __uint_as_float(half == 0 ? pair << 16 : pair & 0xffff0000U); };
      for (int i = 0; i < 4; ++i) a[group + i % 2 * 8][2 * member + half + i / 2 * 8] = number(product.a[i]);
      for (int i = 0; i < 2; ++i) b[2 * member + half + i * 8][group] = number(product.b[i]);
    }
  }
  multiply_add(a, b, lanes);
}

void run_tf32(void* const (&lanes)[32]) {
  float a[16][8], b[8][8];
  for (int lane = 0; lane < 32; ++lane) {
    const auto& product = *static_cast<const Product*>(lanes[lane]);
    const int group = lane / 4, member = lane % 4;
    const auto number = [](unsigned bits) { return __uint_as_float(bits & 0xffffe000U); };
    for (int i = 0; i < 4; ++i) a[group + i % 2 * 8][member + i / 2 * 4] = number(product.a[i]);
    for (int i = 0; i < 2; ++i) b[member + i * 4][group] = number(product.b[i]);
  }
  multiply_add(a, b, lanes);
}

void run_with_whole_warp(const WarpOperation& operation, void* data, const Where& where) {
  check_has_tensor_cores(operation.name);
  run_with_warp(operation, 0xffffffffU, data, where);
}

}  // namespace

void load_matrices(bool transposed, unsigned* fragment, const void* shared_row, const Where& where) {
  MatrixLoad load{shared_row, fragment};
  run_with_whole_warp({"load_matrices", transposed ? run_load<true> : run_load<false>}, &load, where);
}

void multiply_add_bf16(float* sums, const unsigned* a, const unsigned* b, const Where& where) {
  Product product{sums, a, b};
  run_with_whole_warp({"multiply_add_bf16", run_bf16}, &product, where);
}

void multiply_add_tf32(float* sums, const unsigned* a, const unsigned* b, const Where& where) {
  Product product{sums, a, b};
  run_with_whole_warp({"multiply_add_tf32", run_tf32}, &product, where);
}

}  // namespace acol::cuda::emulation
