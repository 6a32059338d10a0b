// Takes the place of cuda/ptx.cuh when kernels are compiled for the CPU: tensor-core and copy instructions as plain
// loops (tensor_core.cpp), with the layouts of the PTX manual.
#pragma once

#include <cuda_runtime.h>

namespace acol::cuda {

// An asynchronous copy is carried out as late as the kernel allows, in wait_for_copies(); until then its place in
// shared memory holds NaN, as if it might be written at any moment.
inline void copy_async_16(void* shared, const void* global, bool valid) {
  emulation::record_copy(shared, global, 16, valid);
}
inline void commit_copies() { emulation::commit_copy_group(); }
template <int Pending>
void wait_for_copies() {
  emulation::run_copy_groups(Pending);
}

namespace emulation {

// Four matrices of 8 x 8 16-bit numbers, into one register each.
void load_matrices(bool transposed, unsigned* fragment, const void* shared_row, const Where& where);
void multiply_add_bf16(float* sums, const unsigned* a, const unsigned* b, const Where& where);
void multiply_add_tf32(float* sums, const unsigned* a, const unsigned* b, const Where& where);

}  // namespace emulation

inline void load_matrices_x4(unsigned (&fragment)[4], const void* shared_row,
                             emulation::Where where = emulation::Where::current()) {
  emulation::load_matrices(false, fragment, shared_row, where);
}
inline void load_matrices_x4_transposed(unsigned (&fragment)[4], const void* shared_row,
                                        emulation::Where where = emulation::Where::current()) {
  emulation::load_matrices(true, fragment, shared_row, where);
}
inline void multiply_add_bf16(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                              emulation::Where where = emulation::Where::current()) {
  emulation::multiply_add_bf16(sums, a, b, where);
}
inline void multiply_add_tf32(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                              emulation::Where where = emulation::Where::current()) {
  emulation::multiply_add_tf32(sums, a, b, where);
}

// To 10 bits behind the point, ties away from zero. NaN and infinity stay.
inline unsigned to_tf32(float x) {
  const unsigned bits = __float_as_uint(x);
  if ((bits & 0x7f800000U) == 0x7f800000U) return (bits & 0x7fffffU) == 0 ? bits : 0x7fffffffU;
  return (bits + 0x1000U) & 0xffffe000U;
}

}  // namespace acol::cuda
