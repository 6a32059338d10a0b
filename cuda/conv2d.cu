// Convolution: on tensor cores where those can do it (conv_mma.h), else on CUDA cores, as here. Each pass is one matrix
// product, whose matrices are indexed in place.
//
//   conv2d_patches.cuh   the three passes as products, and how their matrices are indexed
//   conv2d_simt.cuh      the product: one tile a block
//   conv2d_plan.cuh      the size of the tiles, and into how many parts a long sum is cut
//   conv2d_parts.cuh     adding up those parts
//
// Forward and backward data have one output pixel a row of the product, so that they have blocks enough. The gradient
// of the weights is a small matrix and a long sum over all pixels: the sum is cut into parts, each of which becomes a
// matrix of its own, and a second kernel adds those up in their order.
#include "cuda/conv2d_parts.cuh"
#include "cuda/conv2d_patches.cuh"
#include "cuda/conv2d_plan.cuh"
#include "cuda/conv2d_simt.cuh"
#include "cuda/conv_mma.h"
#include "cuda/kernels.h"
#include "cuda/reduce.cuh"

namespace acol::cuda {

namespace {

using namespace simt;

template <class Tile, bool vectors, class A, class B, class T>
void launch_product(const char* name, const ProductPlan& plan, std::int64_t depth, const A& a, const B& b,
                    const Output<T>& c) {
  // Unlike the parts, the tile may be another one than the plan's.
  const auto tiles_m = static_cast<unsigned>(rounded_up(c.m, Tile::m) / Tile::m),
             tiles_n = static_cast<unsigned>(rounded_up(c.n, Tile::n) / Tile::n);
  void (*const kernel)(const A, const B, const Output<T>, std::int64_t, std::int64_t, bool) =
      product_kernel<Tile, vectors, A, B, T>;
  // A grid may have more blocks along x.
  const dim3 blocks(std::max(tiles_m, tiles_n), std::min(tiles_m, tiles_n), static_cast<unsigned>(plan.parts));
  launch(name, kernel, Grid{blocks, dim3(Tile::threads)}, a, b, c, depth, plan.part_depth, tiles_m >= tiles_n);
}

// `vectors`: of the operands. Without, that is with odd numbers of channels, the small tile will do.
template <class A, class B, class T>
void small_product(const char* name, const ProductPlan& plan, std::int64_t depth, bool vectors, const A& a, const B& b,
                   const Output<T>& c) {
  if (vectors)
    launch_product<Tile<64, 64>, true>(name, plan, depth, a, b, c);
  else
    launch_product<Tile<64, 64>, false>(name, plan, depth, a, b, c);
}

template <class A, class B, class T>
void product(const char* name, const ProductPlan& plan, std::int64_t depth, bool vectors, const A& a, const B& b,
             const Output<T>& c) {
  if (vectors && plan.tile_m == 128 && plan.tile_n == 128)
    launch_product<Tile<128, 128>, true>(name, plan, depth, a, b, c);
  else if (vectors && plan.tile_m == 128)
    launch_product<Tile<128, 64>, true>(name, plan, depth, a, b, c);
  else
    small_product(name, plan, depth, vectors, a, b, c);
}

// Whether quads of the last axis, of `length`, begin at multiples of their size. Null is no obstacle.
template <class... Pointers>
bool in_quads(int length, const Pointers*... arrays) {
  return length % 4 == 0 && aligned(4, arrays...);
}

// db += the sums of dy over all pixels, `numbers` being dy and, if there are two, relu_y.
template <int count>
struct AddGradient {
  __device__ void operator()(int, const float (&numbers)[count], double (&sum)[1]) const {
    if (count == 1 || numbers[count - 1] > 0) sum[0] += numbers[0];
  }
};

struct AddToBiasGradient {
  float* db;

