// The kernel of all three passes: C = A B, a tile of C a block, the copies of the next steps under way while the tensor
// cores work on this one; then what belongs to the result, such as bias and ReLU.
#pragma once

#include "cuda/conv_mma_operands.cuh"

namespace acol::cuda::mma {

// C (rows, columns) = or += A B, or max(A B + bias, 0), or += A B where relu_x is above 0. With several splits of the
// terms: a C for each, one behind the other.
template <class Number>
struct Output {
  Number* c;
  int rows, columns;
  const float* bias;     // (columns), or null
  int relu, accumulate;  // flags
  const Number* relu_x;  // (rows, columns), or null
  float* row_sums;       // (splits, rows): the sums of the terms of A, if the pass has those; or null

  // The sums at columns `column` to `column` + 3 of a row.
  __device__ __forceinline__ void write(int split, int row, int column, Floats4 sums) const {
    if (row >= rows || column >= columns) return;
    if (bias != nullptr) add(sums, load<4>(bias + column, true));
#pragma unroll
    for (float& sum : sums.at) sum = relu != 0 && sum < 0 ? 0 : sum;  // a NaN stays
    const std::int64_t place = (static_cast<std::int64_t>(split) * rows + row) * columns + column;
    if (relu_x != nullptr) keep_positive(sums, load<4>(relu_x + place, true));
    if (accumulate != 0) add(sums, load<4>(c + place, true));
    store<4>(sums, c + place, true);
  }

 private:
  __device__ __forceinline__ static void add(Floats4& sums, const Floats4& more) {
#pragma unroll
    for (int i = 0; i < 4; ++i) sums.at[i] += more.at[i];
  }
};

// What makes the passes different: the types of the factors' numbers and of C's, the operands, and the tile for a C
// that is narrow (the columns of forward and backward data are channels) or low (the rows of backward weights are).
template <class FactorElement, class T>
struct Forward {
  using Element = FactorElement;
  using Number = T;
  template <int Rows, int Threads>
  using A = PatchRows<Element, Rows, Threads>;
  template <int Rows, int Threads>
  using B = MatrixRows<Element, Rows, Threads>;
  using ASource = Patches<Element>;
  using BSource = Matrix<Element>;
  using Narrow = TileShape<128, 64, 64, 32>;
  static constexpr bool sums_rows = false;
};
template <class FactorElement, class T>
struct BackwardData {
  using Element = FactorElement;
  using Number = T;
  template <int Rows, int Threads>
  using A = PatchRows<Element, Rows, Threads>;
  template <int Rows, int Threads>
  using B = FilterColumns<Element, Rows, Threads>;
  using ASource = Patches<Element>;
  using BSource = FilterTerms<Element>;
  using Narrow = TileShape<128, 64, 64, 32>;
  static constexpr bool sums_rows = false;
};
template <class FactorElement>
struct BackwardWeights {
  using Element = FactorElement;
  using Number = float;
  template <int Rows, int Threads>
  using A = FilterColumns<Element, Rows, Threads>;
  template <int Rows, int Threads>
  using B = PatchColumns<Element, Rows, Threads>;
  using ASource = FilterTerms<Element>;
  using BSource = Patches<Element>;
  using Narrow = TileShape<64, 128, 64, 32>;
  static constexpr bool sums_rows = true;  // the gradients of the biases
};

// The sum of one row of A, by the thread of that number, as the terms come by in shared memory. Many thousand of them:
// `lost` keeps what additions round off (D. Knuth, The Art of Computer Programming, volume 2, 4.2.2, theorem B).
class RowSum {
 public:
  template <class Element, int Rows>
  __device__ __forceinline__ void add(const TermTile<Element, Rows>& tile) {
    const int row = static_cast<int>(threadIdx.x);
    if (row >= Rows) return;
    float of_step = 0;
#pragma unroll
    for (int term = 0; term < depth<Element>; ++term) of_step += tile.at(term, row);
    const float total = sum_ + of_step, added = total - sum_;
    lost_ += (sum_ - (total - added)) + (of_step - added);
    sum_ = total;
  }
  // Of an infinite sum it is not known what it lost: that is a NaN.
  __device__ float value() const { return lost_ == lost_ ? sum_ + lost_ : sum_; }

