// Compiled with -mavx512f -mavx512vl: 64-byte vectors, 32 registers. The last shape, for at most 8 columns, is of
// 32-byte vectors.
#include "tensor/simd/gemm_tile.inl"

namespace acol {

const GemmTiles& gemm_tiles_avx512() {
  static constexpr GemmShape shapes[]{shape<16, 14, 2>, shape<16, 28, 1>, shape<16, 8, 3>, shape<8, 28, 1>};
  static constexpr GemmTiles tiles{shapes, 4};
  return tiles;
}

}  // namespace acol
