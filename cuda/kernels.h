// What the files of this folder give to the table in table.cpp.
#pragma once

#include "tensor/kernels.h"

namespace acol::cuda {

#include "tensor/table_functions.inl"

// table.cpp
const Kernels<float>& kernels();

}  // namespace acol::cuda
