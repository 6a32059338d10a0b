// How many threads kernels use. Results do not depend on it.
#pragma once

namespace acol {

// count >= 1; an Error otherwise.
void use_threads(int count);
int threads_in_use();

}  // namespace acol
