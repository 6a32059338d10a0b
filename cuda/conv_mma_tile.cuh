// One block's part of a product C = A B on tensor cores: the pieces of A and B in shared memory, the way from there to
// a warp's registers, and the multiplications.
//
// A block computes a tile of C, each of its warps a smaller tile of that, in steps of 16 terms (of 32 in bf16, whose
// tiles are in conv_mma_bf16.cuh). Tensor cores take matrices of 16x8 or 8x8 numbers that the lanes of a warp hold in
// pieces (ptx.cuh): lane 4 g + t holds numbers of row g (of A) or column g (of B). Which numbers make up such a matrix
// is free: any 8 rows, and any terms, the same of A and B. They are chosen so that all that a lane needs lies in packs
// of four floats:
//   - terms: of 16, lane t of a row has the terms 4 t, 4 t + 1, 4 t + 2, 4 t + 3;
//   - rows: of 32, lane g has the rows 4 g, 4 g + 1, 4 g + 2, 4 g + 3; they belong to four different matrices.
// So a lane reads a square of 4 x 4 numbers, in four packs along the terms if these lie side by side in memory, along
// the rows if those do, and the sums of a lane lie in packs as well. The columns of B are treated as rows.
//
// Shared memory serves eight lanes with a pack each at once if these lie in 32 different banks of 4 bytes. Rows are
// padded such that they do: see each tile.
#pragma once

#include "cuda/conv_mma_plan.cuh"
#include "cuda/pack.cuh"
#include "cuda/ptx.cuh"

namespace acol::cuda::mma {

constexpr int stages = 4;  // steps whose numbers are in shared memory or on their way there

using Floats4 = Pack<float, 4>;

// The tile of C of a block and of each of its warps.
template <int BlockRows, int BlockColumns, int WarpRows, int WarpColumns>
struct TileShape {
  static constexpr int rows = BlockRows, columns = BlockColumns, warp_rows = WarpRows, warp_columns = WarpColumns;
  static constexpr int warps_across = columns / warp_columns, threads = 32 * (rows / warp_rows) * warps_across;
  // Of a multiprocessor's 65536 registers: what the sums take, and as many and some more for all else.
  static constexpr int blocks_at_once = threads > 128 ? 1 : warp_rows > 32 ? 2 : 3;
  static_assert(warp_rows % 32 == 0 && warp_columns % 32 == 0);

  // Where the tile of this thread's warp begins in that of its block.
  __device__ static int first_row() { return static_cast<int>(threadIdx.x) / 32 / warps_across * warp_rows; }
  __device__ static int first_column() { return static_cast<int>(threadIdx.x) / 32 % warps_across * warp_columns; }
};

// Where this thread is in its warp.
struct Lane {
  int g = static_cast<int>(threadIdx.x) % 32 / 4, t = static_cast<int>(threadIdx.x) % 4;
};

// A lane's numbers of 32 rows: at[i][j] is row 4 g + i, term 4 t + j.
struct Square {
  float at[4][4];
};

// The terms of a step of `Rows` rows, those of a row side by side ("K-major").
template <class Element, int Rows>
struct RowTile;
// The same with the rows of a term side by side ("MN-major").
template <class Element, int Rows>
struct TermTile;
// A lane's part of its warp's tile of C.
template <class Element, class Tile>
class Sums;

// The pack behind the terms is padding: with rows of 5 packs, lane (g, t) reads at bank 80 g + 4 t, which is 16 g + 4
// t, so that two g and four t make 32 banks.
template <int Rows>
struct RowTile<float, Rows> {
  Floats4 pack[Rows][5];

  // Rows first_row to first_row + 31.
  __device__ Square square(int first_row, Lane lane) const {
    Square numbers;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const Floats4 terms = pack[first_row + 4 * lane.g + i][lane.t];
#pragma unroll
      for (int j = 0; j < 4; ++j) numbers.at[i][j] = terms.at[j];
    }
    return numbers;
  }
};

// Term 4 t + j lies at place 4 j + t: so the four t of a read are neighbours, and with a padding of two packs they are
// 8 banks apart, and the g 4 banks.
template <int Rows>
struct TermTile<float, Rows> {
  Floats4 pack[depth<float>][Rows / 4 + 2];

  __device__ static int place(int term) { return term % 4 * 4 + term / 4; }
  __device__ float at(int term, int row) const { return pack[term][row / 4].at[row % 4]; }  // of any order of terms

  __device__ Square square(int first_row, Lane lane) const {
    Square numbers;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const Floats4 rows = pack[place(4 * lane.t + j)][first_row / 4 + lane.g];
#pragma unroll
      for (int i = 0; i < 4; ++i) numbers.at[i][j] = rows.at[i];
    }
    return numbers;
  }
};

// ---------------------------------------------------------------------------------------------------------------------
// A lane's four terms of a row as tensor cores take them, and sums += 16 rows of A times 8 columns of B: `upper` is row
// g, `lower` row g + 8, of the matrix of A.

