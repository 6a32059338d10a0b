// Compiled with -mavx2 -mfma: 32-byte vectors, 16 registers.
#include "tensor/simd/gemm_tile.inl"

namespace acol {

const GemmTiles& gemm_tiles_avx2() {
  static constexpr GemmShape shapes[]{shape<8, 6, 2>, shape<8, 12, 1>, shape<8, 4, 3>};
  static constexpr GemmTiles tiles{shapes, 3};
  return tiles;
}

}  // namespace acol
