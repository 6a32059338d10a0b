// The tiles and the multiplications of conv_mma_tile.cuh for numbers that are bf16 in memory: half as many bytes to
// move as floats, and no rounding on the way to the tensor cores. A step has 32 terms, in two halves of 16, which is
// what one multiplication takes.
//
// Eight rows of 16 bytes, a matrix of 8x8 numbers, get from shared memory to the lanes by one instruction (ldmatrix, in
// ptx.cuh), as they are or transposed: each lane names a row. The rows of a matrix must lie in different banks, which
// they do if their distance is an odd number of packs. `Fragment` is what four matrices become in a lane:
//   of A: rows 0 to 7 and 8 to 15 of the first eight terms, then of the last eight;
//   of B: columns 0 to 7, the first and the last eight terms, then columns 8 to 15.
#pragma once

#include "cuda/conv_mma_tile.cuh"

namespace acol::cuda::mma {

using Fragment = unsigned[4];

__device__ __forceinline__ int lane_of_warp() { return static_cast<int>(threadIdx.x) % 32; }

template <int Rows>
struct RowTile<Bf16, Rows> {
  Pack<Bf16, 8> pack[Rows][5];  // the last one is padding

  // 16 rows from first_row on, half 0 or 1 of the terms; lanes 8 i to 8 i + 7 name the rows of matrix i.
  __device__ __forceinline__ void load_a(Fragment& fragment, int first_row, int half) const {
    const int lane = lane_of_warp();
    load_matrices_x4(fragment, &pack[first_row + lane % 16][2 * half + lane / 16]);
  }
  __device__ __forceinline__ void load_b(Fragment& fragment, int first_row, int half) const {
    const int lane = lane_of_warp();
    load_matrices_x4(fragment, &pack[first_row + lane / 16 * 8 + lane % 8][2 * half + lane / 8 % 2]);
  }
};

template <int Rows>
struct TermTile<Bf16, Rows> {
  Pack<Bf16, 8> pack[depth<Bf16>][Rows / 8 + 1];

  __device__ static int place(int term) { return term; }
  __device__ float at(int term, int row) const {
    return __uint_as_float(static_cast<unsigned>(pack[term][row / 8].at[row % 8].bits) << 16);
  }

  __device__ __forceinline__ void load_a(Fragment& fragment, int first_row, int half) const {
    const int lane = lane_of_warp();
    load_matrices_x4_transposed(fragment, &pack[16 * half + lane / 16 * 8 + lane % 8][first_row / 8 + lane / 8 % 2]);
  }
  __device__ __forceinline__ void load_b(Fragment& fragment, int first_row, int half) const {
    const int lane = lane_of_warp();
    load_matrices_x4_transposed(fragment, &pack[16 * half + lane % 16][first_row / 8 + lane / 16]);
  }
};

// at_[m][n]: of rows 16 m to 16 m + 15 and columns 8 n to 8 n + 7.
template <class Tile>
class Sums<Bf16, Tile> {
 public:
  template <Precision, class TileA, class TileB>
  __device__ __forceinline__ void add(const TileA& a, const TileB& b) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      Fragment columns[across / 2];
#pragma unroll
      for (int n = 0; n < across / 2; ++n) b.load_b(columns[n], Tile::first_column() + 16 * n, half);
#pragma unroll
      for (int m = 0; m < down; ++m) {
        Fragment rows;
        a.load_a(rows, Tile::first_row() + 16 * m, half);
#pragma unroll
        for (int n = 0; n < across; ++n)
          multiply_add_bf16(at_[m][n], rows, {columns[n / 2][n % 2 * 2], columns[n / 2][n % 2 * 2 + 1]});
      }
    }
  }

  // As Sums<float>. A lane has two neighbouring sums of row g and two of row g + 8. It gives one pair to the lane
  // beside it and gets the other pair of the row that it keeps: so each has four neighbours.
  template <class Write>
  __device__ __forceinline__ void for_each_pack(const Write& write) const {
    const bool odd = lane_.t % 2 != 0;
#pragma unroll
    for (int m = 0; m < down; ++m)
#pragma unroll
      for (int n = 0; n < across; ++n) {
        const float(&sums)[4] = at_[m][n];
        const float got_0 = __shfl_xor_sync(0xffffffffU, odd ? sums[0] : sums[2], 1);
        const float got_1 = __shfl_xor_sync(0xffffffffU, odd ? sums[1] : sums[3], 1);
        const Floats4 pack =
            odd ? Floats4{{got_0, got_1, sums[2], sums[3]}} : Floats4{{sums[0], sums[1], got_0, got_1}};
        write(Tile::first_row() + 16 * m + lane_.g + (odd ? 8 : 0), Tile::first_column() + 8 * n + lane_.t / 2 * 4,
              pack);
      }
  }

 private:
  static constexpr int down = Tile::warp_rows / 16, across = Tile::warp_columns / 8;

  Lane lane_;
  float at_[down][across][4] = {};
};

}  // namespace acol::cuda::mma
