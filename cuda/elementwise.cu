// Kernels that treat every element alike: activations, sums, products. A thread takes four neighbouring elements at a
// time.
#include "cuda/kernels.h"
#include "cuda/pack.cuh"

namespace acol::cuda {

namespace {

// out[i] = operation(in[i], ...). `out` may be among `in`: that is how a gradient is added to.
template <class Operation, class... In>
__global__ void map_kernel(std::int64_t count, bool aligned, Operation operation, float* out, In... in) {
  for_each_index((count + 3) / 4, [&](std::int64_t four) {
    const std::int64_t first = 4 * four;
    if (first + 4 <= count) {
      const auto map_pack = [&](const auto&... packs) {
        Pack<float, 4> result;
        for (int i = 0; i < 4; ++i) result.at[i] = operation(packs.at[i]...);
        store<4>(result, out + first, aligned);
      };
      map_pack(load<4>(in + first, aligned)...);
      return;
    }
    for (std::int64_t i = first; i < count; ++i) out[i] = operation(in[i]...);
  });
}

template <class Operation, class... In>
void map(const char* name, std::int64_t count, const Operation& operation, float* out, In... in) {
  void (*const kernel)(std::int64_t, bool, Operation, float*, In...) = map_kernel<Operation, In...>;
  launch(name, kernel, grid_for((count + 3) / 4), count, aligned(4, out, in...), operation, out, in...);
}

// a wins a tie, and a NaN wins over a number.
__device__ bool first_wins(float a, float b) { return a >= b || a != a; }

struct Relu {
  __device__ float operator()(float x) const { return x < 0 ? 0 : x; }  // a NaN stays
};

struct AddWherePositive {
  __device__ float operator()(float y, float dy, float dx) const { return y > 0 ? dx + dy : dx; }
};

struct Sum {
  __device__ float operator()(float a, float b) const { return a + b; }
};

struct Product {
  __device__ float operator()(float a, float b) const { return a * b; }
};

struct AddProduct {
  __device__ float operator()(float a, float b, float sum) const { return sum + a * b; }
};

struct Maximum {
  __device__ float operator()(float a, float b) const { return first_wins(a, b) ? a : b; }
};

// To the gradient of a, or to that of b.
struct AddToWinner {
  bool to_first;

  __device__ float operator()(float a, float b, float dy, float gradient) const {
    return first_wins(a, b) == to_first ? gradient + dy : gradient;
  }
};

struct AddScaled {
  float factor;

  __device__ float operator()(float x, float y) const { return y + factor * x; }
};

}  // namespace

void relu_forward(std::int64_t count, const float* x, float* y) { map("relu_forward", count, Relu{}, y, x); }

void relu_backward(std::int64_t count, const float* y, const float* dy, float* dx) {
  map("relu_backward", count, AddWherePositive{}, dx, y, dy, dx);
}

void add_forward(std::int64_t count, const float* a, const float* b, float* y) {
  map("add_forward", count, Sum{}, y, a, b);
}

void multiply_forward(std::int64_t count, const float* a, const float* b, float* y) {
  map("multiply_forward", count, Product{}, y, a, b);
}

// One after the other, here and below, since da and db may be the same array (the square of a value).
void multiply_backward(std::int64_t count, const float* a, const float* b, const float* dy, float* da, float* db) {
  if (da != nullptr) map("multiply_backward", count, AddProduct{}, da, dy, b, da);
  if (db != nullptr) map("multiply_backward", count, AddProduct{}, db, dy, a, db);
}

void maximum_forward(std::int64_t count, const float* a, const float* b, float* y) {
  map("maximum_forward", count, Maximum{}, y, a, b);
}

void maximum_backward(std::int64_t count, const float* a, const float* b, const float* dy, float* da, float* db) {
  if (da != nullptr) map("maximum_backward", count, AddToWinner{true}, da, a, b, dy, da);
  if (db != nullptr) map("maximum_backward", count, AddToWinner{false}, db, a, b, dy, db);
}

void accumulate(std::int64_t count, float factor, const float* x, float* y) {
  map("accumulate", count, AddScaled{factor}, y, x, y);
}

}  // namespace acol::cuda