 private:
  float sum_ = 0, lost_ = 0;
};

template <class TileA, class TileB>
struct SharedMemory {
  struct Stage {
    TileA a;
    TileB b;
  } stage[stages];
};

// blockIdx.x: the tile of C, neighbours in a row of tiles first, since they read the same rows of A, the larger
// operand. blockIdx.y: the split. `steps`: in all. For older cards there is nothing to run.
template <class Pass, Precision precision, class Tile>
__global__ void __launch_bounds__(Tile::threads, Tile::blocks_at_once)
    multiply(const __grid_constant__ typename Pass::ASource a_source,
             const __grid_constant__ typename Pass::BSource b_source,
             const __grid_constant__ Output<typename Pass::Number> output, int steps, int steps_a_split) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  using A = typename Pass::template A<Tile::rows, Tile::threads>;
  using B = typename Pass::template B<Tile::columns, Tile::threads>;
  auto& stage = dynamic_shared<SharedMemory<typename A::Tile, typename B::Tile>>().stage;

  const int tiles_across = (output.columns + Tile::columns - 1) / Tile::columns, tile = static_cast<int>(blockIdx.x);
  const int first_row = tile / tiles_across * Tile::rows, first_column = tile % tiles_across * Tile::columns;
  const int split = static_cast<int>(blockIdx.y), first_step = split * steps_a_split;
  const int count = min(steps_a_split, steps - first_step);

  using Element = typename Pass::Element;
  A a(a_source, first_row, first_step * depth<Element>);
  B b(b_source, first_column, first_step * depth<Element>);
  Sums<Element, Tile> sums;
  [[maybe_unused]] RowSum row_sum;
  const bool sums_rows = Pass::sums_rows && output.row_sums != nullptr && first_column == 0;

  // Each step is a group of copies, empty behind the last one, so that the number of groups tells what has arrived.
  const auto start_copies = [&](int step) {
    if (step < count) {
      a.copy_next(stage[step % stages].a);
      b.copy_next(stage[step % stages].b);
    }
    commit_copies();
  };
  for (int step = 0; step < stages - 1; ++step) start_copies(step);

  for (int step = 0; step < count; ++step) {
    wait_for_copies<stages - 2>();
    // Behind this barrier, all threads' copies of this step are there, and all threads are done with the step before,
    // whose place the next copies take.
    __syncthreads();
    start_copies(step + stages - 1);
    sums.template add<precision>(stage[step % stages].a, stage[step % stages].b);
    if constexpr (Pass::sums_rows)
      if (sums_rows) row_sum.add(stage[step % stages].a);
  }

  sums.for_each_pack([&](int row, int column, const Floats4& pack) {
    output.write(split, first_row + row, first_column + column, pack);
  });
  if constexpr (Pass::sums_rows) {
    const int row = first_row + static_cast<int>(threadIdx.x);
    if (sums_rows && static_cast<int>(threadIdx.x) < Tile::rows && row < output.rows)
      output.row_sums[static_cast<std::int64_t>(split) * output.rows + row] = row_sum.value();
  }
#endif
}

// ---------------------------------------------------------------------------------------------------------------------
// The host's side.

template <class Pass>
struct Product {
  const char* name;
  typename Pass::ASource a;
  typename Pass::BSource b;
  Output<typename Pass::Number> output;
  int steps, steps_a_split;
};

template <class Pass, Precision precision, class Tile>
void run(const Product<Pass>& product) {
  using TileA = typename Pass::template A<Tile::rows, Tile::threads>::Tile;
  using TileB = typename Pass::template B<Tile::columns, Tile::threads>::Tile;
  const int tiles = parts(product.output.rows, Tile::rows) * parts(product.output.columns, Tile::columns);
  const int splits = parts(product.steps, product.steps_a_split);
  launch(product.name, multiply<Pass, precision, Tile>,
         Grid{dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(splits)), dim3(Tile::threads),
              sizeof(SharedMemory<TileA, TileB>)},
         product.a, product.b, product.output, product.steps, product.steps_a_split);
}

template <class Pass, Precision precision>
void run(TileSize size, const Product<Pass>& product) {
  // Exact products take twice the registers for their factors: more and smaller warps.
  constexpr int wide_warp_columns = precision == Precision::fp32 ? 32 : 64;
  if (size == TileSize::wide)
    run<Pass, precision, TileShape<128, 128, 64, wide_warp_columns>>(product);
  else if (size == TileSize::narrow)
    run<Pass, precision, typename Pass::Narrow>(product);
  else
    run<Pass, precision, TileShape<64, 64, 32, 32>>(product);
}

template <class Pass>
void run(Precision precision, TileSize size, const Product<Pass>& product) {
  if constexpr (std::is_same_v<typename Pass::Element, Bf16>)
    run<Pass, Precision::bf16>(size, product);
  else if (precision == Precision::tf32)
    run<Pass, Precision::tf32>(size, product);
  else
    run<Pass, Precision::fp32>(size, product);
}

}  // namespace acol::cuda::mma
