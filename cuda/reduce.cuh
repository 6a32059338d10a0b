// Sums in a fixed order. Floating-point sums depend on their order, so which thread adds what follows from the shape
// alone: not from the card, nor from when a thread runs.
//
// sum_rows adds up the rows of matrices, in double, in two stages:
//   1. The rows are cut into parts. A block takes one part of some columns: its threads stand side by side along the
//      columns (neighbouring numbers of a row, read together) and in several lines down the rows. Each thread adds
//      every so many-th row of its column; then the lines are added, the lower half to the upper half, until one is
//      left.
//   2. The parts' sums are themselves rows of a matrix, which a second kernel adds in the same way, as one part.
// With one part the first stage is all.
#pragma once

#include "cuda/index.cuh"

namespace acol::cuda {

template <class T>
struct OnePerThread {
  T at[threads_a_block];
};

// The values of all threads of a block of threads_a_block, put together two by two; every thread gets the result. All
// threads of the block must come here, once for the same `values`.
template <class T, class Combine>
__device__ T combine_block(OnePerThread<T>& values, T value, const Combine& combine) {
  const unsigned thread = threadIdx.x;
  values.at[thread] = value;
  for (unsigned half = threads_a_block / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread < half) values.at[thread] = combine(values.at[thread], values.at[thread + half]);
  }
  __syncthreads();
  return values.at[0];
}

// The smallest power of two that is not below `columns`, at most `most`.
inline int lanes_for(int columns, int most) {
  int lanes = 1;
  while (lanes < columns && lanes < most) lanes *= 2;
  return lanes;
}

// The rows first, first + step, ... below end: those of one thread.
struct SomeRows {
  std::int64_t first, end, step;
};

template <int sums>
struct BlockSums {
  OnePerThread<double> at[sums];
};

// add(group, rows, column, sum) adds a thread's rows to the numbers sum[0], ... of its column; finish(group, column,
// sum) gets their totals over part blockIdx.y, in one thread. The bounds let a thread have 64 registers: without them
// the compiler saves registers by reading the rows one after the other.
template <int sums, class Add, class Finish>
__global__ void __launch_bounds__(threads_a_block, 4)
    sum_rows_kernel(int groups, std::int64_t rows, int columns, int lanes, std::int64_t rows_a_part, Add add,
                    Finish finish) {
  BlockSums<sums>& block = shared<BlockSums<sums>>();
  const int thread = static_cast<int>(threadIdx.x), lines = threads_a_block / lanes, line = thread / lanes;
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * lanes + thread % lanes;
  const std::int64_t begin = blockIdx.y * rows_a_part, end = std::min(rows, begin + rows_a_part);
  const bool inside = column < columns;
  for (int group = static_cast<int>(blockIdx.z); group < groups; group += static_cast<int>(gridDim.z)) {
    double sum[sums] = {};
    if (inside) add(group, SomeRows{begin + line, end, lines}, static_cast<int>(column), sum);
    for (int k = 0; k < sums; ++k) block.at[k].at[thread] = sum[k];
    for (int half = lines / 2; half > 0; half /= 2) {
      __syncthreads();
      if (line < half)
        for (int k = 0; k < sums; ++k) block.at[k].at[thread] += block.at[k].at[thread + half * lanes];
    }
    if (inside && line == 0) {
      for (int k = 0; k < sums; ++k) sum[k] = block.at[k].at[thread];
      finish(group, static_cast<int>(column), sum);
    }
    __syncthreads();  // before the next group's numbers
  }
}

// Matrices of one shape, each (groups, rows, columns).
template <int count, class T>
struct Matrices {
  const T* at[count];
};

// An `add` for the kernel above: the numbers of `count` matrices at one place go to a term.
template <int sums, int count, class T, class Term>
struct AddMatrices {
  Matrices<count, T> in;
  std::int64_t rows;
  int columns;
  Term term;

  // Reads `together` rows before it adds them: a thread waits for memory once for all.
  template <int together>
  __device__ void add(std::int64_t first, std::int64_t step, int column, double (&sum)[sums]) const {
    float numbers[together][count];
    for (int r = 0; r < together; ++r)
      for (int k = 0; k < count; ++k) numbers[r][k] = in.at[k][first + r * step];
    for (int r = 0; r < together; ++r) term(column, numbers[r], sum);
  }

