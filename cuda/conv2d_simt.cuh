// A matrix product on CUDA cores: C (m x n) = A (m x k) B (k x n), tile by tile; conv2d_patches.cuh says what A and B
// are.
//
// A block computes one tile of C. It walks along the depth k in steps of panel_depth = 8: in a step it needs a panel of
// A, 8 x tile m, and one of B, 8 x tile n, which its threads bring from global memory to shared memory together. Then
// each thread, which holds 8 x 8 sums of the tile in registers, takes for each k 8 numbers of A and 8 of B and makes 64
// multiply-adds of them. So a number read from global memory serves a whole row or column of the tile, and one read
// from shared memory serves eight sums.
//
// Latency is hidden twice. There are two pairs of panels: while one is multiplied, the numbers of the next are on their
// way into registers, and they are stored to the other pair afterwards; so one barrier a step is enough. And an SM
// holds several blocks, so that one works while another waits.
//
// An element of C is one chain of additions in the order of k, whatever the tile: its bits do not depend on the tile.
#pragma once

#include "cuda/conv2d_patches.cuh"
#include "cuda/pack.cuh"

namespace acol::cuda::simt {

using Quad = Pack<float, 4>;

template <int m_, int n_>
struct Tile {
  static constexpr int m = m_, n = n_, threads = m / 8 * (n / 8);
  // At a time: 512 threads of 128 registers, or where a thread reads more than one quad of each panel (see below), 384
  // of 168.
  static constexpr int blocks_per_sm = threads == 256 ? 2 : 384 / threads;
};

// Four floats of padding: four steps of depth are then half the 32 banks apart, and the threads that store a patch's
// numbers into different depths do not meet in a bank.
template <int rows>
using Panel = float[panel_depth][rows + 4];

template <class Tile>
struct Panels {
  Panel<Tile::m> a[2];
  Panel<Tile::n> b[2];
};

// Brings panel after panel of an operand to shared memory. The threads of a block share the work in quads: four numbers
// that are neighbours in memory, and so along the panel's depth or across it. `vectors`: a quad begins at a multiple of
// its size, and there are all its numbers or none, so that it is read at once.
template <int rows, int threads, bool vectors, class Operand>
class PanelLoader {
 public:
  __device__ PanelLoader(const Operand& operand, std::int64_t first_row, std::int64_t first_depth) : operand_(operand) {
#pragma unroll
    for (int i = 0; i < row_count; ++i) rows_[i] = operand.row(first_row + row_of(i));
#pragma unroll
    for (int i = 0; i < depth_count; ++i) depths_[i] = operand.depth(first_depth + depth_of(i));
#pragma unroll
    for (int i = 0; i < quads; ++i) offsets_[i] = operand.offset(row(i), depth(i));
  }

  // Starts to read the next panel, and finds the place of the one after it.
  __device__ void fetch() {
#pragma unroll
    for (int i = 0; i < quads; ++i)
      if constexpr (vectors)
        fetch_quad(i);
      else
        fetch_each(i, row(i), depth(i));
    bool anew[depth_count];
#pragma unroll
    for (int i = 0; i < depth_count; ++i) anew[i] = operand_.advance(depths_[i]);
#pragma unroll
    for (int i = 0; i < quads; ++i) {
      offsets_[i] += operand_.step();
      if (anew[depth_count == 1 ? 0 : i]) offsets_[i] = operand_.offset(row(i), depth(i));
    }
  }

  // Waits for what fetch() reads. The mask is applied here and not there, since that would wait too.
  __device__ void store(Panel<rows>& panel) const {
#pragma unroll
    for (int i = 0; i < quads; ++i) {
      Quad quad = in_threads(values_[i]);
      if constexpr (Operand::masked)
        for (int j = 0; j < 4; ++j) quad.at[j] = relu_y_[i].at[j] > 0 ? quad.at[j] : 0;
      if constexpr (Operand::along_depth)
        for (int j = 0; j < 4; ++j) panel[depth_of(i) + j][row_of(i)] = quad.at[j];
      else
        cuda::store<4>(quad, &panel[depth_of(i)][row_of(i)], true);
    }
  }

