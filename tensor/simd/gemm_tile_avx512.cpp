// Compiled with -mavx512f -mavx512vl: 64-byte vectors, 32 registers.
#include "tensor/simd/gemm_tile.inl"

namespace acol {
const GemmTiles& gemm_tiles_avx512() { return tiles_for<16, 14, 28>; }
}  // namespace acol
