// The optimizer's kernels: the norm of a gradient, and one step of stochastic gradient descent.
//
// Each is for all parameters at once. They range from 64 numbers to millions, so the arrays are cut into chunks of one
// size, a block takes a chunk, and finds by its number which array that is in. What a block must know of the arrays
// travels with the launch, so that nothing is copied to the card; a launch takes as many arrays as fit there.
#include "cuda/kernels.h"
#include "cuda/pack.cuh"
#include "cuda/reduce.cuh"

namespace acol::cuda {

namespace {

constexpr int packs_a_thread = 4;
constexpr int numbers_a_chunk = 4 * packs_a_thread * threads_a_block;

// What blocks are told: the arrays of a launch, and which chunks are theirs.
template <class Array>
struct Arrays {
  // All parameters of a kernel may have 4 KB.
  static constexpr int most = (4096 - 64) / static_cast<int>(sizeof(Array) + sizeof(int));

  int arrays = 0;
  int first_chunk[most + 1] = {};  // of each array, and of the one behind the last: how many there are
  Array at[most] = {};

  int chunks() const { return first_chunk[arrays]; }
  bool full() const { return arrays == most; }
  void add(const Array& array) {
    at[arrays] = array;
    first_chunk[arrays + 1] =
        first_chunk[arrays] + static_cast<int>((array.count + numbers_a_chunk - 1) / numbers_a_chunk);
    ++arrays;
  }

  // The array that a chunk is in: the last that does not begin behind it. Of several that begin there, all but the last
  // have no numbers.
  __device__ int array_of(int chunk) const {
    int array = 0;
    for (int behind = arrays; behind - array > 1;) {
      const int middle = (array + behind) / 2;
      if (first_chunk[middle] <= chunk)
        array = middle;
      else
        behind = middle;
    }
    return array;
  }
};

// Calls run(list, place) with the arrays at(0), ..., at(arrays - 1), in as few lists as hold them; `place`: of the
// list's first.
template <class Array, class At, class Run>
void for_each_list(int arrays, const At& at, const Run& run) {
  for (int first = 0; first < arrays;) {
    Arrays<Array> list;
    int next = first;
    for (; next < arrays && !list.full(); ++next) list.add(at(next));
    run(list, first);
    first = next;
  }
}

Grid grid_of(int blocks) { return {dim3(static_cast<unsigned>(blocks)), dim3(threads_a_block)}; }

// The numbers begin <= i < end of an array: those of a block.
struct Chunk {
  std::int64_t begin, end;

  __device__ Chunk(int chunk_of_array, std::int64_t count)
      : begin(std::int64_t{chunk_of_array} * numbers_a_chunk), end(std::min(begin + numbers_a_chunk, count)) {}

  // The first of the four numbers that are this thread's `pack`-th.
  __device__ std::int64_t first(int pack) const {
    return begin + 4 * (pack * threads_a_block + static_cast<int>(threadIdx.x));
  }
  __device__ bool whole() const { return end - begin == numbers_a_chunk; }

  // This thread's part: four(i) for the numbers i to i + 3, single(i) for one where the array ends sooner.
  template <class Four, class Single>
  __device__ void for_each(const Four& four, const Single& single) const {
    for (std::int64_t i = first(0); i < end; i += 4 * threads_a_block)
      if (i + 4 <= end)
        four(i);
      else
        for (std::int64_t j = i; j < end; ++j) single(j);
  }
};

struct SgdStep {
  float rate, momentum, decay, scale;
  bool nesterov;

