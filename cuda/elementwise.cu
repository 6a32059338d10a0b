// Kernels that treat every element alike: activations, sums, products. A thread takes four neighbouring elements at a
// time.
#include "cuda/kernels.h"
#include "cuda/pack.cuh"

namespace acol::cuda {

namespace {

// out[i] = operation(in[i], ...). `out` may be among `in`: that is how a gradient is added to.
template <class Operation, class Out, class... In>
__global__ void map_kernel(std::int64_t count, bool aligned, Operation operation, Out* out, const In*... in) {
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

template <class Operation, class Out, class... In>
void map(const char* name, std::int64_t count, const Operation& operation, Out* out, const In*... in) {
  void (*const kernel)(std::int64_t, bool, Operation, Out*, const In*...) = map_kernel<Operation, Out, In...>;
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

struct Copy {
  __device__ float operator()(float x) const { return x; }
};

struct AddScaled {
  float factor;

  __device__ float operator()(float x, float y) const { return y + factor * x; }
};

}  // namespace

template <class T>
void relu_forward(std::int64_t count, const T* x, T* y) {
  map("relu_forward", count, Relu{}, y, x);
}

template <class T>
void relu_backward(std::int64_t count, const T* y, const T* dy, T* dx) {
  map("relu_backward", count, AddWherePositive{}, dx, y, dy, dx);
}

template <class T>
void add_forward(std::int64_t count, const T* a, const T* b, T* y) {
  map("add_forward", count, Sum{}, y, a, b);
}

template <class T>
void multiply_forward(std::int64_t count, const T* a, const T* b, T* y) {
  map("multiply_forward", count, Product{}, y, a, b);
}

// One after the other, here and below, since da and db may be the same array (the square of a value).
template <class T>
void multiply_backward(std::int64_t count, const T* a, const T* b, const T* dy, T* da, T* db) {
  if (da != nullptr) map("multiply_backward", count, AddProduct{}, da, dy, b, da);
  if (db != nullptr) map("multiply_backward", count, AddProduct{}, db, dy, a, db);
}

template <class T>
void maximum_forward(std::int64_t count, const T* a, const T* b, T* y) {
  map("maximum_forward", count, Maximum{}, y, a, b);
}

template <class T>
void maximum_backward(std::int64_t count, const T* a, const T* b, const T* dy, T* da, T* db) {
  if (da != nullptr) map("maximum_backward", count, AddToWinner{true}, da, a, b, dy, da);
  if (db != nullptr) map("maximum_backward", count, AddToWinner{false}, db, a, b, dy, db);
}

template <class T>
void accumulate(std::int64_t count, float factor, const T* x, T* y) {
  map("accumulate", count, AddScaled{factor}, y, x, y);
}

template <class T>
void to_parameters(std::int64_t count, const T* x, float* y) {
  map("to_parameters", count, Copy{}, y, x);
}

template <class T>
void add_parameters(std::int64_t count, const float* x, T* y) {
  map("add_parameters", count, Sum{}, y, y, x);
}

template void relu_forward(std::int64_t, const float*, float*);
template void relu_backward(std::int64_t, const float*, const float*, float*);
template void add_forward(std::int64_t, const float*, const float*, float*);
template void multiply_forward(std::int64_t, const float*, const float*, float*);
template void multiply_backward(std::int64_t, const float*, const float*, const float*, float*, float*);
template void maximum_forward(std::int64_t, const float*, const float*, float*);
template void maximum_backward(std::int64_t, const float*, const float*, const float*, float*, float*);
template void accumulate(std::int64_t, float, const float*, float*);
template void to_parameters(std::int64_t, const float*, float*);
template void add_parameters(std::int64_t, const float*, float*);

template void relu_forward(std::int64_t, const Bf16*, Bf16*);
template void relu_backward(std::int64_t, const Bf16*, const Bf16*, Bf16*);
template void add_forward(std::int64_t, const Bf16*, const Bf16*, Bf16*);
template void multiply_forward(std::int64_t, const Bf16*, const Bf16*, Bf16*);
template void multiply_backward(std::int64_t, const Bf16*, const Bf16*, const Bf16*, Bf16*, Bf16*);
template void maximum_forward(std::int64_t, const Bf16*, const Bf16*, Bf16*);
template void maximum_backward(std::int64_t, const Bf16*, const Bf16*, const Bf16*, Bf16*, Bf16*);
template void accumulate(std::int64_t, float, const Bf16*, Bf16*);
template void to_parameters(std::int64_t, const Bf16*, float*);
template void add_parameters(std::int64_t, const float*, Bf16*);

}  // namespace acol::cuda
