// In place of this folder's other files where there is no CUDA toolkit.
#include "tensor/check.h"
#include "tensor/device.h"

namespace acol {

const CudaBackend& cuda_backend() {
  fail(
      "--device cuda: this program was built without CUDA; build it where nvcc is installed (cmake -DACOL_CUDA=ON), or "
      "use --device cpu");
}

}  // namespace acol
