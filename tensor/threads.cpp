#include "tensor/threads.h"

#include <omp.h>

#include "tensor/check.h"

namespace acol {

void use_threads(int count) {
  check(count >= 1 && count <= 4096, "threads: expected a number from 1 to 4096, got ", count);
  omp_set_num_threads(count);
}

int threads_in_use() { return omp_get_max_threads(); }

}  // namespace acol
