// A matrix turned over, Lanes x Lanes numbers at a time in registers.
#include "tensor/simd/vector.inl"

namespace acol {
namespace {

template <int... Index>
struct Indices {};
template <int Lanes>
struct IndicesBelow;
template <>
struct IndicesBelow<4> {
  using Type = Indices<0, 1, 2, 3>;
};
template <>
struct IndicesBelow<8> {
  using Type = Indices<0, 1, 2, 3, 4, 5, 6, 7>;
};
template <>
struct IndicesBelow<16> {
  using Type = Indices<0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15>;
};

// Two rows, seen as 2 x (Lanes / Step) blocks of Step numbers: exchanges the odd blocks of the first with the even ones
// of the second.
template <int Lanes, int Step, int... Index>
inline __attribute__((always_inline)) void exchange(Vector<Lanes>& first, Vector<Lanes>& second, Indices<Index...>) {
  const Vector<Lanes> a = first, b = second;
  first = __builtin_shufflevector(a, b, ((Index & Step) != 0 ? Lanes + Index - Step : Index)...);
  second = __builtin_shufflevector(a, b, ((Index & Step) != 0 ? Lanes + Index : Index + Step)...);
}

// Exchanges blocks of Step numbers, then of Step / 2, ... 1, over the diagonal.
template <int Lanes, int Step>
inline __attribute__((always_inline)) void exchange_blocks(Vector<Lanes> (&rows)[Lanes]) {
#pragma GCC unroll 16
  for (int i = 0; i < Lanes; ++i)
    if ((i & Step) == 0) exchange<Lanes, Step>(rows[i], rows[i + Step], typename IndicesBelow<Lanes>::Type{});
  if constexpr (Step > 1) exchange_blocks<Lanes, Step / 2>(rows);
}

// out[j * out_stride + i] = in[i * in_stride + j], i in [0, rows), j in [0, columns).
template <int Lanes>
void transpose(const float* in, long in_stride, int rows, int columns, float* out, long out_stride) {
  const int whole_rows = rows / Lanes * Lanes, whole_columns = columns / Lanes * Lanes;
  for (int i = 0; i < whole_rows; i += Lanes)
    for (int j = 0; j < whole_columns; j += Lanes) {
      Vector<Lanes> block[Lanes];
#pragma GCC unroll 16
      for (int r = 0; r < Lanes; ++r) block[r] = load<Lanes>(in + (i + r) * in_stride + j);
      exchange_blocks<Lanes, Lanes / 2>(block);
#pragma GCC unroll 16
      for (int r = 0; r < Lanes; ++r) store<Lanes>(out + (j + r) * out_stride + i, block[r]);
    }
  for (int i = 0; i < rows; ++i)
    for (int j = i < whole_rows ? whole_columns : 0; j < columns; ++j) out[j * out_stride + i] = in[i * in_stride + j];
}

}  // namespace
}  // namespace acol
