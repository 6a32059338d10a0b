// What the files of this folder give to the table in table.cpp, and to each other.
#pragma once

#include "tensor/kernels.h"

namespace acol::cpu {

#include "tensor/table_functions.inl"

// batch_norm.cpp
// sums[c] += sum over the rows of x[row, c], in double, in fixed blocks of rows. With `relu_y` only where that is > 0.
void column_sums(std::int64_t rows, int channels, const float* x, const float* relu_y, double* sums);

}  // namespace acol::cpu
