// Baseline instructions of the target: 16-byte vectors, 16 registers.
#include "tensor/simd/gemm_tile.inl"

namespace acol {

const GemmTiles& gemm_tiles_scalar() {
  static constexpr GemmShape shapes[]{shape<4, 4, 2>, shape<4, 8, 1>};
  static constexpr GemmTiles tiles{shapes, 2};
  return tiles;
}

}  // namespace acol
