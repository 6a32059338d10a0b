// Winograd's minimal filtering (S. Winograd 1980; A. Lavin, S. Gray, "Fast algorithms for convolutional neural
// networks", CVPR 2016). Along one axis, m outputs of a filter g of 3 taps over m + 2 inputs d are
//   y = A^T [(G g) * (B^T d)],
// m + 2 products in place of 3 m. It is polynomial multiplication by values at points: G and A^T's rows evaluate at the
// points p and at infinity, B^T interpolates. In two dimensions the transforms go over columns, then over rows.
//   F(2, 3): points 0, 1, -1 and infinity.  F(4, 3): points 0, +-a, +-b and infinity, a = sqrt(1/2), b = sqrt(2): the
//   products a b = 1 keep the numbers in B^T, G and A^T near 1, and the error at half of that of points 1, 2.
// The gradients are the transposes: of A^T for dy, and of G for dw.
#include "tensor/simd/gemm_tile.h"
#include "tensor/simd/vector.inl"
#include "tensor/simd/winograd.h"

namespace acol {
namespace {

struct F2 {
  static constexpr int outputs = 2, points = 4;

  // B^T d
  template <class V>
  static ACOL_INLINE void input(const V (&d)[4], V (&t)[4]) {
    t[0] = d[0] - d[2];
    t[1] = d[1] + d[2];
    t[2] = d[2] - d[1];
    t[3] = d[3] - d[1];
  }
  // A^T m
  template <class V>
  static ACOL_INLINE void output(const V (&m)[4], V (&y)[2]) {
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] + m[3];
  }
  // G g
  template <class V>
  static ACOL_INLINE void filter(const V (&g)[3], V (&u)[4]) {
    const V even = 0.5f * (g[0] + g[2]), odd = 0.5f * g[1];
    u[0] = g[0];
    u[1] = even + odd;
    u[2] = even - odd;
    u[3] = g[2];
  }
  // A y
  template <class V>
  static ACOL_INLINE void output_gradient(const V (&y)[2], V (&e)[4]) {
    e[0] = y[0];
    e[1] = y[0] + y[1];
    e[2] = y[0] - y[1];
    e[3] = y[1];
  }
  // G^T u
  template <class V>
  static ACOL_INLINE void filter_gradient(const V (&u)[4], V (&g)[3]) {
    const V even = 0.5f * (u[1] + u[2]);
    g[0] = u[0] + even;
    g[1] = 0.5f * (u[1] - u[2]);
    g[2] = even + u[3];
  }
};

struct F4 {
  static constexpr int outputs = 4, points = 6;
  static constexpr float a = 0.70710678118654752440f, b = 1.41421356237309504880f;