 private:
  using Number = typename Operand::Number;
  using MemoryQuad = Pack<Number, 4>;  // turned into floats by store(), which waits anyway
  static __device__ const MemoryQuad& quad_at(const Number* data) { return *reinterpret_cast<const MemoryQuad*>(data); }

  // A thread's quads have either their depth or their row in common, which is kept only once.
  static constexpr int quads = rows * panel_depth / 4 / threads;
  static constexpr int row_count = Operand::along_depth ? quads : 1, depth_count = Operand::along_depth ? 1 : quads;
  static constexpr int quads_along = Operand::along_depth ? panel_depth / 4 : rows / 4;
  static_assert(quads >= 1 && threads % quads_along == 0);

  static __device__ int along() { return threadIdx.x % quads_along * 4; }
  static __device__ int across(int i) { return threadIdx.x / quads_along + i * (threads / quads_along); }
  static __device__ int row_of(int i) { return Operand::along_depth ? across(i) : along(); }
  static __device__ int depth_of(int i) { return Operand::along_depth ? along() : across(i); }
  __device__ const typename Operand::Row& row(int i) const { return rows_[row_count == 1 ? 0 : i]; }
  __device__ const typename Operand::Depth& depth(int i) const { return depths_[depth_count == 1 ? 0 : i]; }

  __device__ void fetch_quad(int i) {
    values_[i] = {};
    if (offsets_[i] >= 0) values_[i] = quad_at(operand_.data + offsets_[i]);
    if constexpr (Operand::masked) {
      relu_y_[i] = {1, 1, 1, 1};
      if (offsets_[i] >= 0 && operand_.relu_y != nullptr) relu_y_[i] = quad_at(operand_.relu_y + offsets_[i]);
    }
  }

  __device__ void fetch_each(int i, typename Operand::Row row, typename Operand::Depth depth) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const std::int64_t offset = operand_.offset(row, depth);
      values_[i].at[j] = offset < 0 ? Number{0} : operand_.data[offset];
      if constexpr (Operand::masked)
        relu_y_[i].at[j] = offset < 0 || operand_.relu_y == nullptr ? Number{1} : operand_.relu_y[offset];
      if constexpr (Operand::along_depth)
        operand_.next(depth);
      else
        operand_.next(row);
    }
  }

  const Operand& operand_;
  typename Operand::Row rows_[row_count];
  typename Operand::Depth depths_[depth_count];
  std::int64_t offsets_[quads];
  MemoryQuad values_[quads], relu_y_[quads];
};

// Which 8 x 8 sums of the tile are a thread's: rows `row` .. `row` + 3 and the same in the tile's lower half, columns
// alike. The 32 threads of a warp are 4 x 8 such squares: what they read from shared memory at a time is 16 floats of A
// and 32 of B, each without a conflict of banks.
template <class Tile>
struct Squares {
  int row, column;

  __device__ Squares() {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps_across = Tile::n / 8 / 8;
    row = 4 * (warp / warps_across * 4 + lane / 8);
    column = 4 * (warp % warps_across * 8 + lane % 8);
  }
};

// A thread's eight numbers of a panel's line, from both its halves.
template <int rows>
__device__ __forceinline__ void read_eight(const float (&line)[rows + 4], int first, float (&numbers)[8]) {
  const Quad low = load<4>(&line[first], true), high = load<4>(&line[first + rows / 2], true);
#pragma unroll
  for (int i = 0; i < 4; ++i) numbers[i] = low.at[i], numbers[4 + i] = high.at[i];
}

