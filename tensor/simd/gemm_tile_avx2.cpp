// Compiled with -mavx2 -mfma: 32-byte vectors, 16 registers.
#include "tensor/simd/gemm_tile.inl"

namespace acol {
const GemmTiles& gemm_tiles_avx2() { return tiles_for<8, 6, 12>; }
}  // namespace acol