  // The rows of B^T are the coefficients of prod (x - p) over the other points:
  // 0: (x^2 - 1/2)(x^2 - 2);  +-a: x (x +- a)(x^2 - 2);  +-b: x (x +- b)(x^2 - 1/2);  infinity: x (x^2 - 1/2)(x^2 - 2)
  template <class V>
  static ACOL_INLINE void input(const V (&d)[6], V (&t)[6]) {
    t[0] = (d[0] + d[4]) - 2.5f * d[2];
    const V even_a = d[4] - 2.0f * d[2], odd_a = d[3] - 2.0f * d[1];
    t[1] = even_a + a * odd_a;
    t[2] = even_a - a * odd_a;
    const V even_b = d[4] - 0.5f * d[2], odd_b = d[3] - 0.5f * d[1];
    t[3] = even_b + b * odd_b;
    t[4] = even_b - b * odd_b;
    t[5] = (d[1] + d[5]) - 2.5f * d[3];
  }
  // y_k = sum over the points of p^k m_p; infinity counts in the last only.
  template <class V>
  static ACOL_INLINE void output(const V (&m)[6], V (&y)[4]) {
    const V sum_a = m[1] + m[2], difference_a = m[1] - m[2];
    const V sum_b = m[3] + m[4], difference_b = m[3] - m[4];
    y[0] = m[0] + sum_a + sum_b;
    y[1] = a * difference_a + b * difference_b;
    y[2] = 0.5f * sum_a + 2.0f * sum_b;
    y[3] = (0.5f * a) * difference_a + ((2.0f * b) * difference_b + m[5]);
  }
  // g(p) / prod (p - q) over the other finite points q: 1 at 0, -3/2 at +-a, 6 at +-b.
  template <class V>
  static ACOL_INLINE void filter(const V (&g)[3], V (&u)[6]) {
    u[0] = g[0];
    const V even_a = (-2.0f / 3) * g[0] - (1.0f / 3) * g[2], odd_a = (-2.0f / 3 * a) * g[1];
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    const V even_b = (1.0f / 6) * g[0] + (1.0f / 3) * g[2], odd_b = (b / 6) * g[1];
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = g[2];
  }
  template <class V>
  static ACOL_INLINE void output_gradient(const V (&y)[4], V (&e)[6]) {
    e[0] = y[0];
    const V even_a = y[0] + 0.5f * y[2], odd_a = y[1] + 0.5f * y[3];
    e[1] = even_a + a * odd_a;
    e[2] = even_a - a * odd_a;
    const V even_b = y[0] + 2.0f * y[2], odd_b = y[1] + 2.0f * y[3];
    e[3] = even_b + b * odd_b;
    e[4] = even_b - b * odd_b;
    e[5] = y[3];
  }
  template <class V>
  static ACOL_INLINE void filter_gradient(const V (&u)[6], V (&g)[3]) {
    const V sum_a = u[1] + u[2], sum_b = u[3] + u[4];
    g[0] = u[0] - (2.0f / 3) * sum_a + (1.0f / 6) * sum_b;
    g[1] = (-2.0f / 3 * a) * (u[1] - u[2]) + (b / 6) * (u[3] - u[4]);
    g[2] = (1.0f / 3) * (sum_b - sum_a) + u[5];
  }
};

// From x From numbers, read through get(row, column), become To x To, written through put(row, column, value):
// `transform` goes over each column, then over each row of what that gave. In `Parts` rounds, each for some of the
// rows: reading again is cheaper than to keep more numbers in between than there are registers. (What a round does not
// need of the columns' transforms, the compiler leaves out.)
template <class V, int From, int To, int Parts = 1, class Transform, class Get, class Put>
ACOL_INLINE void two_dimensional(const Transform& transform, const Get& get, const Put& put) {
  constexpr int rows = To / Parts;
#pragma GCC unroll 3
  for (int first = 0; first < To; first += rows) {
    V middle[rows][From];
#pragma GCC unroll 6
    for (int j = 0; j < From; ++j) {
      V in[From], out[To];
#pragma GCC unroll 6
      for (int i = 0; i < From; ++i) in[i] = get(i, j);
      transform(in, out);
#pragma GCC unroll 6
      for (int i = 0; i < rows; ++i) middle[i][j] = out[first + i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < rows; ++i) {
      V out[To];
      transform(middle[i], out);
#pragma GCC unroll 6
      for (int j = 0; j < To; ++j) put(first + i, j, out[j]);
    }
  }
}

// body.run<L>(c) for all channels: as many as fit at Lanes at a time, the rest at 4, then 1.
template <int Lanes, class Body>
ACOL_INLINE void for_each_vector(int count, const Body& body) {
  int c = 0;
  for (; c + Lanes <= count; c += Lanes) body.template operator()<Lanes>(c);
  if constexpr (Lanes > 4)
    for (; c + 4 <= count; c += 4) body.template operator()<4>(c);
  for (; c < count; ++c) body.template operator()<1>(c);
}

// Channels c .. c + L of pixel i, 0 where the mask is not above 0.
template <int L, bool Masked>
ACOL_INLINE Vector<L> load_pixel(const float* const* pixels, const float* const* mask, int i, int c) {
  const Vector<L> value = load<L>(pixels[i] + c);
  if constexpr (Masked)
    return keep_positive<L>(value, load<L>(mask[i] + c));
  else
    return value;
}

template <class F, int Lanes, bool Masked>
ACOL_INLINE void input_all(const float* const* pixels, const float* const* mask, int channels, float* v, long block,
                           long stride) {
  constexpr int n = F::points;
  for_each_vector<Lanes>(channels, [=]<int L>(int c) ACOL_ALWAYS {
    using V = Vector<L>;
    float* const out = v + c / gemm_block * block + c % gemm_block;
    two_dimensional<V, n, n, Masked ? 1 : 2>(
        [](const V(&d)[n], V(&t)[n]) ACOL_ALWAYS { F::input(d, t); },
        [=](int i, int j) ACOL_ALWAYS { return load_pixel<L, Masked>(pixels, mask, i * n + j, c); },
        [=](int i, int j, V t) ACOL_ALWAYS { store<L>(out + (i * n + j) * stride, t); });
  });
}

template <class F, int Lanes>
void input(const float* const* pixels, const float* const* mask, int channels, float* v, long block, long stride) {
  if (mask != nullptr)
    input_all<F, Lanes, true>(pixels, mask, channels, v, block, stride);
  else
    input_all<F, Lanes, false>(pixels, mask, channels, v, block, stride);
}

template <class F, int Lanes, bool Masked>
ACOL_INLINE void output_gradient_all(const float* const* pixels, const float* const* mask, int channels, float* e,
                                     long block, long stride) {
  constexpr int n = F::points, m = F::outputs;
  for_each_vector<Lanes>(channels, [=]<int L>(int c) ACOL_ALWAYS {
    using V = Vector<L>;
    float* const out = e + c / gemm_block * block + c % gemm_block;
    two_dimensional<V, m, n>([](const V(&y)[m], V(&t)[n]) ACOL_ALWAYS { F::output_gradient(y, t); },
                             [=](int i, int j)
                                 ACOL_ALWAYS { return load_pixel<L, Masked>(pixels, mask, i * m + j, c); },
                             [=](int i, int j, V t) ACOL_ALWAYS { store<L>(out + (i * n + j) * stride, t); });
  });
}

template <class F, int Lanes>
void output_gradient(const float* const* pixels, const float* const* mask, int channels, float* e, long block,
                     long stride) {
  if (mask != nullptr)
    output_gradient_all<F, Lanes, true>(pixels, mask, channels, e, block, stride);
  else
    output_gradient_all<F, Lanes, false>(pixels, mask, channels, e, block, stride);
}

template <class F, int Lanes>
void output(const float* m, long stride, int channels, const float* bias, bool relu, bool accumulate,
            float* const* pixels) {
  constexpr int n = F::points, k = F::outputs;
  for_each_vector<Lanes>(channels, [=]<int L>(int c) ACOL_ALWAYS {
    using V = Vector<L>;
    const V b = bias != nullptr ? load<L>(bias + c) : V{};
    two_dimensional<V, n, k>([](const V(&d)[n], V(&y)[k]) ACOL_ALWAYS { F::output(d, y); },
                             [=](int i, int j) ACOL_ALWAYS { return load<L>(m + (i * n + j) * stride + c); },
                             [=](int i, int j, V y) ACOL_ALWAYS {
                               float* const out = pixels[i * k + j] + c;
                               y += b;
                               if (accumulate) y += load<L>(out);
                               if (relu) y = y < 0.0f ? V{} : y;  // a NaN stays
                               store<L>(out, y);
                             });
  });
}

template <class F, int Lanes>
void filter(const float* w, long row_stride, long tap_stride, int rows, int columns, bool flipped, float* u,
            long stride) {
  constexpr int n = F::points;
  const float* const first = flipped ? w + 8 * tap_stride : w;
  const long step = flipped ? -tap_stride : tap_stride;
  for (int row = 0; row < rows; ++row) {
    const float* const g = first + row * row_stride;
    float* const out = u + static_cast<long>(row) * columns;
    for_each_vector<Lanes>(columns, [=]<int L>(int c) ACOL_ALWAYS {
      using V = Vector<L>;
      two_dimensional<V, 3, n>([](const V(&d)[3], V(&t)[n]) ACOL_ALWAYS { F::filter(d, t); },
                               [=](int i, int j) ACOL_ALWAYS { return load<L>(g + (i * 3 + j) * step + c); },
                               [=](int i, int j, V t) ACOL_ALWAYS { store<L>(out + (i * n + j) * stride + c, t); });
    });
  }
}

template <class F, int Lanes>
void filter_gradient(const float* du, long stride, int channels, float* dw, long tap_stride) {
  constexpr int n = F::points;
  for_each_vector<Lanes>(channels, [=]<int L>(int c) ACOL_ALWAYS {
    using V = Vector<L>;
    two_dimensional<V, n, 3>([](const V(&d)[n], V(&g)[3]) ACOL_ALWAYS { F::filter_gradient(d, g); },
                             [=](int i, int j) ACOL_ALWAYS { return load<L>(du + (i * n + j) * stride + c); },
                             [=](int i, int j, V g) ACOL_ALWAYS {
                               float* const out = dw + (i * 3 + j) * tap_stride + c;
                               store<L>(out, load<L>(out) + g);
                             });
  });
}

template <class F, int Lanes>
constexpr WinogradTransforms winograd{F::outputs,       input<F, Lanes>,           output<F, Lanes>,
                                      filter<F, Lanes>, output_gradient<F, Lanes>, filter_gradient<F, Lanes>};

}  // namespace
}  // namespace acol