  __device__ void operator()(int, int o, const double (&sum)[1]) const { db[o] += static_cast<float>(sum[0]); }
};

template <class T>
void backward_bias(std::int64_t pixels, int channels, const T* dy, const T* relu_y, float* db) {
  const char* const name = "conv2d backward bias";
  if (relu_y == nullptr)
    sum_rows<1>(name, 1, pixels, channels, Matrices<1, T>{{dy}}, AddGradient<1>{}, AddToBiasGradient{db});
  else
    sum_rows<1>(name, 1, pixels, channels, Matrices<2, T>{{dy, relu_y}}, AddGradient<2>{}, AddToBiasGradient{db});
}

}  // namespace

template <class T>
void conv2d_forward(const Conv2dGeometry& g, const T* x, const float* w, const float* bias, bool relu, T* y) {
  if (mma_forward(precision_in_use(), g, x, w, bias, relu, y)) return;
  const std::int64_t m = std::int64_t{g.batch} * g.out_h() * g.out_w();
  const int depth = g.taps() * g.in_c;
  const PatchesAlongDepth<T, false, false> a{x, nullptr, input_patches(g)};
  const MatrixAlongDepth b{w, nullptr, g.out_c, depth};
  const Output<T> c{y, bias, m, g.out_c, relu ? Ending::assign_relu : Ending::assign, in_quads(g.out_c, y)};
  product("conv2d forward", product_plan(m, g.out_c, depth, false), depth, in_quads(g.in_c, x, w), a, b, c);
}

template <class T>
bool conv2d_backward_data(const Conv2dGeometry& g, const T* dy, const T* relu_y, const float* w, const T* relu_x,
                          T* dx) {
  if (mma_backward_data(precision_in_use(), g, dy, relu_y, w, relu_x, dx)) return relu_x != nullptr;
  const std::int64_t m = std::int64_t{g.batch} * g.in_h * g.in_w;
  const int depth = g.taps() * g.out_c;
  const FiltersAcrossDepth b{w, nullptr, {g.out_c}, g.taps(), g.in_c, std::int64_t{g.taps()} * g.in_c};
  const Output<T> c{dx, nullptr, m, g.in_c, Ending::add, in_quads(g.in_c, dx)};
  const ProductPlan plan = product_plan(m, g.in_c, depth, false);
  const bool vectors = in_quads(g.out_c, dy, relu_y) && in_quads(g.in_c, w);
  const char* const name = "conv2d backward data";
  if (g.stride_h == 1 && g.stride_w == 1)
    product(name, plan, depth, vectors, PatchesAlongDepth<T, true, false>{dy, relu_y, output_patches<false>(g)}, b, c);
  else
    small_product(name, plan, depth, vectors, PatchesAlongDepth<T, true, true>{dy, relu_y, output_patches<true>(g)}, b,
                  c);
  return false;
}

template <class T>
void conv2d_backward_weights(const Conv2dGeometry& g, const T* dy, const T* relu_y, const T* x, float* dw, float* db) {
  const std::int64_t n = std::int64_t{g.taps()} * g.in_c, depth = std::int64_t{g.batch} * g.out_h() * g.out_w();
  if (mma_backward_weights(precision_in_use(), g, dy, relu_y, x, dw, db)) return;
  if (db != nullptr) backward_bias(depth, g.out_c, dy, relu_y, db);
  const ProductPlan plan = product_plan(g.out_c, n, depth, true);
  const MatrixAcrossDepth<T> a{dy, relu_y, depth, g.out_c};
  const PatchesAcrossDepth<T> b{x, nullptr, input_patches(g)};
  const bool vectors = in_quads(g.out_c, dy, relu_y) && in_quads(g.in_c, x);
  const char* const name = "conv2d backward weights";
  if (plan.parts == 1) {
    const Output<float> c{dw, nullptr, g.out_c, n, Ending::add, in_quads(g.in_c, dw)};
    product(name, plan, depth, vectors, a, b, c);
  } else {
    const std::int64_t count = g.out_c * n;
    const Scratch partial(sizeof(float) * static_cast<std::size_t>(plan.parts * count));
    const Output<float> c{
        partial.as<float>(), nullptr, g.out_c, n, Ending::assign, in_quads(g.in_c, partial.as<float>())};
    product(name, plan, depth, vectors, a, b, c);
    add_parts(name, static_cast<int>(plan.parts), count, partial.as<float>(), dw);
  }
}

template void conv2d_forward(const Conv2dGeometry&, const float*, const float*, const float*, bool, float*);
template void conv2d_forward(const Conv2dGeometry&, const Bf16*, const float*, const float*, bool, Bf16*);
template bool conv2d_backward_data(const Conv2dGeometry&, const float*, const float*, const float*, const float*,
                                   float*);
template bool conv2d_backward_data(const Conv2dGeometry&, const Bf16*, const Bf16*, const float*, const Bf16*, Bf16*);
template void conv2d_backward_weights(const Conv2dGeometry&, const float*, const float*, const float*, float*, float*);
template void conv2d_backward_weights(const Conv2dGeometry&, const Bf16*, const Bf16*, const Bf16*, float*, float*);

}  // namespace acol::cuda
