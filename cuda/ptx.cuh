// The few instructions that C++ has no words for, one function each: copies into shared memory that go on behind the
// thread's back, matrix fragments, tensor cores. All need compute capability 8.0; compiled for an older one they stop
// the kernel, and the host does not choose kernels that call them there. The tests have a second version of this file,
// which does the same on the CPU (tests/cuda_emulation/cuda/ptx.cuh).
//
// Lanes of a warp hold the matrices of a product in pieces; with g = lane / 4 and t = lane % 4:
//   sums, 16x8:             [0], [1]: row g, columns 2t, 2t + 1;  [2], [3]: row g + 8
//   a, bf16, 16x16:         two numbers a word, the first in the low half.  [0]: row g, columns 2t, 2t + 1;
//                           [1]: row g + 8;  [2], [3]: the same rows, columns 2t + 8, 2t + 9
//   b, bf16, 16x8:          [0]: rows 2t, 2t + 1 of column g;  [1]: rows 2t + 8, 2t + 9
//   a, tf32, 16x8:          [0]: row g, column t;  [1]: row g + 8;  [2], [3]: the same rows, column t + 4
//   b, tf32, 8x8:           [0]: row t of column g;  [1]: row t + 4
#pragma once

#include <cuda_runtime.h>

namespace acol::cuda {

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
#define ACOL_SINCE_SM_80(...) __VA_ARGS__
#else
#define ACOL_SINCE_SM_80(...) __trap()
#endif

// The address of a shared variable as these instructions take it.
__device__ __forceinline__ unsigned shared_address(const void* shared) {
  return static_cast<unsigned>(__cvta_generic_to_shared(shared));
}

// Copies 16 bytes, past the first-level cache; `shared` and `global` are 16-byte aligned. Not `valid`: writes zeros and
// reads nothing. The thread that copies sees the bytes after wait_for_copies, the others after a barrier behind that.
__device__ __forceinline__ void copy_async_16(void* shared, const void* global, bool valid) {
  ACOL_SINCE_SM_80(const int bytes = valid ? 16 : 0;
                   asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
                                "l"(global), "r"(bytes)
                                : "memory"));
}

// Makes a group of all copies that this thread has started since the last group. A group may be empty.
__device__ __forceinline__ void commit_copies() {
  ACOL_SINCE_SM_80(asm volatile("cp.async.commit_group;" ::: "memory"));
}

// Returns when all groups of this thread but the last `Pending` are there.
template <int Pending>
__device__ __forceinline__ void wait_for_copies() {
  ACOL_SINCE_SM_80(asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory"));
}

// Reads 8x8 matrices of 16-bit numbers. Lanes 8 i to 8 i + 7 name the rows of matrix i, 16 bytes each and so aligned;
// fragment[i]: columns 2t and 2t + 1 of row g of matrix i; transposed: rows 2t and 2t + 1 of column g.
__device__ __forceinline__ void load_matrices_x4(unsigned (&fragment)[4], const void* shared_row) {
  ACOL_SINCE_SM_80(asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                                : "=r"(fragment[0]), "=r"(fragment[1]), "=r"(fragment[2]), "=r"(fragment[3])
                                : "r"(shared_address(shared_row))
                                : "memory"));
}

__device__ __forceinline__ void load_matrices_x4_transposed(unsigned (&fragment)[4], const void* shared_row) {
  ACOL_SINCE_SM_80(asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                                : "=r"(fragment[0]), "=r"(fragment[1]), "=r"(fragment[2]), "=r"(fragment[3])
                                : "r"(shared_address(shared_row))
                                : "memory"));
}

// sums (16x8) += a (16x16) b (16x8), products exact, sums in float32.
__device__ __forceinline__ void multiply_add_bf16(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  ACOL_SINCE_SM_80(
      asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
          "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
          : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1])));
}

// sums (16x8) += a (16x8) b (8x8), products exact, sums in float32.
__device__ __forceinline__ void multiply_add_tf32(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  ACOL_SINCE_SM_80(
      asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
          "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
          : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1])));
}

// The nearest number with 10 bits behind the point (a tie goes away from zero), as the bits of a float.
__device__ __forceinline__ unsigned to_tf32(float x) {
  unsigned bits = 0;
  ACOL_SINCE_SM_80(asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x)));
  return bits;
}

#undef ACOL_SINCE_SM_80

}  // namespace acol::cuda