  __device__ void operator()(int group, const SomeRows& some, int column, double (&sum)[sums]) const {
    constexpr int together = 8;
    const auto place = [&](std::int64_t row) { return (group * rows + row) * columns + column; };
    std::int64_t row = some.first;
    for (; row + (together - 1) * some.step < some.end; row += together * some.step)
      add<together>(place(row), some.step * columns, column, sum);
    for (; row < some.end; row += some.step) add<1>(place(row), some.step * columns, column, sum);
  }
};

// The parts' sums between the two stages: (groups, parts, sums, columns).
template <int sums>
struct Parts {
  double* data;
  int parts, columns;

  __device__ double* at(int group, std::int64_t part, int column) const {
    return data + (static_cast<std::int64_t>(group) * parts + part) * sums * columns + column;
  }
};

template <int sums>
struct StorePart {
  Parts<sums> to;

  __device__ void operator()(int group, int column, const double (&sum)[sums]) const {
    double* const part = to.at(group, blockIdx.y, column);
    for (int k = 0; k < sums; ++k) part[static_cast<std::int64_t>(k) * to.columns] = sum[k];
  }
};

template <int sums>
struct AddParts {
  Parts<sums> from;

  __device__ void operator()(int group, const SomeRows& some, int column, double (&sum)[sums]) const {
#pragma unroll 4
    for (std::int64_t row = some.first; row < some.end; row += some.step) {
      const double* const part = from.at(group, row, column);
      for (int k = 0; k < sums; ++k) sum[k] += part[static_cast<std::int64_t>(k) * from.columns];
    }
  }
};

// For each group and column: finish(group, column, totals), where term(column, numbers, sum) has added the numbers of
// each row to sum[0], ...; over no rows they are 0.
template <int sums, int count, class T, class Term, class Finish>
void sum_rows(const char* name, int groups, std::int64_t rows, int columns, const Matrices<count, T>& in,
              const Term& term, const Finish& finish) {
  constexpr std::int64_t most_parts = 2048;   // enough to keep any card busy
  constexpr std::int64_t rows_a_thread = 32;  // so that adding the lines costs little beside them
  if (groups == 0 || columns == 0) return;
  const auto grid = [=](int lanes, int parts) {
    return Grid{dim3(static_cast<unsigned>((columns + lanes - 1) / lanes), static_cast<unsigned>(parts),
                     static_cast<unsigned>(std::min(groups, 65535))),
                dim3(threads_a_block)};
  };
  using Add = AddMatrices<sums, count, T, Term>;
  const Add add{in, rows, columns, term};
  const int lanes = lanes_for(columns, 32);
  const std::int64_t rows_a_part =
      std::max(rows_a_thread * (threads_a_block / lanes), (rows + most_parts - 1) / most_parts);
  const auto parts = static_cast<int>(std::max<std::int64_t>(1, (rows + rows_a_part - 1) / rows_a_part));
  if (parts == 1) {
    launch(name, sum_rows_kernel<sums, Add, Finish>, grid(lanes, 1), groups, rows, columns, lanes, rows_a_part, add,
           finish);
    return;
  }
  const Scratch scratch(sizeof(double) * sums * static_cast<std::size_t>(groups) * static_cast<std::size_t>(parts) *
                        static_cast<std::size_t>(columns));
  const Parts<sums> between{scratch.as<double>(), parts, columns};
  launch(name, sum_rows_kernel<sums, Add, StorePart<sums>>, grid(lanes, parts), groups, rows, columns, lanes,
         rows_a_part, add, StorePart<sums>{between});
  // Few columns a block, so that there are many blocks; four are still the 32 bytes that memory gives at once.
  const int few = lanes_for(columns, 4);
  launch(name, sum_rows_kernel<sums, AddParts<sums>, Finish>, grid(few, 1), groups, parts, columns, few, parts,
         AddParts<sums>{between}, finish);
}

}  // namespace acol::cuda
