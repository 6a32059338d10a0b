// Baseline instructions of the target: 16-byte vectors, 16 registers.
#include "tensor/simd/gemm_tile.inl"

namespace acol {
const GemmTiles& gemm_tiles_scalar() { return tiles_for<4, 4, 8>; }
}  // namespace acol
