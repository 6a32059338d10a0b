// Convolution from its definition.
//
//   y[n,p,q,o] = bias[o] + sum over taps (r, s) and channels c of  x[n, h, w, c] weight[o,r,s,c],
//   h = p stride - pad + r dilation,  w = q stride - pad + s dilation;  outside the image x counts as 0.
//
// y is linear in x and in the weights, so each product x weight of the sum above gives one product to each gradient:
//   dx[n,h,w,c] += dy[n,p,q,o] weight[o,r,s,c],   dweight[o,r,s,c] += dy[n,p,q,o] x[n,h,w,c],   dbias[o] +=
//   dy[n,p,q,o].
// A ReLU behind the sum, y = max(sum, 0), passes on what y > 0 lets through: dy counts as 0 elsewhere.
#pragma once

#include "tensor/geometry.h"
#include "tensor/reference/array.h"

namespace acol::reference {

// Calls body(n, p, q, h, w, r, s) for every output pixel (n, p, q), tap (r, s) and the input pixel (h, w) that it
// reads, if that one lies inside the image.
template <class Body>
void for_each_tap(const Conv2dGeometry& g, const Body& body) {
  for (int n = 0; n < g.batch; ++n)
    for (int p = 0; p < g.out_h(); ++p)
      for (int q = 0; q < g.out_w(); ++q)
        for (int r = 0; r < g.filter_h; ++r)
          for (int s = 0; s < g.filter_w; ++s) {
            const int h = p * g.stride_h - g.pad_h + r * g.dilation_h;
            const int w = q * g.stride_w - g.pad_w + s * g.dilation_w;
            if (h >= 0 && h < g.in_h && w >= 0 && w < g.in_w) body(n, p, q, h, w, r, s);
          }
}

template <class T>
void conv2d_forward(const Conv2dGeometry& g, const T* x, const T* weight, const T* bias, bool relu, T* y) {
  const int P = g.out_h(), Q = g.out_w(), C = g.in_c, O = g.out_c;
  const Array4 X{x, g.in_h, g.in_w, C}, W{weight, g.filter_h, g.filter_w, C};
  const Array4 Y{y, P, Q, O};

  for (int n = 0; n < g.batch; ++n)
    for (int p = 0; p < P; ++p)
      for (int q = 0; q < Q; ++q)
        for (int o = 0; o < O; ++o) Y(n, p, q, o) = bias == nullptr ? T{0} : bias[o];

  for_each_tap(g, [&](int n, int p, int q, int h, int w, int r, int s) {
    for (int o = 0; o < O; ++o)
      for (int c = 0; c < C; ++c) Y(n, p, q, o) += X(n, h, w, c) * W(o, r, s, c);
  });

  if (relu)
    for (int n = 0; n < g.batch; ++n)
      for (int p = 0; p < P; ++p)
        for (int q = 0; q < Q; ++q)
          for (int o = 0; o < O; ++o)
            if (Y(n, p, q, o) < 0) Y(n, p, q, o) = 0;
}

// The gradient of the sum before the ReLU. relu_y: null if there is no ReLU.
template <class T>
class SumGradient {
 public:
  SumGradient(const Conv2dGeometry& g, const T* dy, const T* relu_y)
      : dy_{dy, g.out_h(), g.out_w(), g.out_c},
        relu_y_{relu_y != nullptr ? relu_y : dy, g.out_h(), g.out_w(), g.out_c},
        relu_(relu_y != nullptr) {}
  T operator()(int n, int p, int q, int o) const { return !relu_ || relu_y_(n, p, q, o) > 0 ? dy_(n, p, q, o) : T{0}; }

 private:
  Array4<const T> dy_, relu_y_;
  bool relu_;
};

template <class T>
bool conv2d_backward_data(const Conv2dGeometry& g, const T* dy, const T* relu_y, const T* weight, const T* relu_x,
                          T* dx) {
  const int C = g.in_c, O = g.out_c;
  const Array4 W{weight, g.filter_h, g.filter_w, C};
  const SumGradient<T> DY(g, dy, relu_y);
  const Array4 DX{dx, g.in_h, g.in_w, C};
  const Array4 X{relu_x != nullptr ? relu_x : dx, g.in_h, g.in_w, C};

  for_each_tap(g, [&](int n, int p, int q, int h, int w, int r, int s) {
    for (int c = 0; c < C; ++c) {
      if (relu_x != nullptr && !(X(n, h, w, c) > 0)) continue;
      for (int o = 0; o < O; ++o) DX(n, h, w, c) += DY(n, p, q, o) * W(o, r, s, c);
    }
  });
  return relu_x != nullptr;
}

template <class T>
void conv2d_backward_weights(const Conv2dGeometry& g, const T* dy, const T* relu_y, const T* x, T* dweight, T* dbias) {
  const int P = g.out_h(), Q = g.out_w(), C = g.in_c, O = g.out_c;
  const Array4 X{x, g.in_h, g.in_w, C};
  const SumGradient<T> DY(g, dy, relu_y);
  const Array4 DW{dweight, g.filter_h, g.filter_w, C};

  for_each_tap(g, [&](int n, int p, int q, int h, int w, int r, int s) {
    for (int o = 0; o < O; ++o)
      for (int c = 0; c < C; ++c) DW(o, r, s, c) += DY(n, p, q, o) * X(n, h, w, c);
  });

  if (dbias != nullptr)
    for (int n = 0; n < g.batch; ++n)
      for (int p = 0; p < P; ++p)
        for (int q = 0; q < Q; ++q)
          for (int o = 0; o < O; ++o) dbias[o] += DY(n, p, q, o);
}

}  // namespace acol::reference
