// Convolution of one row of a picture with few channels: products that read the picture itself, not patches of it.
#include "tensor/simd/conv_row.h"
#include "tensor/simd/gemm_tile.inl"

namespace acol {
namespace {

template <int Lanes, int Pixels, int Vectors>
void conv_row_forward(int depth, const float* __restrict x, long step, const float* __restrict w,
                      const float* __restrict bias, bool relu, float* __restrict y, long y_step) {
  Accumulators<Lanes, Pixels, Vectors> sums;
  add_rows(sums, depth, x, step, w, Vectors * Lanes);
#pragma GCC unroll 3
  for (int v = 0; v < Vectors; ++v) {
    const Vector<Lanes> add = load<Lanes>(bias + v * Lanes);
    // A NaN stays: it is not below anything.
    const Vector<Lanes> least = Vector<Lanes>{} - (relu ? 0.0f : __builtin_inff());
#pragma GCC unroll 32
    for (int i = 0; i < Pixels; ++i) {
      const Vector<Lanes> value = sums.sum[i][v] + add;
      store<Lanes>(y + i * y_step + v * Lanes, value < least ? least : value);
    }
  }
}

template <int Lanes, int Depth, bool Masked>
ACOL_INLINE void add_gradient(int pixels, const float* __restrict x, long step, const ConvRowGradient& gradient,
                              float* __restrict sums, long sums_step, float* __restrict dy_sums) {
  const float *dy = gradient.dy, *relu_y = gradient.relu_y;
  Accumulators<Lanes, Depth, 1> sum;
  Vector<Lanes> dy_sum{};
  for (int i = 0; i < pixels; ++i, x += step, dy += gradient.step) {
    __builtin_prefetch(gradient.next_dy + i * Lanes);
    Vector<Lanes> number = load<Lanes>(dy);
    if constexpr (Masked) {
      __builtin_prefetch(gradient.next_relu_y + i * Lanes);
      number = keep_positive<Lanes>(number, load<Lanes>(relu_y));
      relu_y += gradient.step;
    }
    dy_sum += number;
#pragma GCC unroll 32
    for (int k = 0; k < Depth; ++k) sum.sum[k][0] += x[k] * number;
  }
  sum.write(sums, sums_step, true);
  store<Lanes>(dy_sums, load<Lanes>(dy_sums) + dy_sum);
}

template <int Lanes, int Depth>
void conv_row_gradient(int pixels, const float* x, long step, const ConvRowGradient& dy, float* sums, long sums_step,
                       float* dy_sums) {
  if (dy.relu_y == nullptr)
    add_gradient<Lanes, Depth, false>(pixels, x, step, dy, sums, sums_step, dy_sums);
  else
    add_gradient<Lanes, Depth, true>(pixels, x, step, dy, sums, sums_step, dy_sums);
}

// Tiles of Pixels x Vectors for the forward pass, Depth sums for the gradient.
template <int Lanes, int Pixels, int Vectors, int Depth>
constexpr ConvRowKernels conv_row{Pixels, Vectors* Lanes, conv_row_forward<Lanes, Pixels, Vectors>,
                                  Depth,  Lanes,          conv_row_gradient<Lanes, Depth>};

}  // namespace
}  // namespace acol
