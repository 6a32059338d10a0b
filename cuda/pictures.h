// See upload_pictures in tensor/device.h.
#pragma once

#include <cstdint>

namespace acol::cuda {

void upload_pictures(float* numbers, const std::uint8_t* rgb, std::int64_t pixels, const float* mean, const float* std);

}  // namespace acol::cuda