template <Precision precision>
struct Terms;

template <>
struct Terms<Precision::tf32> {
  unsigned term[4];

  __device__ __forceinline__ void set(const float (&x)[4]) {
#pragma unroll
    for (int j = 0; j < 4; ++j) term[j] = to_tf32(x[j]);
  }
};

// All of the 16 terms, in two multiplications of 8.
__device__ __forceinline__ void multiply_add(float (&sums)[4], const unsigned (&upper)[4], const unsigned (&lower)[4],
                                             const unsigned (&column)[4]) {
#pragma unroll
  for (int j = 0; j < 4; j += 2)
    multiply_add_tf32(sums, {upper[j], lower[j], upper[j + 1], lower[j + 1]}, {column[j], column[j + 1]});
}

__device__ __forceinline__ void multiply_add(float (&sums)[4], const Terms<Precision::tf32>& upper,
                                             const Terms<Precision::tf32>& lower,
                                             const Terms<Precision::tf32>& column) {
  multiply_add(sums, upper.term, lower.term, column.term);
}

// "3xTF32": x = big + small with both in TF32, 22 significant bits together or more, and
//   x y = big big' + big small' + small big',
// where what is left out, small small', is about as large as the rounding of a float product.
template <>
struct Terms<Precision::fp32> {
  unsigned big[4], small[4];

  __device__ __forceinline__ void set(const float (&x)[4]) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      big[j] = to_tf32(x[j]);
      small[j] = to_tf32(x[j] - __uint_as_float(big[j]));
    }
  }
};

// Tensor cores cut the last bits of a sum off instead of rounding it, which makes sums too small, all of them: over
// 9216 terms by about 7e-5, where roundings, which err to both sides, amount to 1e-6. So tensor cores sum up 16 terms
// only, the small products first, and a rounded addition does the rest.
__device__ __forceinline__ void multiply_add(float (&sums)[4], const Terms<Precision::fp32>& upper,
                                             const Terms<Precision::fp32>& lower,
                                             const Terms<Precision::fp32>& column) {
  float part[4] = {0, 0, 0, 0};
  multiply_add(part, upper.small, lower.small, column.big);
  multiply_add(part, upper.big, lower.big, column.small);
  multiply_add(part, upper.big, lower.big, column.big);
#pragma unroll
  for (int i = 0; i < 4; ++i) sums[i] += part[i];
}

// ---------------------------------------------------------------------------------------------------------------------

// Rows 32 h to 32 h + 31 make two matrices of 16 rows, 2 h and 2 h + 1: row 32 h + 4 g + i is row g + i % 2 * 8 of
// matrix 2 h + i / 2. Column 32 k + 4 g + i is column g of matrix 4 k + i of 8 columns.
template <class Tile>
class Sums<float, Tile> {
 public:
  // Adds the products of 16 terms of the block's tiles.
  template <Precision precision, class TileA, class TileB>
  __device__ __forceinline__ void add(const TileA& a, const TileB& b) {
    Terms<precision> columns[4 * across];
#pragma unroll
    for (int k = 0; k < across; ++k) {
      const Square square = b.square(Tile::first_column() + 32 * k, lane_);
#pragma unroll
      for (int i = 0; i < 4; ++i) columns[4 * k + i].set(square.at[i]);
    }
#pragma unroll
    for (int h = 0; h < down; ++h) {
      const Square square = a.square(Tile::first_row() + 32 * h, lane_);
#pragma unroll
      for (int m = 0; m < 2; ++m) {
        Terms<precision> upper, lower;
        upper.set(square.at[2 * m]);
        lower.set(square.at[2 * m + 1]);
#pragma unroll
        for (int n = 0; n < 4 * across; ++n) multiply_add(at_[2 * h + m][n], upper, lower, columns[n]);
      }
    }
  }

  // write(row, column, four sums) for all packs of this lane; row and column count from the block's first.
  template <class Write>
  __device__ __forceinline__ void for_each_pack(const Write& write) const {
#pragma unroll
    for (int h = 0; h < down; ++h)
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int k = 0; k < across; ++k)
#pragma unroll
          for (int second = 0; second < 2; ++second) {  // columns 2 t and 2 t + 1 of the matrices
            Floats4 pack;
#pragma unroll
            for (int n = 0; n < 4; ++n) pack.at[n] = at_[2 * h + i / 2][4 * k + n][i % 2 * 2 + second];
            write(Tile::first_row() + 32 * h + 4 * lane_.g + i,
                  Tile::first_column() + 32 * k + 4 * (2 * lane_.t + second), pack);
          }
  }

 private:
  static constexpr int down = Tile::warp_rows / 32, across = Tile::warp_columns / 32;

  Lane lane_;
  float at_[2 * down][4 * across][4] = {};
};

}  // namespace acol::cuda::mma