  __device__ void operator()(float dw, float& v, float& w) const {
    const float gradient = scale * dw + decay * w;
    v = momentum * v + gradient;
    w -= rate * (nesterov ? gradient + momentum * v : v);
  }
};

__global__ void sgd_step_kernel(const __grid_constant__ Arrays<SgdArray<float>> list, float momentum, bool nesterov,
                                float scale) {
  const int block = static_cast<int>(blockIdx.x), number = list.array_of(block);
  const SgdArray<float>& array = list.at[number];
  const Chunk chunk(block - list.first_chunk[number], array.count);
  const float* const dw = array.dw;
  float *const v = array.v, *const w = array.w;
  const bool together = aligned(4, dw, v, w);
  const SgdStep step{array.rate, momentum, array.decay, scale, nesterov};
  chunk.for_each(
      [&](std::int64_t first) {
        const Pack<float, 4> gradient = load<4>(dw + first, together);
        Pack<float, 4> velocity = load<4>(v + first, together), weight = load<4>(w + first, together);
        for (int i = 0; i < 4; ++i) step(gradient.at[i], velocity.at[i], weight.at[i]);
        store<4>(velocity, v + first, together);
        store<4>(weight, w + first, together);
      },
      [&](std::int64_t i) { step(dw[i], v[i], w[i]); });
}

struct Numbers {
  std::int64_t count;
  const float* x;
};

// The sum of the values of a block's threads, in each of them.
__device__ double sum_of_block(double value) {
  return combine_block(shared<OnePerThread<double>>(), value, [](double a, double b) { return a + b; });
}

// sums[chunk] = sum of its squares.
__global__ void square_chunks_kernel(const __grid_constant__ Arrays<Numbers> list, double* sums) {
  const int block = static_cast<int>(blockIdx.x), number = list.array_of(block);
  const Chunk chunk(block - list.first_chunk[number], list.at[number].count);
  const float* const x = list.at[number].x;
  double sum = 0;
  const auto add = [&](float value) { sum += double{value} * value; };
  const auto add_four = [&](const Pack<float, 4>& four) {
    for (int i = 0; i < 4; ++i) add(four.at[i]);
  };
  if (chunk.whole() && aligned(4, x)) {  // the same in the same order, but the thread waits for memory once
    Pack<float, 4> packs[packs_a_thread];
    for (int k = 0; k < packs_a_thread; ++k) packs[k] = load<4>(x + chunk.first(k), true);
    for (int k = 0; k < packs_a_thread; ++k) add_four(packs[k]);
  } else {
    chunk.for_each([&](std::int64_t i) { add_four(load<4>(x + i, false)); }, [&](std::int64_t i) { add(x[i]); });
  }
  sum = sum_of_block(sum);
  if (threadIdx.x == 0) sums[block] = sum;
}

// sums[array] = sum over its chunks. A block an array.
__global__ void add_chunks_kernel(const __grid_constant__ Arrays<Numbers> list, const double* chunk_sums,
                                  double* sums) {
  const int array = static_cast<int>(blockIdx.x);
  double sum = 0;
  for (int chunk = list.first_chunk[array] + static_cast<int>(threadIdx.x); chunk < list.first_chunk[array + 1];
       chunk += threads_a_block)
    sum += chunk_sums[chunk];
  sum = sum_of_block(sum);
  if (threadIdx.x == 0) sums[array] = sum;
}

}  // namespace

void sums_of_squares(int arrays, const std::int64_t* counts, const float* const* x, double* sums) {
  if (arrays == 0) return;
  const std::size_t bytes = sizeof(double) * static_cast<std::size_t>(arrays);
  const Scratch on_card(bytes);
  const auto at = [=](int i) { return Numbers{counts[i], x[i]}; };
  for_each_list<Numbers>(arrays, at, [&](const Arrays<Numbers>& list, int place) {
    const Scratch chunk_sums(sizeof(double) * static_cast<std::size_t>(list.chunks()));
    launch("sums_of_squares", square_chunks_kernel, grid_of(list.chunks()), list, chunk_sums.as<double>());
    launch("sums_of_squares", add_chunks_kernel, grid_of(list.arrays), list, chunk_sums.as<double>(),
           on_card.as<double>() + place);
  });
  copy_to_host(sums, on_card.as<double>(), bytes);
}

void sgd_step(int arrays, const SgdArray<float>* list, float momentum, bool nesterov, float scale) {
  const auto at = [=](int i) { return list[i]; };
  for_each_list<SgdArray<float>>(arrays, at, [&](const Arrays<SgdArray<float>>& some, int) {
    launch("sgd_step", sgd_step_kernel, grid_of(some.chunks()), some, momentum, nesterov, scale);
  });
}

}  // namespace acol::cuda