template <class Tile>
__device__ __forceinline__ void multiply(const Panel<Tile::m>& a_panel, const Panel<Tile::n>& b_panel,
                                         const Squares<Tile>& mine, float (&sums)[8][8]) {
#pragma unroll 2  // no more: the compiler would run out of registers
  for (int k = 0; k < panel_depth; ++k) {
    float a[8], b[8];
    read_eight<Tile::m>(a_panel[k], mine.row, a);
    read_eight<Tile::n>(b_panel[k], mine.column, b);
#pragma unroll
    for (int i = 0; i < 8; ++i)
#pragma unroll
      for (int j = 0; j < 8; ++j) sums[i][j] += a[i] * b[j];
  }
}

// What happens to a sum, with the bias if there is one, when it is written to C.
enum class Ending { assign, assign_relu, add };

// C, a dense matrix.
template <class T>
struct Output {
  T* matrix;          // (m, n); with several parts (parts, m, n)
  const float* bias;  // (n), or null
  std::int64_t m, n;
  Ending ending;
  bool vectors;  // every fourth number of a row begins at a multiple of a quad's size

  // Four sums of a row, into one part's matrix.
  __device__ void write(T* part, std::int64_t row, std::int64_t column, Quad sums) const {
    if (row >= m || column >= n) return;
    T* const to = part + row * n + column;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (bias != nullptr && column + i < n) sums.at[i] += bias[column + i];
      if (ending == Ending::assign_relu) sums.at[i] = sums.at[i] < 0 ? 0 : sums.at[i];  // a NaN stays
    }
    if (vectors) {
      const Quad before = ending == Ending::add ? load<4>(to, true) : Quad{};
#pragma unroll
      for (int i = 0; i < 4; ++i) sums.at[i] += before.at[i];
      cuda::store<4>(sums, to, true);
      return;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (column + i < n) to[i] = ending == Ending::add ? to[i] + sums.at[i] : sums.at[i];
  }
};

// Tiles are along x and y of the grid, m along x if `m_along_x`; parts of the depth are along z. `part_depth`: a
// multiple of panel_depth.
template <class Tile, bool vectors, class A, class B, class T>
__global__ void __launch_bounds__(Tile::threads, Tile::blocks_per_sm)
    product_kernel(const A a, const B b, const Output<T> c, std::int64_t depth, std::int64_t part_depth,
                   bool m_along_x) {
  const std::int64_t first_row = std::int64_t{m_along_x ? blockIdx.x : blockIdx.y} * Tile::m,
                     first_column = std::int64_t{m_along_x ? blockIdx.y : blockIdx.x} * Tile::n,
                     first_depth = blockIdx.z * part_depth;

  Panels<Tile>& panels = shared<Panels<Tile>>();
  PanelLoader<Tile::m, Tile::threads, vectors, A> a_loader(a, first_row, first_depth);
  PanelLoader<Tile::n, Tile::threads, vectors, B> b_loader(b, first_column, first_depth);
  a_loader.fetch();
  b_loader.fetch();
  a_loader.store(panels.a[0]);
  b_loader.store(panels.b[0]);
  __syncthreads();

  const Squares<Tile> mine;
  float sums[8][8] = {};
  int now = 0;  // the pair of panels that is multiplied
  for (auto more = (min(part_depth, depth - first_depth) - 1) / panel_depth; more > 0; --more) {
    a_loader.fetch();
    b_loader.fetch();
    multiply<Tile>(panels.a[now], panels.b[now], mine, sums);
    now = 1 - now;
    a_loader.store(panels.a[now]);
    b_loader.store(panels.b[now]);
    __syncthreads();
  }
  multiply<Tile>(panels.a[now], panels.b[now], mine, sums);

  T* const matrix = c.matrix + blockIdx.z * c.m * c.n;
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      c.write(matrix, first_row + mine.row + i % 4 + i / 4 * (Tile::m / 2),
              first_column + mine.column + half * (Tile::n / 2),
              {sums[i][4 * half], sums[i][4 * half + 1], sums[i][4 * half + 2], sums[i][4 * half + 3]});
}

}  // namespace acol::cuda::simt
